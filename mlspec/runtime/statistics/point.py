"""The value of a metric on scored rows, without an interval: for tuning and for thresholds.

Duty: the same number that `mlspec.runtime.statistics.measure` puts its interval around. In: a
metric of the registry and rows. Out: a float; it may be NaN where the metric has no value.
"""

from __future__ import annotations

import numpy as np

from mlspec.expr.check import Setting
from mlspec.expr.metric import Metric
from mlspec.runtime.statistics.measure import Scored, _Side


def point(metric: Metric, setting: Setting | None, rows: Scored) -> float:
    """Return the value of a metric.

    Args:
        metric: its registry entry. setting: the argument in brackets, if it has one.
        rows: labels and predictions; `reference` is not looked at.

    Raises:
        MetricError: the metric has no value on these rows. StatisticsError: it is not one of
            scored rows.
    """
    side = _Side(rows, np.asarray(rows.predictions), rows.threshold)
    return float(side.statistic(metric.name, setting)(np.ones((1, side.n)))[0])
