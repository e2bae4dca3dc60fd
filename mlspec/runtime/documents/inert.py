"""Text of users as data: no Markdown, no HTML, no YAML syntax and no credentials come out of it.

Markdown follows CommonMark 0.31 with GitHub's tables: what could begin a construct is escaped by
a backslash, what could begin HTML becomes an entity. A bare web address may still become a link
to exactly what it shows.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_ALWAYS = re.compile(r"([\\`*\[\]{}|~$!#])")
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_START = re.compile(r"^(\s*)(-(?=[\s-]|$)|\+(?=\s|$)|[=>]|\d+(?=[.)](?:\s|$)))")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)


def readable(text: str) -> str:
    """Return text that can be encoded, without characters that hide or turn what is written."""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", _encodable(text))


def _encodable(text: str) -> str:
    """Return text without lone surrogates, which no encoding can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def one_line(text: str) -> str:
    """Return text with all white space as single blanks."""
    return " ".join(readable(text.replace("\u2028", " ").replace("\u2029", " ")).split())


def markdown(text: str) -> str:
    """Return one line of Markdown that shows exactly this text, also inside a table cell."""
    line = _ALWAYS.sub(r"\\\1", one_line(text))
    line = _UNDERSCORE.sub(r"\\_", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _START.sub(_guarded, line)


def _guarded(found: re.Match[str]) -> str:
    blanks, mark = found[1], found[2]
    return f"{blanks}{mark}\\" if mark.isdigit() else f"{blanks}\\{mark}"


def paragraphs(text: str) -> str:
    """Return Markdown paragraphs that show exactly this text; blank lines divide them."""
    parts = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n\n".join(markdown(part) for part in parts if part.strip())


def markup(text: str) -> str:
    """Return HTML that shows exactly this text, in an element or in a quoted attribute."""
    return html.escape(readable(text), quote=True)


def address(uri: str) -> str:
    """Return an address without user, password, query and fragment.

    The query of an address with a host may be a signature; that of `sample:fraud?rate=5%` is
    what it is about, and stays.
    """
    try:
        parts = urlsplit(one_line(uri))
    except ValueError:
        return ""
    if not parts.netloc:
        return one_line(uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def plain(value: Any) -> Any:
    """Return JSON data: keys are texts, and a number that JSON cannot write is its text."""
    if isinstance(value, Mapping):
        return {_encodable(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _encodable(str(value))


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document: sorted keys, one blank of indent, UTF-8, a last newline."""
    text = json.dumps(plain(document), sort_keys=True, indent=1, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def yaml_text(value: Any) -> str:
    """Return block YAML that versions 1.1 and 1.2 read as the same JSON data.

    Texts are double-quoted, so that none is ever read as another type or as syntax; keys that
    are plain words are not.
    """
    lines: list[str] = []
    _write(plain(value), 0, lines)
    return "\n".join(lines) + "\n"


def _write(value: Any, depth: int, lines: list[str]) -> None:
    lead = "  " * depth
    if isinstance(value, dict):
        for key, item in value.items():
            _put(f"{lead}{_key(key)}:", item, depth + 1, lines)
    elif isinstance(value, list):
        for item in value:
            _put(f"{lead}-", item, depth + 1, lines)
    else:
        lines.append(lead + _scalar(value))


def _put(head: str, item: Any, depth: int, lines: list[str]) -> None:
    if isinstance(item, (dict, list)) and item:
        lines.append(head)
        _write(item, depth, lines)
    else:
        lines.append(f"{head} {_scalar(item)}")


_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_UNPRINTABLE = re.compile(
    r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)


def _key(text: str) -> str:
    known = _PLAIN_KEY.fullmatch(text) and text.lower() not in _WORDS
    return text if known else _scalar(text)


def _scalar(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, float):
        return _number(value)
    # JSON is YAML, except that YAML does not join surrogate escapes: hence not ASCII only.
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _number(value: float) -> str:
    """Return a float as YAML 1.1 knows it: with a point, and with a sign in the exponent."""
    mantissa, exponent, power = repr(value).partition("e")
    if "." not in mantissa:
        mantissa += ".0"
    if exponent and power[0] not in "+-":
        power = "+" + power
    return f"{mantissa}{exponent}{power}"
