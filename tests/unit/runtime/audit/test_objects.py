"""The log as one object for each record: races, kills, and whatever is changed."""

from __future__ import annotations

import json

import pytest

from mlspec.runtime.audit import Actor, Entry, Head, Subject
from mlspec.runtime.audit import log as log_module
from mlspec.runtime.audit.model import canonical, data_of
from mlspec.runtime.audit.objects import ObjectLedger
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.storage.folder import FolderPlace


def line(head: Head, who: str = "ann") -> bytes:
    entry = Entry(
        time="2026-03-01T12:00:00Z",
        actor=Actor(subject=who),
        action="gate",
        subject=Subject(name="x"),
    )
    return canonical({**data_of(entry, head.count + 1, head.last), "sig": ""})


def added(ledger: ObjectLedger, who: str = "ann") -> bytes:
    return ledger.add(lambda head: line(head, who), lambda: None)


@pytest.fixture
def place(tmp_path):
    return FolderPlace(tmp_path / "audit")


@pytest.fixture
def ledger(place):
    found = ObjectLedger(place)
    for _ in range(3):
        added(found)
    return found


def verified(ledger, monkeypatch):
    from mlspec.runtime.audit import verification

    monkeypatch.setattr(verification, "ledger_of", lambda *_: ledger)
    return verification.verify("s3://lake", "shop")


def test_add__a_faster_writer_is_followed(ledger, place):
    others = iter(["eve", "eva"])

    def make(head):
        faster = next(others, None)
        if faster is not None:  # between our look at the head and our write
            added(ObjectLedger(place), faster)
        return line(head, "ann")

    ledger.add(make, lambda: None)
    who = [json.loads(one)["actor"]["subject"] for one in ledger.lines()]
    assert who == ["ann", "ann", "ann", "eve", "eva", "ann"]
    assert ledger.read_head().count == 6


def test_add__an_older_head_that_was_put_over_a_newer_one_is_mended(ledger, place):
    old = place.read("head.json")
    added(ledger)
    added(ledger)
    place.replace("head.json", old)  # by a writer that was killed before it looked again
    added(ledger)
    assert ledger.read_head().count == 6


def test_verify__a_head_behind_is_a_note_and_a_lost_tail_is_a_fault(ledger, place, monkeypatch):
    old = place.read("head.json")
    assert verified(ledger, monkeypatch).notes == ()
    added(ledger)
    new = place.read("head.json")
    added(ledger)
    place.replace("head.json", old)
    found = verified(ledger, monkeypatch)
    assert (found.faults, found.notes) == (
        (),
        ("a writer was killed before it noted the last 2 records",),
    )
    place.replace("head.json", new)
    for number in (5, 4):
        (place._root / f"records/{number:012d}.json").unlink()
    (fault,) = verified(ledger, monkeypatch).faults
    assert fault.message == "1 records at the end are gone: 4 were written"
    with pytest.raises(StepError, match="record 4 was the last, and it is gone"):
        added(ledger)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_verify__each_record_that_is_gone_or_changed_shows(ledger, place, monkeypatch, number):
    path = place._root / f"records/{number:012d}.json"
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"ann"', b'"eve"'))
    assert number in [fault.line for fault in verified(ledger, monkeypatch).faults]
    path.unlink()
    assert verified(ledger, monkeypatch).faults
    path.write_bytes(good)
    assert verified(ledger, monkeypatch).faults == ()


def test_head__gone_with_records_there_is_refused(ledger, place, monkeypatch):
    (place._root / "head.json").unlink()
    with pytest.raises(StepError, match="counts the records, is gone"):
        added(ledger)
    assert "is gone" in verified(ledger, monkeypatch).faults[0].message


def test_head__missing_after_the_first_record_is_a_kill(place):
    one = line(Head())
    assert place.create("records/000000000001.json", one)
    ledger = ObjectLedger(place)
    added(ledger)
    assert (ledger.read_head().count, next(ledger.lines())) == (2, one)


def test_ledger_of__an_object_store(monkeypatch, place):
    monkeypatch.setattr(log_module, "place_of", lambda *_, **__: place)
    record = log_module.append(
        "s3://lake",
        "shop",
        Entry(time="t", actor=Actor(subject="a"), action="gate", subject=Subject(name="x")),
    )
    assert record.seq == 1
    assert [one.digest for one in log_module.records("s3://lake", "shop")] == [record.digest]
    assert log_module.head_of("s3://lake", "shop") == Head(count=1, last=record.digest)
