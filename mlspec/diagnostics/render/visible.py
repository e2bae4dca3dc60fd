"""Makes user text safe and measurable for a terminal or a log.

Control characters, terminal escapes, direction overrides and other invisible characters become
visible escapes, so that what is printed is what stands in the file and nothing is executed by a
terminal. Widths follow Unicode: wide characters take two columns, combining marks none.
"""

from __future__ import annotations

import unicodedata

TAB = "    "
"""What a tab is shown as in source lines."""

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_LOG_COMMAND = ("##[", "#\\x23[")
"""Some CI systems read `##[...]` anywhere in a line as a command to themselves."""


def visible(text: str) -> str:
    """Return text on one line with everything invisible spelled out."""
    if text.isascii() and text.isprintable():
        shown = text
    else:
        shown = "".join(_shown(char) for char in text)
    return shown.replace(*_LOG_COMMAND)


def cells(text: str) -> tuple[list[str], list[int]]:
    """Return what to show for each code point of a source line, and its width in columns."""
    shown = [TAB if char == "\t" else _shown(char) for char in text]
    return shown, [_width(piece) for piece in shown]


def width(text: str) -> int:
    """Return the columns that an already visible text takes."""
    return len(text) if text.isascii() else sum(_width(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    if unicodedata.category(char) not in _ESCAPED:
        return char  # spaces such as U+00A0, and private use characters
    code = ord(char)
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if short is not None:
        return short
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _width(piece: str) -> int:
    if piece.isascii():
        return len(piece)
    return sum(_char_width(char) for char in piece)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
