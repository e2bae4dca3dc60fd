"""Quantiles of what was measured, such as latencies."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from mlspec.runtime.metrics.arrays import numbers
from mlspec.runtime.statistics.interval import Interval, normal_bound


def quantile_interval(values: npt.ArrayLike, quantile: float, confidence: float = 0.95) -> Interval:
    """Return the order-statistic interval of a quantile; no distribution is assumed.

    The number of values below the true quantile is binomial, so two of the ordered values bound
    it (Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 3.2). Where there are
    too few values for a bound, it is infinite: 299 values are needed for an upper bound of the
    99 % quantile at 95 % confidence.

    Args:
        values: shape (n,), any order. quantile: between 0 and 1. confidence: of each bound alone.

    Raises:
        MetricError: missing values. StatisticsError: confidence out of range.
    """
    normal_bound(confidence)
    ordered = np.sort(numbers(values, "values"))
    n = ordered.size
    below = bdtr(np.arange(n), n, quantile)  # P(at most k values below the quantile)
    # Low bound: the k-th smallest with P(fewer than k below) <= 1 - confidence.
    rank_low = int(np.searchsorted(below, 1 - confidence, side="right"))
    # High bound: the k-th smallest with P(at most k - 1 below) >= confidence.
    rank_high = int(np.searchsorted(below, confidence, side="left")) + 1
    return Interval(
        estimate=float(ordered[min(n - 1, max(0, math.ceil(quantile * n) - 1))]),
        low=float(ordered[rank_low - 1]) if rank_low >= 1 else -math.inf,
        high=float(ordered[rank_high - 1]) if rank_high <= n else math.inf,
        n=n,
        confidence=confidence,
        test="order statistics",
    )
