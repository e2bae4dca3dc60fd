"""A list that many processes append to without a lock: entry n+1 is created when entry n is there.

    <folder>/<12 figures>.json

Input: a place, whose `create` lets one of several writers win. Output: entries from 1, without
gaps, none ever changed. Whoever loses reads what the winner wrote and tries again behind it, so a
writer that is killed holds up nobody.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.storage.model import Place

_FIGURES = 12
T = TypeVar("T")
_PAUSE, _PATIENCE = 0.02, 60.0


class Numbered:
    """The entries of one folder of a place."""

    def __init__(self, place: Place, folder: str) -> None:
        """Ask nothing yet."""
        self._place, self._folder = place, folder

    def name(self, number: int) -> str:
        """Return the name of an entry in the place."""
        return f"{self._folder}/{number:0{_FIGURES}d}.json"

    def entry(self, number: int) -> bytes | None:
        """Return an entry; None: it was not written."""
        return self._place.read(self.name(number))

    def add(self, number: int, content: bytes) -> bool:
        """Write an entry behind the one before; return whether the number was free.

        The caller has seen the entry before.
        """
        return self._place.create(self.name(number), content)

    def newest(self, known: int = 0) -> tuple[int, bytes | None]:
        """Return the number and content of the newest entry; 0 and None: there is none.

        Args:
            known: an entry that is there (or was: then all names are listed).
        """
        content = self.entry(known) if known else None
        number = known
        if content is None:
            number = max(self.numbers(), default=0)
            content = self.entry(number) if number else None
        while (behind := self.entry(number + 1)) is not None:
            number, content = number + 1, behind
        return number, content

    def numbers(self) -> list[int]:
        """Return the numbers of all entries, sorted; other names are left out."""
        stems = [name.removesuffix(".json") for name in self._place.names(self._folder)]
        return sorted(int(stem) for stem in stems if stem.isdecimal() and len(stem) == _FIGURES)

    def all(self) -> list[bytes | None]:
        """Return all entries in order; None where one is missing."""
        numbers = self.numbers()
        found = self._place.read_all(self.name(number) for number in numbers)
        last = numbers[-1] if numbers else 0
        return [found.get(self.name(number)) for number in range(1, last + 1)]


def until_it_fits(attempt: Callable[[], T | None], *, what: str) -> T:
    """Call until somebody else was not faster; return what the attempt returned.

    Args:
        attempt: returns None when another writer won.
        what: what is written, for the message.

    Raises:
        StepError: others were faster for a minute; exit 75.
    """
    until, pause = time.monotonic() + _PATIENCE, _PAUSE
    while time.monotonic() < until:
        found = attempt()
        if found is not None:
            return found
        # Chance keeps two writers from meeting again and again; it decides nothing else.
        time.sleep(random.uniform(0, pause))  # noqa: S311
        pause = min(2 * pause, 1.0)
    raise StepError(
        f"{what} is written by many others at once", help="try again", exit=StepExit.TEMPORARY
    )
