"""The audit log: what is written stays, and whatever is changed shows."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlspec.runtime import audit
from mlspec.runtime.audit import Actor, Anchor, Entry, Subject
from mlspec.runtime.audit import folder as folder_module
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.trust.keys import Key

ROOT = Path(__file__).resolve().parents[4]
KEY = Key(seed=bytes(range(32)))


def entry(number: int, action: str = "gate") -> Entry:
    return Entry(
        time=f"2026-03-01T12:00:{number:02d}Z",
        actor=Actor(subject="ann", issuer="local"),
        action=action,
        subject=Subject(name="models.ctr@1", digest=f"sha256:{number:064d}"),
        environment="prod",
        reason="ünï — reason",
        evidence=("sha256:e",),
        outcome="pass",
    )


@pytest.fixture
def store(tmp_path):
    return (tmp_path / "store").as_uri()


@pytest.fixture
def log(tmp_path, store):
    """A log of five records, of which the third is signed."""
    for number in range(5):
        audit.append(store, "shop", entry(number), signer=KEY if number == 2 else None)
    return tmp_path / "store" / "shop" / "audit" / "log.jsonl"


def faults(store, anchors=()):
    return [(fault.line, fault.message) for fault in audit.verify(store, "shop", anchors).faults]


def test_append__chains_canonical_lines(store, log):
    lines = log.read_bytes().splitlines()
    found = list(audit.records(store, "shop"))
    assert [record.seq for record in found] == [1, 2, 3, 4, 5]
    assert [record.prev for record in found[1:]] == [record.digest for record in found[:-1]]
    assert found[0].entry == entry(0)
    assert lines[0].startswith(b'{"action":"gate","actor":{"issuer":"local",')
    verified = audit.verify(store, "shop")
    assert (verified.count, verified.signed, verified.faults, verified.notes) == (5, 1, (), ())
    assert audit.head_of(store, "shop") == audit.Head(count=5, last=found[-1].digest)


def test_append__unknown_action_is_our_fault(store):
    with pytest.raises(ValueError, match="no action"):
        audit.append(store, "shop", entry(0, action="dance"))


@pytest.mark.parametrize("number", range(5))
def test_verify__an_edit_of_any_line_shows(store, log, number):
    lines = log.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b'"ann"', b'"eve"')
    log.write_bytes(b"".join(lines))
    assert number + 1 in [line for line, _ in faults(store)]


@pytest.mark.parametrize("number", range(5))
def test_verify__a_deletion_of_any_line_shows(store, log, number):
    lines = log.read_bytes().splitlines(keepends=True)
    del lines[number]
    log.write_bytes(b"".join(lines))
    assert faults(store)


@pytest.mark.parametrize("number", range(4))
def test_verify__a_swap_shows(store, log, number):
    lines = log.read_bytes().splitlines(keepends=True)
    lines[number], lines[number + 1] = lines[number + 1], lines[number]
    log.write_bytes(b"".join(lines))
    assert faults(store)


def test_verify__any_changed_byte_shows(store, log):
    good, chance = log.read_bytes(), random.Random(3)
    for _ in range(200):
        at = chance.randrange(len(good))
        bad = bytearray(good)
        bad[at] ^= 1 << chance.randrange(7)
        log.write_bytes(bytes(bad))
        assert audit.verify(store, "shop").faults, (at, good[at : at + 1])
    log.write_bytes(good)
    assert not faults(store)


@pytest.mark.parametrize("left", [0, 1, 4])
def test_verify__a_missing_tail_shows(store, log, left):
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:left]))
    assert faults(store) == [(0, f"{5 - left} records at the end are gone: 5 were written")]
    with pytest.raises(StepError, match=f"ends with record {left}, and record 5 was the last"):
        audit.append(store, "shop", entry(6))


def test_verify__a_missing_tail_shows_in_versions_when_the_head_was_forged(store, log):
    lines = log.read_bytes().splitlines(keepends=True)
    anchor = Anchor(who="version ctr@1", count=5, last=audit.head_of(store, "shop").last)
    wanted = Anchor(who="version ctr@1", action="gate", digest=entry(4).subject.digest)
    assert faults(store, [anchor, wanted]) == []
    log.write_bytes(b"".join(lines[:4]))
    fourth = list(audit.records(store, "shop"))[-1]
    head = {"count": 4, "last": fourth.digest}
    log.with_name("head.json").write_text(json.dumps(head), encoding="utf-8")
    assert faults(store) == [], "nothing inside the folder can tell"
    assert faults(store, [anchor, wanted]) == [
        (0, "version ctr@1 has no record of `gate`"),
        (4, "version ctr@1 remembers another record 5 than the log has"),
    ]


def test_verify__a_rewritten_log_shows_in_versions(store, log, tmp_path):
    """The whole chain is computed anew after an edit: only what others remember tells."""
    head = audit.head_of(store, "shop")
    for path in (log, log.with_name("head.json")):
        path.unlink()
    for number in range(5):
        audit.append(store, "shop", entry(number if number != 3 else 9))
    assert faults(store) == []
    anchor = Anchor(who="version ctr@1", count=head.count, last=head.last)
    assert [line for line, _ in faults(store, [anchor])] == [5]


def test_verify__head_gone_or_damaged_shows(store, log):
    log.with_name("head.json").write_text("{", encoding="utf-8")
    assert "damaged" in faults(store)[0][1]
    log.with_name("head.json").unlink()
    assert "is gone" in faults(store)[0][1]


def test_verify__a_forged_signature_shows(store, log):
    lines = log.read_bytes().splitlines()
    data = json.loads(lines[2])
    data["sig"] = data["sig"][::-1]
    lines[2] = audit.model.canonical(data)
    log.write_bytes(b"\n".join(lines) + b"\n")
    assert (3, "its signature does not fit") in faults(store)


def test_append__removes_what_a_killed_writer_left_within_a_line(store, log):
    good = log.read_bytes()
    log.write_bytes(good + b'{"action":"ga')
    assert audit.verify(store, "shop").notes == (
        "a writer was killed within a line; the next one removes it",
    )
    audit.append(store, "shop", entry(6))
    assert log.read_bytes().startswith(good)
    assert audit.verify(store, "shop").faults == ()


def test_append__catches_up_with_a_record_that_the_head_missed(store, log):
    before = log.with_name("head.json").read_bytes()
    audit.append(store, "shop", entry(6))
    log.with_name("head.json").write_bytes(before)
    assert len(audit.verify(store, "shop").notes) == 1
    assert audit.append(store, "shop", entry(7)).seq == 7
    assert faults(store) == []


def test_append__full_disk_leaves_the_log_as_it_was(store, log, monkeypatch):
    good = log.read_bytes()
    real = os.write

    def full(handle, content):
        real(handle, bytes(content)[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder_module.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        audit.append(store, "shop", entry(6))
    monkeypatch.undo()
    assert log.read_bytes() == good
    assert audit.append(store, "shop", entry(6)).seq == 6


WRITER = """
import sys
from mlspec.runtime import audit
from mlspec.runtime.audit import Actor, Entry, Subject
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    audit.append(sys.argv[1], "shop", Entry(time="2026-03-01T12:00:00Z", action="gate",
        actor=Actor(subject=sys.argv[3]), subject=Subject(name="x" * 3000, digest=str(number))))
"""


def started(store, count, who):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, store, str(count), who],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_append__four_processes_at_once_make_one_chain(store):
    running = [started(store, 25, f"p{number}") for number in range(4)]
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    verified = audit.verify(store, "shop")
    assert (verified.count, verified.faults) == (100, ())
    assert len({(r.entry.actor.subject, r.entry.subject.digest) for r in verified.records}) == 100


def test_append__killed_at_any_point_loses_nothing_that_was_acknowledged(store):
    chance = random.Random(5)
    count = 0
    for _ in range(8):
        process = started(store, 10_000, "p")
        process.stdout.readline()
        time.sleep(chance.uniform(0.01, 0.06))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)
        verified = audit.verify(store, "shop")
        assert verified.faults == ()
        assert verified.count >= count
        count = verified.count
    assert count > 8
    assert audit.append(store, "shop", entry(1)).seq == count + 1


def test_log__needs_a_store_that_creates_exclusively():
    with pytest.raises(StepError, match="the audit log cannot be kept on `ftp:`"):
        audit.append("ftp://server/x", "shop", entry(0))


def test_copies__one_file_for_each_record_and_what_they_show(store, log, tmp_path):
    folder = tmp_path / "vault" / "shop"
    copy = audit.copies_at((tmp_path / "vault").as_uri(), "shop", tmp_path)
    assert copy.address == audit.copies_at("vault", "shop", tmp_path).address == str(folder)
    assert audit.copies_at(None, "shop", tmp_path) is None
    with pytest.raises(StepError, match="the copy of the audit log cannot be kept on `https:`"):
        audit.copies_at("https://server/x", "shop", tmp_path)
    audit.append(store, "shop", entry(6), copy=copy)
    assert len(list(folder.iterdir())) == 6, "those before are copied too"
    assert audit.verify(store, "shop", copy=copy).faults == ()
    audit.append(store, "shop", entry(7))
    assert audit.verify(store, "shop", copy=copy).notes == (
        f"1 of the records have no copy in {folder}",
    )
    for path in (log, log.with_name("head.json")):  # the whole log is made anew
        path.unlink()
    for number in range(4):
        audit.append(store, "shop", entry(number if number != 2 else 9))
    found = [fault.line for fault in audit.verify(store, "shop", copy=copy).faults]
    assert found == [3, 4, 5, 6]
    with pytest.raises(StepError, match="has 4 records, and its copy has 6"):
        audit.append(store, "shop", entry(5), copy=copy)
    assert audit.head_of(store, "shop").count == 4, "nothing was written"
