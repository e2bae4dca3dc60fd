"""Quantiles of what was measured, such as latencies."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from mlspec.runtime.metrics.arrays import Floats, numbers
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, normal_bound


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
        estimate=_at(ordered, quantile),
        low=float(ordered[rank_low - 1]) if rank_low >= 1 else -math.inf,
        high=float(ordered[rank_high - 1]) if rank_high <= n else math.inf,
        n=n,
        confidence=confidence,
        test="order statistics",
    )


def quantile_difference(
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    quantile: float,
    *,
    seed: int,
    confidence: float = 0.95,
    factor: float = 1.0,
    resamples: int = 1000,
) -> Interval:
    """Return the bootstrap interval of a quantile - factor x that of independent values.

    Percentile bounds; each side is drawn for itself, because times of two models are not paired
    (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, sections 8.3 and 13.3). A
    quantile needs values beyond it: at least 3, that is 300 for 99 %. There the bounds of
    log-normal times miss in 3 to 5 % of draws (tests/unit/runtime/statistics/test_ranktests.py).

    Args:
        values, reference: shapes (n,) and (m,), any order. quantile: between 0 and 1.
        seed: of the draws. confidence: of each bound alone. factor: multiplies the reference.
        resamples: at least 100.

    Raises:
        MetricError: missing values. StatisticsError: too few values, or confidence out of range.
    """
    normal_bound(confidence)
    one, other = np.sort(numbers(values, "values")), np.sort(numbers(reference, "values"))
    least = math.ceil(round(3 / min(quantile, 1 - quantile), 6))
    if min(one.size, other.size) < least:
        raise StatisticsError(
            f"{min(one.size, other.size)} values are too few to compare "
            f"{quantile * 100:g} % quantiles: at least {least} are needed"
        )
    random = np.random.default_rng(seed)
    mine, theirs = (_resampled(random, side, quantile, resamples) for side in (one, other))
    low, high = np.quantile(mine - factor * theirs, [1 - confidence, confidence])
    estimate = _at(one, quantile) - factor * _at(other, quantile)
    return Interval(
        scale=Scale.DIFFERENCE,
        estimate=estimate,
        low=min(float(low), estimate),
        high=max(float(high), estimate),
        n=int(min(one.size, other.size)),
        confidence=confidence,
        test="bootstrap of two quantiles",
        resamples=resamples,
        seed=seed,
    )


def _at(ordered: Floats, quantile: float) -> float:
    return float(ordered[min(ordered.size - 1, max(0, math.ceil(quantile * ordered.size) - 1))])


def _resampled(
    random: np.random.Generator, ordered: Floats, quantile: float, resamples: int
) -> Floats:
    """Return the quantile of resamples: the place of its order statistic is all that is drawn."""
    n = ordered.size
    rank = min(n, max(1, math.ceil(quantile * n)))
    # The rank-th smallest of n uniform numbers is Beta(rank, n - rank + 1); rounded down to a
    # place it is the place of the rank-th smallest of n draws.
    places = np.floor(random.beta(rank, n - rank + 1, resamples) * n).astype(np.int64)
    return np.asarray(ordered[np.minimum(places, n - 1)], dtype=np.float64)
