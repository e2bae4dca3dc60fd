"""The embedded registry without locks: the same answers, races, kills, damage."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.registry import RegistryError, State
from mlspec.runtime.registry.model import DamagedError
from mlspec.runtime.registry.objects import ObjectRegistry
from mlspec.runtime.storage.folder import FolderPlace
from tests.support.versions import draft, package, registered

ROOT = Path(__file__).resolve().parents[4]

PROMOTER = """
import sys
from pathlib import Path
from mlspec.runtime.registry.objects import ObjectRegistry
from mlspec.runtime.storage.folder import FolderPlace
registry = ObjectRegistry(FolderPlace(Path(sys.argv[1])), "prod")
print("ready", flush=True)
while True:
    for version in registry.versions("ctr"):
        if version.state.value in ("validated", "previous"):
            try:
                registry.promote(version)
            except Exception:
                continue  # another process has promoted and archived meanwhile
            registry.attach(version, "note", str(version.number).encode())
            print(version.number, flush=True)
"""


@pytest.fixture
def place(tmp_path):
    return FolderPlace(tmp_path / "registry")


@pytest.fixture
def registry(place):
    return ObjectRegistry(place, "prod")


def test_registry__a_version_from_candidate_to_champion(registry, place, tmp_path):
    one, two = (registered(registry, tmp_path, text) for text in ("one", "two"))
    assert (one.number, two.number, registry.aliases("ctr")) == (1, 2, {"candidate": 2})
    assert registry.register(draft(), tmp_path / "package-one").number == 1
    assert registry.models() == ("ctr",)
    with pytest.raises(RegistryError, match="is candidate and cannot become the champion"):
        registry.promote(one)
    for version in (one, two):
        registry.promote(registry.set_state(version, "validated"))
    assert registry.aliases("ctr") == {"champion": 2, "previous": 1}
    assert registry.roll_back("ctr").number == 1
    assert [version.state for version in registry.versions("ctr")] == [
        State.CHAMPION,
        State.ROLLED_BACK,
    ]
    assert digest_of_folder(registry.fetch(two, tmp_path / "got")) == two.digest
    assert ObjectRegistry(place, "dev").versions("ctr") == ()
    with pytest.raises(RegistryError, match="same digest with other provenance: spec"):
        registry.register(draft(spec="s2"), tmp_path / "package-one")


def test_attach__keeps_the_order_and_the_last_one_once(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    for statement in (b"a\nb", b"c", b"c", b"a\nb"):
        registry.attach(version, "verdict", statement)
    assert registry.attachments(version, "verdict") == (b"a\nb", b"c", b"a\nb")
    assert registry.attachments(version, "none") == ()


def test_change__of_two_writers_the_second_sees_the_first(registry, place, tmp_path, monkeypatch):
    one, two = (registered(registry, tmp_path, text) for text in ("one", "two"))
    for version in (one, two):
        registry.set_state(version, "validated")
    other, real, raced = ObjectRegistry(place, "prod"), registry._newest, []

    def slow(model):
        found = real(model)
        if not raced:
            raced.append(other.promote(one))  # between our look and our write
        return found

    monkeypatch.setattr(registry, "_newest", slow)
    before = registry.promote(two)
    assert before is not None
    assert (before.number, before.state) == (1, State.PREVIOUS)
    assert registry.aliases("ctr") == {"champion": 2, "previous": 1}


def test_register__raced_gets_the_next_number(registry, place, tmp_path, monkeypatch):
    package(tmp_path / "mine", "mine")
    other, real, raced = ObjectRegistry(place, "prod"), registry._newest, []

    def slow(model):
        found = real(model)
        if not raced:
            raced.append(registered(other, tmp_path, "theirs"))
        return found

    monkeypatch.setattr(registry, "_newest", slow)
    assert registry.register(draft(), tmp_path / "mine").number == 2
    assert registry.versions("ctr")[0].digest == raced[0].digest


def test_registry__whatever_was_changed_or_lost_is_damage(registry, place, tmp_path):
    version = registered(registry, tmp_path, "one")
    registry.attach(version, "note", b"text")
    root = tmp_path / "registry"
    for pattern, message in (
        ("*/versions/*.json", "was changed"),
        ("*/standings/*.json", "is damaged"),
        ("*/note/*.json", "was changed"),
    ):
        (path,) = root.rglob(pattern.removeprefix("*/"))
        good = path.read_bytes()
        path.write_bytes(b"x" + good)
        fresh = ObjectRegistry(place, "prod")
        with pytest.raises(DamagedError, match=message):
            _ = fresh.versions("ctr"), fresh.attachments(version, "note")
        path.write_bytes(good)
    (document,) = root.rglob("versions/*.json")
    document.unlink()
    with pytest.raises(DamagedError, match="is gone"):
        ObjectRegistry(place, "prod").versions("ctr")


def test_register__a_package_that_changes_meanwhile_is_refused(registry, tmp_path, monkeypatch):
    from mlspec.runtime.registry import kept

    folder, real = package(tmp_path / "p"), kept.files_of_package

    def then_changed(place):
        found = real(place)
        (place / "model" / "model.txt").write_text("changed", encoding="utf-8")
        return found

    monkeypatch.setattr(kept, "files_of_package", then_changed)
    with pytest.raises(RegistryError, match=r"`model\.txt` changed while it was registered"):
        registry.register(draft(), folder)
    assert registry.versions("ctr") == ()


def test_promote__two_at_once_and_killed_leave_one_champion(registry, place, tmp_path):
    for text in ("one", "two", "three"):
        registry.set_state(registered(registry, tmp_path, text), "validated")
    chance = random.Random(8)
    for _ in range(4):
        running = [
            subprocess.Popen(
                [sys.executable, "-c", PROMOTER, place.address],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        for process in running:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)
        fresh = ObjectRegistry(place, "prod")
        aliases, versions = fresh.aliases("ctr"), fresh.versions("ctr")
        champions = [one.number for one in versions if one.state is State.CHAMPION]
        previous = [one.number for one in versions if one.state is State.PREVIOUS]
        assert champions == [aliases["champion"]]
        assert previous == ([aliases["previous"]] if "previous" in aliases else [])
