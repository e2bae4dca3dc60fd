"""One number for one model on one set of rows: what tuning compares and thresholds maximise.

In: text of a metric with its argument (`roc_auc`, `recall(fpr=1%)`) or a metric of the user's own,
predictions and labels. Out: a float and the direction. The number is the one that the gate's
interval is built around; the test rows never come here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.expr.check import Check, Setting
from mlspec.expr.check_parser import parse_check
from mlspec.expr.metric import Better, Metric
from mlspec.expr.metrics import METRICS
from mlspec.ir.facts import MetricFacts
from mlspec.runtime.functions import load_function, user_code
from mlspec.runtime.metrics.arrays import AnyArray, MetricError
from mlspec.runtime.models.tabular import plain
from mlspec.runtime.statistics.interval import StatisticsError
from mlspec.runtime.statistics.measure import Scored
from mlspec.runtime.statistics.point import point
from mlspec.runtime.steps.contract import StepError


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What is measured.

    Attributes:
        text: as the spec writes it. maximise: whether a higher number is better.
        metric, setting: of the registry; None for the user's own.
        function: `module:function` of the user's own metric.
    """

    text: str
    maximise: bool
    metric: Metric | None = None
    setting: Setting | None = None
    function: str | None = None

    def better(self, one: float, other: float) -> bool:
        """Whether the first number is strictly better than the second."""
        return one > other if self.maximise else one < other


def objective_of(text: str, own: Sequence[MetricFacts] = ()) -> Objective:
    """Return the objective that a text names.

    Args:
        text: a metric, maybe with an argument in brackets.
        own: the user's own metrics.

    Raises:
        StepError: it names no metric that has a direction and can be computed from scored rows.
    """
    for one in own:
        if one.name == text:
            if one.function is None or one.better == "none":
                raise StepError(
                    f"the metric `{text}` cannot be an objective",
                    help="give it a `function`, and `better: higher` or `lower`",
                )
            return Objective(text=text, maximise=one.better == "higher", function=one.function)
    check = parse_check(f"{text} >= 0")
    metric = METRICS.get(check.metric) if isinstance(check, Check) else None
    if not isinstance(check, Check) or metric is None:
        raise StepError(f"`{text}` is no metric", help="write a metric such as `roc_auc`")
    if metric.better is Better.NONE or not metric.pairable or metric.per_group:
        raise StepError(f"`{text}` cannot be an objective: it does not say which model is better")
    setting = check.argument if isinstance(check.argument, Setting) else None
    return Objective(
        text=text, maximise=metric.better is Better.HIGHER, metric=metric, setting=setting
    )


def measured(
    objective: Objective,
    labels: AnyArray,
    predictions: AnyArray,
    *,
    classes: Sequence[Any] | None = None,
    threshold: float | None = None,
    keys: Sequence[str] = (),
    project: Path | None = None,
) -> float:
    """Return the objective of predictions.

    Args:
        labels: shape (n,). predictions: shape (n,), or (n, k) probabilities in order of `classes`.
        threshold: at which a probability is a positive decision; None: 0.5.
        keys, project: for the user's own metric.

    Raises:
        StepError: it has no finite value on these rows.
    """
    if objective.function is not None:
        value = _own(objective.function, labels, predictions, keys, project or Path.cwd())
    else:
        assert objective.metric is not None  # noqa: S101  one of the two is set
        known = classes if predictions.ndim == 2 else None
        rows = Scored(
            labels=labels if known is None else class_numbers(labels, known),
            predictions=predictions,
            threshold=0.5 if threshold is None else threshold,
        )
        try:
            value = point(objective.metric, objective.setting, rows)
        except (MetricError, StatisticsError) as error:
            raise StepError(f"`{objective.text}` has no value on these rows: {error}") from error
    if not math.isfinite(value):
        raise StepError(f"`{objective.text}` has no value on these rows")
    return value


def class_numbers(labels: AnyArray, classes: Sequence[Any]) -> AnyArray:
    """Return the place of each label among the classes, shape (n,).

    Raises:
        StepError: a label is none of them.
    """
    places = {one: place for place, one in enumerate(classes)}
    texts = {str(one): place for place, one in enumerate(classes)}
    found = np.array(
        [places.get(plain(one), texts.get(str(plain(one)), -1)) for one in labels], dtype=np.int64
    )
    if (found < 0).any():
        odd = labels[int((found < 0).argmax())]
        raise StepError(
            f"the class `{odd}` is none that the model knows",
            help=f"it learned {', '.join(map(str, classes))}: let the training rows hold them all",
        )
    return found


def _own(
    function: str, labels: AnyArray, predictions: AnyArray, keys: Sequence[str], project: Path
) -> float:
    table = pa.table(
        {
            "_key": pa.array([str(one) for one in keys] or [str(n) for n in range(len(labels))]),
            "label": pa.array(labels.tolist()),
            "prediction": pa.array(predictions.tolist()),
        }
    )
    called = load_function(function, project)
    with user_code(function, project):
        return float(called(table))
