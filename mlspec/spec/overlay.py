"""Applies what an environment changes: its `override` merge patch and its `targets`.

Input: a document with `extends` resolved, and the name of an environment. Output: the effective
document of that environment. Rules (RFC 7396 with ours on top): mappings merge key by key, lists
and scalars are replaced, `null` removes. A patch invents no ids and removes none, so that every
environment has the same things; changed entries know what they override and who did it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlspec.diagnostics.codes import layers, names
from mlspec.diagnostics.model import Code, Diagnostic, Label, Result
from mlspec.diagnostics.suggest import did_you_mean
from mlspec.source import Origin, Route
from mlspec.spec.include import ID_SECTIONS, place_of
from mlspec.yamlio.characters import shown
from mlspec.yamlio.nodes import Document, MapEntry, MapNode, Node, ScalarNode, SeqNode
from mlspec.yamlio.scalars import is_null

_FORBIDDEN = {
    "mlspec": "the version of the language is the same everywhere",
    "include": "files are included before environments are looked at",
    "environments": "an environment cannot change environments",
    "targets": "write `targets` directly under the environment",
}
_ID_MAPS = {"pipelines": "steps", "serving": "variants"}
_SOURCE_SETTINGS = ("format", "query", "secret")
_INHERITANCE = {"models": "extends", "data": "like"}
_SINGULAR = {
    "roles": "role",
    "data": "data noun",
    "features": "feature",
    "models": "model",
    "metrics": "metric",
    "serving": "service",
    "monitors": "monitor",
    "kpis": "KPI",
    "pipelines": "pipeline",
    "steps": "step",
    "variants": "variant",
}


class _Overlay:
    """One patch being applied. `route` is a place in the tree, `at` the same in the patch."""

    def __init__(self, environment: ScalarNode, patch: Origin) -> None:
        self.environment = environment
        self.patch = patch
        self.found: list[Diagnostic] = []

    def merge(self, base: MapNode, patch: MapNode, route: Route) -> MapNode:
        """Return the base with the patch applied; recursion is bounded by the loader's depth."""
        entries = self._prepared(base, patch, route)
        for key, entry in patch.entries.items():
            known = base.entries.get(key)
            if self._is_refused(base, key, entry, route):
                continue
            if _is_null(entry.value):
                self._remove(entries, key, known, route)
                continue
            merged = self._value(known, entry, (*route, key))
            if known is not None and isinstance(known.value, MapNode) and merged is not entry.value:
                entries[key] = replace(known, value=merged)
            else:
                entries[key] = self._changed(entry, merged, known)
        return replace(base, entries=entries)

    def _value(self, known: MapEntry | None, entry: MapEntry, route: Route) -> Node:
        if not isinstance(entry.value, MapNode):
            return entry.value
        if known is not None and isinstance(known.value, MapNode):
            return self.merge(known.value, entry.value, route)
        return self.merge(replace(entry.value, entries={}), entry.value, route)

    def _changed(self, entry: MapEntry, value: Node, known: MapEntry | None) -> MapEntry:
        return MapEntry(
            entry.key, value, known.value if known else None, self.environment, "environment"
        )

    def _prepared(self, base: MapNode, patch: MapNode, route: Route) -> dict[str, MapEntry]:
        """Return the base's entries; a new `source` drops the settings of the old one (B31)."""
        entries = dict(base.entries)
        if len(route) == 2 and route[0] in _INHERITANCE and patch.get("source") is not None:
            for key in _SOURCE_SETTINGS:
                if key not in patch.entries:
                    entries.pop(key, None)
        return entries

    def _is_refused(self, base: MapNode, key: str, entry: MapEntry, route: Route) -> bool:
        at = self._at((*route, key))
        if not route and key in _FORBIDDEN:
            self._report(
                layers.OVERLAY_FORBIDDEN, at, f"an override cannot hold `{key}`", _FORBIDDEN[key]
            )
            return True
        if len(route) == 2 and _INHERITANCE.get(str(route[0])) == key:
            message = f"an override cannot hold `{key}`"
            self._report(layers.OVERLAY_FORBIDDEN, at, message, "write the changed keys out")
            return True
        if not route and _is_null(entry.value) and key in base.entries:
            self._report(layers.OVERLAY_REMOVES, at, f"an override cannot remove `{key}`")
            return True
        kind = _kind_of_ids(route)
        if kind is None:
            return False
        if key not in base.entries:
            self._report(
                layers.OVERLAY_INVENTS,
                at,
                f"there is no {kind} {shown(key)} to override",
                *did_you_mean(key, base.entries),
                "an environment changes what there is; define new things outside of it",
            )
            return True
        if _is_null(entry.value):
            self._report(
                layers.OVERLAY_REMOVES,
                at,
                f"an override cannot remove the {kind} {shown(key)}",
                "every environment has the same things",
            )
            return True
        return False

    def _remove(
        self, entries: dict[str, MapEntry], key: str, known: MapEntry | None, route: Route
    ) -> None:
        entries.pop(key, None)
        if known is None:
            self._report(
                layers.OVERLAY_REMOVES,
                self._at((*route, key)),
                f"`null` removes nothing: there is no {shown(key)} here",
                "delete the line",
            )

    def _at(self, route: Route) -> Origin:
        at = self.patch
        for step in route:
            at = at / step
        return at.key()

    def _report(self, code: Code, at: Origin, message: str, *help_: str) -> None:
        self.found.append(Diagnostic(code=code, message=message, at=at, help=help_))

    def replace_parts(self, base: MapEntry | None, chosen: MapEntry, at: Origin) -> MapEntry:
        """Return the targets with each part that the environment names replaced as a whole."""
        self.patch = at
        new = chosen.value
        if not isinstance(new, MapNode):
            return base if base is not None else chosen
        old = base.value if base is not None and isinstance(base.value, MapNode) else None
        entries = dict(old.entries) if old is not None else {}
        for part, entry in new.entries.items():
            known = entries.get(part)
            if _is_null(entry.value):
                self._remove(entries, part, known, ())
            else:
                entries[part] = self._changed(entry, entry.value, known)
        if base is not None and old is not None:
            return replace(base, value=replace(old, entries=entries))
        value = replace(new, entries=entries)
        return MapEntry(chosen.key, value, None, self.environment, "environment")


def overlay_environment(document: Document, environment: str) -> Result[Document]:
    """Return the effective document of an environment; the same object if it changes nothing.

    Args:
        document: assembled, inheritance resolved.
        environment: the name of an entry of `environments`.
    """
    root = document.root
    listed = root.get("environments") if isinstance(root, MapNode) else None
    entry = listed.entries.get(environment) if isinstance(listed, MapNode) else None
    if not isinstance(root, MapNode) or entry is None:
        known = listed.entries if isinstance(listed, MapNode) else {}
        return Result(document, (_unknown(document, environment, known),))
    if not isinstance(entry.value, MapNode):
        return Result(document)
    at = Origin(document.id) / "environments" / environment
    overlay = _Overlay(entry.key, at / "override")
    merged = root
    patch = entry.value.get("override")
    if isinstance(patch, MapNode):
        missing = {key: _empty_section(patch.entries[key]) for key in _missing(root, patch)}
        merged = overlay.merge(replace(root, entries={**root.entries, **missing}), patch, ())
        kept = {key: one for key, one in merged.entries.items() if key not in missing}
        merged = replace(merged, entries=kept)
    targets = entry.value.entries.get("targets")
    if targets is not None:
        changed = overlay.replace_parts(root.entries.get("targets"), targets, at / "targets")
        merged = replace(merged, entries={**merged.entries, "targets": changed})
    if merged is root:
        return Result(document)
    return Result(replace(document, root=merged), tuple(overlay.found))


def _missing(root: MapNode, patch: MapNode) -> list[str]:
    return [
        key
        for key, entry in patch.entries.items()
        if key in ID_SECTIONS and key not in root.entries and isinstance(entry.value, MapNode)
    ]


def _empty_section(entry: MapEntry) -> MapEntry:
    """Return a section without ids, so that everything the patch has in it is invented."""
    value = entry.value
    return replace(entry, value=replace(value, entries={}) if isinstance(value, MapNode) else value)


def _kind_of_ids(route: Route) -> str | None:
    """Return what the keys below a route name when they are ids, or None."""
    if len(route) == 1 and route[0] in ID_SECTIONS:
        return _SINGULAR.get(str(route[0]))
    if len(route) == 3 and _ID_MAPS.get(str(route[0])) == route[2]:
        return _SINGULAR[str(route[2])]
    return None


def _unknown(document: Document, name: str, known: Mapping[str, MapEntry]) -> Diagnostic:
    at = (Origin(document.id) / "environments").key() if known else None
    return Diagnostic(
        code=names.UNKNOWN_ENVIRONMENT,
        message=f"there is no environment {shown(name)}",
        at=at,
        notes=("environments: " + (", ".join(f"`{one}`" for one in known) or "none"),),
        help=did_you_mean(name, known),
    )


def check_environment_order(document: Document) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the order of environments: `after` nothing, or in a circle."""
    root = document.root
    listed = root.get("environments") if isinstance(root, MapNode) else None
    if not isinstance(listed, MapNode):
        return ()
    found: list[Diagnostic] = []
    after: dict[str, list[ScalarNode]] = {}
    for name, entry in listed.entries.items():
        after[name] = []
        for node in _predecessors(entry.value):
            if node.text in listed.entries:
                after[name].append(node)
                continue
            found.append(
                Diagnostic(
                    code=layers.ENVIRONMENT_ORDER,
                    message=f"{shown(name)} comes after {shown(node.text)}, which does not exist",
                    at=place_of(node),
                    help=did_you_mean(node.text, [one for one in listed.entries if one != name]),
                )
            )
    left = dict(after)
    while free := [name for name, nodes in left.items() if all(n.text not in left for n in nodes)]:
        for name in free:
            del left[name]
    if left:
        found.append(_order_circle(left))
    return tuple(found)


def _predecessors(environment: Node) -> list[ScalarNode]:
    value = environment.get("after") if isinstance(environment, MapNode) else None
    items = value.items if isinstance(value, SeqNode) else (value,)
    return [item for item in items if isinstance(item, ScalarNode) and not (_is_null(item))]


def _order_circle(left: Mapping[str, list[ScalarNode]]) -> Diagnostic:
    """Return the diagnostic of one circle among environments that all wait for each other."""
    way: list[str] = [next(iter(left))]
    nodes: list[ScalarNode] = []
    while way[-1] not in way[:-1]:
        node = next(one for one in left[way[-1]] if one.text in left)
        nodes.append(node)
        way.append(node.text)
    start = way.index(way[-1])
    circle, labels = way[start:], nodes[start:]
    return Diagnostic(
        code=layers.ENVIRONMENT_ORDER,
        message="environments come after each other: "
        + " -> ".join(shown(name) for name in circle),
        at=place_of(labels[0]),
        labels=tuple(Label(place_of(node), "and this one after that") for node in labels[1:]),
        help=("one environment comes first: take its `after` away",),
    )


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.plain and is_null(node.text)
