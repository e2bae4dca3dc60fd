"""Boolean expressions of the engines: GitHub's `if`, Argo's `depends`.

Duty: text to `mlspec.proving.graph.Start`. Both languages have `!`, `&&`, `||` and parentheses;
what stands between them is an atom, and the caller says what an atom means.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlspec.proving.graph import UNKNOWN, Every, Negation, Some, Start

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>&&|\|\||!(?!=)|\(|\))|(?P<atom>(?:'(?:[^']|'')*'|[^&|!()'\s]|!=)+))"
)
_DEEPEST = 200


class NotUnderstoodError(ValueError):
    """The text is no expression of this kind."""


def parse(text: str, atom: Callable[[str], Start]) -> Start:
    """Return an expression.

    Args:
        text: without braces. atom: what a text between signs means, blanks inside as one.

    Raises:
        NotUnderstoodError: the text is no expression, or nested too deeply.
    """
    return _Parser(_tokens(text), atom).whole()


def _tokens(text: str) -> list[tuple[str, str]]:
    """Return signs and atoms; words of an atom that follow each other are one atom."""
    found: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotUnderstoodError(f"`{text[at : at + 20]}`")
        at = match.end()
        if match["sign"]:
            found.append(("sign", match["sign"]))
        elif found and found[-1][0] == "atom":
            found[-1] = ("atom", f"{found[-1][1]} {match['atom']}")
        else:
            found.append(("atom", match["atom"]))
    return found


class _Parser:
    """Recursive descent; a call such as `always()` is an atom with parentheses."""

    def __init__(self, tokens: list[tuple[str, str]], atom: Callable[[str], Start]) -> None:
        self._tokens = tokens
        self._atom = atom
        self._at = 0
        self._depth = 0

    def whole(self) -> Start:
        found = self._either()
        if self._at < len(self._tokens):
            raise NotUnderstoodError(f"`{self._tokens[self._at][1]}`")
        return found

    def _takes(self, sign: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign):
            self._at += 1
            return True
        return False

    def _either(self) -> Start:
        terms = [self._both()]
        while self._takes("||"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else Some(tuple(terms))

    def _both(self) -> Start:
        terms = [self._single()]
        while self._takes("&&"):
            terms.append(self._single())
        return terms[0] if len(terms) == 1 else Every(tuple(terms))

    def _single(self) -> Start:
        self._depth += 1
        if self._depth > _DEEPEST or self._at >= len(self._tokens):
            raise NotUnderstoodError("it ends too early, or is nested too deeply")
        try:
            return self._inner()
        finally:
            self._depth -= 1

    def _inner(self) -> Start:
        if self._takes("!"):
            return Negation(self._single())
        if self._takes("("):
            found = self._either()
            self._close()
            return self._compared(found)
        kind, text = self._tokens[self._at]
        if kind != "atom":
            raise NotUnderstoodError(f"`{text}`")
        self._at += 1
        if self._takes("("):
            text = f"{text}({self._arguments()})"
            return self._compared(self._atom(text))
        return self._atom(text)

    def _close(self) -> None:
        if not self._takes(")"):
            raise NotUnderstoodError("a parenthesis is not closed")

    def _compared(self, found: Start) -> Start:
        """Return what a parenthesis means; compared with something, it is a value, not a truth."""
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "atom":
            self._at += 1
            return UNKNOWN
        return found

    def _arguments(self) -> str:
        """Return the text up to the parenthesis that closes a call."""
        depth = 1
        parts: list[str] = []
        while self._at < len(self._tokens):
            text = self._tokens[self._at][1]
            self._at += 1
            depth += (text == "(") - (text == ")")
            if not depth:
                return " ".join(parts)
            parts.append(text)
        raise NotUnderstoodError("a call is not closed")
