"""The log on disk: `<store>/<app>/audit/log.jsonl`, one line for each record.

Writers hold a lock, write one line, and bring it to the disk before they go on. Beside the log
`head.json` says how many records there are and how the last one reads, so that a missing tail
shows. Invariant: `head.json` is at most one record behind; it is behind only when a writer was
killed between the two writes, and the next writer catches up. Part of a line without its end was
never acknowledged: the next writer removes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlspec.runtime.audit.copies import copy_lines
from mlspec.runtime.audit.model import (
    ACTIONS,
    FORMAT_VERSION,
    GENESIS,
    Entry,
    Record,
    base64_of,
    canonical,
    data_of,
    record_of,
)
from mlspec.runtime.locks import FileLock
from mlspec.runtime.registry.disk import held, write_durably
from mlspec.runtime.registry.opening import store_folder
from mlspec.runtime.steps.contract import StepError

_BLOCK = 1 << 16


class Signer(Protocol):
    """A private key; see `mlspec.runtime.trust.keys.Key`."""

    @property
    def public(self) -> bytes:
        """The raw public key."""

    def sign(self, content: bytes) -> bytes:
        """Return the signature of bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How many records a log has, and the digest of the last one."""

    count: int = 0
    last: str = GENESIS


def audit_folder(store: str, app: str) -> Path:
    """Return the folder of an application's log.

    Raises:
        StepError: the store is no folder.
    """
    return store_folder(store, what="the audit log") / app / "audit"


def append(
    store: str,
    app: str,
    entry: Entry,
    *,
    signer: Signer | None = None,
    copy: Path | None = None,
) -> Record:
    """Add a record and bring it to the disk.

    Args:
        store: address of the store.
        app: the application's name.
        entry: what happened.
        signer: the key to sign with, if any.
        copy: folder in which each record has a copy, if any (`copies.copy_folder`).

    Raises:
        StepError: the log does not fit its head, or is locked for too long (exit 75).
        OSError: when the disk refuses; the log is then as before.
    """
    if entry.action not in ACTIONS:
        raise ValueError(f"no action: {entry.action}")
    folder = audit_folder(store, app)
    with held(FileLock(folder / "lock"), what="the audit log"):
        head = _caught_up(folder)
        if copy is not None:
            copy_lines(list(lines_of(folder / "log.jsonl")), copy)  # refuses before we write
        public = base64_of(signer.public) if signer is not None else ""
        data = data_of(entry, head.count + 1, head.last, public)
        sig = base64_of(signer.sign(canonical(data))) if signer is not None else ""
        line = canonical({**data, "sig": sig})
        record = record_of(json.loads(line), line)
        _add_line(folder / "log.jsonl", line)
        _write_head(folder, Head(count=record.seq, last=record.digest))
        if copy is not None:
            copy_lines(list(lines_of(folder / "log.jsonl")), copy)
    return record


def records(store: str, app: str) -> Iterator[Record]:
    """Yield the records, oldest first; `verify` says whether they are what was written.

    Raises:
        StepError: a line is no record.
    """
    for number, line in enumerate(lines_of(audit_folder(store, app) / "log.jsonl"), 1):
        try:
            yield record_of(json.loads(line), line)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _broken(f"line {number} is no record") from None


def head_of(store: str, app: str) -> Head:
    """Return what `head.json` says; of an empty log when there is none.

    Raises:
        StepError: it cannot be read.
    """
    return read_head(audit_folder(store, app)) or Head()


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the complete lines of a log, without their ends."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def unfinished(path: Path) -> bool:
    """Whether a log ends within a line."""
    _, end, size = _last_line(path)
    return size > end


def read_head(folder: Path) -> Head | None:
    """Return what `head.json` says, None when there is none.

    Raises:
        StepError: it cannot be read.
    """
    path = folder / "head.json"
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Head(count=int(found["count"]), last=str(found["last"]))
    except (ValueError, TypeError, KeyError):
        raise _broken("`head.json` is damaged") from None


def _write_head(folder: Path, head: Head) -> None:
    data = {"format_version": FORMAT_VERSION, "count": head.count, "last": head.last}
    write_durably(folder / "head.json", canonical(data))


def _caught_up(folder: Path) -> Head:
    """Return the head that the log really has, after removing what was never acknowledged."""
    path = folder / "log.jsonl"
    told = read_head(folder) or Head()
    line, end, size = _last_line(path)
    if line is None:
        found = Head()
    else:
        try:
            record = record_of(json.loads(line), line)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _broken("its last line is no record") from None
        found = Head(count=record.seq, last=record.digest)
        if found.count == told.count + 1 and record.prev == told.last:
            told = found  # a writer was killed before it could note this record
    if found != told:
        raise _broken(f"it ends with record {found.count}, and record {told.count} was the last")
    if size > end:
        os.truncate(path, end)
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


def _broken(what: str) -> StepError:
    return StepError(
        f"the audit log is not as it was written: {what}",
        help="`mlspec audit verify` shows where; nothing is recorded or promoted until it is whole",
    )
