"""The effective spec: every value with the place it comes from, defaults and overlays included.

`mlspec explain --effective [PATH] [--env E]` prints it as an indented outline; a value's origin
stands behind it: the file and line where it was written, what it overrides, `default` when nobody
wrote it, and the level a step inherits a run setting from. What a check asks stands below it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mlspec.cli.noun_defaults import Assumed, assumed
from mlspec.schema.registry import Schema, load_schema
from mlspec.schema.shapes import branches_of
from mlspec.source import Origin, Route
from mlspec.yamlio.locate import locate, provenance
from mlspec.yamlio.nodes import Document, MapNode, Node, ScalarNode, SeqNode

_RUN_SETTINGS = ("image", "build", "env", "secrets", "resources", "timeout", "retry", "native")
_MERGED = ("env", "secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A leaf of the effective spec.

    Attributes:
        route: where it stands.
        text: the value in flow style.
        file, line: where it was written; empty and 0 for a default.
        notes: what it overrides, what brought it in, the level it is inherited from; why it is the
            default.
        words: what it means; empty when the value says it.
    """

    route: Route
    text: str
    file: str = ""
    line: int = 0
    notes: tuple[str, ...] = ()
    words: str = ""

    @property
    def origin(self) -> str:
        """Where the value comes from, in words."""
        place = f"{self.file}:{self.line}" if self.file else "default"
        return "; ".join((place, *self.notes))


def effective_values(
    document: Document, at: Route = (), environment: str | None = None
) -> tuple[Value, ...]:
    """Return all leaves below a route of an effective document, in document order.

    Args:
        document: a tree whose layers are applied.
        at: keys and indices from the root; an unknown route gives nothing.
        environment: whose layers they are.
    """
    schema: list[Schema] = [load_schema()]
    for step in at:
        schema = [inner for one in schema for inner in _below(one, step)]
    nouns = assumed(document, environment)
    node = document.node_at(at)
    if node is None:
        above = at[:-1]
        rest = (*_inherited(document, above), *_assumed(document.node_at(above), above, nouns))
        return tuple(value for value in rest if value.route[: len(at)] == at)
    return tuple(_Walk(document, nouns).leaves(node, at, schema))


@dataclass(frozen=True, slots=True)
class _Walk:
    """A document, and what its nouns assume."""

    document: Document
    nouns: Assumed

    def leaves(self, node: Node, route: Route, schemas: list[Schema]) -> Iterator[Value]:
        match node:
            case MapNode() if node.entries:
                words = self.nouns.words.get(route, "")
                for key, entry in node.entries.items():
                    inner = [below for one in schemas for below in _below(one, key)]
                    for value in self.leaves(entry.value, (*route, key), inner):
                        yield replace(value, words=value.words or words)
                        words = ""
                yield from _inherited(self.document, route)
                yield from _defaults(node, route, schemas, self.nouns)
                yield from _assumed(node, route, self.nouns)
            case SeqNode(items=items) if any(
                isinstance(item, MapNode) or (*route, index) in self.nouns.words
                for index, item in enumerate(items)
            ):
                for index, item in enumerate(items):
                    inner = [below for one in schemas for below in _below(one, index)]
                    yield from self.leaves(item, (*route, index), inner)
            case _:
                written = _written(self.document, node, route, route)
                yield replace(written, words=self.nouns.words.get(route, ""))


def _assumed(node: Node | None, route: Route, nouns: Assumed) -> Iterator[Value]:
    """Yield what the nouns assume at or below entries that a mapping does not have."""
    entries = node.entries if isinstance(node, MapNode) else {}
    depth = len(route)
    for place, (text, why) in nouns.values.items():
        if len(place) > depth and place[:depth] == route and place[depth] not in entries:
            is_below_written = node is not None and not isinstance(node, MapNode)
            if not is_below_written:
                yield Value(route=place, text=text, notes=(why,) if why else ())


def _written(document: Document, node: Node, origin: Route, route: Route, *more: str) -> Value:
    place = locate(document, Origin(document.id, origin))
    file, line = "", 0
    if place is not None:
        file, line = place[0].id, place[0].position(place[1].start).line
    notes = (*provenance(document, Origin(document.id, origin)), *more)
    return Value(route=route, text=_flow(node), file=file, line=line, notes=notes)


def _inherited(document: Document, route: Route) -> Iterator[Value]:
    """Yield the run settings that a step takes from `defaults` of its pipeline or of the file."""
    is_step = len(route) == 4 and (route[0], route[2]) == ("pipelines", "steps")
    is_final = len(route) == 3 and (route[0], route[2]) == ("pipelines", "finally")
    step = document.node_at(route)
    if not (is_step or is_final) or not isinstance(step, MapNode):
        return
    has_image = any(key in step.entries for key in ("image", "build"))
    taken: set[Route] = set()
    for level in ((*route[:2], "defaults"), ("defaults",)):
        defaults = document.node_at(level)
        if not isinstance(defaults, MapNode):
            continue
        for key, entry in defaults.entries.items():
            if key not in _RUN_SETTINGS or (key in ("image", "build") and has_image):
                continue
            source = f"from {'.'.join(map(str, level))}"
            if key in _MERGED and isinstance(entry.value, MapNode):
                own = step.get(key)
                names = set(own.entries) if isinstance(own, MapNode) else set()
                for name, item in entry.value.entries.items():
                    target = (*route, key, name)
                    if name not in names and target not in taken:
                        taken.add(target)
                        yield _written(document, item.value, (*level, key, name), target, source)
            elif key not in step.entries and (*route, key) not in taken:
                taken.add((*route, key))
                yield _written(document, entry.value, (*level, key), (*route, key), source)


def _defaults(
    node: MapNode, route: Route, schemas: list[Schema], nouns: Assumed
) -> Iterator[Value]:
    """Yield what the language assumes for keys that nobody wrote."""
    for schema in schemas:
        for branch in branches_of(schema):
            for key, inner in branch.get("properties", {}).items():
                is_said = key in node.entries or (*route, key) in nouns.without
                if not is_said and "default" in inner:
                    yield Value(route=(*route, key), text=_plain(inner["default"]))


def _below(schema: Schema, step: str | int) -> Iterator[Schema]:
    for branch in branches_of(schema):
        if isinstance(step, int):
            if isinstance(branch.get("items"), dict):
                yield branch["items"]
            elif "properties" in branch:
                yield branch
        elif step in branch.get("properties", {}):
            yield branch["properties"][step]
        elif isinstance(branch.get("additionalProperties"), dict):
            yield branch["additionalProperties"]


def _flow(node: Node) -> str:
    match node:
        case ScalarNode(text=text, plain=plain):
            return text if plain else json.dumps(text, ensure_ascii=False)
        case SeqNode(items=items):
            return "[" + ", ".join(_flow(item) for item in items) + "]"
        case MapNode(entries=entries):
            return "{" + ", ".join(f"{k}: {_flow(e.value)}" for k, e in entries.items()) + "}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def outline(values: tuple[Value, ...]) -> str:
    """Return values as an indented outline, origins behind them as comments."""
    rows: list[tuple[str, str]] = []
    open_: Route = ()
    for value in values:
        shared = 0
        while (
            shared < min(len(open_), len(value.route) - 1) and open_[shared] == value.route[shared]
        ):
            shared += 1
        rows += [
            (f"{'  ' * depth}{_key(value.route[depth])}:", "")
            for depth in range(shared, len(value.route) - 1)
        ]
        depth = len(value.route) - 1
        key = _key(value.route[depth]) if value.route else ""
        rows.append((f"{'  ' * depth}{key}: {value.text}", value.origin))
        if value.words:
            rows.append((f"{'  ' * depth}  # {value.words}", ""))
        open_ = value.route[:-1]
    width = min(max((len(left) for left, right in rows if right), default=0), 60)
    return "\n".join(f"{left:<{width}}  # {right}" if right else left for left, right in rows)


def _key(step: str | int) -> str:
    return f"[{step}]" if isinstance(step, int) else step


def as_data(values: tuple[Value, ...]) -> list[dict[str, object]]:
    """Return values for the JSON format."""
    return [
        {
            "path": ".".join(map(str, value.route)),
            "value": value.text,
            "file": value.file or None,
            "line": value.line or None,
            "notes": list(value.notes),
            "words": value.words or None,
        }
        for value in values
    ]
