"""ML704 and ML705: what may run at once fits the quota; a run ends before the next one starts.

Input: the finished pipelines of one environment. What one run of one pipeline may ask for at once
is the heaviest set of steps of which none waits for another (`mlspec.ir.graph`); several pipelines
at once are not added up, because nobody knows which coincide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes import resources as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.expr.cron import min_interval
from mlspec.ir.graph import critical_path, heaviest_antichain
from mlspec.ir.model import Application, Pipeline, Step
from mlspec.ir.values import Cpu, Duration, Memory
from mlspec.spec.nouns import QuotaSpec

_ELASTIC = frozenset({"spark", "flink", "ray", "dask"})
"""Engines that work with as many workers as they get."""


def check(catalogue: Catalogue, application: Application) -> Iterator[Diagnostic]:
    """Yield pipelines that ask for too much at once, or take too long."""
    quota = next(
        (one for one in catalogue.nouns.quotas if one.environment == catalogue.environment), None
    )
    for pipeline in application.pipelines:
        if quota is not None:
            yield from _demand(pipeline, quota)
        yield from _duration(pipeline)


def _instances(step: Step) -> int:
    """Return how many instances of a step run at once."""
    workers = 1 if step.engine in _ELASTIC else step.resources.workers or 1
    if step.matrix is None:
        return workers
    count = len(step.matrix.rows) * (step.matrix.dynamic.max if step.matrix.dynamic else 1)
    return workers * min(count, step.matrix.parallel or count)


def _demand(pipeline: Pipeline, quota: QuotaSpec) -> Iterator[Diagnostic]:
    wanted: tuple[tuple[str, int | None, Callable[[Step], int], Callable[[int], str]], ...] = (
        (
            "cpu",
            quota.cpu,
            lambda step: step.resources.cpu.milli if step.resources.cpu else 0,
            lambda size: f"{Cpu(size)} cores",
        ),
        (
            "memory",
            quota.memory,
            lambda step: step.resources.memory.bytes if step.resources.memory else 0,
            lambda size: f"{Memory(size)} of memory",
        ),
        (
            "gpu",
            quota.gpu,
            lambda step: step.resources.gpu or 0,
            lambda size: f"{size} accelerator{'s' * (size != 1)}",
        ),
    )
    for key, limit, size_of, words in wanted:
        if limit is None:
            continue
        weights = {step.id: size_of(step) * _instances(step) for step in pipeline.steps}
        if sum(weights.values()) <= limit:
            continue
        together = heaviest_antichain({step.id: step.needs for step in pipeline.steps}, weights)
        total = sum(weights[step_id] for step_id in together)
        if total <= limit:
            continue
        listed = ", ".join(f"`{step_id}` ({words(weights[step_id])})" for step_id in together)
        places = [pipeline.step(step_id).resources.at for step_id in together]
        yield Diagnostic(
            code=codes.QUOTA,
            message=f"a run of `{pipeline.id}` may ask for {words(total)} at once, and"
            f" `{quota.environment}` has {words(limit)}",
            at=quota.at / key,
            labels=tuple(Label(at, step_id) for at, step_id in zip(places, together, strict=True)),
            notes=(f"none of these waits for another: {listed}",),
            help=("ask for less, raise the quota, or order the steps with `needs` or `parallel`",),
        )


def _duration(pipeline: Pipeline) -> Iterator[Diagnostic]:
    schedule = pipeline.triggers.schedule
    interval = min_interval(schedule.cron, schedule.timezone) if schedule is not None else None
    if schedule is None or interval is None:
        return
    times = {step.id: _longest(step) for step in pipeline.steps}
    needs = {step.id: step.needs for step in pipeline.steps}
    path = critical_path(needs, tuple(needs), times)
    total = Duration(sum(times[step_id] for step_id in path))
    if total <= interval:
        return
    counted = [step_id for step_id in path if times[step_id]]
    if len(counted) == 1 and pipeline.step(counted[0]).kind.is_derived:
        return  # one derived step alone: ML504 says it in the words of its noun
    listed = ", ".join(f"`{step_id}` {Duration(times[step_id])}" for step_id in counted)
    yield Diagnostic(
        code=codes.TOO_LONG,
        message=f"a run of `{pipeline.id}` may last {total}, and one starts every {interval}",
        at=schedule.at,
        notes=(f"timeouts and retries of the longest way: {listed}",),
        help=("shorten the timeouts, or run less often",),
    )


def _longest(step: Step) -> int:
    """Return how long a step may take with its retries, in milliseconds; 0 without a timeout."""
    if step.timeout is None:
        return 0
    retries = step.retry.max if step.retry is not None else 0
    pauses = (
        step.retry.delay_before(number).milliseconds if step.retry is not None else 0
        for number in range(1, retries + 1)
    )
    return step.timeout.milliseconds * (retries + 1) + sum(pauses)
