"""The embedded registry under real processes that write at once, and that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.registry import State
from mlspec.runtime.registry.file import FileRegistry
from tests.support.versions import package, registered

ROOT = Path(__file__).resolve().parents[4]

WRITER = """
import sys
from pathlib import Path
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.registry.model import Draft
registry = FileRegistry(Path(sys.argv[1]), "prod")
print("ready", flush=True)
for path in sys.argv[2:]:
    draft = Draft(model="ctr", created="2026-03-01T12:00:00Z", provenance={"spec": "s1"})
    version = registry.register(draft, Path(path))
    registry.attach(version, "note", path.encode())
    print(version.number, flush=True)
"""

PROMOTER = """
import sys
from pathlib import Path
from mlspec.runtime.registry.file import FileRegistry
registry = FileRegistry(Path(sys.argv[1]), "prod")
print("ready", flush=True)
while True:
    for version in registry.versions("ctr"):
        if version.state.value in ("validated", "previous"):
            registry.promote(version)
            print(version.number, flush=True)
"""


def started(script: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_register__four_processes_at_once_lose_nothing(tmp_path):
    shared = package(tmp_path / "shared", "shared")
    mine = [
        [package(tmp_path / f"{process}-{n}", f"{process} {n}") for n in range(4)]
        for process in range(4)
    ]
    running = [started(WRITER, tmp_path / "registry", *folders, shared) for folders in mine]
    told = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 4, told
    registry = FileRegistry(tmp_path / "registry", "prod")
    versions = registry.versions("ctr")
    assert [one.number for one in versions] == list(range(1, 18))
    assert len({one.digest for one in versions}) == 17
    assert len({out.split()[-1] for out, _ in told}) == 1, "the shared package has one number"
    for version in versions:
        assert digest_of_folder(registry.fetch(version, tmp_path / "got")) == version.digest
        assert registry.attachments(version, "note")


def test_register__killed_at_any_point_leaves_nothing_half(tmp_path):
    folders = [package(tmp_path / str(n), f"text {n}") for n in range(60)]
    registry = FileRegistry(tmp_path / "registry", "prod")
    chance = random.Random(7)
    kills = 0
    for _ in range(12):
        process = started(WRITER, tmp_path / "registry", *folders)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)
        kills += process.returncode == -signal.SIGKILL
        versions = registry.versions("ctr")
        assert [one.number for one in versions] == list(range(1, len(versions) + 1))
        if versions:
            last = versions[-1]
            assert registry.aliases("ctr") == {"candidate": last.number}
            assert digest_of_folder(registry.fetch(last, tmp_path / "got")) == last.digest
    assert kills >= 5
    out, told = started(WRITER, tmp_path / "registry", *folders).communicate(timeout=60)
    assert out.split()[1:] == [str(n) for n in range(1, 61)], told
    assert len(registry.versions("ctr")) == 60


def test_promote__killed_at_any_point_leaves_one_champion(tmp_path):
    registry = FileRegistry(tmp_path / "registry", "prod")
    for text in ("one", "two", "three"):
        registry.set_state(registered(registry, tmp_path, text), "validated")
    chance = random.Random(8)
    for _ in range(8):
        process = started(PROMOTER, tmp_path / "registry")
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.03))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)
        aliases, versions = registry.aliases("ctr"), registry.versions("ctr")
        champions = [one.number for one in versions if one.state is State.CHAMPION]
        previous = [one.number for one in versions if one.state is State.PREVIOUS]
        assert champions == [aliases["champion"]]
        assert previous == ([aliases["previous"]] if "previous" in aliases else [])
