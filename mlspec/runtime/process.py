"""Runs one process of a step, and ends everything that it started.

Input: an argument vector, a folder, an environment, a log file, limits. Output: how it ended. The
process leads a session of its own, so Ctrl-C in the terminal does not reach it before we decide,
and the whole tree can be ended: its session, its process group, and (on Linux) whatever left the
session but still carries the mark that stands in its environment. Nothing outlives its step.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "MLSPEC_INSTANCE"
"""Variable that marks every process of an instance: `<run>/<step>/<combination>/<attempt>`."""

_PROC = Path("/proc")
_POLL = 0.2
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a command that cannot be started, as shells give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run.

    Attributes:
        words: the argument vector.
        folder: working directory.
        environment: the whole environment.
        log: file that standard output and error are appended to.
        mark: value of `MARK`, unique to the instance.
        timeout: seconds, or None.
        inherit: open descriptors that the process keeps.
        grace: seconds between asking the tree to end and killing it.
    """

    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    mark: str
    timeout: float | None = None
    inherit: tuple[int, ...] = ()
    grace: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended: its exit code (negative: a signal), and whether we ended it."""

    code: int
    timed_out: bool = False
    cancelled: bool = False
    problem: str = ""


class Cancel:
    """Asks all processes of a run to end; asked twice, without grace."""

    def __init__(self) -> None:
        """Nobody asked yet."""
        self._asked = threading.Event()
        self._hurry = threading.Event()

    def ask(self) -> None:
        """Ask once, or hurry when asked already."""
        (self._hurry if self._asked.is_set() else self._asked).set()

    @property
    def asked(self) -> bool:
        """Whether the run is to end."""
        return self._asked.is_set()

    @property
    def hurry(self) -> bool:
        """Whether to kill at once."""
        return self._hurry.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not longer than until somebody asks; return whether somebody did."""
        return self._asked.wait(seconds)


def run(command: Command, cancel: Cancel) -> Ended:
    """Run a process to its end; whatever it leaves behind in its tree is ended too."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**command.environment, MARK: command.mark}
    with command.log.open("ab") as log:
        try:
            process = subprocess.Popen(
                list(command.words),
                cwd=command.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=command.inherit,
            )
        except (OSError, ValueError) as error:
            missing = isinstance(error, FileNotFoundError)
            told = f"cannot start {command.words[0]!r}: {getattr(error, 'strerror', error)}"
            if isinstance(error, OSError) and error.errno == errno.E2BIG:
                told += "; Linux takes 128 KiB for one variable: the step is told too much at once"
            log.write(f"{told}\n".encode())
            return Ended(code=NOT_FOUND if missing else NOT_EXECUTABLE, problem=told)
    ended = _watch(process, command, cancel)
    _end_tree(process, command.mark, grace=0.0, cancel=cancel)
    return ended


def _watch(process: subprocess.Popen[bytes], command: Command, cancel: Cancel) -> Ended:
    started = time.monotonic()
    limit = command.timeout
    while True:
        left = None if limit is None else started + limit - time.monotonic()
        if _wait(process, _POLL if left is None else max(0.0, min(_POLL, left))):
            return Ended(code=process.returncode)
        if cancel.asked:
            _end_tree(process, command.mark, grace=command.grace, cancel=cancel)
            return Ended(code=process.wait(), cancelled=True)
        if left is not None and left <= 0:
            _end_tree(process, command.mark, grace=command.grace, cancel=cancel)
            return Ended(code=process.wait(), timed_out=True)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the process; with a pidfd (Linux) its end is noticed at once."""
    if process.poll() is not None:
        return True
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return process.poll() is not None
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.poll(seconds * 1000)
    finally:
        os.close(descriptor)
    return process.poll() is not None


def _end_tree(process: subprocess.Popen[bytes], mark: str, *, grace: float, cancel: Cancel) -> None:
    """Ask the tree to end, wait for it up to `grace` seconds, then kill what is left."""
    if grace > 0 and _signal_tree(process, mark, signal.SIGTERM):
        until = time.monotonic() + grace
        while time.monotonic() < until and not cancel.hurry:
            process.poll()
            if not _tree(process, mark):
                break
            time.sleep(0.02)
    # A process may fork between our look and our signal: look again until nothing is left.
    for _ in range(50):
        if not _signal_tree(process, mark, signal.SIGKILL):
            return
        time.sleep(0.01)


def _signal_tree(process: subprocess.Popen[bytes], mark: str, number: signal.Signals) -> bool:
    """Signal everything in the tree; return whether there was anything."""
    found = _tree(process, mark)
    group = process.pid if process.poll() is None else None
    if group is not None:
        # The group leader is not reaped, so the group's number cannot belong to anybody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # Whoever is in the group has the signal: a second one would clean up twice.
            if group is None or pid < 0 or os.getpgid(pid) != group:
                os.kill(pid, number)
    return bool(found)


def _tree(process: subprocess.Popen[bytes], mark: str) -> list[int]:
    """Return the live processes of an instance's tree."""
    if _PROC.is_dir() and (_PROC / "self" / "stat").exists():
        return marked(mark, session=process.pid)
    return [process.pid] if process.poll() is None else _group_left(process.pid)


def _group_left(group: int) -> list[int]:
    """Without /proc: the group's number again while it has members."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return []
    return [-group]


def marked(mark: str, *, session: int | None = None, below: bool = False) -> list[int]:
    """Return the live processes of a tree; nothing where there is no /proc.

    Args:
        mark: the value of the mark in their environment.
        session: a session whose members count, marked or not.
        below: whether marks that only begin with `mark` count too.
    """
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in _proc_entries():
        try:
            # After the name in parentheses: state, parent, group, session.
            state, _, _, its_session = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:4]
            belongs = session is not None and int(its_session) == session
            if not belongs:
                environment = (entry / "environ").read_bytes().split(b"\0")
                belongs = any(
                    one.startswith(wanted) if below else one == wanted for one in environment
                )
        except (OSError, ValueError):
            continue  # it ended meanwhile, or it is not ours
        if belongs and state not in (b"Z", b"X"):
            found.append(int(entry.name))
    return found


def _proc_entries() -> list[Path]:
    try:
        return [entry for entry in _PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def end_marked(mark: str) -> int:
    """Kill what an earlier, killed process of ours left running; return how many there were."""
    count = 0
    for _ in range(50):
        found = [pid for pid in marked(mark, below=True) if pid != os.getpid()]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            break
        count = max(count, len(found))
        time.sleep(0.02)
    return count
