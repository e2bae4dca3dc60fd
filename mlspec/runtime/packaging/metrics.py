"""The metrics that a package tells: of the candidate, on the test rows, with intervals.

Duty: choose the usual metrics of the task and those that the checks name, and measure them as the
gate does (`mlspec.runtime.statistics.measure`), so that card and verdict say the same. A metric
that has no value on these rows is left out; the gate says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mlspec.expr.check import Check
from mlspec.expr.check_parser import parse_check
from mlspec.expr.metric import Metric, Producer
from mlspec.expr.metrics import METRICS
from mlspec.ir.facts import ModelFacts
from mlspec.runtime.documents.facts import Measured
from mlspec.runtime.judging.scores import CANDIDATE, Scores
from mlspec.runtime.metrics.arrays import AnyArray, MetricError
from mlspec.runtime.statistics.bootstrap import RESAMPLES
from mlspec.runtime.statistics.interval import StatisticsError
from mlspec.runtime.statistics.measure import Scored, measure

_USUAL = {
    "binary": ("roc_auc", "average_precision", "log_loss", "brier", "recall", "precision"),
    "multiclass": ("accuracy", "balanced_accuracy", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
    "forecast": ("rmse", "mae", "r2"),
}
_DECIDED = ("accuracy", "recall", "precision", "f1")
"""Of a binary model that says a class and no probability."""
MANY_ROWS, FEW_RESAMPLES = 100_000, 200


def measured(model: ModelFacts, scores: Scores) -> tuple[Measured, ...]:
    """Return the metrics of the candidate, each once, all rows first."""
    if scores.labels is None or not scores.n or CANDIDATE not in scores.models:
        return ()
    found: dict[tuple[str, str], Measured] = {}
    for check, metric in _asked(model, scores):
        for where, rows in _rows(check, metric, scores):
            one = _measure(check, metric, scores, rows, where)
            if one is not None:
                found.setdefault((one.metric, one.slice), one)
    return tuple(sorted(found.values(), key=lambda one: one.slice != ""))


def _asked(model: ModelFacts, scores: Scores) -> Iterator[tuple[Check, Metric]]:
    """Give the usual metrics of the task, then those of the checks."""
    usual = _USUAL.get(model.task, ())
    if model.task == "binary" and scores.models[CANDIDATE].predictions.dtype.kind == "b":
        usual = _DECIDED
    texts = [f"{name} >= 0" for name in usual] + [facts.text for facts in model.checks]
    for text in texts:
        check = parse_check(text)
        if not isinstance(check, Check):
            continue
        metric = METRICS.get(check.metric)
        if metric is not None and Producer.SCORES in metric.producers:
            yield check, metric


def _rows(check: Check, metric: Metric, scores: Scores) -> Iterator[tuple[str, AnyArray]]:
    """Give all rows, or the rows of each value of a column that are enough to say something."""
    everything = np.arange(scores.n)
    if check.by is None or metric.per_group:
        yield ("", everything)
        return
    column = scores.slices.get(check.by)
    if column is None:
        return
    for code, name in enumerate(column.names):
        rows = np.flatnonzero(column.codes == code)
        if rows.size >= metric.tests.min_samples:
            yield f"{check.by} = {name}", rows


def _measure(
    check: Check, metric: Metric, scores: Scores, rows: AnyArray, where: str
) -> Measured | None:
    model = scores.models[CANDIDATE]
    labels = np.asarray(scores.labels)
    groups = scores.slices.get(check.by or "") if metric.per_group else None
    scored = Scored(
        labels=labels[rows],
        predictions=model.predictions[rows],
        threshold=model.threshold,
        groups=None if groups is None else groups.texts()[rows],
        clusters=None if scores.clusters is None else scores.clusters[rows],
    )
    limit = parse_check(f"{check.term} >= 0")
    if not isinstance(limit, Check):
        return None
    try:
        estimate, interval = measure(
            limit,
            metric,
            scored,
            resamples=RESAMPLES if rows.size <= MANY_ROWS else FEW_RESAMPLES,
        )
    except (MetricError, StatisticsError):
        return None
    bounded = math.isfinite(interval.low) and math.isfinite(interval.high)
    name = check.term if metric.per_group else check.term.partition(" by ")[0]
    return Measured(
        metric=name,
        value=estimate.value,
        low=interval.low if bounded else None,
        high=interval.high if bounded else None,
        n=estimate.n,
        confidence=interval.confidence,
        test=interval.test,
        slice=where,
    )
