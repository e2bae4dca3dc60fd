"""Changes to emitted text: each is a name and a function from text to text.

A change that does not change anything is a mistake of the test: `Mutant.apply` says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.emitted import Emitted


@dataclass(frozen=True)
class Mutant:
    """A change to the artifact whose path has an ending."""

    name: str
    file: str
    change: Callable[[str], str]

    def apply(self, text: str) -> str:
        """Return the changed text."""
        made = self.change(text)
        assert made != text, f"{self.name} changes nothing"
        return made


def codes_after(mutant: Mutant, made: Emitted) -> set[str]:
    """Return the codes that the proof finds once a change is made."""
    changed = made.with_text(mutant.file, mutant.apply(made.text(mutant.file)))
    return {one.code.id for one in changed.findings()}


def swap(old: str, new: str) -> Callable[[str], str]:
    """Return a change of every occurrence of a text."""
    return lambda text: text.replace(old, new)


def within(start: str, end: str, old: str, new: str) -> Callable[[str], str]:
    """Return a change (regular expression, first hit) between two texts.

    Args:
        start, end: regular expressions at the starts of lines; the part goes up to `end`.
    """

    def change(text: str) -> str:
        first = re.search(start, text, re.MULTILINE)
        assert first is not None, start
        last = re.compile(end, re.MULTILINE).search(text, first.end())
        stop = last.start() if last is not None else len(text)
        part = re.sub(old, lambda _: new, text[first.start() : stop], count=1, flags=re.DOTALL)
        return text[: first.start()] + part + text[stop:]

    return change


def without(start: str, end: str) -> Callable[[str], str]:
    """Return a change that takes a part away."""
    return within(start, end, r".*", "")


def again(start: str, end: str, *swaps: tuple[str, str]) -> Callable[[str], str]:
    """Return a change that puts a copy of a part behind it, with other texts in it."""

    def change(text: str) -> str:
        first = re.search(start, text, re.MULTILINE)
        assert first is not None, start
        last = re.compile(end, re.MULTILINE).search(text, first.end())
        stop = last.start() if last is not None else len(text)
        part = text[first.start() : stop]
        for old, new in swaps:
            assert old in part, old
            part = part.replace(old, new)
        return text[:stop] + part + text[stop:]

    return change
