"""From which probability on a decision is positive, chosen on validation rows.

The thresholds that are tried lie between neighbouring predictions, so that each possible set of
decisions is tried once; with many rows an even choice of them. Of equally good ones the nearest to
0.5 is taken. Source of the rule: language design B12 and C17 (`threshold: {maximize: metric}`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlspec.runtime.metrics.arrays import AnyArray, Floats
from mlspec.runtime.models.objective import Objective, measured
from mlspec.runtime.steps.contract import StepError

MOST = 512
"""Thresholds that are tried at most."""


def choose_threshold(
    objective: Objective,
    labels: AnyArray,
    chances: AnyArray,
    *,
    keys: Sequence[str] = (),
    project: Path | None = None,
) -> tuple[float, float]:
    """Return the threshold with the best objective, and that objective.

    Args:
        objective: a metric that depends on decisions, such as `f1`.
        labels: of the validation rows, shape (n,). chances: their probabilities, shape (n,).
        keys, project: for a metric of the user's own.

    Raises:
        StepError: the metric does not depend on the threshold, or has no value at any.
    """
    if chances.ndim != 1:
        raise StepError("a threshold is for one probability for each row, not for several classes")
    best: tuple[float, float] | None = None
    values = set()
    for level in candidates(chances):
        try:
            value = measured(
                objective,
                labels,
                (chances >= level).astype(np.float64) if objective.function else chances,
                threshold=level,
                keys=keys,
                project=project,
            )
        except StepError:
            continue  # such as a precision without positive decisions: not a choice
        values.add(value)
        if (
            best is None
            or objective.better(value, best[1])
            or (value == best[1] and abs(level - 0.5) < abs(best[0] - 0.5))
        ):
            best = (level, value)
    if best is None:
        raise StepError(f"`{objective.text}` has no value at any threshold on the validation rows")
    if len(values) == 1 and len(np.unique(chances)) > 1 and objective.metric is not None:
        raise StepError(
            f"`{objective.text}` is the same at every threshold",
            help="name a metric of decisions, such as `f1`, `accuracy` or `balanced_accuracy`",
        )
    return best


def candidates(chances: AnyArray) -> list[float]:
    """Return the thresholds to try: 0.5, and middles between neighbouring predictions."""
    levels: Floats = np.unique(chances)
    between = (levels[1:] + levels[:-1]) / 2
    if between.size > MOST:
        between = between[np.linspace(0, between.size - 1, MOST).round().astype(int)]
    return sorted({0.5, *between.tolist()})
