"""What importance is measured in: the metric that the model is gated by, or one for its task.

Duty: choose a metric and make it a loss of predictions, larger for a worse model. The first check
of the promotion that is about scored rows and says which way is better is taken; without one, the
metric of the task; without labels, or where it has no value, the change of the prediction itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlspec.expr.check import Check, Setting
from mlspec.expr.check_parser import parse_check
from mlspec.expr.metric import Better, Metric
from mlspec.expr.metrics import METRICS
from mlspec.ir.facts import ModelFacts
from mlspec.runtime.explain.permutation import Loss
from mlspec.runtime.metrics.arrays import AnyArray, MetricError
from mlspec.runtime.models.objective import class_numbers
from mlspec.runtime.statistics.interval import StatisticsError
from mlspec.runtime.statistics.measure import Scored
from mlspec.runtime.statistics.point import point
from mlspec.runtime.steps.contract import StepError

CHANGE = "change of the prediction"
_BY_TASK = {
    "binary": ("average_precision", "accuracy"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("rmse",),
    "forecast": ("rmse",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A loss with its name.

    Attributes:
        name: of the metric, as in checks. value: of the model as it is; None for `CHANGE`.
        loss: larger is worse.
    """

    name: str
    value: float | None
    loss: Loss


def measure_for(
    model: ModelFacts,
    labels: AnyArray | None,
    predictions: AnyArray,
    *,
    classes: Sequence[Any] | None = None,
    threshold: float | None = None,
    queries: AnyArray | None = None,
) -> Measure:
    """Return what importance is measured in.

    Args:
        model: with its checks. labels: shape (n,); None without labels.
        predictions: of the model as it is, shape (n,) or (n, k) in the order of `classes`.
        threshold: at which a probability is a positive decision. queries: shape (n,), of rankings.
    """
    if labels is not None:
        for name, metric, setting in _candidates(model):
            told = _Told(metric, setting, labels, classes, threshold, queries)
            value = told.value(predictions)
            if value is not None:
                return Measure(name=name, value=value, loss=told.loss)
    return Measure(name=CHANGE, value=None, loss=_change_from(predictions))


def _candidates(model: ModelFacts) -> list[tuple[str, Metric, Setting | None]]:
    found = []
    texts = [facts.text for facts in model.checks]
    texts += [f"{name} >= 0" for name in _BY_TASK.get(model.task, ())]
    for text in texts:
        check = parse_check(text)
        metric = METRICS.get(check.metric) if isinstance(check, Check) else None
        if not isinstance(check, Check) or metric is None:
            continue
        if metric.needs_labels and not metric.per_group and metric.better is not Better.NONE:
            setting = check.argument if isinstance(check.argument, Setting) else None
            name = metric.name if setting is None else f"{metric.name}({setting})"
            found.append((name, metric, setting))
    return found


@dataclass(frozen=True, slots=True)
class _Told:
    metric: Metric
    setting: Setting | None
    labels: AnyArray
    classes: Sequence[Any] | None
    threshold: float | None
    queries: AnyArray | None

    def value(self, predictions: AnyArray) -> float | None:
        """Return the metric, or None where it has no value on these rows."""
        try:
            labels = self.labels
            if predictions.ndim == 2 and self.classes is not None:
                labels = class_numbers(labels, self.classes)
            rows = Scored(
                labels=labels,
                predictions=predictions,
                threshold=0.5 if self.threshold is None else self.threshold,
                queries=self.queries,
            )
            found = point(self.metric, self.setting, rows)
        except (MetricError, StatisticsError, StepError):
            return None  # the next metric is tried, and `CHANGE` always has a value
        return found if np.isfinite(found) else None

    def loss(self, predictions: AnyArray) -> float:
        found = self.value(predictions)
        if found is None:
            raise StepError(f"`{self.metric.name}` has no value when an input is shuffled")
        return -found if self.metric.better is Better.HIGHER else found


def _change_from(before: AnyArray) -> Loss:
    def loss(predictions: AnyArray) -> float:
        if before.dtype.kind in "fiub":
            return float(np.abs(predictions.astype(np.float64) - before).mean())
        return float((predictions != before).mean())

    return loss
