"""Measures whole processes: processor time, wall time and peak memory, several rounds each.

Processor time (user and system together) is what is compared: the same work costs the same while
others use the machine. Rounds are interleaved, so that what changes meanwhile meets everybody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of `ru_maxrss`: getrusage(2) of macOS and of Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command to measure.

    Attributes:
        command: program and arguments.
        folder: where it runs.
        made: a folder that it makes, removed before each round.
    """

    command: Sequence[str | Path]
    folder: Path
    made: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process took: seconds of processor and of wall time, MB at its peak."""

    cpu: float
    wall: float
    peak: float


def environment() -> dict[str, str]:
    """Return ours, with bytecode kept: a user does not compile a program at each start."""
    dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHASHSEED"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def once(job: Job) -> Cost:
    """Run a job once.

    Raises:
        RuntimeError: when it fails.
    """
    if job.made is not None:
        shutil.rmtree(job.made, ignore_errors=True)
    log = job.folder / "log.txt"
    with log.open("wb") as stream:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in job.command],
            cwd=job.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"exit {process.returncode}: {job.command}\n{said}")
    peak = used.ru_maxrss * _PEAK_UNIT / 1e6
    return Cost(cpu=used.ru_utime + used.ru_stime, wall=wall, peak=peak)


def measure(jobs: Mapping[str, Job], rounds: int) -> dict[str, Cost]:
    """Run all jobs in turn, `rounds` times; return the median of each."""
    found: dict[str, list[Cost]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            found[name].append(once(job))
    return {
        name: Cost(
            cpu=median(cost.cpu for cost in costs),
            wall=median(cost.wall for cost in costs),
            peak=median(cost.peak for cost in costs),
        )
        for name, costs in found.items()
    }
