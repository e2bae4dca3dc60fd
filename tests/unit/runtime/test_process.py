from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from mlspec.runtime.process import Cancel, Command, Ended, end_marked, marked, run

LINUX = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def _run(tmp_path: Path, text: str, cancel: Cancel | None = None, **settings: object) -> Ended:
    command = Command(
        **{
            "words": ["bash", "-c", text],
            "folder": tmp_path,
            "environment": dict(os.environ),
            "log": tmp_path / "logs" / "log",
            "mark": f"test-{tmp_path.name}",
            "grace": 1.0,
            **settings,
        }
    )
    return run(command, cancel or Cancel())


def test_run__exit_code_and_log(tmp_path: Path) -> None:
    assert _run(tmp_path, "echo out; echo err >&2; exit 3") == Ended(code=3)
    assert (tmp_path / "logs" / "log").read_text() == "out\nerr\n"


def test_run__reads_nothing_from_the_terminal(tmp_path: Path) -> None:
    assert _run(tmp_path, 'read -r line || echo "end"').code == 0
    assert (tmp_path / "logs" / "log").read_text() == "end\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["no-such-command-here"], 127), (["/"], 126), (["./missing"], 127), (["a\0b"], 126)],
)
def test_run__cannot_start(tmp_path: Path, words: list[str], code: int) -> None:
    ended = _run(tmp_path, "", words=words)
    assert ended.code == code
    assert ended.problem
    assert "cannot start" in (tmp_path / "logs" / "log").read_text()


def test_run__relative_command_is_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "go.sh").write_text("#!/bin/sh\necho went\n")
    (tmp_path / "go.sh").chmod(0o755)
    assert _run(tmp_path, "", words=["./go.sh"]).code == 0


def test_run__killed_by_a_signal(tmp_path: Path) -> None:
    assert _run(tmp_path, "kill -9 $$").code == -9


TREE = """
sleep 60 &
(sleep 61 & sleep 62) &
setsid bash -c 'trap "" TERM; (setsid sleep 63 &) ; sleep 64' &
{python} -c 'import os,time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(65)
    os._exit(0)
' &
echo ready > ready
"""


@LINUX
@pytest.mark.parametrize("how", ["timeout", "cancel", "exit"])
def test_run__ends_the_whole_tree(tmp_path: Path, how: str) -> None:
    text = TREE.replace("{python}", sys.executable)
    cancel = Cancel()
    if how == "cancel":

        def ask() -> None:
            while not (tmp_path / "ready").exists():
                time.sleep(0.02)
            time.sleep(0.3)
            cancel.ask()

        threading.Thread(target=ask).start()
    began = time.monotonic()
    ended = _run(
        tmp_path,
        text + ("sleep 0.3" if how == "exit" else "wait"),
        cancel,
        timeout=1.0 if how == "timeout" else None,
        grace=0.3,
    )
    assert time.monotonic() - began < 25
    assert (ended.timed_out, ended.cancelled) == (how == "timeout", how == "cancel")
    assert marked(f"test-{tmp_path.name}") == []


def test_run__term_first_so_that_steps_can_clean_up(tmp_path: Path) -> None:
    text = "trap 'echo cleaned; exit 0' TERM; sleep 30 & wait"
    ended = _run(tmp_path, text, timeout=2.0, grace=5.0)
    assert ended.timed_out
    assert (tmp_path / "logs" / "log").read_text() == "cleaned\n"


def test_run__deaf_process_is_killed_after_grace(tmp_path: Path) -> None:
    ended = _run(tmp_path, "trap '' TERM; while true; do sleep 0.05; done", timeout=0.2, grace=0.3)
    assert ended.timed_out
    assert ended.code == -signal.SIGKILL


def test_cancel__asked_twice_hurries(tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.ask()
    assert (cancel.asked, cancel.hurry) == (True, False)
    cancel.ask()
    began = time.monotonic()
    ended = _run(tmp_path, "trap '' TERM; while true; do sleep 0.05; done", cancel, grace=60.0)
    assert ended.cancelled
    assert time.monotonic() - began < 25


@LINUX
def test_end_marked__kills_what_a_killed_process_left(tmp_path: Path) -> None:
    import subprocess

    environment = {**os.environ, "MLSPEC_INSTANCE": f"run-{tmp_path.name}/a//1"}
    left = subprocess.Popen(["sleep", "60"], env=environment)
    assert end_marked(f"run-{tmp_path.name}/") == 1
    assert left.wait(5) == -signal.SIGKILL
    assert end_marked(f"run-{tmp_path.name}/") == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit of Linux")
def test_run__a_variable_that_is_too_long_is_told(tmp_path: Path) -> None:
    ended = _run(tmp_path, "true", environment={**os.environ, "MLSPEC_NODE": "x" * 2_000_000})
    assert ended.code == 126
    assert "Linux takes 128 KiB for one variable" in ended.problem
