"""What a run tells while it goes on: events, and who listens.

Events are data; `mlspec.cli.run_view` shows them. An observer is called from one thread only, in
the order in which things happened, and must return quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlspec.runtime.approvals import Request
from mlspec.runtime.records import InstanceRecord, RunRecord, StepRecord


@dataclass(frozen=True, slots=True)
class RunQueued:
    """Another run of the pipeline is going on: this one waits."""

    pipeline: str


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run has begun (or goes on, after `--resume`)."""

    record: RunRecord
    folder: Path


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step's join, `when` and approvals let it run, with so many instances."""

    step: str
    instances: int


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A process is about to start."""

    step: str
    combination: str
    number: int
    log: Path


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt failed, and another one follows after a pause."""

    step: str
    combination: str
    number: int
    reason: str
    pause: float


@dataclass(frozen=True, slots=True)
class InstanceEnded:
    """An instance has its outcome."""

    step: str
    record: InstanceRecord


@dataclass(frozen=True, slots=True)
class StepOver:
    """A step has its outcome."""

    step: str
    record: StepRecord


@dataclass(frozen=True, slots=True)
class ApprovalWanted:
    """A step waits for people."""

    request: Request


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """A version waits for people: `subject` is the noun, such as `models.ctr`."""

    run: str
    step: str
    subject: str


@dataclass(frozen=True, slots=True)
class ApprovalOver:
    """A step no longer waits for people: approved or not, and why."""

    step: str
    approved: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that an engine with a connection would have sent."""

    to: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Interrupting:
    """Somebody asked the run to end: processes are being ended."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over."""

    record: RunRecord
    exit_code: int


Event = (
    RunQueued
    | RunStarted
    | StepStarted
    | AttemptStarted
    | AttemptFailed
    | InstanceEnded
    | StepOver
    | ApprovalWanted
    | ApprovalNeeded
    | ApprovalOver
    | Notice
    | Interrupting
    | RunEnded
)


class Observer(Protocol):
    """Somebody who is told what happens."""

    def on(self, event: Event) -> None:
        """Take notice of an event."""


class Silent:
    """An observer that ignores everything."""

    def on(self, event: Event) -> None:
        """Ignore the event."""
