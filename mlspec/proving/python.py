"""Python of a DAG file as data: calls, names and literals; nothing is executed.

Duty: `ast` nodes to values that a reader can look at. Whatever is no literal, call or name is
`Odd`: the reader decides what that means.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Named:
    """A name, dotted: `pipeline.step`."""

    name: str


@dataclass(frozen=True, slots=True)
class Odd:
    """Anything else."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A call.

    Attributes:
        function: its dotted name; `X.partial(…).expand(…)` is `X.partial().expand`.
        keywords: by name; `**call()` under `**`.
        on: for a method of a call, that call.
    """

    function: str
    args: tuple[Value, ...] = ()
    keywords: Mapping[str, Value] = field(default_factory=dict)
    line: int = 0
    on: Called | None = None


Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"] | Named | Called | Odd


def value_of(node: ast.expr) -> Value:
    """Return an expression as a value."""
    match node:
        case ast.Constant(value=str() | int() | float() | None as constant):
            return constant
        case ast.Name() | ast.Attribute():
            name = dotted(node)
            return Named(name) if name is not None else Odd(ast.unparse(node))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [value_of(item) for item in items]
        case ast.Dict(keys=keys, values=items) if all(_is_text(key) for key in keys):
            return {
                key.value: value_of(item)
                for key, item in zip(keys, items, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
        case ast.Call():
            return _call(node)
    return Odd(ast.unparse(node))


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def dotted(node: ast.expr) -> str | None:
    """Return a dotted name, or None."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=before, attr=name):
            above = dotted(before)
            return f"{above}.{name}" if above is not None else None
    return None


def _call(node: ast.Call) -> Called | Odd:
    on: Called | None = None
    name = dotted(node.func)
    if name is None and isinstance(node.func, ast.Attribute):
        inner = value_of(node.func.value)
        if isinstance(inner, Called):
            on, name = inner, f"{inner.function}().{node.func.attr}"
    keywords: dict[str, Value] = {}
    for keyword in node.keywords:
        key = keyword.arg or "**"
        if key in keywords:
            return Odd(ast.unparse(node))
        keywords[key] = value_of(keyword.value)
    if name is None or any(isinstance(item, ast.Starred) for item in node.args):
        return Odd(ast.unparse(node))
    args = tuple(value_of(item) for item in node.args)
    return Called(function=name, args=args, keywords=keywords, line=node.lineno, on=on)


def texts_in(value: Value) -> Iterator[str]:
    """Yield all strings of a value, and the words of lists as one text."""
    match value:
        case str():
            yield value
        case Odd(text):
            yield text
        case list():
            yield " ".join(item for item in value if isinstance(item, str))
            for item in value:
                yield from texts_in(item)
        case dict():
            for item in value.values():
                yield from texts_in(item)
        case Called():
            for item in (*value.args, *value.keywords.values()):
                yield from texts_in(item)
            if value.on is not None:
                yield from texts_in(value.on)
