"""A typed way through plain JSON data that already passed the schema.

Input: the value of the whole document and the document itself. A cursor is a value with its
origin; getters raise `MlspecBug` when the schema let something through that it must not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlspec.errors import MlspecBug
from mlspec.ir.model import Json
from mlspec.ir.values import scalar_text
from mlspec.source import Origin
from mlspec.yamlio.nodes import Document, ScalarNode


@dataclass(frozen=True, slots=True)
class Cursor:
    """A value of the document and where it stands."""

    document: Document
    value: Json
    at: Origin

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def get(self, key: str) -> Cursor | None:
        """Return the value of a key; None when it is missing or null."""
        value = self.mapping.get(key)
        return None if value is None else Cursor(self.document, value, self.at / key)

    @property
    def mapping(self) -> dict[str, Json]:
        """The value as a mapping."""
        if not isinstance(self.value, dict):
            raise self.bug("a mapping")
        return self.value

    def entries(self, key: str | None = None) -> Iterator[tuple[str, Cursor]]:
        """Yield keys and values of this mapping, or of the one under `key` (nothing if missing)."""
        here = self if key is None else self.get(key)
        if here is None:
            return
        for name, value in here.mapping.items():
            yield name, Cursor(self.document, value, here.at / name)

    def items(self, key: str | None = None) -> Iterator[Cursor]:
        """Yield items of a list; a single value counts as a list of one; nothing if missing."""
        here = self if key is None else self.get(key)
        if here is None:
            return
        if not isinstance(here.value, list):
            yield here
            return
        for index, value in enumerate(here.value):
            yield Cursor(self.document, value, here.at / index)

    @property
    def text(self) -> str:
        """The value as text."""
        if not isinstance(self.value, str):
            raise self.bug("text")
        return self.value

    def text_of(self, key: str, default: str = "") -> str:
        """Return the text under a key, or the default."""
        found = self.get(key)
        return default if found is None else found.text

    def texts_of(self, key: str) -> tuple[str, ...]:
        """Return the texts under a key: a list, or one text."""
        return tuple(item.text for item in self.items(key))

    def optional_text(self, key: str) -> str | None:
        """Return the text under a key, or None."""
        found = self.get(key)
        return None if found is None else found.text

    def flag(self, key: str) -> bool:
        """Return a boolean; False when missing."""
        found = self.get(key)
        if found is None:
            return False
        if not isinstance(found.value, bool):
            raise found.bug("a boolean")
        return found.value

    def optional_int(self, key: str) -> int | None:
        """Return an integer, or None."""
        found = self.get(key)
        if found is None:
            return None
        if not isinstance(found.value, int):
            raise found.bug("an integer")
        return found.value

    @property
    def written(self) -> str:
        """The scalar as the user wrote it: `1.10` stays `1.10`."""
        node = self.document.node_at(self.at.route)
        if isinstance(node, ScalarNode):
            return node.text
        if isinstance(self.value, (str, int, float, bool)):
            return scalar_text(self.value)
        raise self.bug("a scalar")

    @property
    def source(self) -> str:
        """The file in which the value was written."""
        node = self.document.node_at(self.at.route)
        return self.document.id if node is None else node.source

    def bug(self, wanted: str) -> MlspecBug:
        """Return the exception for a value that the schema must not have let through."""
        route = ".".join(str(step) for step in self.at.route)
        return MlspecBug(f"the schema let {type(self.value).__name__} through at {route}: {wanted}")
