"""Words for messages about the shape: what a place is called, what it takes, what stands there."""

from __future__ import annotations

from mlspec.ir.model import Json
from mlspec.schema.registry import Schema
from mlspec.schema.shapes import branches_of, types_of
from mlspec.source import Route
from mlspec.yamlio.characters import shown

_NOUNS = {
    "roles": "role",
    "metrics": "metric",
    "data": "data noun",
    "features": "feature",
    "models": "model",
    "serving": "service",
    "monitors": "monitor",
    "kpis": "KPI",
    "pipelines": "pipeline",
    "environments": "environment",
}
_PARTS = {"steps": "step", "params": "parameter", "schema": "column", "variants": "variant"}
_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def place_name(route: Route) -> str:
    """Return what a place is called: `retry` of step `train`, the spec, environment `prod`."""
    owner, rest = _owner(route)
    if not rest:
        return owner or "the spec"
    item = rest[-1] if isinstance(rest[-1], int) else None
    keys = [str(part) for part in rest if not isinstance(part, int)]
    named = shown(".".join(keys), 120) if keys else ""
    if item is not None:
        named = f"item {item + 1} of {named}" if named else f"item {item + 1}"
    return f"{named} of {owner}" if owner else named


def _owner(route: Route) -> tuple[str, Route]:
    """Return the innermost noun or part around a place, in words, and the rest of the route."""
    start = 3 if route[:1] == ("environments",) and route[2:3] == ("override",) else 0
    if len(route) < start + 2 or route[start] not in _NOUNS:
        return (f"the overlay of environment {shown(str(route[1]))}" if start else ""), route[
            start:
        ]
    owner = f"{_NOUNS[str(route[start])]} {shown(str(route[start + 1]))}"
    rest = route[start + 2 :]
    if len(rest) >= 2 and rest[0] in _PARTS and isinstance(rest[1], str):
        return f"{_PARTS[str(rest[0])]} {shown(rest[1])}", rest[2:]
    return owner, rest


def example_of(schema: Schema) -> str | None:
    """Return an example of a scalar, as one would write it, or None."""
    for value in schema.get("examples", ()):
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
    for branch in branches_of(schema):
        if branch is not schema:
            found = example_of(branch)
            if found is not None:
                return found
    return None


def expected(schema: Schema) -> str:
    """Return what a place takes: a duration such as `30m`, a list of values, one of `a` and `b`."""
    parts: list[str] = []
    for branch in branches_of(schema):
        words = _expected_branch(branch, schema)
        if words not in parts and types_of(branch) != ("null",):
            parts.append(words)
    return " or ".join(parts)


def _expected_branch(branch: Schema, whole: Schema) -> str:
    if "enum" in branch:
        return f"one of {listed(branch['enum'])}"
    kinds = types_of(branch)
    title = str(branch.get("title", ""))
    if kinds == ("object",):
        with_keys = _with_keys(branch)
        if not title or "mapping" in title:
            return title or f"a mapping{with_keys}"
        return f"{title} (a mapping{with_keys})"
    if kinds == ("array",):
        return title if "list" in title else f"a list{f' ({title})' if title else ''}"
    words = title or " or ".join(_KINDS[kind] for kind in kinds)
    example = example_of(branch) or (example_of(whole) if branch is not whole else None)
    if example is None or kinds in {("boolean",), ("integer",), ("number",)}:
        return words
    return f"{words} such as {shown(example)}"


def _with_keys(mapping: Schema) -> str:
    needed = list(mapping.get("required", ()))
    if needed:
        return f" with {listed(needed, ' and ')}"
    groups = mapping.get("x-exactly-one") or [list(mapping.get("properties", ()))[:3]]
    return f" with {listed(groups[0])}" if groups[0] else ""


def listed(values: object, last: str = " or ") -> str:
    """Return values in backticks, with commas and a last word between the last two."""
    items = [shown(spelled(value)) for value in values]  # type: ignore[attr-defined] # any iterable
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + last + items[-1]


def spelled(value: Json) -> str:
    """Return a scalar as one would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def found(value: Json) -> str:
    """Return what stands at a place: a list, nothing, the number 3, the text `abc`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{spelled(value)}`"
        case int() | float():
            return f"the number `{value}`"
        case str():
            return f"the text {shown(value)}" if value else "an empty text"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping" if value else "an empty mapping"


def an(title: str) -> str:
    """Return a title without its article."""
    for article in ("a ", "an ", "the "):
        if title.startswith(article):
            return title[len(article) :]
    return title
