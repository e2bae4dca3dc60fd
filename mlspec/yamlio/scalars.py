"""What an unquoted scalar means: the core schema of YAML 1.2.2 (section 10.3.2), nothing else.

Duty: decide whether plain text is a null, a boolean, a whole number, a float or a string. Input is
the text of a scalar, output a Python value. Words of YAML 1.1 (`yes`, `on`, `0777`, `22:30`,
`2026-01-01`) are text. Whoever knows the type that the schema wants calls the single parsers;
`resolve_plain` is for places where any scalar may stand.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from mlspec.yamlio.nodes import Node, ScalarNode

Scalar: TypeAlias = "str | int | float | bool | None"

MAX_DIGITS = 1000
"""Longer runs of digits stay text: converting them takes time that grows with the square."""

_NULLS = frozenset(["", "~", "null", "Null", "NULL"])
_BOOLS = {
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INF = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)\Z")


def is_null(text: str) -> bool:
    """Return whether plain text is a null (also the empty text)."""
    return text in _NULLS


def parse_bool(text: str) -> bool | None:
    """Return the boolean that plain text spells, or None."""
    return _BOOLS.get(text)


def parse_int(text: str) -> int | None:
    """Return the whole number that plain text spells (decimal, `0o` or `0x`), or None."""
    if len(text) > MAX_DIGITS:
        return None
    if _DECIMAL.match(text):
        return int(text)
    if _OCTAL.match(text) or _HEX.match(text):
        return int(text, 0)
    return None


def parse_float(text: str) -> float | None:
    """Return the number that plain text spells, whole numbers included, or None.

    The result may be infinite or not a number (`.inf`, `.nan`, `1e999`); whoever needs a finite
    one has to look.
    """
    if len(text) > MAX_DIGITS:
        return None
    if _FLOAT.match(text):
        return float(text)
    if _INF.match(text):
        return float("-inf") if text.startswith("-") else float("inf")
    if _NAN.match(text):
        return float("nan")
    whole = parse_int(text)
    if whole is None:
        return None
    try:
        return float(whole)
    except OverflowError:
        return float("inf")


def resolve_plain(text: str) -> Scalar:
    """Return the value that plain text has where no type is expected."""
    if is_null(text):
        return None
    boolean = parse_bool(text)
    if boolean is not None:
        return boolean
    whole = parse_int(text)
    return whole if whole is not None else _float_or_text(text)


def _float_or_text(text: str) -> float | str:
    number = parse_float(text)
    return text if number is None else number


def kind_of_plain(text: str) -> str:
    """Return what plain text is, in the words of messages: `a boolean`, `text`, ..."""
    match resolve_plain(text):
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"


def as_string(node: Node) -> str | None:
    """Return the text of a scalar where a string is expected, or None for anything else.

    A version `1.10` or a commit `1234e56` is text even without quotes; an unquoted null is not.
    """
    if isinstance(node, ScalarNode) and not (node.plain and is_null(node.text)):
        return node.text
    return None
