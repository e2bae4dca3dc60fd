"""The population stability index with its sampling error, and many columns at once.

Under a true index s, PSI x n m / (n + m) follows nearly a non-central chi-square with bins - 1
degrees of freedom and non-centrality s x n m / (n + m); without drift it is the central one
(Yurdakul and Naranjo, Journal of Risk Model Validation 14, 2020; the non-central form after the
population resemblance statistic, arXiv 2307.11878). Turning the distribution around gives bounds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, chndtr, ndtr

from mlspec.runtime.metrics.arrays import numbers
from mlspec.runtime.metrics.shift import counts_of, psi
from mlspec.runtime.statistics.interval import Interval, StatisticsError, normal_bound

_LARGE = 1e4
"""Non-centrality above which the normal form of the distribution is as exact and faster."""


def psi_interval(
    reference: npt.ArrayLike, current: npt.ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the index of two sets of bin counts with one-sided bounds; the low one may be 0.

    The p-value is that of "no drift". The bounds are about the index of the true shares; a low
    bound above the estimate cannot occur, a high bound below it can for tiny samples of equal
    distributions, and is then raised to the estimate.

    Args:
        reference, current: shape (bins,), counts. confidence: of each bound alone.

    Raises:
        MetricError: the counts do not fit. StatisticsError: fewer than two bins are used.
    """
    normal_bound(confidence)
    one, other = counts_of(reference, current)
    used = int(((one + other) > 0).sum())
    if used < 2:
        raise StatisticsError("all rows are in one bin: psi has no sampling error")
    estimate = psi(one, other)
    n, m = float(one.sum()), float(other.sum())
    scale = n * m / (n + m)
    freedom = used - 1
    low = noncentrality(estimate * scale, freedom, confidence) / scale
    high = noncentrality(estimate * scale, freedom, 1 - confidence) / scale
    return Interval(
        estimate=estimate,
        low=min(low, estimate),
        high=max(high, estimate),
        n=int(m),
        confidence=confidence,
        test="non-central chi-square",
        p_value=float(chdtrc(freedom, estimate * scale)),
    )


def benjamini_hochberg(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return adjusted p-values; those of at most q keep the false discovery rate at q.

    Benjamini and Hochberg, JRSS B 57 (1995) 289-300.

    Args:
        p_values: shape (k,), 0 to 1, in any order; the result is in the same order.

    Raises:
        MetricError: missing values. StatisticsError: a number is no p-value.
    """
    array = numbers(p_values, "p-values")
    if ((array < 0) | (array > 1)).any():
        raise StatisticsError("p-values are from 0 to 1")
    order = np.argsort(array)[::-1]
    raised = array[order] * array.size / np.arange(array.size, 0, -1)
    result = np.empty(array.size)
    result[order] = np.minimum(1.0, np.minimum.accumulate(raised))
    return result


def noncentrality(statistic: float, freedom: int, level: float) -> float:
    """Return the non-centrality at which P(X <= statistic) = level; 0 when even 0 is too large."""

    def excess(center: float) -> float:
        return below(statistic, freedom, center) - level

    if excess(0.0) <= 0:
        return 0.0
    top = 2 * statistic + 50.0
    while excess(top) > 0:
        top *= 2
    return _root(excess, top)


def below(statistic: float, freedom: int, center: float) -> float:
    """Return P(X <= statistic) of a non-central chi-square with non-centrality `center`."""
    if center < _LARGE:
        return float(chndtr(statistic, freedom, center))
    # Sankaran, Biometrika 46 (1959): a power of the statistic is nearly normal.
    a, b = freedom + center, freedom + 2 * center
    power = 1 - 2 * a * (freedom + 3 * center) / (3 * b * b)
    spread = b / (a * a)
    half = (power - 1) * (1 - 3 * power)
    middle = 1 + power * spread * (power - 1 - spread * (2 - power) * half / 2)
    deviation = power * (2 * spread) ** 0.5 * (1 + half * spread / 2)
    return float(ndtr(((statistic / a) ** power - middle) / deviation))


def _root(function: Callable[[float], float], top: float) -> float:
    """Return where a falling function crosses 0 between 0 and `top`, by halving."""
    low, high = 0.0, top
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high) or high - low <= 1e-12 * high:
            break
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
