"""The document tree: what was written and where, before anything is interpreted.

Scalars keep their text; `mlspec.yamlio.scalars` gives them types once the schema is known. Every
node knows its file, so that trees merged from several files (include, `extends`, overlays) still
name the place where each value was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mlspec.source import Route, SourceFile


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A scalar: its decoded text and how it was written.

    Attributes:
        text: the value after YAML's own unescaping.
        plain: written without quotes and not as a block, so its type is open.
        start, end: character offsets in the file `source`.
    """

    text: str
    plain: bool
    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SeqNode:
    """A sequence."""

    items: tuple[Node, ...]
    flow: bool
    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MapEntry:
    """A key with its value.

    Attributes:
        key: the key as written.
        value: the effective value.
        overrides: the value this one replaced, when an overlay or `extends` did.
        brought_by: the node that brought the entry here (an `include` item, an `extends` value,
            the key of an environment).
        brought_as: `include`, `extends`, `like` or `environment`; empty without `brought_by`.
    """

    key: ScalarNode
    value: Node
    overrides: Node | None = None
    brought_by: Node | None = None
    brought_as: str = ""


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping with string keys, in the order they were written."""

    entries: Mapping[str, MapEntry]
    flow: bool
    source: str
    start: int
    end: int

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self.entries.get(key)
        return entry.value if entry is not None else None


Node = ScalarNode | SeqNode | MapNode


@dataclass(frozen=True, slots=True)
class Document:
    """A document: a tree and all files it was made from.

    Attributes:
        id: path of the main file.
        root: the tree; an empty mapping when the main file cannot be read as YAML.
        files: by id; the main file first.
        readable: False when `root` says nothing, and only `files` is of use (for messages).
        parts: documents of their own that this one uses, by id; origins lead into them too.
        used_by: for such a document, the node that names it first.
    """

    id: str
    root: Node
    files: Mapping[str, SourceFile]
    readable: bool = True
    parts: Mapping[str, Document] = field(default_factory=lambda: MappingProxyType({}))
    used_by: Node | None = None

    def node_at(self, route: Route) -> Node | None:
        """Return the node at a route, or None when there is none."""
        node: Node | None = self.root
        for step in route:
            match node:
                case MapNode():
                    node = node.get(str(step))
                case SeqNode(items=items) if isinstance(step, int) and 0 <= step < len(items):
                    node = items[step]
                case _:
                    return None
        return node
