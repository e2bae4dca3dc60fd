"""What a run is asked for, and what it hands back.

`RunOptions` come from the command line, `RunResult` goes there; between them only
`mlspec.runtime.interpreter` works. `Clock` is the one source of time, so that tests can wait for
an hour in no time.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlspec.diagnostics.model import Diagnostic

if TYPE_CHECKING:
    from mlspec.runtime.records import RunRecord

STATE_FOLDER = ".mlspec"
"""Folder beside the spec that holds everything local: runs, store, cache, locks, approvals."""

SUCCESS, SPEC_ERRORS, PENDING, STEP_FAILED = 0, 1, 12, 20
GATE_FAILED, INCONCLUSIVE = 10, 11
USAGE, NOT_FOUND, INTERRUPTED = 64, 66, 130
"""Exit codes of `mlspec run`; documented with all others in `mlspec help exit-codes`."""

_SLICE = 0.25


class Clock:
    """Real time."""

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def next_of(self, events: queue.SimpleQueue[Any], seconds: float) -> Any | None:
        """Return the next event, or None when none came within `seconds`.

        Waits in slices: a signal that another thread receives, or that comes just before the wait
        begins, does not end the wait, and its handler runs only between two slices.
        """
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            try:
                return events.get(timeout=max(0.0, min(left, _SLICE)))
            except queue.Empty:
                if left <= _SLICE:
                    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run a pipeline.

    Attributes:
        params: values of run parameters, as text.
        jobs: how many instances run at a time; None: as many as there are processors.
        date: `run.date`, if not now: a date or a time in RFC 3339.
        resume: id of a run to continue; "" is the newest of the pipeline; None is a new run.
        wait: whether to wait for approvals; else a run that only waits stops with exit code 12.
        environ: the environment that steps inherit.
        grace: seconds between asking processes to end and killing them.
        clock: source of time.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    jobs: int | None = None
    date: str | None = None
    resume: str | None = None
    wait: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    grace: float = 10.0
    clock: Clock = field(default_factory=Clock)

    @property
    def slots(self) -> int:
        """Number of instances that run at a time, at least 1."""
        return max(1, self.jobs if self.jobs is not None else os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended.

    Attributes:
        exit_code: 0 success, 20 a step failed, 10 nothing but gates failed, 11 they are all
            inconclusive, 12 an approval is pending or expired, 130 interrupted; 64, 66 or 1 when
            the run could not start, with `diagnostics`.
        record: what happened; None when the run did not start.
        folder: `.mlspec/runs/<id>`.
    """

    exit_code: int
    record: RunRecord | None = None
    folder: Path | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def stamp(moment: datetime) -> str:
    """Return a time in RFC 3339, UTC, whole seconds, with `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
