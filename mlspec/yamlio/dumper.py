"""The only code that prints YAML: from plain data, the same bytes for the same data.

Every reader must get the same value back, in YAML 1.1 and 1.2: a string is printed plain only when
it matches a safe pattern and is no word or number of either version; multi-line printable ASCII
becomes a literal block; everything else is double-quoted with ASCII escapes. No anchors, no line
folding, sequences indented. Checked by tests on PyYAML and npm `yaml` (docs/adr/0003).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Self, TypeAlias, TypeGuard

Data: TypeAlias = "str | int | float | bool | Sequence[Data] | Mapping[str, Data] | None"

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./@=+-]*(?: [A-Za-z0-9_./@=+][A-Za-z0-9_./@=+-]*)*\Z")
_PLAIN_KEY = re.compile(r"[A-Za-z_./][A-Za-z0-9_./@+-]*\Z")
_WORDS = frozenset(
    [
        "y",
        "n",
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
        "nan",
        "inf",
        "none",
        "~",
        ".",
        ".nan",
        ".inf",
        "-.inf",
        "+.inf",
        "<<",
    ]
)
_NUMBER_LIKE = re.compile(r"[-+.]?[0-9._]|[eE][0-9]|\.(inf|nan)", re.IGNORECASE)
_BLOCK = re.compile(r"[\x20-\x7e\n]+\Z")
_PAIR = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_KEY = 1000  # readers look for the `:` of a key in the next 1,024 characters


class Commented(str):
    """A string that is followed by a comment on its line (a version beside a digest, say).

    Printed plain or quoted, never as a block, so that the comment is not part of the value.
    """

    __slots__ = ("comment",)

    comment: str

    def __new__(cls, text: str, comment: str) -> Self:
        """Make one; the comment is one line of printable text."""
        made = super().__new__(cls, text)
        made.comment = comment
        return made


def dump(data: Data, comment: str = "") -> str:
    """Return one YAML document.

    Args:
        data: mappings with string keys, sequences, strings, booleans, finite numbers, None.
        comment: lines for the head of the file, without `#`.

    Raises:
        TypeError: for any other type, or a number that is not finite.
        ValueError: for text that YAML cannot hold: half of a surrogate pair.
    """
    lines = _head(comment)
    _put(data, 0, lines, "")
    return "\n".join(lines) + "\n"


def dump_all(documents: Sequence[Data], comment: str = "") -> str:
    """Return several documents in one file, separated by `---`."""
    head = "".join(f"{line}\n" for line in _head(comment))
    return head + "---\n".join(dump(document) for document in documents)


def _head(comment: str) -> list[str]:
    text = comment.rstrip("\n")
    return [f"# {_one_line(line)}".rstrip() for line in text.split("\n")] if text else []


def _one_line(comment: str) -> str:
    """Return a comment that stays one: a line break in it would end it and start YAML."""
    return "".join(character if character.isprintable() else "?" for character in comment)


def _put(data: Data, indent: int, lines: list[str], lead: str) -> None:
    """Append `data`; `lead` is what already stands on its first line (`key:` or `-`)."""
    if isinstance(data, str):
        if "\n" in data and not isinstance(data, Commented) and _fits_block(data):
            _put_block(data, indent, lines, lead)
            return
    elif isinstance(data, dict | Mapping):
        _put_mapping(data, indent, lines, lead)
        return
    elif _is_sequence(data):
        _put_sequence(data, indent, lines, lead)
        return
    text = scalar(data)
    if isinstance(data, Commented):
        text = f"{text} # {_one_line(data.comment)}"
    lines.append(f"{lead} {text}" if lead else text)


def _is_sequence(data: Data) -> TypeGuard[Sequence[Data]]:
    # Exact classes first: what an abstract class answers costs three times as much.
    if isinstance(data, str | bytes | bytearray):
        return False
    return isinstance(data, list | tuple | Sequence)


def _put_mapping(data: Mapping[str, Data], indent: int, lines: list[str], lead: str) -> None:
    if not data:
        lines.append(f"{lead} {{}}" if lead else "{}")
        return
    inline = lead.endswith("-")
    if lead and not inline:
        lines.append(lead)
    for number, (key, value) in enumerate(data.items()):
        if not isinstance(key, str):
            raise TypeError(f"a key of emitted YAML must be a string, not {key!r}")
        start = f"{lead} " if inline and number == 0 else " " * indent
        written = _key(key)
        if len(written) > _LONGEST_KEY:
            lines.append(f"{start}? {written}")
            _put(value, indent + 2, lines, " " * indent + ":")
        else:
            _put(value, indent + 2, lines, f"{start}{written}:")


def _put_sequence(data: Sequence[Data], indent: int, lines: list[str], lead: str) -> None:
    if not data:
        lines.append(f"{lead} []" if lead else "[]")
        return
    if lead:
        lines.append(lead)
    for item in data:
        if _is_sequence(item) and item:
            lines.append(" " * indent + "-")
            _put_sequence(item, indent + 2, lines, "")
        else:
            _put(item, indent + 2, lines, " " * indent + "-")


def _fits_block(text: str) -> bool:
    if "\n" not in text.rstrip("\n") and not (text.endswith("\n") and len(text) > 1):
        return False
    body = text.rstrip("\n")
    return (
        bool(_BLOCK.match(text))
        and bool(body)
        and not body.startswith((" ", "\n"))
        and not any(line.endswith(" ") for line in text.split("\n"))
        and not any(line.startswith(("---", "...")) for line in text.split("\n"))
    )


def _put_block(text: str, indent: int, lines: list[str], lead: str) -> None:
    body = text.rstrip("\n")
    trailing = len(text) - len(body)
    chomp = "-" if trailing == 0 else "" if trailing == 1 else "+"
    lines.append(f"{lead} |{chomp}" if lead else f"|{chomp}")
    pad = " " * max(indent, 2)
    lines.extend(f"{pad}{line}" if line else "" for line in body.split("\n"))
    lines.extend("" for _ in range(trailing - 1))


@lru_cache(maxsize=4096)
def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) and _is_plain_word(key) else _quote(key)


def _quote(text: str) -> str:
    """Return the double-quoted spelling; YAML has no surrogate pairs and no DEL, unlike JSON."""
    if _SURROGATE.search(text):
        raise ValueError(f"YAML cannot hold half of a surrogate pair: {text!r}")
    return _PAIR.sub(_astral, json.dumps(text)).replace("\x7f", "\\x7f")


def _astral(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16), int(pair[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _is_plain_word(text: str) -> bool:
    return text.lower() not in _WORDS and not _NUMBER_LIKE.match(text)


def scalar(value: Data) -> str:
    """Return the flow spelling of a scalar.

    Raises:
        TypeError: for anything that is not a scalar, and for numbers that are not finite.
        ValueError: for text with half of a surrogate pair.
    """
    match value:
        case str():
            return _text(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
    raise TypeError(f"emitted YAML cannot hold {type(value).__name__}")


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    """Return the flow spelling of a text; kept, because engines' files repeat the same words."""
    return value if _PLAIN.match(value) and _is_plain_word(value) else _quote(value)


def _float(value: float) -> str:
    if not isfinite(value):
        raise TypeError("emitted YAML cannot hold a number that is not finite")
    text = repr(value)
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    if "." not in mantissa:
        mantissa += ".0"  # YAML 1.1 readers need the point, and a sign in the exponent
    return f"{mantissa}e{exponent if exponent.startswith('-') else '+' + exponent.lstrip('+')}"
