"""Where in a Bash script a reference stands: in code, in double quotes, or where nothing expands.

Decision B6: a reference becomes `"${MLSPEC_…}"` in code and `${MLSPEC_…}` inside double quotes or
an unquoted here-document; inside single quotes or a quoted here-document it is an error. The
scanner follows Bash's quoting rules (Bash reference manual 5.2, sections 3.1.2, 3.5, 3.6.6)
closely enough to know the context of every character; it never judges whether a script is valid.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

_HEREDOC = re.compile(r"<<(-?)[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s'\"\\;|&<>()])+)")
_CASE = re.compile(r"case\s")
_ESAC = re.compile(r"esac(?=[\s;)&|]|\Z)")
_WORD = re.compile(r"\w+")
_WORD_BREAK = " \t\n;|&()<>"


class Context(Enum):
    """What happens to an expansion at a place of a script."""

    CODE = "code"
    """Unquoted: the result is split into words, so it needs quotes."""
    QUOTED = "quoted"
    """Inside double quotes, arithmetic or an unquoted here-document: expanded, not split."""
    INERT = "inert"
    """Inside single quotes or a quoted here-document: not expanded at all."""
    COMMENT = "comment"
    """Inside a comment."""


@dataclass(slots=True)
class _Heredoc:
    delimiter: str
    strip_tabs: bool
    quoted: bool


class _Scanner:
    """Walks a script once; `contexts` maps the offsets that were asked for."""

    def __init__(self, text: str, wanted: frozenset[int]) -> None:
        self.text = text
        self.wanted = wanted
        self.ordered = sorted(wanted)
        self.contexts: dict[int, Context] = {}
        self.stack: list[str] = ["code"]  # code, dq, cmd, arith, tick, param, heredoc
        self.parens: list[int] = []
        self.cases: list[int] = []  # open `case … esac` in each command substitution
        self.pending: list[_Heredoc] = []
        self.word_start = True

    def scan(self) -> None:
        """Walk to the last offset that was asked for."""
        at, last = 0, self.ordered[-1] if self.ordered else -1
        while at <= last:
            at = self._step(at)

    def _mark(self, start: int, end: int, context: Context) -> None:
        at = bisect_left(self.ordered, start)
        while at < len(self.ordered) and self.ordered[at] < end:
            self.contexts[self.ordered[at]] = context
            at += 1

    def _step(self, at: int) -> int:
        char = self.text[at]
        state = self.stack[-1]
        if at in self.wanted:
            self.contexts[at] = Context.CODE if state in ("code", "cmd") else Context.QUOTED
            if state in ("tick", "param"):
                self.contexts[at] = self._around()
        if char == "\\":
            self.word_start = False
            return at + 2
        if state == "dq":
            return self._in_double_quotes(at, char)
        if state in ("arith", "heredoc", "param"):
            return self._in_expansion(at, char, state)
        return self._in_code(at, char, state)

    def _around(self) -> Context:
        """Context of the innermost quoting around a `${…}` or backtick."""
        for state in reversed(self.stack):
            if state in ("dq", "arith", "heredoc"):
                return Context.QUOTED
            if state in ("code", "cmd", "tick"):
                return Context.CODE
        return Context.CODE

    def _dollar(self, at: int) -> int | None:
        """Enter what a `$` opens; None when it opens nothing that nests."""
        rest = self.text[at : at + 3]
        self.word_start = False
        if rest == "$((":
            self.stack.append("arith")
            self.parens.append(2)
            return at + 3
        if rest.startswith("$("):
            self.stack.append("cmd")
            self.parens.append(1)
            self.cases.append(0)
            self.word_start = True
            return at + 2
        if rest.startswith("${") and at not in self.wanted:
            self.stack.append("param")
            return at + 2
        return None

    def _in_double_quotes(self, at: int, char: str) -> int:
        if char == '"':
            self.stack.pop()
            return at + 1
        if char == "$":
            return self._dollar(at) or at + 1
        if char == "`":
            return self._tick(at)
        return at + 1

    def _tick(self, at: int) -> int:
        if self.stack[-1] == "tick":
            self.stack.pop()
        else:
            self.stack.append("tick")
            self.word_start = True
        return at + 1

    def _in_expansion(self, at: int, char: str, state: str) -> int:
        if char == "$":
            return self._dollar(at) or at + 1
        if char == "`":
            return self._tick(at)
        if state == "param":
            if char == "}":
                self.stack.pop()
            elif char == '"':
                self.stack.append("dq")
            elif char == "'" and self._around() is Context.CODE:
                return self._single(at)
        elif state == "arith":
            if char == "(":
                self.parens[-1] += 1
            elif char == ")":
                self.parens[-1] -= 1
                if self.parens[-1] == 0:
                    self.parens.pop()
                    self.stack.pop()
        return at + 1

    def _single(self, at: int, *, escapes: bool = False) -> int:
        end = at + 1
        while end < len(self.text) and self.text[end] != "'":
            end += 2 if escapes and self.text[end] == "\\" else 1
        self._mark(at, end, Context.INERT)
        return end + 1

    def _in_code(self, at: int, char: str, state: str) -> int:
        text = self.text
        if state == "code" and (word := _WORD.match(text, at)):
            self.word_start = False
            return word.end()
        if char == "#" and self.word_start:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            self._mark(at, end, Context.COMMENT)
            return end
        if char == "\n" and self.pending:
            return self._bodies(at + 1)
        if char == "<" and text.startswith("<<", at) and not text.startswith("<<<", at):
            match = _HEREDOC.match(text, at)
            if match:
                self._open_heredoc(match)
                return match.end()
        if char == "<" and text.startswith("<<<", at):
            return at + 3
        if char == "'":
            self.word_start = False
            return self._single(at)
        if char == "$" and text.startswith("$'", at):
            self.word_start = False
            return self._single(at + 1, escapes=True)
        if char == "$":
            return self._dollar(at) or at + 1
        if char == '"':
            self.stack.append("dq")
            self.word_start = False
            return at + 1
        if char == "`":
            return self._tick(at)
        if state == "cmd":
            self._in_substitution(at, char)
        self.word_start = char in _WORD_BREAK
        return at + 1

    def _in_substitution(self, at: int, char: str) -> None:
        """Find the parenthesis that ends a `$(…)`; the one of a `case` pattern does not."""
        if self.word_start and _CASE.match(self.text, at):
            self.cases[-1] += 1
        elif self.word_start and _ESAC.match(self.text, at):
            self.cases[-1] -= 1
        elif char == "(":
            self.parens[-1] += 1
        elif char == ")" and not (self.parens[-1] == 1 and self.cases[-1] > 0):
            self.parens[-1] -= 1
            if self.parens[-1] == 0:
                self.parens.pop()
                self.cases.pop()
                self.stack.pop()

    def _open_heredoc(self, match: re.Match[str]) -> None:
        word = match[2]
        quoted = any(mark in word for mark in "'\"\\")
        delimiter = re.sub(r"['\"\\]", "", word)
        self.pending.append(_Heredoc(delimiter, match[1] == "-", quoted))
        self.word_start = False

    def _bodies(self, at: int) -> int:
        for heredoc in self.pending:
            start = at
            while at < len(self.text):
                end = self.text.find("\n", at)
                end = len(self.text) if end < 0 else end
                line = self.text[at:end]
                if (line.lstrip("\t") if heredoc.strip_tabs else line) == heredoc.delimiter:
                    break
                at = end + 1
            body_end = min(at, len(self.text))
            if heredoc.quoted:
                self._mark(start, body_end, Context.INERT)
            else:
                low, high = bisect_left(self.ordered, start), bisect_left(self.ordered, body_end)
                inner = frozenset(offset - start for offset in self.ordered[low:high])
                scanner = _Scanner(self.text[start:body_end], inner)
                scanner.stack = ["heredoc"]
                scanner.scan()
                self.contexts.update({o + start: c for o, c in scanner.contexts.items()})
            newline = self.text.find("\n", at)
            at = len(self.text) if newline < 0 else newline + 1
        self.pending = []
        self.word_start = True
        return at


def contexts_at(script: str, offsets: frozenset[int]) -> Mapping[int, Context]:
    """Return the context of each offset of a script; offsets must be those of `$` of references.

    A reference's own `${…}` does not open an expansion.
    """
    scanner = _Scanner(script, offsets)
    scanner.scan()
    return scanner.contexts
