"""Whether the audit log is what was written: edits, deletions, insertions, order, signatures.

Inside the log the chain of digests shows any change. A tail that is missing shows in `head.json`,
and when that was changed too, in what versions remember: the head of the log when they were
registered and promoted (`Anchor`), and the records that must exist for each of them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mlspec.runtime.audit.copies import differing
from mlspec.runtime.audit.ledger import Head, Ledger
from mlspec.runtime.audit.log import ledger_of
from mlspec.runtime.audit.model import GENESIS, Record, canonical, record_of
from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.storage import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What somebody else remembers of the log.

    Attributes:
        who: remembers it, such as `version ctr@3`.
        count, last: the head of the log at that time; None: not remembered.
        action, digest: a record that must exist; empty: none.
    """

    who: str
    count: int | None = None
    last: str = ""
    action: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is not as it was written; `line` counts from 1, 0: the log as a whole."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found.

    Attributes:
        count: complete lines. signed: how many of them carry a good signature.
        notes: what is odd but no fault.
    """

    count: int
    signed: int
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False)


def verify(
    store: str, app: str, anchors: Iterable[Anchor] = (), *, copy: Place | None = None
) -> Verified:
    """Read the whole log and hold it against its head and the anchors.

    Args:
        store: address of the store.
        app: the application's name.
        anchors: what versions remember.
        copy: place with a copy of each record, if there is one.

    Raises:
        StepError: the store cannot keep a log, or does not answer.
    """
    ledger = ledger_of(store, app)
    faults: list[Fault] = []
    found: list[Record] = []
    digests = [GENESIS]
    head = _head(ledger, faults) if ledger.lag is None else None  # before others add more lines
    lines = list(ledger.lines())
    for number, line in enumerate(lines, 1):
        record = _read(line)
        if record is None:
            said = "it is no record: the line was changed" if line else "it is gone"
            faults.append(Fault(line=number, message=said))
            digests.append("")
            continue
        if record.seq != number:
            faults.append(
                Fault(line=number, message=f"it is record {record.seq}: lines are missing or moved")
            )
        elif record.prev != digests[-1] and digests[-1]:
            faults.append(
                Fault(
                    line=number - 1 if number > 1 else 1,
                    message=f"it is not what record {number} was written after: it was changed",
                )
            )
        if record.sig and not _is_signed(record, line):
            faults.append(Fault(line=number, message="its signature does not fit"))
        found.append(record)
        digests.append(record.digest)
    if ledger.lag is not None:
        head = _head(ledger, faults)
    notes: tuple[str, ...] = ()
    if not any(fault.line == 0 for fault in faults):
        notes = _hold_against_head(head, ledger.lag, digests, faults)
    if ledger.is_unfinished():
        notes += ("a writer was killed within a line; the next one removes it",)
    _hold_against_anchors(anchors, digests, found, faults)
    if copy is not None:
        notes += _hold_against_copies(lines, copy, faults)
    return Verified(
        count=len(digests) - 1,
        signed=sum(1 for record in found if record.sig),
        faults=tuple(sorted(faults, key=lambda fault: fault.line)),
        notes=notes,
        records=tuple(found),
    )


def _read(line: bytes) -> Record | None:
    try:
        data = json.loads(line)
        if canonical(data) != line:
            return None
        return record_of(data, line)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _is_signed(record: Record, line: bytes) -> bool:
    from mlspec.runtime.trust.keys import is_signed_by

    data: dict[str, Any] = json.loads(line)
    data.pop("sig")
    try:
        signature = base64.b64decode(record.sig, validate=True)
        public = base64.b64decode(record.key, validate=True)
    except binascii.Error:
        return False
    return is_signed_by(public, canonical(data), signature)


def _head(ledger: Ledger, faults: list[Fault]) -> Head | None:
    try:
        return ledger.read_head()
    except StepError as error:
        if error.exit is StepExit.TEMPORARY:
            raise
        faults.append(Fault(line=0, message=error.message))
        return None


def _hold_against_head(
    head: Head | None, lag: int | None, digests: list[str], faults: list[Fault]
) -> tuple[str, ...]:
    count, last = len(digests) - 1, digests[-1]
    if head is None:
        if count == 1:
            return ("a writer was killed before it noted the first record",)
        if count:
            faults.append(Fault(line=0, message="`head.json`, which counts the records, is gone"))
        return ()
    more = count - head.count
    if more < 0:
        gone = f"{-more} records at the end are gone: {head.count} were written"
        faults.append(Fault(line=0, message=gone))
    elif more > 0 and (lag is None or more <= lag) and digests[head.count] == head.last:
        which = "the last record" if more == 1 else f"the last {more} records"
        return (f"a writer was killed before it noted {which}",)
    elif more > 0:
        added = f"{more} records were added behind the last one that was written"
        faults.append(Fault(line=head.count + 1, message=added))
    elif last != head.last and last:
        faults.append(Fault(line=count, message="it was changed: the head has another digest"))
    return ()


def _hold_against_copies(lines: list[bytes], copy: Place, faults: list[Fault]) -> tuple[str, ...]:
    other, missing = differing(lines, copy)
    said = f"its copy in {copy.address} says something else"
    faults += [Fault(line=number, message=said) for number in other]
    return (f"{len(missing)} of the records have no copy in {copy.address}",) if missing else ()


def _hold_against_anchors(
    anchors: Iterable[Anchor], digests: list[str], found: list[Record], faults: list[Fault]
) -> None:
    actions = {(record.entry.action, record.entry.subject.digest) for record in found}
    for anchor in anchors:
        if anchor.count is not None and (
            anchor.count >= len(digests) or digests[anchor.count] != anchor.last
        ):
            message = f"{anchor.who} remembers another record {anchor.count} than the log has"
            faults.append(Fault(line=min(anchor.count, len(digests) - 1), message=message))
        if anchor.action and (anchor.action, anchor.digest) not in actions:
            message = f"{anchor.who} has no record of `{anchor.action}`"
            faults.append(Fault(line=0, message=message))
