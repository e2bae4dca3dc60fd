"""Adding to the log and reading it, wherever the store is.

In a folder the log is a file (`folder`), in an object store it is one object for each record
(`objects`). A record has the same bytes in both, and the same digest of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mlspec.runtime.audit.copies import copy_lines
from mlspec.runtime.audit.folder import FolderLedger
from mlspec.runtime.audit.ledger import Head, Ledger, record_from
from mlspec.runtime.audit.model import ACTIONS, Entry, Record, base64_of, canonical, data_of
from mlspec.runtime.audit.objects import ObjectLedger
from mlspec.runtime.storage import Place, folder_of, place_of

_WHAT = "the audit log"


class Signer(Protocol):
    """A private key; see `mlspec.runtime.trust.keys.Key`."""

    @property
    def public(self) -> bytes:
        """The raw public key."""

    def sign(self, content: bytes) -> bytes:
        """Return the signature of bytes."""


def ledger_of(store: str, app: str) -> Ledger:
    """Return an application's log.

    Args:
        store: address of the store. app: the application's name.

    Raises:
        StepError: the store cannot keep it.
    """
    folder = folder_of(store, what=_WHAT)
    if folder is not None:
        return FolderLedger(folder / app / "audit")
    return ObjectLedger(place_of(store, f"{app}/audit", what=_WHAT))


def append(
    store: str,
    app: str,
    entry: Entry,
    *,
    signer: Signer | None = None,
    copy: Place | None = None,
) -> Record:
    """Add a record and bring it to the disk, or to the object store.

    Args:
        store: address of the store.
        app: the application's name.
        entry: what happened.
        signer: the key to sign with, if any.
        copy: place in which each record has a copy, if any (`copies.copies_at`).

    Raises:
        StepError: the log does not fit its head, or cannot be written now (exit 75).
        OSError: when the disk refuses; the log is then as before.
    """
    if entry.action not in ACTIONS:
        raise ValueError(f"no action: {entry.action}")
    ledger = ledger_of(store, app)

    def make(head: Head) -> bytes:
        public = base64_of(signer.public) if signer is not None else ""
        data = data_of(entry, head.count + 1, head.last, public)
        sig = base64_of(signer.sign(canonical(data))) if signer is not None else ""
        return canonical({**data, "sig": sig})

    def copied() -> None:
        if copy is not None:
            copy_lines(ledger.lines, copy)

    line = ledger.add(make, copied)  # copies before it writes: then it may still refuse
    copied()
    return record_from(line, "the last record")


def records(store: str, app: str) -> Iterator[Record]:
    """Yield the records, oldest first; `verify` says whether they are what was written.

    Raises:
        StepError: a line is no record, or the store does not answer.
    """
    for number, line in enumerate(ledger_of(store, app).lines(), 1):
        yield record_from(line, f"line {number}")


def head_of(store: str, app: str) -> Head:
    """Return what the head says; of an empty log when there is none.

    Raises:
        StepError: it cannot be read.
    """
    return ledger_of(store, app).read_head() or Head()
