"""Characters that must not stand in a spec, and how foreign text is shown in messages.

Duty: find characters that a terminal would obey instead of show, that YAML forbids, that versions
of YAML read differently, or that make a reader see another text than the machine does. Input:
decoded text. Output: offsets with a reason. The check is one pass of one regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"
_BREAKS = "\x85\u2028\u2029"
_BIDI = "\u202a-\u202e\u2066-\u2069"
_ALWAYS = f"[{_CONTROL}{_BREAKS}{_BIDI}\ufeff\ufffe\uffff\ud800-\udfff]"
_BAD = re.compile(f"{_ALWAYS}|\r(?!\n)")
_BAD_RUN = re.compile(f"{_ALWAYS}+")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_NAMES = {
    "\x00": "a null character",
    "\x1b": "an escape character, which starts a terminal command",
    "\r": "a carriage return without a line feed",
    "\ufeff": "a byte-order mark that is not at the start of the file",
}


def bad_characters(text: str) -> Iterator[tuple[int, str]]:
    """Yield the offset of each character that must not stand in a spec, and what it is."""
    for found in _BAD.finditer(text):
        character = found.group()
        yield found.start(), f"{_describe(character)} (U+{ord(character):04X})"


def _describe(character: str) -> str:
    if character in _NAMES:
        return _NAMES[character]
    if character in _BREAKS:
        return "a line break that not every YAML reader knows"
    if re.match(f"[{_BIDI}]", character):
        return "an invisible character that turns the direction of writing"
    if "\ud800" <= character <= "\udfff":
        return "half of a surrogate pair"
    return "a control character"


def without_bad_characters(text: str) -> str:
    """Return text of the same length in which no character is bad, to look for more mistakes."""
    runs = _BAD_RUN.sub(lambda run: "\ufffd" * len(run.group()), text)
    return _LONE_RETURN.sub("\n", runs)


def shown(text: str, limit: int = 60) -> str:
    """Return text in backticks for a message: one line, nothing invisible, at most `limit` long."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    clean = "".join(one if one.isprintable() else _escaped(one) for one in cut)
    return f"'{clean}'" if "`" in clean else f"`{clean}`"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
