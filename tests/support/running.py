"""Running applications with the reference interpreter in tests."""

from __future__ import annotations

import os
import queue
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlspec.ir.model import Application, DataSet, Param, Pipeline, Script, Step
from mlspec.ir.values import Ref
from mlspec.runtime.interpreter import run_pipeline
from mlspec.runtime.model import Clock, RunOptions, RunResult
from mlspec.runtime.progress import Event
from tests.support.graphs import read_events


class FakeClock(Clock):
    """Time that passes only when there is nothing else to do."""

    def __init__(self, stride: float = 0.0) -> None:
        """`stride`: seconds that pass at least, each time there is nothing to do."""
        self.passed = 0.0
        self.stride = stride

    def now(self) -> datetime:
        return datetime(2026, 1, 31, 4, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def next_of(self, events: queue.SimpleQueue[Any], seconds: float) -> Any | None:
        try:
            return events.get(timeout=0.02)
        except queue.Empty:
            # Nothing due within an hour: a process is running in real time.
            self.passed += max(seconds, self.stride) if seconds < 3000 else 0.0
            return None


@dataclass
class Recorder:
    """An observer that keeps all events, and calls back."""

    events: list[Event] = field(default_factory=list)
    on_event: Any = None

    def on(self, event: Event) -> None:
        self.events.append(event)
        if self.on_event is not None:
            self.on_event(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Ran:
    """A run that is over."""

    result: RunResult
    recorder: Recorder
    project: Path

    @property
    def outcomes(self) -> dict[str, str | None]:
        assert self.result.record is not None, self.result.diagnostics
        return {step.id: step.outcome for step in self.result.record.steps}

    def reason(self, step: str) -> str:
        assert self.result.record is not None
        return self.result.record.step(step).reason

    def log(self, step: str, combination: str = "", attempt: int = 1) -> str:
        assert self.result.folder is not None
        place = self.result.folder / "logs" / step
        return ((place / combination) / f"attempt-{attempt}.log").read_text(encoding="utf-8")

    @property
    def events(self) -> list[dict[str, Any]]:
        return read_events(self.project / "events.jsonl")


def script(step_id: str, text: str, *refs: Ref, **settings: Any) -> Step:
    """A step that runs a script."""
    ordered = tuple(sorted(refs, key=lambda ref: ref.variable))
    return Step(id=step_id, action=Script(text=text, refs=ordered), **settings)


def app_of(
    *steps: Step,
    final: Step | None = None,
    params: tuple[Param, ...] = (),
    data: tuple[DataSet, ...] = (),
    **settings: Any,
) -> Application:
    """An application with one pipeline `p`."""
    pipeline = Pipeline(id="p", steps=steps, final=final, params=params)
    return Application(name="app", pipelines=(pipeline,), data=data, **settings)


def run_app(
    app: Application,
    project: Path,
    *,
    environ: dict[str, str] | None = None,
    on_event: Any = None,
    **options: Any,
) -> Ran:
    """Run pipeline `p` of an application in a folder."""
    recorder = Recorder(on_event=on_event)
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("MLSPEC_")}
    base = {**inherited, "MLSPEC_TEST_EVENTS": str(project / "events.jsonl"), **(environ or {})}
    chosen = RunOptions(**{"jobs": 4, "grace": 1.0, **options, "environ": base})
    return Ran(run_pipeline(app, "p", project, chosen, recorder), recorder, project)


def in_thread(call: Any) -> tuple[threading.Thread, list[Any]]:
    """Start a call on a thread; its result will stand in the list."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    return thread, found
