"""Checks on numbers that are known, not measured here: a step's metrics, times and sizes.

Duty: judge what a user's step wrote (`evaluate.metrics`) and what `evaluate` measured of the models
themselves (latency, throughput, bytes). Such numbers are compared as points; where the single
times of calls are known, latencies have bounds. Numbers of two models that come from different
runs are not paired, and the result says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlspec.expr.metric import Family, Producer
from mlspec.runtime.judging.question import Question
from mlspec.runtime.judging.results import CheckResult, Reference, Standing
from mlspec.runtime.judging.scores import ScoredModel
from mlspec.runtime.metrics.arrays import MetricError
from mlspec.runtime.statistics.bootstrap import seed_of
from mlspec.runtime.statistics.interval import Interval, StatisticsError
from mlspec.runtime.statistics.quantiles import quantile_difference, quantile_interval
from mlspec.runtime.statistics.verdict import Estimate, judge, points
from mlspec.runtime.steps.contract import StepError

Written = Mapping[str, Any]
QUANTILES = {"p50_latency": 0.5, "p95_latency": 0.95, "p99_latency": 0.99}
TIMES = "latencies"
"""Key of a model in `scores.json` that holds the seconds of single calls."""


def read_written(path: Path) -> Written:
    """Return the numbers that a user's step wrote.

    Args:
        path: JSON: the candidate's numbers by metric; a mapping under the name of a reference
            (`baseline: {…}`) holds those of that model.

    Raises:
        StepError: it cannot be read, or is no mapping to numbers.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise StepError(
            f"the metrics of the step cannot be read: {error}",
            help="a metrics file is a JSON mapping of names to numbers",
        ) from error
    if not isinstance(found, dict):
        raise StepError("the metrics of the step are no mapping of names to numbers")
    for name, value in found.items():
        numbers = value.values() if isinstance(value, dict) else (value,)
        if any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
            raise StepError(f"the metric `{name}` that the step wrote is no number")
    return found


def written_value(written: Written, question: Question, reference: str | None) -> float | None:
    """Return the number that a step wrote for a check's metric, or None when it wrote none."""
    numbers = written if reference is None else written.get(reference)
    if not isinstance(numbers, Mapping):
        return None
    argument = question.check.argument
    name = question.check.metric if argument is None else f"{question.check.metric}({argument})"
    found = numbers.get(name)
    return None if found is None or isinstance(found, Mapping) else float(found)


def on_numbers(
    question: Question, value: float, other: float | None, reference: Reference | None
) -> CheckResult:
    """Return the result of a check on numbers of a user's step.

    Args:
        value: of the candidate. other: of the reference; None for a threshold.
        reference: as it is shown.
    """
    check = question.check
    blank = _blank(question, reference, unpaired=check.reference is not None)
    if check.by is not None:
        return replace(blank, sentence="a step's number says nothing about slices")
    try:
        interval = points(check, value, other, 1)
        estimate = Estimate(value=value, n=1, reference=other)
        verdict = judge(check, estimate, interval, question.metric, 0)
    except StatisticsError as error:
        return replace(blank, sentence=str(error))
    told = "; a number of a step, without bounds"
    if check.reference is not None:
        told = "; unpaired: the two numbers come from different runs, and have no bounds"
    return replace(
        blank,
        standing=Standing.of(verdict.finding),
        sentence=verdict.sentence + told,
        verdict=verdict,
    )


def is_about_service(question: Question) -> bool:
    """Whether the metric is one of the model as a program: latency, throughput, memory."""
    return Producer.TELEMETRY in question.metric.producers


def on_service(
    question: Question,
    candidate: ScoredModel,
    other: ScoredModel | None,
    reference: Reference | None,
    resamples: int,
) -> CheckResult:
    """Return the result of a check on what `evaluate` measured of the models as programs."""
    name, blank = question.check.metric, _blank(question, reference)
    if question.check.by is not None:
        return replace(blank, sentence=f"`{name}` is not measured by `{question.check.by}`")
    try:
        estimate, interval = _times(question, candidate, other, resamples) or _single(
            question, candidate, other
        )
        least = question.facts.min_samples
        exact = 0 if interval.is_exact and least is None else least
        verdict = judge(question.check, estimate, interval, question.metric, exact)
    except (MetricError, StatisticsError) as error:
        return replace(blank, sentence=str(error))
    told = "" if not interval.is_exact else "; one number, without bounds"
    return replace(
        blank,
        standing=Standing.of(verdict.finding),
        sentence=verdict.sentence + told,
        verdict=verdict,
        n=None if interval.is_exact else estimate.n,
        needed=verdict.rows_needed,
    )


def _times(
    question: Question, candidate: ScoredModel, other: ScoredModel | None, resamples: int
) -> tuple[Estimate, Interval] | None:
    """Return a latency with bounds, or None when the single times are not known."""
    if question.metric.family is not Family.QUANTILE:
        return None
    level = QUANTILES.get(question.check.metric)
    mine: list[float] = candidate.facts.get(TIMES) or []
    theirs: list[float] = [] if other is None else other.facts.get(TIMES) or []
    if level is None or not mine or (other is not None and not theirs):
        return None
    confidence = question.facts.confidence
    value = quantile_interval(mine, level, confidence)
    if other is None:
        return Estimate(value=value.estimate, n=value.n), value
    factor = float(question.check.factor)
    found = quantile_difference(
        mine,
        theirs,
        level,
        seed=seed_of(mine, theirs),
        confidence=confidence,
        factor=factor,
        resamples=resamples,
    )
    reference = quantile_interval(theirs, level, confidence).estimate
    return Estimate(value=value.estimate, n=value.n, reference=reference), found


def _single(
    question: Question, candidate: ScoredModel, other: ScoredModel | None
) -> tuple[Estimate, Interval]:
    name = question.check.metric
    value = _number(candidate, name)
    theirs = None if other is None else _number(other, name)
    interval = points(question.check, value, theirs, 1)
    return Estimate(value=value, n=1, reference=theirs), interval


def _number(model: ScoredModel, name: str) -> float:
    found = model.facts.get(name)
    if found is None and name == "throughput":
        seconds = model.facts.get("seconds_per_row")
        found = 1 / seconds if seconds else None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise MetricError(f"`{name}` of the {model.name} was not measured")
    return float(found)


def _blank(
    question: Question, reference: Reference | None, *, unpaired: bool = False
) -> CheckResult:
    return CheckResult(
        check=str(question.check),
        severity=question.facts.severity,
        place=question.place,
        standing=Standing.INCONCLUSIVE,
        sentence="",
        reference=reference,
        by=question.check.by,
        unpaired=unpaired,
    )
