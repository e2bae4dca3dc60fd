"""The only code that prints Python: from templates that can receive nothing but checked code.

Input: the name of a template below `templates/` and values made of literals and of the closed
expression types of this module. Output: source text that reads as `ruff format` would write it.

Invariants: a template can print only what one of our four filters (`py`, `ident`, `comment`,
`block`) made, everything else raises `TypeError` in the `finalize` hook; the result parses; the
constants in its syntax tree are exactly those that were put in, so no text became code.
"""

from __future__ import annotations

import ast
import keyword
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlspec.errors import MlspecBug
from mlspec.resources import data_folder

if TYPE_CHECKING:
    import jinja2

WIDTH = 88
"""Line length of `ruff format` without configuration: generated files live in foreign projects."""

_STEP = 4

Expression: TypeAlias = (
    "bool | int | float | str | Sequence[Expression] | Mapping[str, Expression]"
    " | Name | Call | Block | Docstring | Shift | Import | None"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A name, dotted or not; checked when it is printed."""

    dotted: str


@dataclass(frozen=True, slots=True)
class Block:
    """A multi-line text, printed between triple quotes where that keeps every character."""

    text: str


@dataclass(frozen=True, slots=True)
class Docstring:
    """Lines of a module's docstring; made of any text by `docstring_line`."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The string that Python reads."""
        return "\n".join(self.lines) + ("\n" if len(self.lines) > 1 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call: of a name, or of a method of what another call returns.

    Attributes:
        function: what is called; with `on`, the method's name.
        on: the call whose result has the method.
        args: positional arguments.
        keywords: keyword arguments; the keyword `**` unpacks a mapping.
        exploded: one argument to a line, however short.
    """

    function: Name
    on: Call | None = None
    args: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression], ...] = ()
    exploded: bool = False


@dataclass(frozen=True, slots=True)
class Import:
    """A statement `from module import names`; a name may be `x as y`."""

    module: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """`left >> right`."""

    left: Expression
    right: Expression


class _Code(str):
    """Text that one of the filters made. Methods of `str` return plain `str`, and are refused."""

    __slots__ = ()


# ------------------------------------------------------------------ printing expressions


def print_expression(value: Expression, indent: int = 0, before: int = 0, after: int = 0) -> str:
    """Return an expression as formatted source.

    Args:
        value: a literal of the closed list of types, or an expression of this module.
        indent: columns before the statement's first line.
        before: columns that stand between the indent and the expression.
        after: columns that follow it on its last line.

    Raises:
        TypeError: for any other type, numbers that are not finite, and names that are none.
    """
    flat = _flat(value)
    if flat is not None and indent + before + _columns(flat) + after <= WIDTH:
        return flat
    return _exploded(value, indent, after)


def _exploded(value: Expression, indent: int, after: int) -> str:
    match value:
        case Call():
            if value.on is not None:
                return _exploded_method(value, indent, after)
            head = _dotted(value.function.dotted)
            inner = [
                _item(argument, indent, _keyword_lead(key))
                for key, argument in (*(("", arg) for arg in value.args), *value.keywords)
            ]
            return _lines(f"{head}(", inner, ")", indent) if inner else f"{head}()"
        case Shift(left, right):
            tail = f" >> {print_expression(right, indent)}"
            return print_expression(left, indent, 0, after + _columns(tail)) + tail
        case Block(text):
            return _block(text) if _fits_block(text) else string(text)
        case Docstring():
            return _docstring(value)
        case Import(module, names):
            items = [_imported(name) for name in names]
            return _lines(f"from {_dotted(module)} import (", items, ")", indent)
        case str():
            return string(value)
        case Mapping():
            pairs = [_item(item, indent, f"{string(_key(key))}: ") for key, item in value.items()]
            return _lines("{", pairs, "}", indent)
        case tuple():
            return _lines("(", [_item(item, indent, "") for item in value], ")", indent)
        case Sequence():
            return _lines("[", [_item(item, indent, "") for item in value], "]", indent)
    flat = _flat(value)
    if flat is None:
        raise MlspecBug("printing Python: an expression has no spelling")
    return flat


def _item(value: Expression, indent: int, lead: str) -> str:
    return lead + print_expression(value, indent + _STEP, len(lead), 1)


def _lines(start: str, items: list[str], end: str, indent: int) -> str:
    pad = " " * (indent + _STEP)
    body = "".join(f"{pad}{item},\n" for item in items)
    return f"{start}\n{body}{' ' * indent}{end}"


def _exploded_method(value: Call, indent: int, after: int) -> str:
    """Print a method call below what it is called on; its arguments in one line if they fit."""
    on = print_expression(value.on, indent)
    alone = Call(function=value.function, args=value.args, keywords=value.keywords)
    return f"{on}.{print_expression(alone, indent, len(').'), after)}"


def _keyword_lead(key: str) -> str:
    if key in ("", "**"):
        return key
    return f"{identifier(key)}="


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key of emitted Python must be a string, not {type(key).__name__}")
    return key


def _flat(value: Expression) -> str | None:
    """Return a one-line spelling, or None when the expression does not fit in a line."""
    match value:
        case None | bool():
            return str(value)
        case int() | float():
            return _number(value)
        case str():
            return string(value)
        case Name(dotted):
            return _dotted(dotted)
        case Block(text):
            return None if _fits_block(text) else string(text)
        case Docstring():
            return None
        case Import(module, names):
            return f"from {_dotted(module)} import {', '.join(_imported(n) for n in names)}"
        case Shift(left, right):
            return _joined([left, right], " >> ")
        case Call():
            return _flat_call(value)
        case Mapping():
            return _flat_mapping(value)
        case tuple():
            inner = _joined(value, ", ")
            return None if inner is None else f"({inner}{',' if len(value) == 1 else ''})"
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            inner = _joined(value, ", ")
            return None if inner is None else f"[{inner}]"
    raise TypeError(f"emitted Python cannot hold {type(value).__name__}")


def _joined(values: Sequence[Expression], between: str) -> str | None:
    parts = [_flat(value) for value in values]
    found = [part for part in parts if part is not None]
    return between.join(found) if len(found) == len(parts) else None


def _flat_mapping(value: Mapping[str, Expression]) -> str | None:
    values = [_flat(item) for item in value.values()]
    if any(item is None for item in values):
        return None
    pairs = zip(value, values, strict=True)
    return "{" + ", ".join(f"{string(_key(key))}: {item}" for key, item in pairs) + "}"


def _flat_call(value: Call) -> str | None:
    if value.exploded or (value.on is not None and value.on.exploded):
        return None
    head = _dotted(value.function.dotted)
    if value.on is not None:
        inner = _flat_call(value.on)
        if inner is None:
            return None
        head = f"{inner}.{identifier(value.function.dotted)}"
    parts = []
    for key, argument in (*(("", arg) for arg in value.args), *value.keywords):
        text = _flat(argument)
        if text is None:
            return None
        parts.append(_keyword_lead(key) + text)
    return f"{head}({', '.join(parts)})"


def _imported(text: str) -> str:
    return " as ".join(identifier(part) for part in text.split(" as "))


def names_in(value: Expression) -> set[str]:
    """Return the first parts of all names in an expression: what must be imported or defined."""
    found: set[str] = set()
    todo: list[object] = [value]
    while todo:
        match todo.pop():
            case Name(dotted):
                found.add(dotted.split(".")[0])
            case Call() as call:
                if call.on is None:
                    found.add(call.function.dotted.split(".")[0])
                else:
                    todo.append(call.on)
                todo += [*call.args, *(argument for _, argument in call.keywords)]
            case Shift(left, right):
                todo += [left, right]
            case Mapping() as mapping:
                todo += mapping.values()
            case list() | tuple() as items:
                todo += items
    return found


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise TypeError("emitted Python cannot hold a number that is not finite")
    return repr(value)


def identifier(text: str) -> str:
    """Return `text` if it is an identifier and no keyword.

    Raises:
        TypeError: if it is not.
    """
    if not (text.isascii() and text.isidentifier()) or keyword.iskeyword(text):
        raise TypeError(f"not a Python name: {text!r}")
    return text


def _dotted(text: str) -> str:
    return ".".join(identifier(part) for part in text.split("."))


# ------------------------------------------------------------------ printing strings

_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}


def string(text: str) -> str:
    """Return a string literal on one line, with the quotes that `ruff format` chooses."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(char, quote) for char in text) + quote


def _escaped(char: str, quote: str) -> str:
    if char == quote:
        return "\\" + char
    if char in _NAMED:
        return _NAMED[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _fits_block(text: str) -> bool:
    """Whether triple quotes show the text better than one line, and keep it."""
    return (
        "\n" in text
        and text.endswith("\n")
        and '"""' not in text
        and text.replace("\n", "").replace("\t", "").isprintable()
    )


def _block(text: str) -> str:
    body = text.replace("\\", "\\\\")
    return f'"""\\\n{body}"""'


def docstring_line(text: str) -> str:
    """Return one line that says `text` in a docstring: blanks folded, odd characters replaced."""
    folded = " ".join(text.split())
    kept = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in folded)
    return kept.replace("\\", "/").replace('"', "'")


def _docstring(value: Docstring) -> str:
    for line in value.lines:
        if line != docstring_line(line) and line.strip() != docstring_line(line):
            raise TypeError(f"a docstring cannot hold this line as it is: {line!r}")
        if line != line.rstrip():
            raise TypeError("a docstring's line cannot end with a blank")
    return f'"""{value.text}"""'


def _columns(text: str) -> int:
    """Return the width of the widest way a terminal shows the text."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


# ------------------------------------------------------------------ templates


def render(template: str, **values: object) -> str:
    """Return the source that a template makes of values.

    Args:
        template: path below `templates/`, forward slashes.
        values: what the template names; only the filters can print them.

    Raises:
        MlspecBug: when the result does not parse, or holds other constants than were put in.
        TypeError: when a template prints a value without a filter, or a filter refuses it.
    """
    put: Counter[tuple[str, str]] = Counter()
    text = _environment(put).get_template(template).render(**values)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise MlspecBug(f"emitted Python ({template}) does not parse: {error}") from error
    put.subtract(_constants(tree))
    strange = sorted(constant for constant, count in put.items() if count)[:3]
    if strange:
        raise MlspecBug(f"emitted Python ({template}) holds other constants: {strange}")
    return text


def _environment(put: Counter[tuple[str, str]]) -> jinja2.Environment:
    import jinja2

    def py(value: Expression, indent: int = 0, before: int = 0, after: int = 0) -> _Code:
        _note(value, put)
        return _Code(print_expression(value, indent, before, after))

    def block(values: Sequence[Expression], indent: int = 0) -> _Code:
        _note(values, put)
        return _Code("".join(f"{' ' * indent}{_item(v, indent - _STEP, '')},\n" for v in values))

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_folder("templates")),
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Python, not HTML: `finalize` refuses what is not code
    )
    environment.filters = {"py": py, "block": block, "ident": _ident, "comment": _comment}
    return environment


def _finalize(value: object) -> _Code:
    if type(value) is not _Code:
        raise TypeError(f"a template printed a {type(value).__name__} without a filter")
    return value


def _ident(value: object) -> _Code:
    """Filter: a dotted name."""
    if not isinstance(value, str):
        raise TypeError(f"not a Python name: a {type(value).__name__}")
    return _Code(_dotted(value))


def _comment(value: object) -> _Code:
    """Filter: text for one comment line, or one line of a docstring."""
    if not isinstance(value, str):
        raise TypeError(f"not a comment: a {type(value).__name__}")
    if not all(char.isprintable() for char in value):
        raise TypeError("a comment is one line of printable text")
    return _Code(value)


def _note(value: object, put: Counter[tuple[str, str]]) -> None:
    """Count the constants of an expression, as the syntax tree will show them."""
    match value:
        case Block(text):
            put[_spelled(text)] += 1
        case Docstring():
            put[_spelled(value.text)] += 1
        case Call():
            if value.on is not None:
                _note(value.on, put)
            for argument in value.args:
                _note(argument, put)
            for _, argument in value.keywords:
                _note(argument, put)
        case Shift(left, right):
            _note(left, put)
            _note(right, put)
        case Name() | Import():
            pass
        case Mapping():
            for key, item in value.items():
                put[_spelled(key)] += 1
                _note(item, put)
        case str() | None | bool():
            put[_spelled(value)] += 1
        case int() | float():
            put[_spelled(abs(value))] += 1
        case Sequence():
            for item in value:
                _note(item, put)


def _spelled(value: object) -> tuple[str, str]:
    # A text stands for itself: copies of all texts of a large file would double it in memory.
    return type(value).__name__, value if isinstance(value, str) else repr(value)


def _constants(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield all constants; as `ast.walk`, which looks into every leaf, but twice as fast."""
    todo: list[object] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Constant):
            yield _spelled(node.value)
        elif isinstance(node, list):
            todo += node
        elif isinstance(node, ast.AST) and not isinstance(node, ast.Name):
            todo += [getattr(node, name) for name in node._fields]
