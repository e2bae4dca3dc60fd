"""YAML's own syntax errors, in our words: what was expected, what was found, what to do.

Input: the text and the exception of PyYAML (its C or its Python scanner). Output: one diagnostic at
the exact place. The wording of PyYAML is only used to tell the cases apart, never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mlspec.diagnostics.codes import reading
from mlspec.diagnostics.model import Diagnostic, Fix, Label, RawPlace
from mlspec.source import SourceFile, Span
from mlspec.yamlio.characters import shown
from mlspec.yamlio.nodes import ScalarNode

_TOKEN = re.compile(r"[^\s,\[\]{}:]+|\S")
_REFERENCE = re.compile(r"\$\{[^{}\n]*\}")
_INDENT = "keys of one mapping start in the same column: check the indentation of this line"
_QUOTE = "put the value in quotes"


@dataclass(frozen=True, slots=True)
class _Case:
    """One way to break YAML: how to recognise it and how to say it.

    Attributes:
        pattern: matched against PyYAML's context and problem.
        message: `{found}` is what stands at the place.
        at_start: the place is where the broken construct starts, not where it breaks.
        started: label for that start when it is the second place.
    """

    pattern: str
    message: str
    help: str = ""
    at_start: bool = False
    started: str = ""


_CASES = (
    _Case(
        r"flow sequence.*[\]]",
        "expected `,` or `]`, found {found}",
        "close the list with `]`",
        started="this list is still open",
    ),
    _Case(
        r"flow mapping.*[}]",
        "expected `,` or `}}`, found {found}",
        "close the mapping with `}}`",
        started="this mapping is still open",
    ),
    _Case(
        r"block mapping.*(expected key|block end)",
        "expected a key of this mapping, found {found}",
        _INDENT,
        started="this mapping is not finished",
    ),
    _Case(
        r"block collection.*('-' indicator|block end)",
        "expected another `- ` item of this list, found {found}",
        "indent the line to belong to the item, or less to end the list",
        started="this list is not finished",
    ),
    _Case(
        r"quoted scalar.*end of stream",
        "this quoted text is never closed",
        "add the closing quote",
        at_start=True,
    ),
    _Case(
        r"quoted scalar.*document (indicator|separator)",
        "found a line that starts with {found} inside quoted text",
        "close the quotes, or indent the line",
        started="the quoted text starts here",
    ),
    _Case(
        r"unknown escape",
        "{found} is no escape sequence",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    _Case(
        r"he?xa?decimal",
        "expected hexadecimal digits in this escape sequence, found {found}",
        "write two digits after `\\x`, four after `\\u`, eight after `\\U`",
    ),
    _Case(r"Unicode character escape", "this escape sequence names no Unicode character"),
    _Case(
        r"indicator.*(equal to| but found) 0|in the range 1-9",
        "the indentation after `|` or `>` is a digit from 1 to 9",
        "leave the digit out",
    ),
    _Case(
        r"block scalar.*tab",
        "found a tab where this block of text is indented",
        "indent with spaces",
    ),
    _Case(
        r"block scalar",
        "expected the end of the line after `|` or `>`, found {found}",
        "start the text on the next line",
    ),
    _Case(
        r"(anchor|alias).*(alphabetic|did not find|expected)",
        "expected a name after `*` or `&`, found {found}",
        f"a plain value cannot start with `*` or `&`: {_QUOTE}",
    ),
    _Case(
        r"\btag\b|tag handle",
        "found `!`, which starts a tag",
        f"the language has no tags: {_QUOTE}",
        at_start=True,
    ),
    _Case(
        r"simple key|expected ':'",
        "expected `:` after this key",
        "write `key: value`, or put the text in quotes",
        at_start=True,
    ),
    _Case(
        r"document start",
        "expected the end of the file, found {found}",
        "a closing bracket too many, or a line that belongs to nothing?",
    ),
    _Case(
        r"directive|%YAML|%TAG",
        "found `%`, which starts a directive",
        f"a plain value cannot start with `%`: {_QUOTE}",
        at_start=True,
    ),
    _Case(
        r"sequence entries",
        "expected a value, found the start of a list",
        "start the list on the next line",
    ),
    _Case(r"mapping keys", "expected a value, found {found}", _QUOTE),
    _Case(
        r"cannot start any token",
        "a plain value cannot start with {found}",
        _QUOTE,
    ),
    _Case(r"node content", "expected a value, found {found}", _QUOTE),
)


def syntax_diagnostic(file: SourceFile, error: Any, last: ScalarNode | None) -> Diagnostic:
    """Return the diagnostic of a syntax error.

    Args:
        file: the file, as it was given to the parser.
        error: a `yaml.MarkedYAMLError`.
        last: the last scalar before the error.
    """
    at = _offset(file, getattr(error, "problem_mark", None))
    start = _offset(file, getattr(error, "context_mark", None), at)
    said = f"{getattr(error, 'context', '') or ''} {getattr(error, 'problem', '') or ''}"
    if "nesting" in said or "flow depth" in said:
        return _diagnostic(file, reading.TOO_DEEP, at, "the document is nested too deep")
    return (
        _unquoted_reference(file, at, last)
        or _tab(file, at, said)
        or _second_colon(file, at, said)
        or _known(file, at, start, said)
    )


def reference_at(text: str, at: int) -> Span | None:
    """Return the `${…}` whose brace stands at an offset, if one does."""
    found = _REFERENCE.match(text, at - 1) if at > 0 else None
    return Span(found.start(), found.end()) if found else None


def _offset(file: SourceFile, mark: Any, otherwise: int = 0) -> int:
    return otherwise if mark is None else min(mark.index, len(file.text))


def _found(text: str, at: int) -> tuple[str, int]:
    """Return what stands at an offset, in words, and where it ends."""
    if at >= len(text) or not text[at:].strip():
        return "the end of the file", at
    if text[at] == "\t":
        return "a tab", at + 1
    if text[at] == "\\":
        return shown(text[at : at + 2]), at + 2
    token = _TOKEN.match(text, at)
    if token is None:
        return ("the end of the line", at) if text[at] in "\r\n" else ("a space", at + 1)
    return shown(token.group(), 30), token.end()


def _diagnostic(file: SourceFile, code: Any, at: int, message: str, **more: Any) -> Diagnostic:
    end = _found(file.text, at)[1]
    return Diagnostic(code=code, message=message, at=RawPlace(file.id, Span(at, end)), **more)


def _known(file: SourceFile, at: int, start: int, said: str) -> Diagnostic:
    case = next((c for c in _CASES if re.search(c.pattern, said, re.DOTALL)), None)
    found, _ = _found(file.text, at)
    if case is None:
        return _diagnostic(file, reading.YAML_SYNTAX, at, f"expected other YAML, found {found}")
    if found == "the end of the file":
        at = len(file.text.rstrip()) if not case.at_start else at
    if case.pattern.startswith("block mapping") and file.text[:at].rstrip(" ")[-1:] in ("'", '"'):
        message, advice = f"expected the end of the line after the closing quote, found {found}", ""
        advice = "put the whole value in quotes"
    else:
        message, advice = case.message.format(found=found), case.help.format()
    labels: tuple[Label, ...] = ()
    if case.started and start != at:
        labels = (Label(RawPlace(file.id, Span(start, start + 1)), case.started),)
    return _diagnostic(
        file,
        reading.YAML_SYNTAX,
        start if case.at_start else at,
        message,
        labels=labels,
        help=(advice,) if advice else (),
    )


def _unquoted_reference(file: SourceFile, at: int, last: ScalarNode | None) -> Diagnostic | None:
    """Return the diagnostic for `{run: echo ${inputs.a}}`: `{` ends a plain value in flow style."""
    reference = reference_at(file.text, at)
    if reference is None or last is None or not last.plain or last.end != at:
        return None
    rest = re.compile(r"(?:\$\{[^{}\n]*\}|[^,\[\]{}\n])*").match(file.text, at - 1)
    end = rest.end() if rest else reference.end
    value = file.text[last.start : end].rstrip()
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return Diagnostic(
        code=reading.FLOW_REFERENCE,
        message=f"{shown(value)} needs quotes: in flow style `{{` ends a plain value",
        at=RawPlace(file.id, reference),
        label="not read as a reference",
        help=(f"write {shown(quoted, 120)}", "or write the mapping or list in block style"),
        fixes=(
            Fix(
                "put the value in quotes",
                RawPlace(file.id, Span(last.start, last.start + len(value))),
                quoted,
                safe=True,
            ),
        ),
    )


def _tab(file: SourceFile, at: int, said: str) -> Diagnostic | None:
    line_start = file.text.rfind("\n", 0, at) + 1
    indent = re.compile(r"[ \t]*").match(file.text, line_start)
    tab = file.text.find("\t", line_start, indent.end() if indent else line_start)
    if tab < 0 or (at > (indent.end() if indent else 0) and "tab" not in said):
        return None
    return _diagnostic(
        file,
        reading.YAML_SYNTAX,
        tab,
        "this line is indented with a tab",
        label="a tab",
        help=("YAML is indented with spaces only",),
    )


def _second_colon(file: SourceFile, at: int, said: str) -> Diagnostic | None:
    if "mapping values are not allowed" not in said:
        return None
    line_start = file.text.rfind("\n", 0, at) + 1
    before = file.text[line_start:at]
    if re.search(r":(\s|$)", before) or "{" in before:
        return _diagnostic(
            file,
            reading.YAML_SYNTAX,
            at,
            "found a second `: ` in this line",
            label="read as the end of another key",
            help=("put the value in quotes, or start the mapping on the next line",),
        )
    key = len(before) - len(before.lstrip(" "))
    return Diagnostic(
        code=reading.YAML_SYNTAX,
        message="a key cannot stand here: the value of the line before goes on",
        at=RawPlace(file.id, Span(line_start + key, at)),
        help=("give the key the indentation of its neighbours", "or end the line before with `:`"),
    )
