"""What a log of records is, wherever it lies: lines in order, and a head that counts them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mlspec.runtime.audit.model import FORMAT_VERSION, GENESIS, Record, canonical, record_of
from mlspec.runtime.steps.contract import StepError


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How many records a log has, and the digest of the last one."""

    count: int = 0
    last: str = GENESIS


class Ledger(Protocol):
    """A log in some place. All methods raise `StepError`; OSError: the disk refuses.

    Attributes:
        lag: how many records the head may be behind when writers were killed; None: any number.
    """

    lag: int | None

    def lines(self) -> Iterator[bytes]:
        """Yield the complete lines, without their ends, oldest first; empty: it is missing."""

    def read_head(self) -> Head | None:
        """Return what the head says, None when there is none."""

    def is_unfinished(self) -> bool:
        """Whether there is a part of a record that nobody acknowledged."""

    def add(self, make: Callable[[Head], bytes], before: Callable[[], None]) -> bytes:
        """Add a line behind the last one; return it.

        Args:
            make: returns the line that follows a head. It may be called again when somebody
                else was faster.
            before: is called when the log is known to be whole, before anything is written.
        """


def head_text(head: Head) -> bytes:
    """Return the text of `head.json`."""
    return canonical({"format_version": FORMAT_VERSION, "count": head.count, "last": head.last})


def head_from(text: bytes) -> Head:
    """Return what `head.json` says.

    Raises:
        StepError: it cannot be read.
    """
    try:
        found = json.loads(text)
        return Head(count=int(found["count"]), last=str(found["last"]))
    except (ValueError, TypeError, KeyError):
        raise broken("`head.json` is damaged") from None


def record_from(line: bytes, what: str) -> Record:
    """Return the record of a line.

    Raises:
        StepError: it is none; `what` names it.
    """
    try:
        return record_of(json.loads(line), line)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise broken(f"{what} is no record") from None


def broken(what: str) -> StepError:
    """Return the error of a log that was changed."""
    return StepError(
        f"the audit log is not as it was written: {what}",
        help="`mlspec audit verify` shows where; nothing is recorded or promoted until it is whole",
    )
