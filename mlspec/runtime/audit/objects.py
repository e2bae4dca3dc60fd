"""The log in an object store: `audit/records/<12 figures>.json`, one object for each record.

No lock: a writer creates the record behind the last one, exclusively, and whoever loses makes its
record anew behind the winner's. `audit/head.json` counts the records, so that a missing tail shows.
It is written after the record, and its writer looks whether another record came meanwhile, so it is
behind only while writers are at work or after they were killed; the next one catches up. Invariant:
the record that the head names exists and reads as the head says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlspec.runtime.audit.ledger import Head, broken, head_from, head_text, record_from
from mlspec.runtime.digests import digest_of_bytes
from mlspec.runtime.storage.model import Place
from mlspec.runtime.storage.numbered import Numbered, until_it_fits

_HEAD = "head.json"


class ObjectLedger:
    """See `mlspec.runtime.audit.ledger.Ledger`."""

    lag: int | None = None

    def __init__(self, place: Place) -> None:
        """Ask nothing yet; `place` is `<store>/<app>/audit`."""
        self._place = place
        self._records = Numbered(place, "records")

    def lines(self) -> Iterator[bytes]:
        """Yield the records; empty for one that is missing."""
        for line in self._records.all():
            yield b"" if line is None else line

    def read_head(self) -> Head | None:
        """Return what `head.json` says."""
        text = self._place.read(_HEAD)
        return None if text is None else head_from(text)

    def is_unfinished(self) -> bool:
        """Objects are whole, or not there."""
        return False

    def add(self, make: Callable[[Head], bytes], before: Callable[[], None]) -> bytes:
        """Create the next record; a lost race is tried again behind the winner."""

        def attempt() -> tuple[Head, bytes] | None:
            head = self._caught_up()
            before()
            line, number = make(head), head.count + 1
            if not self._records.add(number, line):
                return None
            return Head(count=number, last=digest_of_bytes(line)), line

        head, line = until_it_fits(attempt, what="the audit log")
        self._note(head)
        return line

    def _caught_up(self) -> Head:
        """Return the head that the log really has; note it when `head.json` is behind."""
        told = self.read_head()
        head = told or Head()
        if told is not None and told.count:
            line = self._records.entry(told.count)
            if line is None:
                raise broken(f"record {told.count} was the last, and it is gone")
            if digest_of_bytes(line) != told.last:
                raise broken(f"record {told.count} was the last, and it was changed")
        while (line := self._records.entry(head.count + 1)) is not None:
            record = record_from(line, f"record {head.count + 1}")
            if record.seq != head.count + 1 or record.prev != head.last:
                raise broken(f"record {head.count + 1} does not follow the one before")
            head = Head(count=record.seq, last=record.digest)
        if told is None:
            # Whoever writes a second record has noted the first, so only one may be without a head.
            newest = max(self._records.numbers(), default=0)
            if max(newest, head.count) > 1 and self.read_head() is None:
                raise broken("`head.json`, which counts the records, is gone")
            if max(newest, head.count) > 1 or newest > head.count:
                return self._caught_up()  # others have begun the log meanwhile
        if head != (told or Head()):
            self._note(head)
        return head

    def _note(self, head: Head) -> None:
        """Let the head name the newest record, whoever wrote it."""
        while True:
            told = self.read_head()
            if told is None or told.count < head.count:
                self._place.replace(_HEAD, head_text(head))
            # A slower writer may just have put an older head over ours; it, too, looks behind.
            behind = self._records.entry(head.count + 1)
            if behind is None:
                return
            head = Head(count=head.count + 1, last=digest_of_bytes(behind))
