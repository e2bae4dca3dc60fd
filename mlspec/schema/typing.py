"""Gives scalars their types: from nodes to plain JSON, with the schema as the guide.

Duty: `typed_json` converts a tree of nodes. A quoted scalar is text. A plain scalar is text where
the schema wants text (`1.10`, `1234e56`, `yes` and `2026-01-01` stay what was written), a number
or a boolean where it wants one, and follows the YAML 1.2 core rules where both may stand or
nothing is known. An unquoted null is never text.

On the way it notices whether everything fits, so that a valid document needs no second walk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from mlspec.ir.model import Json
from mlspec.schema.registry import SPEC, Schema, references_of
from mlspec.schema.shapes import ListShape, MapShape, Place, ScalarShape, ShapeMaker, kind_of
from mlspec.yamlio.nodes import MapEntry, MapNode, Node, ScalarNode, SeqNode
from mlspec.yamlio.scalars import is_null, parse_bool, parse_float, parse_int, resolve_plain

_BY_TYPE = {
    "string": "string",
    "text": "string",
    "timestamp": "string",
    "int": "integer",
    "float": "number",
    "probability": "number",
    "score": "number",
    "bool": "boolean",
}
"""JSON type of the values of a parameter or column, by its `type`."""


def typed_json(root: Node, schema: Schema) -> Json:
    """Return the plain data of a tree, its scalars typed by a schema.

    Args:
        root: the tree.
        schema: a resolved schema (`mlspec.schema.registry.load_schema`).
    """
    return read_typed(root, ShapeMaker(dict).place(schema)).value


@dataclass(slots=True)
class Typed:
    """Plain data, and what of it does not fit the schema.

    Attributes:
        misfits: `id` of every mapping and list that has something wrong in it; whoever looks for
            the reasons need not look anywhere else.
    """

    value: Json
    fits: bool
    misfits: frozenset[int] = frozenset()


@cache
def place_of(definition: str | None = None, schema: str = SPEC) -> Place:
    """Return the place of a whole file, or of a definition of its published schema."""
    references = references_of(schema)
    return ShapeMaker(references.flat).place(references.root_of(definition))


def read_typed(root: Node, place: Place) -> Typed:
    """Return the plain data of a tree and what of it does not fit its place."""
    reader = _Reader()
    value = reader.read(root, place)
    return Typed(value, reader.wrong == 0, frozenset(reader.misfits))


def json_type_of(type_name: object) -> str | None:
    """Return the JSON type that values of a declared `type` have, or None when any will do."""
    return _BY_TYPE.get(type_name) if isinstance(type_name, str) else None


_typed_places = ShapeMaker(dict)
_TYPED = {kind: _typed_places.place({"type": kind}) for kind in sorted(set(_BY_TYPE.values()))}


@dataclass(slots=True)
class _Reader:
    """One walk. `wrong` counts the things that the schema does not allow."""

    wrong: int = 0
    misfits: set[int] = field(default_factory=set)

    def read(self, node: Node, place: Place) -> Json:
        """Return the value of a node."""
        if node.__class__ is ScalarNode:
            shape = place.scalar
            if shape is None:
                self.wrong += 1
                return free_scalar(node)
            return self._scalar(node, shape)
        before = self.wrong
        value: Json
        if node.__class__ is MapNode and place.mapping is not None:
            value = self._mapping(node, place.mapping)
        elif node.__class__ is SeqNode and place.sequence is not None:
            value = self._list(node, place.sequence)
        else:
            self.wrong += 1
            value = free_value(node)
        if self.wrong > before:
            self.misfits.add(id(value))
        return value

    def _scalar(self, node: ScalarNode, shape: ScalarShape) -> Json:
        value = scalar_value(node, shape)
        kind = kind_of(value)
        right = kind in shape.types or (kind == "integer" and "number" in shape.types)
        if not right or not shape.accepts(value):
            self.wrong += 1
        return value

    def _list(self, node: SeqNode, shape: ListShape) -> list[Json]:
        items, place = node.items, shape.items
        values = [self.read(item, place) for item in items]
        count = len(values)
        if count < shape.fewest or (shape.most is not None and count > shape.most):
            self.wrong += 1
        if shape.unique and count > 1 and len({_identity(value) for value in values}) < count:
            self.wrong += 1
        return values

    def _mapping(self, node: MapNode, shape: MapShape) -> dict[str, Json]:
        out: dict[str, Json] = {}
        properties, extra, names = shape.properties, shape.extra, shape.names
        typed = self._typed(node.entries, shape) if shape.typed else {}
        for key, entry in node.entries.items():
            place = properties.get(key, extra)
            if names is not None and names.search(key) is None:
                self.wrong += 1
            if place is not None:
                value = self.read(entry.value, place)
                if key in typed:
                    if id(value) in self.misfits:
                        self.misfits.add(id(typed[key]))
                    value = typed[key]
                out[key] = value
            else:
                if not shape.open and (shape.free is None or shape.free.search(key) is None):
                    self.wrong += 1
                out[key] = free_value(entry.value)
        for key in shape.required:
            if key not in out:
                self.wrong += 1
        if len(out) < shape.fewest or (shape.most is not None and len(out) > shape.most):
            self.wrong += 1
        if shape.rules and not keeps_rules(out, shape.schema):
            self.wrong += 1
        return out

    def _typed(self, entries: Mapping[str, MapEntry], shape: MapShape) -> dict[str, Json]:
        """Return the values whose type another key names (`default` by `type`)."""
        found: dict[str, Json] = {}
        for key, by, otherwise in shape.typed:
            entry, type_entry = entries.get(key), entries.get(by)
            declared: str | None = otherwise
            if type_entry is not None:
                declared = getattr(type_entry.value, "text", None)
            place = _TYPED.get(_BY_TYPE.get(declared or "", ""))
            if entry is None or place is None:
                continue
            match entry.value:
                case ScalarNode():
                    found[key] = self.read(entry.value, place)
                case SeqNode(items=items) if all(isinstance(item, ScalarNode) for item in items):
                    before = self.wrong
                    found[key] = [self.read(item, place) for item in items]
                    if self.wrong > before:
                        self.misfits.add(id(found[key]))
        return found


def keeps_rules(value: dict[str, Json], schema: Schema) -> bool:
    """Return whether a mapping keeps the rules about sets of keys."""
    if schema.get("x-unless") not in value:
        for group in schema.get("x-exactly-one", ()):
            if sum(key in value for key in group) != 1:
                return False
    for group in schema.get("x-at-most-one", ()):
        if sum(key in value for key in group) > 1:
            return False
    requires = schema.get("x-requires", {})
    return all(key not in value or all(k in value for k in keys) for key, keys in requires.items())


def scalar_value(node: ScalarNode, shape: ScalarShape) -> Json:
    """Return the value of a scalar where certain types are expected."""
    text = node.text
    if not node.plain:
        return text
    if shape.only_string or shape.text:
        return None if is_null(text) else text
    types = shape.types
    if is_null(text):
        return None
    if "boolean" in types:
        boolean = parse_bool(text)
        if boolean is not None:
            return boolean
    if "integer" in types or "number" in types:
        number = _number(text, whole="number" not in types)
        if number is not None:
            return number
    return text if "string" in types else free_scalar(node)


def _number(text: str, *, whole: bool) -> int | float | None:
    integer = parse_int(text)
    if integer is not None:
        return integer
    number = parse_float(text)
    if number is None or not math.isfinite(number):
        return None
    if whole and number.is_integer() and abs(number) < 2**53:
        return int(number)
    return number


def free_scalar(node: ScalarNode) -> Json:
    """Return the value of a scalar by the core rules; what JSON cannot hold stays text."""
    if not node.plain:
        return node.text
    value = resolve_plain(node.text)
    if isinstance(value, float) and not math.isfinite(value):
        return node.text
    return value


def free_value(node: Node) -> Json:
    """Return the value of a node of which the schema knows nothing."""
    match node:
        case ScalarNode():
            return free_scalar(node)
        case SeqNode(items=items):
            return [free_value(item) for item in items]
        case MapNode(entries=entries):
            return {key: free_value(entry.value) for key, entry in entries.items()}


def _identity(value: Json) -> object:
    """Return something hashable that is equal for equal JSON values."""
    match value:
        case list():
            return ("list", tuple(_identity(item) for item in value))
        case dict():
            return ("map", frozenset((key, _identity(item)) for key, item in value.items()))
        case bool():
            return ("bool", value)
    return value


def scalar_types_match(text: str, types: set[str]) -> bool:
    """Return whether plain text would be a number or boolean that one of the types takes."""
    kind = kind_of(resolve_plain(text))
    return (kind in types or (kind == "integer" and "number" in types)) and kind in _UNQUOTED


_UNQUOTED = {"integer", "number", "boolean"}
