"""Canonical data of the IR: plain JSON values, the same for the same meaning.

Duty: turn any value of the IR into JSON data. Input: dataclasses of `mlspec.ir`; output: objects,
arrays, strings, numbers, booleans, null. Origins never appear, a class that stands for one
alternative of a union carries a `kind`, pairs with unique keys become objects, and enumerations
become their values. Two applications are equal if and only if their data are equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from mlspec.errors import MlspecBug
from mlspec.ir.model import (
    Application,
    Argv,
    DataInput,
    Json,
    MetricCondition,
    ParamCondition,
    RepoInput,
    Script,
    StepInput,
)
from mlspec.ir.values import Cpu, Duration, Literal, Memory, Ref, Text, spell

FORMAT_VERSION = "1.0"
"""Version of the documents that `application_document` makes: a major change breaks readers."""

KINDS: Mapping[type, str] = {
    Script: "script",
    Argv: "argv",
    RepoInput: "repo",
    StepInput: "step",
    DataInput: "data",
    MetricCondition: "metric",
    ParamCondition: "param",
    Literal: "literal",
    Ref: "ref",
}
"""Tags of the classes that are alternatives of a union."""

_PAIRS = frozenset({"env", "identity", "values"})
"""Fields that hold pairs of a unique key and a value; their order has no meaning of its own."""

_TEXTS = frozenset({"words", "env"})
"""Fields that hold texts with references."""


@cache
def _names(of: type) -> tuple[str, ...]:
    """Names of the fields that take part, in the order in which they are declared."""
    return tuple(item.name for item in fields(of) if item.compare)


def to_data(value: object) -> Json:
    """Return the canonical data of a value of the IR.

    Raises:
        MlspecBug: for a value that no IR dataclass may hold.
    """
    return _data(value, "", to_data)


def to_spelled(value: object) -> Json:
    """Return data for people: like `to_data`, but sizes, durations and texts as users write them.

    Not injective: an escaped reference looks like a reference. Never compare two of these.
    """
    match value:
        case Duration() | Cpu() | Memory():
            return str(value)
        case Literal() | Ref():
            return spell((value,))
    return _data(value, "", to_spelled)


def _data(value: object, name: str, again: Callable[[object], Json]) -> Json:
    match value:
        case None | str() | bool() | int() | float():
            return value
        case Enum():
            return str(value.value)
        case Mapping():
            return {str(key): again(item) for key, item in value.items()}
        case tuple() | list():
            if name in _PAIRS:
                return {str(key): _item(item, name, again) for key, item in value}
            return [_item(item, name, again) for item in value]
    kind = type(value)
    if is_dataclass(kind):
        made: dict[str, Json] = {"kind": KINDS[kind]} if kind in KINDS else {}
        for part in _names(kind):
            found: Any = getattr(value, part)
            nested = isinstance(found, tuple | list)
            made[part] = _data(found, part, again) if nested else again(found)
        return made
    raise MlspecBug(f"the IR holds a {kind.__name__}, which has no canonical data")


def _item(item: object, name: str, again: Callable[[object], Json]) -> Json:
    if name in _TEXTS and again is to_spelled and isinstance(item, tuple):
        return spell(_as_text(item))
    return again(item)


def _as_text(item: tuple[object, ...]) -> Text:
    return tuple(part for part in item if isinstance(part, Literal | Ref))


def application_document(application: Application) -> Json:
    """Return the versioned document of an application, as the `ir-json` target prints it."""
    return {"format_version": FORMAT_VERSION, "application": to_data(application)}


_LINE = json.JSONEncoder(sort_keys=True, ensure_ascii=True, allow_nan=False)
_COMPACT = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
)
_OPEN_LEVELS = 4
"""Levels that are printed over several lines: a step is the first thing on a line of its own."""


def canonical_json(data: Json) -> str:
    """Return JSON text: sorted keys, ASCII, one step a line, one trailing newline."""
    return _spread(data, 0) + "\n"


def _spread(data: Json, level: int) -> str:
    pad, end = "  " * (level + 1), "  " * level
    if level <= _OPEN_LEVELS and data:
        if isinstance(data, dict):
            rows = (
                f"{pad}{_LINE.encode(key)}: {_spread(data[key], level + 1)}" for key in sorted(data)
            )
            return "{\n" + ",\n".join(rows) + f"\n{end}}}"
        if isinstance(data, list):
            items = (f"{pad}{_spread(item, level + 1)}" for item in data)
            return "[\n" + ",\n".join(items) + f"\n{end}]"
    return _LINE.encode(data)


def compact_json(data: Json) -> str:
    """Return JSON text for digests: sorted keys, no white space, ASCII."""
    return _COMPACT.encode(data)
