"""One attempt of one instance: stage inputs, run the process, take outputs away.

Input: an instance and the run it belongs to. Output: `AttemptEnd`. Runs on a worker thread; shares
nothing that changes with other attempts except the disk, where each works in folders of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlspec.ir.model import (
    Application,
    Argv,
    Combination,
    Output,
    Pipeline,
    Script,
    StageMode,
    Step,
    combination_name,
)
from mlspec.ir.values import plain
from mlspec.runtime import cache, containers, staging, workspace
from mlspec.runtime.conditions import numbers_in, read_metrics
from mlspec.runtime.decisions import failure_text
from mlspec.runtime.last_words import reason_in
from mlspec.runtime.layout import Layout, local_path
from mlspec.runtime.locks import FileLock
from mlspec.runtime.model import STATE_FOLDER, RunOptions
from mlspec.runtime.preflight import Prepared
from mlspec.runtime.process import Cancel, Command, Ended, run
from mlspec.runtime.staging import Sources, StagingError, Succeeded, Written
from mlspec.runtime.variables import Values, own_variables

OURSELVES = (sys.executable, "-P", "-m", "mlspec")
"""This mlspec, wherever `PATH` leads; `-P`: the project cannot put another one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all attempts of a run share.

    Attributes:
        gate: the step that carries the environment's approvals, if it has any (`mlspec.ir.gates`).
    """

    application: Application
    pipeline: Pipeline
    layout: Layout
    prepared: Prepared
    options: RunOptions
    plan: workspace.Plan
    date: str
    cancel: Cancel
    gate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt that is to be made.

    Attributes:
        number: from 1; counts on when a run is resumed.
        succeeded: instances of producers whose outputs are there.
        status: `${run.status}`, in `finally` only.
    """

    step: Step
    combination: Combination
    number: int
    succeeded: Succeeded
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended; `reason` says why it failed."""

    succeeded: bool
    reason: str = ""
    exit: int | None = None
    cancelled: bool = False
    reused: str | None = None
    metrics: Mapping[str, float | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """What is to be run, after staging."""

    words: list[str]
    folder: Path
    environment: Mapping[str, str]
    written: Written
    container: str | None = None


def make_attempt(setting: Setting, task: Task) -> AttemptEnd:
    """Make one attempt. Whatever goes wrong is in the result; only our own bugs are raised."""
    step, layout = task.step, setting.layout
    work = layout.work(step.id, task.combination.name)
    lock = _lock(setting, step)
    try:
        if lock is not None and not lock.acquire(lambda: setting.cancel.wait(0.1)):
            return AttemptEnd(succeeded=False, reason="interrupted", cancelled=True)
        workspace.remove(work)
        workspace.remove(layout.published(step.id, task.combination.name))
        end = _attempt(setting, task, work, lock)
        if end.succeeded:
            workspace.remove(work)
    except StagingError as error:
        return AttemptEnd(succeeded=False, reason=str(error))
    except OSError as error:
        return AttemptEnd(succeeded=False, reason=f"the disk refused: {error}")
    else:
        return end
    finally:
        if lock is not None:
            lock.release()


def _lock(setting: Setting, step: Step) -> FileLock | None:
    if step.lock is None:
        return None
    name = f"step-{combination_name([step.lock])}.lock"
    return FileLock(setting.layout.project / STATE_FOLDER / "locks" / name)


def _attempt(setting: Setting, task: Task, work: Path, lock: FileLock | None) -> AttemptEnd:
    step, layout = task.step, setting.layout
    work.mkdir(parents=True)
    sources = Sources(
        layout=layout,
        pipeline=setting.pipeline,
        succeeded=task.succeeded,
        pinned=setting.prepared.pinned,
    )
    inputs = staging.bring(step, task.combination, sources, work)
    addresses = {o.name: _address(setting, step, task, o) for o in step.outputs if _by_uri(o)}
    key = None
    if step.cache:
        values = _values(setting, task, inputs, addresses)
        image = containers.look(step.image, setting.options.environ) if step.image else None
        digest = image.digest if image is not None else None
        key = cache.key_of(step, task.combination, values, digest)
        end = _reuse(setting, task, key)
        if end is not None:
            return end
    ready = _ready(setting, task, inputs, addresses, work)
    log = layout.log(step.id, task.combination.name, task.number)
    ended = run(
        Command(
            words=ready.words,
            folder=ready.folder,
            environment=ready.environment,
            log=log,
            mark=f"{layout.run}/{step.id}/{task.combination.name}/{task.number}",
            timeout=step.timeout.seconds if step.timeout is not None else None,
            inherit=(lock.descriptor,) if lock is not None and lock.descriptor else (),
            grace=setting.options.grace,
        ),
        setting.cancel,
    )
    if ready.container is not None and (ended.timed_out or ended.cancelled):
        containers.end_container(ready.container, ready.environment)
    reason = _failure(step, ended, ready.written, log) or _not_at_address(step, addresses, layout)
    if reason:
        with log.open("a", encoding="utf-8", errors="surrogateescape") as file:
            # The log has the step's own words already.
            code = f"exit code {ended.code}"
            file.write(f"mlspec: {code if reason.endswith(f'({code})') else reason}\n")
    beside = work / "beside" if step.image is not None else ready.folder
    made = {o.path: p for o in step.outputs if (p := ready.written.outputs.get(o.name))}
    places = {path: made.get(path, beside / path) for path in step.report}
    staging.collect_reports(places, layout.reports(step.id, task.combination.name))
    if reason:
        return AttemptEnd(
            succeeded=False, reason=reason, exit=ended.code, cancelled=ended.cancelled
        )
    staging.publish(step, task.combination, ready.written, layout)
    return _succeed(setting, task, key)


def _succeed(setting: Setting, task: Task, key: str | None) -> AttemptEnd:
    """Make new versions of data, note the success for the cache, and read the metrics."""
    step, layout = task.step, setting.layout
    for output in step.outputs:
        if output.data is not None:
            dataset = setting.application.dataset(output.data)
            place = layout.output(step.id, task.combination.name, output)
            staging.publish_data(output, dataset, layout, place)
    published = layout.published(step.id, task.combination.name)
    if key is not None:
        cache.remember(layout.project, key, layout.run, published)
    return AttemptEnd(succeeded=True, exit=0, metrics=_numbers(step, published))


def _numbers(step: Step, published: Path) -> Mapping[str, float | int]:
    if step.metrics is None:
        return {}
    return numbers_in(read_metrics(published / "metrics.json"))


def _reuse(setting: Setting, task: Task, key: str) -> AttemptEnd | None:
    layout = setting.layout
    entry = cache.find(layout.project, key)
    if entry is None:
        return None
    target = layout.published(task.step.id, task.combination.name)
    staging.duplicate(layout.project / entry.published, target)
    _succeed(setting, task, None)
    return AttemptEnd(
        succeeded=True,
        reason=f"unchanged since run {entry.run}",
        reused="cache",
        metrics=_numbers(task.step, target),
    )


def _failure(step: Step, ended: Ended, written: Written, log: Path) -> str:
    """Return why a process that ended is a failure; empty: it is a success."""
    if ended.cancelled:
        return "interrupted"
    if ended.timed_out:
        return f"timed out after {step.timeout}"
    if ended.problem:
        return ended.problem
    if ended.code < 0:
        return f"ended by signal {-ended.code}"
    if ended.code != 0:
        said = reason_in(log, ended.code) if step.kind.is_derived else ""
        return f"{said} (exit code {ended.code})" if said else failure_text(step, ended.code)
    return staging.missing_output(step, written)


def _not_at_address(step: Step, addresses: Mapping[str, str], layout: Layout) -> str:
    for name, address in addresses.items():
        place = local_path(address, layout.project)
        if place is not None and not place.exists():
            return f"declared output `{name}` of `{step.id}` was not written ({address})"
    return ""


# ------------------------------------------------------------------ values and commands


def _by_uri(output: Output) -> bool:
    return output.mode is StageMode.URI


def _address(setting: Setting, step: Step, task: Task, output: Output) -> str:
    """Return the address to which a step itself writes an output."""
    layout = setting.layout
    source = setting.application.dataset(output.data).source if output.data is not None else None
    if source is not None:
        place = local_path(source, layout.project)
        return source if place is None else place.absolute().as_uri()
    place = layout.output(step.id, task.combination.name, output)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.absolute().as_uri()


def _values(
    setting: Setting, task: Task, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> Values:
    return Values(
        params=setting.prepared.params,
        inputs=inputs,
        outputs=outputs,
        matrix=dict(task.combination.values),
        run={
            "id": setting.layout.run,
            "date": setting.date,
            "attempt": str(task.number),
            "status": task.status,
            "url": "",
            "store": setting.layout.store.absolute().as_uri(),
            "actor": setting.prepared.actor,
            "approvals": "",
            "commit": setting.prepared.commit,
        },
    )


def _ready(
    setting: Setting,
    task: Task,
    inputs: Mapping[str, str],
    addresses: Mapping[str, str],
    work: Path,
) -> _Ready:
    if task.step.image is not None:
        return _in_container(setting, task, inputs, addresses, work)
    step, options = task.step, setting.options
    folder = work / "workspace"
    workspace.make(folder, setting.layout.project, setting.plan, workspace.written_paths(step))
    folder = folder.absolute()
    paths = {o.name: folder / o.path for o in step.outputs if not _by_uri(o)}
    outputs = {**addresses, **{name: str(path) for name, path in paths.items()}}
    values = _values(setting, task, inputs, outputs)
    own = own_variables(step, values, setting.prepared.secrets, options.environ)
    written = Written(
        outputs=paths, metrics=folder / step.metrics if step.metrics is not None else None
    )
    return _Ready(
        words=_words(step, values, work),
        folder=folder,
        environment={**options.environ, **own},
        written=written,
    )


def _words(step: Step, values: Values, work: Path) -> list[str]:
    match step.action:
        case Argv():
            words = [values.text(word) for word in step.action.words]
            return [*OURSELVES, *words[1:]] if is_ours(step) else words
        case Script():
            # A file, because one argument of a process is limited to 128 KiB.
            script = work / "script.sh"
            script.write_text(containers.PROLOGUE + step.action.text, encoding="utf-8")
            return ["bash", str(script.absolute())]


def is_ours(step: Step) -> bool:
    """Whether a step calls `mlspec` itself: then with the very program that runs the pipeline."""
    return (
        step.kind.is_derived
        and isinstance(step.action, Argv)
        and plain(step.action.words[0]) == "mlspec"
    )


def _in_container(
    setting: Setting,
    task: Task,
    inputs: Mapping[str, str],
    addresses: Mapping[str, str],
    work: Path,
) -> _Ready:
    step, options = task.step, setting.options
    image = step.image
    assert image is not None  # noqa: S101  the caller looked; for the type checker
    folder = containers.look(image, options.environ).folder
    store = setting.layout.store.absolute()
    inside = containers.arrange(step, inputs, work.absolute(), folder, store)
    values = _values(setting, task, inside.inputs, {**inside.outputs, **addresses})
    own = own_variables(step, values, setting.prepared.secrets, {})
    name = "mlspec-" + "-".join(
        (setting.layout.run, step.id, f"{os.getpid()}", f"{id(task):x}", f"{task.number}")
    )
    words = containers.argument_vector(step, image, inside, sorted(own), values, name)
    return _Ready(
        words=words,
        folder=work,
        environment={**options.environ, **own},
        written=inside.written,
        container=name,
    )
