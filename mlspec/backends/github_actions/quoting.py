r"""The two languages inside a workflow: plain text and `${{ expressions }}`, told apart by type.

A `Value` is a tuple of literal strings and `Code`. GitHub evaluates `${{ }}` in nearly every
string, also inside scripts; `render` writes a literal `${{` as `${{ '${{' }}`, an expression
whose value is just these three characters. User text becomes part of an expression only as a
string literal of harmless characters, or as JSON whose other characters are `\uXXXX`.

Source: docs.github.com, "Evaluate expressions in workflows and actions"; the limit of 21,000
characters is ExpressionConstants.MaxLength of the runner (actions/runner 2.3xx).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_EXPRESSION = 21_000
"""Characters that GitHub accepts in one expression, and in a string that contains any."""

_OPEN = "${{"
_ESCAPED = "${{ '${{' }}"
_HARMLESS = re.compile(r"[A-Za-z0-9 _./:@+,=-]*\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9 _./:@+,=-]")


@dataclass(frozen=True, slots=True)
class Code:
    """An expression of GitHub's, without the braces; never made of user text."""

    text: str


Value = tuple[str | Code, ...]


def render(value: Value) -> str:
    """Return the string that evaluates to the value on GitHub."""
    parts: list[str | Code] = []
    for part in value:
        if parts and isinstance(part, str) and isinstance(parts[-1], str):
            parts[-1] += part  # a `${{` may straddle two literals
        else:
            parts.append(part)
    return "".join(
        f"${{{{ {part.text} }}}}" if isinstance(part, Code) else part.replace(_OPEN, _ESCAPED)
        for part in parts
    )


def is_evaluated(value: Value) -> bool:
    """Return whether the rendered string holds any expression."""
    return _OPEN in render(value)


def string(text: str) -> str:
    """Return an expression whose value is a string, safe to stand inside other code."""
    if _HARMLESS.match(text):
        return f"'{text}'"
    return f"fromJSON('\"{_UNSAFE.sub(_json_escape, text)}\"')"


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def path_pattern(path: str) -> str:
    """Return a path as a `paths` filter pattern that matches it literally.

    Special in filter patterns: `* ? + [ ] !` (docs.github.com, "Workflow syntax", filter pattern
    cheat sheet); a backslash makes the next one literal.
    """
    return re.sub(r"([\\*?+\[\]!])", r"\\\1", path)
