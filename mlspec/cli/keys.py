"""What a key of the language means, from the schema: description, type, default, examples.

A key path names keys with dots; ids may be written out or as `*`, entries of a list as `[0]`:
`pipelines.nightly.steps.train.retry`, `pipelines.*.steps.*.retry`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mlspec.diagnostics.suggest import nearest
from mlspec.schema.registry import Schema, load_schema
from mlspec.schema.shapes import branches_of
from mlspec.schema.words import expected

_ITEM = re.compile(r"\[[^\]]*\]")
_MOST_PLACES = 16


def explain_key(path: str) -> str | None:
    """Return what a place takes, in words; None when the language has no such place.

    A key that does not start at the top level, or leaves ids out (`steps.retry.max`), is explained
    by the places where it may stand.
    """
    steps = _steps(path)
    if not steps:
        return None
    found = _find(load_schema(), steps)
    if found is not None:
        return _described(*found)
    places = [place for place in _places(steps[-1]) if _leads_through(steps, place)]
    if len(places) == 1:
        found = _find(load_schema(), _steps(places[0]))
        return _described(*found) if found is not None else None
    if places:
        listed = "".join(f"  {place}\n" for place in places[:_MOST_PLACES])
        rest = len(places) - _MOST_PLACES
        more = f"  and {rest} more\n" if rest > 0 else ""
        return f"`{path}` may stand at these places; name one of them:\n\n{listed}{more}"
    return None


def places_of(path: str) -> list[str]:
    """Return places that a misspelt path most likely means."""
    steps = _steps(path)
    schemas = [(load_schema(), "")]
    for number, step in enumerate(steps):
        below = [(inner, place) for s, at in schemas for inner, place in _entered(s, at, step)]
        if not below:
            known = dict.fromkeys(key for s, _ in schemas for key in _keys(s))
            near = nearest(step, known)
            if near is None:
                return []
            rest = "".join(f".{later}" for later in steps[number + 1 :])
            return [_joined(schemas[0][1], near) + rest]
        schemas = below
    return []


def _steps(path: str) -> list[str]:
    text = _ITEM.sub(".[]", path.strip())
    return [step for step in text.split(".") if step]


def _find(root: Schema, steps: list[str]) -> tuple[Schema, str] | None:
    """Return the schema of a place, and its path with `*` for ids."""
    places = [(root, "")]
    for step in steps:
        places = [found for schema, at in places for found in _entered(schema, at, step)]
    return places[0] if places else None


def _entered(schema: Schema, at: str, step: str) -> Iterator[tuple[Schema, str]]:
    for branch in branches_of(schema):
        properties = branch.get("properties", {})
        entries = branch.get("additionalProperties")
        if step == "[]":
            if isinstance(branch.get("items"), dict):
                yield branch["items"], f"{at}[]"
        elif step in properties:
            yield properties[step], _joined(at, step)
        elif isinstance(entries, dict):
            yield entries, _joined(at, "*")


def _keys(schema: Schema) -> list[str]:
    return [key for branch in branches_of(schema) for key in branch.get("properties", {})]


def _joined(at: str, step: str) -> str:
    return f"{at}.{step}" if at else step


def _places(key: str) -> list[str]:
    """Return all places of a key, shortest first; overlays repeat them and are left out."""
    found: dict[str, None] = {}
    todo: list[tuple[Schema, str]] = [(load_schema(), "")]
    while todo:
        schema, at = todo.pop()
        for branch in branches_of(schema):
            for name, inner in branch.get("properties", {}).items():
                place = _joined(at, name)
                if name == key:
                    found[place] = None
                if name != "override":
                    todo.append((inner, place))
            entries, items = branch.get("additionalProperties"), branch.get("items")
            if isinstance(entries, dict):
                todo.append((entries, _joined(at, "*")))
            if isinstance(items, dict):
                todo.append((items, f"{at}[]"))
    return sorted(found, key=lambda place: (place.count("."), place))


def _leads_through(steps: list[str], place: str) -> bool:
    """Return whether a place holds all these keys in their order."""
    rest = iter(_steps(place))
    return all(step in rest for step in steps)


def _described(schema: Schema, place: str) -> str:
    lines = [f"# {place}", ""]
    if schema.get("description"):
        lines += [str(schema["description"]), ""]
    lines.append(f"takes:    {expected(schema)}")
    if "default" in schema:
        lines.append(f"default:  {_spelled(schema['default'])}")
    for number, example in enumerate(_examples(schema)):
        lines.append(f"{'example:' if number == 0 else '':<9} {_spelled(example)}")
    rules = dict.fromkeys(str(one["x-rule"]) for one in branches_of(schema) if "x-rule" in one)
    lines += [f"rule:     {rule}" for rule in rules]
    for branch in branches_of(schema):
        lines += _key_table(branch)
    return "\n".join(lines) + "\n"


def _examples(schema: Schema) -> list[object]:
    if schema.get("examples"):
        return list(schema["examples"])
    return [example for one in branches_of(schema) for example in one.get("examples", ())][:4]


def _key_table(branch: Schema) -> Iterator[str]:
    properties = branch.get("properties", {})
    if properties:
        needed = set(branch.get("required", ()))
        wide = max(map(len, properties)) + 2
        yield ""
        yield "keys:"
        for key, inner in properties.items():
            about = str(inner.get("description", ""))
            must = "(required) " if key in needed else ""
            yield f"  {key:<{wide}}{must}{about}".rstrip()
    entries = branch.get("additionalProperties")
    if isinstance(entries, dict):
        yield ""
        yield f"each entry takes {expected(entries)}"


def _spelled(value: object) -> str:
    """Return a value in flow style, as it may stand in a spec."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_spelled(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_spelled, value)) + "]"
        case str() if re.fullmatch(r"[A-Za-z./][\w./ +*@-]*", value):
            return value
    return json.dumps(value, ensure_ascii=False)
