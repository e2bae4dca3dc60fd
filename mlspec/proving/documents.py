"""YAML of artifacts as plain structures that know their lines.

Duty: artifact text to `Doc`s by the strict loader; several documents of one file are separated
here. A file that the loader refuses (a duplicate key, say) is a flaw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlspec.emit.artifact import Artifact
from mlspec.proving.graph import Flaw, Spot
from mlspec.source import SourceFile
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.nodes import MapNode, Node, ScalarNode, SeqNode
from mlspec.yamlio.scalars import resolve_plain


@dataclass(frozen=True, slots=True)
class Doc:
    """A value of a YAML document.

    Attributes:
        value: a scalar, a tuple of `Doc`, or a mapping of names to `Doc`.
        at: where it was written.
    """

    value: str | int | float | bool | tuple[Doc, ...] | Mapping[str, Doc] | None
    at: Spot

    def get(self, *route: str) -> Doc | None:
        """Return what stands at a route of keys, or None."""
        found: Doc | None = self
        for key in route:
            found = found.value.get(key) if found and isinstance(found.value, Mapping) else None
        return found

    @property
    def text(self) -> str | None:
        """The value, if it is a string."""
        return self.value if isinstance(self.value, str) else None

    @property
    def items(self) -> tuple[Doc, ...]:
        """The items of a sequence; empty for anything else."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def entries(self) -> Mapping[str, Doc]:
        """The entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    def texts(self, *route: str) -> tuple[str, ...] | None:
        """Return a sequence of strings, or a single string as one; None for anything else."""
        found = self.get(*route)
        if found is None:
            return ()
        if found.text is not None:
            return (found.text,)
        texts = tuple(item.text for item in found.items if item.text is not None)
        return texts if isinstance(found.value, tuple) and len(texts) == len(found.items) else None

    def walk(self) -> Iterator[Doc]:
        """Yield this value and everything in it."""
        yield self
        for item in (*self.items, *self.entries.values()):
            yield from item.walk()

    def plain(self) -> object:
        """Return the value without places."""
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        if isinstance(self.value, Mapping):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value


def documents(artifact: Artifact) -> tuple[tuple[Doc, ...], tuple[Flaw, ...]]:
    """Return the documents of a YAML artifact, and a flaw for each that cannot be read."""
    found: list[Doc] = []
    flaws: list[Flaw] = []
    line = 0
    for part in re.split(r"^---[ \t]*\n", artifact.text, flags=re.MULTILINE):
        if any(row.strip() and not row.startswith("#") for row in part.split("\n")):
            file = SourceFile(artifact.path, "\n" * line + part)
            loaded = load_text(file)
            if loaded.value is None or loaded.diagnostics:
                said = loaded.diagnostics[0].message if loaded.diagnostics else "no document"
                flaws.append(Flaw(f"it cannot be read: {said}", Spot(artifact.path), on_path=True))
            if loaded.value is not None:
                found.append(_doc(loaded.value, file))
        line += part.count("\n") + 1
    return tuple(found), tuple(flaws)


def _doc(node: Node, file: SourceFile) -> Doc:
    at = Spot(file.id, file.position(node.start).line)
    match node:
        case MapNode():
            made = {key: _doc(entry.value, file) for key, entry in node.entries.items()}
            return Doc(made, at)
        case SeqNode():
            return Doc(tuple(_doc(item, file) for item in node.items), at)
        case ScalarNode():
            return Doc(resolve_plain(node.text) if node.plain else node.text, at)


def merged(base: Doc | None, patch: Doc) -> Doc:
    """Return a value with a JSON merge patch applied (RFC 7386); places follow the values."""
    if not isinstance(patch.value, Mapping):
        return patch
    made = dict(base.entries) if base is not None else {}
    for key, item in patch.value.items():
        if item.value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), item)
    return Doc(made, base.at if base is not None else patch.at)
