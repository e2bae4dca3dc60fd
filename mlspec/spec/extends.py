"""Resolves `extends` of models and `like` of data nouns.

Input: an assembled document. Output: a document in which each such noun holds what it inherits,
and the key `extends` or `like` is gone. The child wins, mappings merge key by key, lists are
taken whole, `null` removes what the parent has. Inherited entries know what brought them in,
changed ones what they override. `like` brings the contract only: schema, key and time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlspec.diagnostics.codes import layers, reading
from mlspec.diagnostics.model import Diagnostic, Label, Result
from mlspec.diagnostics.suggest import did_you_mean
from mlspec.source import Origin
from mlspec.spec.include import count_nodes
from mlspec.yamlio.characters import shown
from mlspec.yamlio.nodes import Document, MapEntry, MapNode, Node, ScalarNode
from mlspec.yamlio.scalars import is_null
from mlspec.yamlio.tree import MAX_NODES


@dataclass(frozen=True, slots=True)
class _Rule:
    """A section whose nouns inherit, the key that says so, and what it brings (None: all)."""

    section: str
    key: str
    brings: frozenset[str] | None


_RULES = (
    _Rule("models", "extends", None),
    _Rule("data", "like", frozenset(["schema", "key", "time"])),
)


_SHOWN = 10  # names of a circle in a message


MAX_COPIED = 500_000
"""How many entries all nouns of a section may inherit or merge together."""


class _TooMuch(Exception):  # noqa: N818  control flow inside this module
    """The document grows past the limit."""


class _Section:
    """One section while it is resolved."""

    def __init__(self, document: Document, rule: _Rule, nouns: Mapping[str, MapEntry]) -> None:
        self.rule = rule
        self.at = Origin(document.id) / rule.section
        self.nouns = nouns
        self.done: dict[str, MapNode] = {}
        self.found: list[Diagnostic] = []
        self.copied = 0

    def resolve_all(self) -> dict[str, MapEntry]:
        """Return the nouns with what they inherit."""
        for name in self.nouns:
            self._resolve(name)
        return {
            name: replace(entry, value=self.done[name]) if name in self.done else entry
            for name, entry in self.nouns.items()
        }

    def _parent_node(self, name: str) -> ScalarNode | None:
        noun = self.nouns[name].value
        node = noun.get(self.rule.key) if isinstance(noun, MapNode) else None
        return node if isinstance(node, ScalarNode) else None

    def _resolve(self, name: str) -> None:
        """Walk up to something that is resolved or inherits nothing, then merge downwards."""
        way: dict[str, ScalarNode] = {}
        at = name
        while at not in self.done and (node := self._parent_node(at)) is not None:
            if at in way:
                self._report_circle([*list(way)[list(way).index(at) :], at])
                break
            way[at] = node
            if node.text not in self.nouns:
                self._report_unknown(at, node)
                break
            at = node.text
        for child, node in reversed(way.items()):
            noun = self.nouns[child].value
            parent = self.done.get(node.text) or self._plain(node.text)
            if not isinstance(noun, MapNode) or child in self.done:
                continue
            own = replace(noun, entries=_without(noun.entries, self.rule.key))
            if parent is None or (node.text in way and node.text not in self.done):
                self.done[child] = own
            else:
                self.done[child] = self._merge(self._brought(parent), own, node, self.at / child)

    def _brought(self, parent: MapNode) -> MapNode:
        """Return what of the parent is inherited at all."""
        brings = self.rule.brings
        if brings is None:
            return parent
        kept = {key: entry for key, entry in parent.entries.items() if key in brings}
        return replace(parent, entries=kept)

    def _plain(self, name: str) -> MapNode | None:
        entry = self.nouns.get(name)
        return entry.value if entry is not None and isinstance(entry.value, MapNode) else None

    def _merge(self, parent: MapNode, child: MapNode, by: ScalarNode, at: Origin) -> MapNode:
        entries: dict[str, MapEntry] = {}
        self._spend(len(parent.entries) + len(child.entries))
        for key, entry in parent.entries.items():
            own = child.entries.get(key)
            if own is None:
                entries[key] = MapEntry(entry.key, entry.value, None, by, self.rule.key)
                continue
            merged = self._merge_entry(entry, own, by, at / key)
            if merged is not None:
                entries[key] = merged
        for key, entry in child.entries.items():
            if key in parent.entries:
                continue
            if _is_null(entry.value):
                self._report_nothing(at / key, by)
            else:
                entries[key] = entry
        return replace(child, entries=entries)

    def _merge_entry(
        self, parent: MapEntry, child: MapEntry, by: ScalarNode, at: Origin
    ) -> MapEntry | None:
        if _is_null(child.value):
            return None
        if isinstance(parent.value, MapNode) and isinstance(child.value, MapNode):
            return replace(child, value=self._merge(parent.value, child.value, by, at))
        return replace(child, overrides=parent.value)

    def _spend(self, entries: int) -> None:
        self.copied += entries
        if self.copied > MAX_COPIED:
            raise _TooMuch

    def _report_unknown(self, name: str, node: ScalarNode) -> None:
        noun = "model" if self.rule.section == "models" else "data noun"
        self.found.append(
            Diagnostic(
                code=layers.EXTENDS_UNKNOWN,
                message=f"there is no {noun} {shown(node.text)}",
                at=self.at / name / self.rule.key,
                help=did_you_mean(node.text, [known for known in self.nouns if known != name]),
            )
        )

    def _report_circle(self, names: list[str]) -> None:
        first = names[0]
        shortened = names if len(names) <= _SHOWN else [*names[: _SHOWN - 2], "…", names[-1]]
        chain = " -> ".join(f"`{name}`" for name in shortened)
        self.found.append(
            Diagnostic(
                code=layers.EXTENDS_CYCLE,
                message=f"`{self.rule.key}` goes in a circle: {chain}",
                at=self.at / first / self.rule.key,
                labels=tuple(
                    Label(self.at / name / self.rule.key, "goes on here")
                    for name in names[1:-1][:_SHOWN]
                ),
                help=(f"take one `{self.rule.key}` of the circle away",),
            )
        )

    def _report_nothing(self, at: Origin, by: ScalarNode) -> None:
        missing = shown(str(at.route[-1]))
        self.found.append(
            Diagnostic(
                code=layers.OVERLAY_REMOVES,
                message=f"`null` removes nothing: {shown(by.text)} has no {missing}",
                at=at.key(),
                help=("delete the line",),
            )
        )


def resolve_inheritance(document: Document) -> Result[Document]:
    """Return the document with `extends` and `like` resolved; the same object if it has none."""
    root = document.root
    if not isinstance(root, MapNode):
        return Result(document)
    found: list[Diagnostic] = []
    changed: dict[str, MapEntry] = {}
    for rule in _RULES:
        entry = root.entries.get(rule.section)
        if entry is None or not isinstance(entry.value, MapNode):
            continue
        section = _Section(document, rule, entry.value.entries)
        try:
            nouns = section.resolve_all()
        except _TooMuch:
            return Result(document, (*found, _too_many(section.at)))
        found += section.found
        if section.done:
            changed[rule.section] = replace(entry, value=replace(entry.value, entries=nouns))
    if not changed:
        return Result(document, tuple(found))
    merged = replace(root, entries={**root.entries, **changed})
    if count_nodes(merged) > MAX_NODES:
        return Result(document, (*found, _too_many(Origin(document.id) / next(iter(changed)))))
    return Result(replace(document, root=merged), tuple(found))


def _too_many(section: Origin) -> Diagnostic:
    return Diagnostic(
        code=reading.TOO_MANY_NODES,
        message="what the nouns of this section inherit makes the spec too large",
        at=section.key(),
        notes=(f"mlspec reads at most {MAX_NODES:,} values",),
    )


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.plain and is_null(node.text)


def _without(entries: Mapping[str, MapEntry], key: str) -> dict[str, MapEntry]:
    return {name: entry for name, entry in entries.items() if name != key}
