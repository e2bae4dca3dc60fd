"""The JSON form of a node: what stands in `MLSPEC_NODE`.

Duty: dataclasses of `mlspec.ir.facts` to compact JSON text and back. Fields at their default are
left out, keys are sorted, so that the same facts are the same bytes. `read_node` accepts exactly
what `write_node` makes: an unknown key or a wrong type is a `NodeError`, never a guess.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from mlspec.ir.facts import Node


class NodeError(ValueError):
    """The text is no node."""


def write_node(node: Node) -> str:
    """Return the JSON text of a node."""
    return json.dumps(to_json(node), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_node(text: str) -> Node:
    """Return the node of a text.

    Raises:
        NodeError: it is no JSON, or not what `write_node` makes.
    """
    try:
        found = from_json(Node, json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise NodeError(f"not a node: {error}") from error
    assert isinstance(found, Node)  # noqa: S101  for the type checker: made by `Node(...)`
    return found


def to_json(value: object) -> Any:
    """Return JSON data of facts; fields at their default are left out."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: to_json(found)
            for item in fields(value)
            if not _is_default(item, found := getattr(value, item.name))
        }
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


def _is_default(item: Field[Any], value: object) -> bool:
    if item.default is not MISSING:
        return bool(item.default == value) and type(item.default) is type(value)
    if item.default_factory is not MISSING:
        return bool(item.default_factory() == value)
    return False


def from_json(cls: Any, data: Any) -> Any:
    """Return an instance of a facts class from its JSON data.

    Raises:
        TypeError: it is no mapping. ValueError: an unknown key, a missing one, or a value of
            another type.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{cls.__name__} is a mapping")
    hints = _hints(cls)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise ValueError(f"{cls.__name__} has no `{unknown[0]}`")
    try:
        return cls(**{name: _value(hints[name], item, name) for name, item in data.items()})
    except TypeError as error:
        raise ValueError(str(error)) from error


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _value(hint: Any, data: Any, name: str) -> Any:
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        return _one_of(get_args(hint), data, name)
    if origin is tuple:
        if not isinstance(data, list):
            raise ValueError(f"`{name}` is a list")
        inner = get_args(hint)[0]
        return tuple(_value(inner, item, name) for item in data)
    if origin is not None:  # Mapping[str, …]: plain JSON
        if not isinstance(data, dict):
            raise ValueError(f"`{name}` is a mapping")
        return data
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(data)
    if is_dataclass(hint):
        return from_json(hint, data)
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if isinstance(hint, type) and (not isinstance(data, hint) or _is_odd(hint, data)):
        raise ValueError(f"`{name}` is {type(data).__name__}, not {hint.__name__}")
    return data


def _is_odd(hint: type, data: Any) -> bool:
    """Whether a boolean stands where a number is meant."""
    return isinstance(data, bool) and hint is not bool


def _one_of(hints: tuple[Any, ...], data: Any, name: str) -> Any:
    if data is None and type(None) in hints:
        return None
    plain = [hint for hint in hints if hint is not type(None)]
    for hint in plain:
        if isinstance(hint, type) and type(data) is hint:
            return data
    return _value(plain[0], data, name)
