"""The log in a folder: `<store>/<app>/audit/log.jsonl`, one line for each record.

Writers hold a lock, write one line, and bring it to the disk before they go on. Beside the log
`head.json` says how many records there are and how the last one reads, so that a missing tail
shows. Invariant: `head.json` is at most one record behind; it is behind only when a writer was
killed between the two writes, and the next writer catches up. Part of a line without its end was
never acknowledged: the next writer removes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mlspec.runtime.audit.ledger import Head, broken, head_from, head_text, record_from
from mlspec.runtime.digests import digest_of_bytes
from mlspec.runtime.locks import FileLock
from mlspec.runtime.storage.disk import held, write_durably

_BLOCK = 1 << 16


class FolderLedger:
    """See `mlspec.runtime.audit.ledger.Ledger`."""

    lag: int | None = 1

    def __init__(self, folder: Path) -> None:
        """Touch nothing yet; `folder` is `<store>/<app>/audit`."""
        self._folder = folder
        self._log = folder / "log.jsonl"

    def lines(self) -> Iterator[bytes]:
        """Yield the complete lines."""
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line[:-1]

    def read_head(self) -> Head | None:
        """Return what `head.json` says."""
        path = self._folder / "head.json"
        return head_from(path.read_bytes()) if path.exists() else None

    def is_unfinished(self) -> bool:
        """Whether the log ends within a line."""
        _, end, size = _last_line(self._log)
        return size > end

    def add(self, make: Callable[[Head], bytes], before: Callable[[], None]) -> bytes:
        """Add a line under the lock."""
        with held(FileLock(self._folder / "lock"), what="the audit log"):
            head = self._caught_up()
            before()
            line = make(head)
            _add_line(self._log, line)
            self._write_head(Head(count=head.count + 1, last=digest_of_bytes(line)))
        return line

    def _write_head(self, head: Head) -> None:
        write_durably(self._folder / "head.json", head_text(head))

    def _caught_up(self) -> Head:
        """Return the head that the log really has, after removing what nobody acknowledged."""
        told = self.read_head() or Head()
        line, end, size = _last_line(self._log)
        if line is None:
            found = Head()
        else:
            record = record_from(line, "its last line")
            found = Head(count=record.seq, last=record.digest)
            if found.count == told.count + 1 and record.prev == told.last:
                told = found  # a writer was killed before it could note this record
        if found != told:
            raise broken(f"it ends with record {found.count}, and record {told.count} was the last")
        if size > end:
            os.truncate(self._log, end)
        return found


def _last_line(path: Path) -> tuple[bytes | None, int, int]:
    """Return the last complete line, the offset after its end, and the file's size."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None, 0, 0
    with file:
        size = file.seek(0, os.SEEK_END)
        tail, at = b"", size
        while at > 0:
            start_of_block = max(0, at - _BLOCK)
            file.seek(start_of_block)
            tail = file.read(at - start_of_block) + tail
            at = start_of_block
            end = tail.rfind(b"\n")
            start = tail.rfind(b"\n", 0, end) if end >= 0 else -1
            if end >= 0 and (start >= 0 or at == 0):
                return tail[start + 1 : end], at + end + 1, size
    return None, 0, size


def _add_line(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_size if path.exists() else 0
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        left = memoryview(line + b"\n")
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, before)  # a full disk leaves no half of a record
        raise
    finally:
        os.close(handle)
