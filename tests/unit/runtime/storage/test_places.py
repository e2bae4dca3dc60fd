"""Places and numbered lists: what several writers may rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.storage import Numbered, folder_of, place_of
from mlspec.runtime.storage import numbered as numbered_module
from mlspec.runtime.storage.folder import FolderPlace
from mlspec.runtime.storage.numbered import until_it_fits

ROOT = Path(__file__).resolve().parents[4]

WRITER = """
import sys
from pathlib import Path
from mlspec.runtime.storage.folder import FolderPlace
from mlspec.runtime.storage.numbered import Numbered, until_it_fits
entries = Numbered(FolderPlace(Path(sys.argv[1])), "list")
for number in range(40):
    def attempt():
        newest, _ = entries.newest()
        return entries.add(newest + 1, f"{sys.argv[2]} {number}".encode()) or None
    until_it_fits(attempt, what="the list")
"""


@pytest.fixture
def place(tmp_path):
    return FolderPlace(tmp_path / "place")


def test_folder__does_what_a_place_does(place, tmp_path):
    (tmp_path / "big").write_bytes(b"big")
    place.send(tmp_path / "big", "blobs/aa/big")
    assert [place.create("n/1", content) for content in (b"1", b"2", b"1")] == [True, False, True]
    assert (place.read("n/1"), place.read("n/2")) == (b"1", None)
    assert [place.names(name) for name in ("n", "", "none")] == [["1"], ["blobs", "n"], []]
    assert [place.size(name) for name in ("n/1", "n/2", "n", "blobs/aa/big")] == [1, None, None, 3]
    assert place.read_all(["n/1", "n/2"]) == {"n/1": b"1"}
    assert place.bring("blobs/aa/big", tmp_path / "back")
    assert not place.bring("n/9", tmp_path / "no")
    assert (tmp_path / "back").read_bytes() == b"big"
    place.replace("n/1", b"3")
    assert place.read("n/1") == b"3"
    assert place.address == str(tmp_path / "place")
    assert not list((tmp_path / "place").rglob("*.part"))


def test_place_of__says_what_a_store_needs(tmp_path):
    assert place_of((tmp_path / "s").as_uri(), "a", what="x").address == str(tmp_path / "s" / "a")
    assert folder_of("s3://bucket/x", what="x") is None
    assert folder_of("store", what="x", project=tmp_path) == tmp_path / "store"
    with pytest.raises(StepError, match="the log has no store"):
        place_of("", "a", what="the log")
    with pytest.raises(StepError, match="the log cannot be kept on `ftp:`") as caught:
        place_of("ftp://server/x", "a", what="the log")
    assert caught.value.exit is StepExit.ERROR


def test_numbered__goes_on_behind_the_last_whatever_the_hint(place):
    entries = Numbered(place, "list")
    assert entries.newest() == entries.newest(7) == (0, None)
    for number in (1, 2, 3):
        assert entries.add(number, str(number).encode())
    assert not entries.add(3, b"other")
    assert [entries.newest(hint) for hint in (0, 1, 3, 9)] == [(3, b"3")] * 4
    place.create("list/notes.json", b"no entry")
    assert entries.numbers() == [1, 2, 3]
    (Path(place.address) / entries.name(2)).unlink()
    assert entries.all() == [b"1", None, b"3"]


def test_numbered__four_processes_at_once_leave_no_gap_and_lose_nothing(place):
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, place.address, f"p{number}"], cwd=ROOT)
        for number in range(4)
    ]
    assert [process.wait(60) for process in running] == [0] * 4
    entries = Numbered(place, "list")
    assert entries.numbers() == list(range(1, 161))
    found = [entry.decode() for entry in entries.all()]
    assert len(set(found)) == 160
    for number in range(4):
        mine = [int(one.split()[1]) for one in found if one.startswith(f"p{number} ")]
        assert mine == list(range(40)), "each writer's own order is kept"


def test_until_it_fits__gives_up_when_others_are_always_faster(monkeypatch):
    monkeypatch.setattr(numbered_module, "_PATIENCE", 0.05)
    with pytest.raises(StepError, match="the log is written by many others at once") as caught:
        until_it_fits(lambda: None, what="the log")
    assert caught.value.exit is StepExit.TEMPORARY
