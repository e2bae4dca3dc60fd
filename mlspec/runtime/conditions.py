"""Conditions on metrics and params, as a running step sees them.

Input: conditions, the values of params, and how to find a step's metrics. Output: true, false, or
why a condition cannot be answered (decision B17: then the step fails). Numbers are compared as
IEEE doubles; a boolean, a text or NaN is not a number that can be compared.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.ir.model import Condition, MetricCondition, Op, ParamCondition

Metrics = Mapping[str, Any]

_OPERATORS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.GE: operator.ge,
    Op.GT: operator.gt,
    Op.LE: operator.le,
    Op.LT: operator.lt,
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """A condition that nothing can answer, and why."""

    reason: str


def read_metrics(path: Path) -> Metrics | None:
    """Return the entries of a metrics file, or None when it is not a JSON object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def as_number(value: object) -> float | None:
    """Return a metric as a double, or None when it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond the doubles compares as infinite
        return math.inf if value > 0 else -math.inf


def numbers_in(metrics: Metrics | None) -> dict[str, float | int]:
    """Return the entries of a metrics file that are finite numbers, in file order."""
    found = metrics or {}
    return {
        name: value
        for name, value in found.items()
        if (number := as_number(value)) is not None and math.isfinite(number)
    }


def all_hold(
    conditions: Iterable[Condition],
    params: Mapping[str, str],
    metrics_of: Callable[[str], Metrics | None],
) -> bool | Unanswerable:
    """Return whether all conditions hold; one that nothing can answer wins over a false one.

    Args:
        conditions: of one step.
        params: values of the run's parameters.
        metrics_of: the metrics of a step that succeeded; None when there are none to read.
    """
    answers = [_answer(condition, params, metrics_of) for condition in conditions]
    for answer in answers:
        if isinstance(answer, Unanswerable):
            return answer
    return all(answers)


def _answer(
    condition: Condition,
    params: Mapping[str, str],
    metrics_of: Callable[[str], Metrics | None],
) -> bool | Unanswerable:
    match condition:
        case ParamCondition():
            return _OPERATORS[condition.op](params[condition.param], condition.value)
        case MetricCondition():
            metrics = metrics_of(condition.step)
            name = f"{condition.step}.{condition.metric}"
            if metrics is None:
                return Unanswerable(f"`{condition.step}` has no metrics, so `{name}` is missing")
            if condition.metric not in metrics:
                return Unanswerable(f"metric `{name}` is missing")
            number = as_number(metrics[condition.metric])
            if number is None or math.isnan(number):
                return Unanswerable(f"metric `{name}` is not a number that can be compared")
            return _OPERATORS[condition.op](number, condition.value)
