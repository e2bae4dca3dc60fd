"""Runs a pipeline on this machine: the reference for what every engine must do.

Input: an application, the id of a pipeline, the spec's folder, options. Output: `RunResult`, and
everything that `.mlspec` keeps of a run. One thread (the caller's) decides, records and tells the
observer; attempts run on worker threads and report through a queue. What to do next is the
scheduler's business alone. An interrupted run is not over: its `finally` runs when it is resumed.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mlspec.diagnostics.codes import running
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.dump import to_data
from mlspec.ir.fingerprint import digest_of, fingerprints
from mlspec.ir.gates import gated
from mlspec.ir.model import Application, Pipeline
from mlspec.runtime import model, records, workspace
from mlspec.runtime.attempt import Setting
from mlspec.runtime.layout import Layout, store_of
from mlspec.runtime.locks import FileLock, turn_lock
from mlspec.runtime.loop import Loop, Wake
from mlspec.runtime.model import RunOptions, RunResult, stamp
from mlspec.runtime.preflight import Prepared, prepare, read_date
from mlspec.runtime.process import Cancel, end_marked
from mlspec.runtime.progress import Notice, Observer, RunQueued
from mlspec.runtime.records import RunRecord, StepRecord

_USAGE = frozenset({"ML073", "ML920", "ML921", "ML922", "ML928"})


def run_pipeline(
    application: Application,
    pipeline_id: str,
    project_folder: Path,
    options: RunOptions,
    observer: Observer,
) -> RunResult:
    """Run a pipeline to its end, or until it is interrupted.

    Args:
        application: what the spec says, for one environment.
        pipeline_id: which of its pipelines.
        project_folder: folder of the spec; `.mlspec` is made in it.
        options: params, jobs, date, what to resume.
        observer: is told what happens, on this thread.

    Raises:
        KeyError: when there is no such pipeline.
        OSError: when the record of the run cannot be written.
    """
    asks = bool(application.environment.approvals)
    application = gated(application)
    pipeline = application.pipeline(pipeline_id)
    call = _Call(
        application=application,
        pipeline=pipeline,
        project=project_folder.absolute(),
        options=options,
        observer=observer,
        gate=pipeline.steps[0].id if asks else None,
    )
    ready = _look_ahead(call)
    if isinstance(ready, RunResult):
        return ready
    cancel = Cancel()
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with _interrupts(cancel, events):
        lock = _turn(call, cancel)
        if isinstance(lock, RunResult):
            return lock
        try:
            # Data may have come, and the run to resume may have ended, while this one waited.
            ready = _look_ahead(call)
            return ready if isinstance(ready, RunResult) else _run(call, ready, cancel, events)
        finally:
            lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What `run_pipeline` was called with."""

    application: Application
    pipeline: Pipeline
    project: Path
    options: RunOptions
    observer: Observer
    gate: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """What is known when nothing stands in the way of the run."""

    draft: Layout
    prepared: Prepared
    options: RunOptions
    earlier: RunRecord | None
    replaced_store: str | None


def _look_ahead(call: _Call) -> _Ready | RunResult:
    """Find whatever would keep the run from starting."""
    earlier, options = None, call.options
    if options.resume is not None:
        found = _earlier(call)
        if isinstance(found, Diagnostic):
            return _refused(found)
        earlier, options = found
    store, replaced = store_of(call.application, call.project)
    draft = Layout(
        project=call.project,
        store=store,
        application=call.application.name,
        pipeline=call.pipeline.id,
        run=earlier.id if earlier is not None else "",
    )
    prepared = prepare(call.application, call.pipeline, draft, options)
    if prepared.value is None:
        return _refused(*prepared.diagnostics)
    return _Ready(
        draft=draft,
        prepared=prepared.value,
        options=options,
        earlier=earlier,
        replaced_store=replaced,
    )


def _refused(*diagnostics: Diagnostic) -> RunResult:
    ids = {diagnostic.code.id for diagnostic in diagnostics}
    if ids & {running.RUN_UNKNOWN.id}:
        code = model.NOT_FOUND
    else:
        code = model.USAGE if ids <= _USAGE else model.SPEC_ERRORS
    return RunResult(exit_code=code, diagnostics=diagnostics)


# ------------------------------------------------------------------ one run at a time


def _turn(call: _Call, cancel: Cancel) -> FileLock | RunResult:
    """Wait for the run before this one (decision B21); at most one run waits."""
    application, pipeline, project = call.application, call.pipeline, call.project
    names = (application.name, application.environment.name, pipeline.id)
    mine = turn_lock(project, *names)
    queued = turn_lock(project, *names, queue=True)
    if mine.try_acquire():
        return mine
    if not queued.try_acquire():
        return _refused(
            Diagnostic(
                code=running.RUN_QUEUE,
                message=f"a run of `{pipeline.id}` is going on, and another one waits for it",
                help=("wait for the one that waits; see `mlspec runs`",),
            )
        )
    call.observer.on(RunQueued(pipeline.id))
    try:
        if mine.acquire(lambda: cancel.wait(0.1)):
            return mine
        return RunResult(exit_code=model.INTERRUPTED)
    finally:
        queued.release()


@contextmanager
def _interrupts(cancel: Cancel, events: queue.SimpleQueue[Any]) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into a request to end; only the main thread can listen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def listen(number: int, frame: object) -> None:  # noqa: ARG001  the signature of handlers
        cancel.ask()
        events.put(Wake())

    before = {number: signal.signal(number, listen) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ------------------------------------------------------------------ a new run, or an earlier one


def _earlier(call: _Call) -> tuple[RunRecord, RunOptions] | Diagnostic:
    """Return the run to continue, and options with its params and date."""
    application, pipeline = call.application, call.pipeline
    project, options = call.project, call.options
    record: RunRecord | None = None
    if options.resume:
        found = records.find_run(project, options.resume)
        record = found[1] if found is not None else None
    else:
        same = (one for _, one in records.all_runs(project) if one.pipeline == pipeline.id)
        record = next(same, None)
    if record is None:
        wanted = f"run `{options.resume}`" if options.resume else f"run of `{pipeline.id}`"
        help_ = ("`mlspec runs` lists what there is",)
        message = f"there is no {wanted} to resume"
        return Diagnostic(code=running.RUN_UNKNOWN, message=message, help=help_)
    why = ""
    if (record.application, record.pipeline) != (application.name, pipeline.id):
        why = f"it is a run of `{record.application}`, pipeline `{record.pipeline}`"
    elif record.environment != application.environment.name:
        why = f"it ran for environment `{record.environment}`"
    elif record.state == records.ENDED_WELL:
        why = "it has succeeded"
    elif any(record.params.get(name) != value for name, value in options.params.items()):
        why = "it has other params; start a new run instead"
    if why:
        message = f"run `{record.id}` cannot be resumed: {why}"
        return Diagnostic(code=running.RUN_RESUME, message=message)
    changed = replace(
        options,
        params={name: record.params[name] for name in record.params if _has(pipeline, name)},
        date=options.date or record.date,
        resume=record.id,
    )
    return record, changed


def _has(pipeline: Pipeline, param: str) -> bool:
    return any(known.name == param for known in pipeline.params)


def _run(call: _Call, ready: _Ready, cancel: Cancel, events: queue.SimpleQueue[Any]) -> RunResult:
    earlier, options, prepared = ready.earlier, ready.options, ready.prepared
    now = options.clock.now()
    run = earlier.id if earlier is not None else records.new_run(call.project, now).name
    layout = replace(ready.draft, run=run)
    if ready.replaced_store is not None:
        told = f"store {ready.replaced_store} is not on this machine; using {layout.store}"
        call.observer.on(Notice((), told))
    if earlier is not None:
        end_marked(f"{run}/")  # what a killed process of ours left running
        # A run reads the versions of data that were the newest when it began.
        known = {noun: at for noun, at in earlier.data.items() if noun in prepared.pinned}
        prepared = replace(prepared, pinned={**prepared.pinned, **known})
    asked = read_date(options.date) if options.date is not None else None
    record = _record(call, layout, prepared, asked or now, now)
    if earlier is not None:
        record.started = earlier.started
        record.resumed = earlier.resumed + 1
    setting = Setting(
        application=call.application,
        pipeline=call.pipeline,
        layout=layout,
        prepared=prepared,
        options=options,
        plan=workspace.plan(call.pipeline),
        date=record.date,
        cancel=cancel,
        gate=call.gate,
    )
    _link_results(layout)
    return Loop(setting, record, earlier, call.observer, events).run()


def _record(
    call: _Call, layout: Layout, prepared: Prepared, date: datetime, now: datetime
) -> RunRecord:
    application, pipeline = call.application, call.pipeline
    prints = fingerprints(pipeline)
    data = [to_data(dataset) for dataset in application.data]
    results = layout.results
    if results.is_relative_to(layout.project):
        results = results.relative_to(layout.project)
    return RunRecord(
        id=layout.run,
        application=application.name,
        pipeline=pipeline.id,
        environment=application.environment.name,
        spec=digest_of([to_data(pipeline), data, application.environment.name]),
        params=dict(prepared.params),
        data=dict(prepared.pinned),
        date=stamp(date),
        started=stamp(now),
        results=results.as_posix(),
        steps=[
            StepRecord(
                id=step.id,
                allow_failure=step.allow_failure,
                definition=digest_of([prints[step.id].data, prints[step.id].parents]),
            )
            for step in pipeline.all_steps
        ],
    )


def _link_results(layout: Layout) -> None:
    """Make results reachable from the run's folder."""
    link = layout.folder / "results"
    layout.results.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(layout.results)
