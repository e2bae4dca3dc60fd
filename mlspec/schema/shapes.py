"""The schema as a tree that is quick to walk: what may stand at a place, by kind of node.

Duty: turn a resolved schema into `Place`s. Alternatives (`anyOf`) never overlap in kind (a test
keeps it so): at most one mapping, one list, and scalars, so that the kind of a node alone decides
which alternative is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlspec.errors import MlspecBug
from mlspec.schema.formats import FORMATS, Problem
from mlspec.schema.registry import Schema


@dataclass(slots=True, eq=False)
class ScalarShape:
    """What scalars a place takes.

    Attributes:
        types: JSON types among `string number integer boolean null`.
        text: plain scalars are text whatever they look like.
        only_string: nothing but text is possible.
        allowed: the values of an enum, or None.
        form: checks the format of text.
        limits: whether numbers have limits; `accepts` then looks them up in the schemas.
    """

    types: frozenset[str]
    text: bool
    only_string: bool
    allowed: frozenset[Any] | None
    pattern: re.Pattern[str] | None
    form: Callable[[str], Problem | None] | None
    min_length: int
    limits: Schema | None

    def accepts(self, value: object) -> bool:
        """Return whether a value of the right type has the right form."""
        if isinstance(value, str):
            return (
                (self.allowed is None or value in self.allowed)
                and (self.pattern is None or self.pattern.search(value) is not None)
                and (self.form is None or self.form(value) is None)
                and len(value) >= self.min_length
            )
        if value is None or isinstance(value, bool):
            return True
        if isinstance(value, (int, float)):
            return self.limits is None or _within(value, self.limits)
        return False


@dataclass(slots=True, eq=False)
class MapShape:
    """What a mapping takes.

    Attributes:
        extra: the place of keys without a name of their own.
        typed: keys whose values have the type that another key names: key, other key, and the
            type if that one is missing.
    """

    properties: dict[str, Place]
    extra: Place | None
    open: bool
    free: re.Pattern[str] | None
    names: re.Pattern[str] | None
    required: tuple[str, ...]
    rules: bool
    fewest: int
    most: int | None
    typed: tuple[tuple[str, str, str | None], ...]
    schema: Schema


@dataclass(slots=True, eq=False)
class ListShape:
    """What a list takes."""

    items: Place
    fewest: int
    most: int | None
    unique: bool


class Place:
    """What may stand somewhere; worked out when it is first asked for.

    A document uses a small part of the language, and the rest is never looked at.
    """

    __slots__ = ("_maker", "_schema", "mapping", "scalar", "sequence")

    scalar: ScalarShape | None
    mapping: MapShape | None
    sequence: ListShape | None

    def __init__(self, schema: Schema, maker: ShapeMaker) -> None:
        self._schema = schema
        self._maker = maker

    def __getattr__(self, name: str) -> object:
        """Fill the slots at the first use of one of them; Python asks only while they are empty."""
        if name not in ("scalar", "mapping", "sequence"):
            raise AttributeError(name)
        self.scalar, self.mapping, self.sequence = self._maker.shapes(self._schema)
        return object.__getattribute__(self, name)


def kind_of(value: object) -> str:
    """Return the JSON type of a value; whole numbers are `integer`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def branches_of(schema: Schema) -> list[Schema]:
    """Return the alternatives of a schema, itself if there are none."""
    if "anyOf" not in schema:
        return [schema]
    return [leaf for branch in schema["anyOf"] for leaf in branches_of(branch)]


def types_of(schema: Schema) -> tuple[str, ...]:
    """Return the JSON types that a schema without alternatives allows."""
    if "type" in schema:
        kind = schema["type"]
        return (kind,) if isinstance(kind, str) else tuple(kind)
    if "enum" in schema:
        return tuple(dict.fromkeys(kind_of(value) for value in schema["enum"]))
    return ("string", "number", "boolean", "null", "array", "object")


class ShapeMaker:
    """Makes places.

    Args:
        flat: resolves the reference at the top of a schema.
    """

    def __init__(self, flat: Callable[[Schema], Schema]) -> None:
        self._flat = flat
        self._made: dict[str, Place] = {}

    def place(self, schema: Schema) -> Place:
        """Return the place that a schema describes; one for each plain reference."""
        reference = schema.get("$ref")
        if reference is None or set(schema) - {"$ref", "x-since", "description", "examples"}:
            return Place(schema, self)
        if reference not in self._made:
            self._made[reference] = Place({"$ref": reference}, self)
        return self._made[reference]

    def shapes(
        self, schema: Schema
    ) -> tuple[ScalarShape | None, MapShape | None, ListShape | None]:
        """Return what scalar, mapping and list a schema takes."""
        scalars, mappings, lists = [], [], []
        for branch in self._branches(schema):
            kinds = types_of(branch)
            if "object" in kinds:
                mappings.append(self._mapping(branch))
            if "array" in kinds:
                lists.append(self._list(branch))
            if set(kinds) - {"object", "array"}:
                scalars.append(branch)
        if len(mappings) > 1 or len(lists) > 1:
            raise MlspecBug("alternatives of the same kind in the schema")
        return (
            _scalar(scalars) if scalars else None,
            mappings[0] if mappings else None,
            lists[0] if lists else None,
        )

    def _branches(self, schema: Schema) -> list[Schema]:
        flat = self._flat(schema)
        if "anyOf" not in flat:
            return [flat]
        return [leaf for branch in flat["anyOf"] for leaf in self._branches(branch)]

    def _mapping(self, schema: Schema) -> MapShape:
        extra = schema.get("additionalProperties", True)
        free = "|".join(schema.get("patternProperties", {}))
        names = self._flat(schema.get("propertyNames", {})).get("pattern")
        known = schema.get("properties", {})
        typed = tuple(
            (key, branch["x-typed-by"], known[branch["x-typed-by"]].get("default"))
            for key, value in known.items()
            for branch in (value, *value.get("anyOf", ()))
            if "x-typed-by" in branch
        )
        rules = ("x-exactly-one", "x-at-most-one", "x-requires")
        return MapShape(
            properties={key: self.place(value) for key, value in known.items()},
            extra=self.place(extra) if isinstance(extra, dict) else None,
            open=extra is True,
            free=re.compile(free) if free else None,
            names=re.compile(names) if names else None,
            required=tuple(schema.get("required", ())),
            rules=any(rule in schema for rule in rules),
            fewest=schema.get("minProperties", 0),
            most=schema.get("maxProperties"),
            typed=tuple(dict.fromkeys(typed)),
            schema=schema,
        )

    def _list(self, schema: Schema) -> ListShape:
        return ListShape(
            items=self.place(schema.get("items", ANYTHING)),
            fewest=schema.get("minItems", 0),
            most=schema.get("maxItems"),
            unique=schema.get("uniqueItems", False),
        )


ANYTHING: Schema = {"type": ["string", "number", "boolean", "null", "array", "object"]}
"""The schema of free data."""


def _scalar(branches: list[Schema]) -> ScalarShape:
    kinds = {kind for branch in branches for kind in types_of(branch)} - {"object", "array"}
    strings = [branch for branch in branches if "string" in types_of(branch)]
    numbers = [b for b in branches if {"number", "integer"} & set(types_of(b))]
    if len(strings) > 1 or len(numbers) > 1:
        raise MlspecBug("two scalars of the same type as alternatives in the schema")
    string: Schema = strings[0] if strings else {}
    form = FORMATS[string["x-format"]] if "x-format" in string else None
    allowed = [string["const"]] if "const" in string else string.get("enum")
    return ScalarShape(
        types=frozenset(kinds),
        text=string.get("x-read") == "text",
        only_string=kinds == {"string"},
        allowed=frozenset(allowed) if allowed is not None else None,
        pattern=re.compile(string["pattern"]) if "pattern" in string and form is None else None,
        form=form,
        min_length=string.get("minLength", 0),
        limits=next((b for b in numbers if set(b) & _LIMITS), None),
    )


_LIMITS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}


def _within(value: float, schema: Schema) -> bool:
    inside = schema.get("minimum", value) <= value <= schema.get("maximum", value)
    above = "exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"]
    below = "exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"]
    return bool(inside and above and below)
