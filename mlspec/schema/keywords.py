"""The `jsonschema` validator of the language: its own keywords, and errors that say which key.

Duty: build the validator class once (importing `jsonschema` only then) and list the failures of a
value. Alternatives are chosen by the kind of the value, so that only the branch that was meant
complains. The message of an error is data for `mlspec.schema.explain`, never shown as it is.
"""

# ruff: noqa: ARG001  the signature of keyword functions is jsonschema's

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from mlspec.ir.model import Json
from mlspec.schema.formats import FORMATS
from mlspec.schema.registry import Schema
from mlspec.schema.shapes import branches_of, kind_of, types_of
from mlspec.schema.typing import json_type_of
from mlspec.source import Route


@dataclass(frozen=True, slots=True)
class Failure:
    """A value that breaks a keyword of the schema.

    Attributes:
        keyword: the keyword; for keys of a mapping the route leads to the mapping.
        route: from the root of the document to the value.
        value: what stands there.
        schema: the schema that was broken.
        key: the key of a mapping that is meant, if any.
        limit: the value of the keyword.
    """

    keyword: str
    route: Route
    value: Json
    schema: Schema
    key: str
    limit: Any


_searched: ContextVar[frozenset[int]] = ContextVar("_searched")
"""`id` of the containers that hold failures; the library has no place for such a thing."""


def failures(value: Json, schema: Schema, misfits: frozenset[int]) -> list[Failure]:
    """Return everything in a value that breaks the schema.

    Args:
        value: typed data.
        schema: a resolved schema.
        misfits: `id` of the mappings and lists that are known to hold failures; the others are
            not looked into.
    """
    validator = _validator_class()(schema)
    before = _searched.set(misfits)
    try:
        return [
            Failure(
                keyword=str(error.validator),
                route=tuple(error.absolute_path),
                value=error.instance,
                schema=error.schema,
                key=error.message,
                limit=error.validator_value,
            )
            for error in validator.iter_errors(value)
        ]
    finally:
        _searched.reset(before)


@cache
def _validator_class() -> Any:
    from jsonschema import Draft7Validator
    from jsonschema.validators import create

    standard = (
        "type enum minLength minimum maximum exclusiveMinimum exclusiveMaximum "
        "minItems maxItems uniqueItems minProperties maxProperties"
    )
    own: dict[str, _Keyword] = {
        "properties": _properties,
        "additionalProperties": _additional_properties,
        "propertyNames": _property_names,
        "items": _items,
        "required": _required,
        "anyOf": _any_of,
        "pattern": _pattern,
        "const": _const,
        "x-format": _format,
        "x-exactly-one": _exactly_one,
        "x-at-most-one": _at_most_one,
        "x-requires": _requires,
    }
    known = {name: Draft7Validator.VALIDATORS[name] for name in standard.split()}
    return create(meta_schema={}, validators=known | own, type_checker=Draft7Validator.TYPE_CHECKER)


_Keyword = Callable[[Any, Any, Any, Schema], Iterator[Any]]


def _error(message: str, **more: Any) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message, **more)


def _worth_a_look(value: object) -> bool:
    return not isinstance(value, (dict, list)) or id(value) in _searched.get()


def _properties(validator: Any, places: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    for key, place in places.items():
        if key in value and _worth_a_look(value[key]):
            yield from validator.descend(value[key], place, path=key)
            yield from _typed_by(key, places, value)


def _typed_by(key: str, places: dict[str, Schema], value: dict[str, Any]) -> Iterator[Any]:
    """Yield the failures of a value whose type another key names."""
    alternatives = (places[key], *branches_of(places[key]))
    by = next((b["x-typed-by"] for b in alternatives if "x-typed-by" in b), None)
    if by is None:
        return
    wanted = json_type_of(value.get(by, places[by].get("default")))
    if wanted is None:
        return
    items = value[key] if isinstance(value[key], list) else [value[key]]
    for index, item in enumerate(items):
        kind = kind_of(item)
        if kind in {wanted, "null", "array", "object"} or (kind, wanted) == ("integer", "number"):
            continue
        path = [key] if items is not value[key] else [key, index]
        yield _error(
            str(by), validator="x-typed-by", validator_value=wanted, instance=item, path=path
        )


def _additional_properties(validator: Any, place: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if not isinstance(value, dict) or place is True:
        return
    known = schema.get("properties", {})
    free = "|".join(schema.get("patternProperties", {}))
    for key, item in value.items():
        if key in known or (free and re.search(free, key)):
            continue
        if place is False:
            yield _error(key)
        elif _worth_a_look(item):
            yield from validator.descend(item, place, path=key)


def _property_names(validator: Any, names: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(value, dict):
        for key in value:
            if next(validator.descend(key, names), None) is not None:
                yield _error(key)


def _items(validator: Any, place: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if _worth_a_look(item):
                yield from validator.descend(item, place, path=index)


def _required(validator: Any, keys: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (_error(key) for key in keys if key not in value)


def _any_of(validator: Any, branches: Any, value: Any, schema: Schema) -> Iterator[Any]:
    """Descend into the one alternative that takes this kind of value."""
    kind = kind_of(value)
    for branch in branches_of(schema):
        kinds = types_of(branch)
        if kind in kinds or (kind == "integer" and "number" in kinds):
            yield from validator.descend(value, branch)
            return
    yield _error("", validator="type", instance=value, schema=schema)


def _pattern(validator: Any, pattern: str, value: Any, schema: Schema) -> Iterator[Any]:
    # Where there is a format, it says more precisely what is wrong; the pattern is for editors.
    if isinstance(value, str) and "x-format" not in schema and not re.search(pattern, value):
        yield _error("")


def _const(validator: Any, wanted: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if value != wanted and "x-format" not in schema:
        yield _error("")


def _format(validator: Any, name: str, value: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(value, str) and FORMATS[name](value) is not None:
        yield _error(name)


def _exactly_one(validator: Any, groups: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(value, dict) and schema.get("x-unless") not in value:
        for group in groups:
            if sum(key in value for key in group) != 1:
                yield _error("", validator_value=group)


def _at_most_one(validator: Any, groups: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(value, dict):
        seen: set[tuple[str, ...]] = set()
        for group in groups:
            there = tuple(key for key in group if key in value)
            if len(there) > 1 and there not in seen:
                seen.add(there)
                yield _error("", validator_value=group)


def _requires(validator: Any, requires: Any, value: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, needed in requires.items():
            for other in needed:
                if key in value and other not in value:
                    yield _error(key, validator_value=other)
