"""`mlspec step register` as engines call it: several at once, one killed, a disk that is full."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlspec.ir.kinds import Kind
from mlspec.ir.node import write_node
from mlspec.runtime import audit
from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.locks import FileLock
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.storage.disk import held
from tests.support.versions import call, package


def started(tmp_path: Path, folder: Path, *, largest: int | None = None):
    """Start `mlspec step register` on a package; `largest` bytes fit into a file."""
    node = call(tmp_path, Kind.REGISTER).node
    environ = {
        **os.environ,
        "MLSPEC_NODE": write_node(node),
        "MLSPEC_RUN_STORE": (tmp_path / "store").as_uri(),
        "MLSPEC_RUN_ID": "20260301-120000-aaaa",
        "MLSPEC_RUN_ACTOR": "ann",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.Popen(
        [
            sys.executable, "-P", "-m", "mlspec", "step", "register",
            "--in", f"package={folder}", "--out", f"version={tmp_path}/out/{folder.name}.json",
        ],
        cwd=tmp_path / "project", env=environ, preexec_fn=limit,  # noqa: PLW1509  one thread
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def registry_of(tmp_path: Path) -> FileRegistry:
    return FileRegistry(tmp_path / "store" / "shop" / "registry", "prod")


def test_register__runs_at_once_make_a_version_each(tmp_path):
    folders = [package(tmp_path / f"package-{n}", f"text {n}") for n in range(3)]
    running = [started(tmp_path, folder) for folder in folders]
    told = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], told
    numbers = sorted(
        json.loads((tmp_path / "out" / f"{folder.name}.json").read_text("utf-8"))["number"]
        for folder in folders
    )
    assert numbers == [1, 2, 3]
    verified = audit.verify((tmp_path / "store").as_uri(), "shop")
    assert (verified.count, verified.faults) == (3, ())


def test_register__killed_and_run_again(tmp_path):
    folder = package(tmp_path / "package", "text")
    (folder / "model" / "large.bin").write_bytes(os.urandom(4_000_000))
    process = started(tmp_path, folder)
    until = time.monotonic() + 60
    while not (tmp_path / "store").exists() and time.monotonic() < until:
        time.sleep(0.002)  # it has begun to write
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    for version in registry_of(tmp_path).versions("ctr"):
        registry_of(tmp_path).fetch(version, tmp_path / "got")
    again = started(tmp_path, folder)
    again.communicate(timeout=60)
    assert again.returncode == 0
    (version,) = registry_of(tmp_path).versions("ctr")
    assert version.digest == digest_of_folder(folder)
    verified = audit.verify((tmp_path / "store").as_uri(), "shop")
    assert [one.entry.action for one in verified.records] == ["register"]
    assert verified.faults == ()


def test_register__a_full_disk_says_so_and_registers_nothing(tmp_path):
    folder = package(tmp_path / "package", "text")
    (folder / "model" / "large.bin").write_bytes(os.urandom(1_000_000))
    process = started(tmp_path, folder, largest=100_000)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the disk is full" in told
    assert "Traceback" not in told
    assert registry_of(tmp_path).versions("ctr") == ()
    assert not (tmp_path / "out" / "package.json").exists()
    again = started(tmp_path, folder)
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert len(registry_of(tmp_path).versions("ctr")) == 1


def test_held__a_lock_that_is_not_given_back_is_temporary(tmp_path):
    lock = FileLock(tmp_path / "lock")
    assert lock.try_acquire()
    with (
        pytest.raises(StepError, match="is locked by another process") as caught,
        held(FileLock(tmp_path / "lock"), what="the registry", patience=0.05),
    ):
        pass
    assert caught.value.exit is StepExit.TEMPORARY
    lock.release()
