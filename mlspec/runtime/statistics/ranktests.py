"""Shifts by ranks: Wilcoxon's signed ranks for paired numbers, Mann-Whitney for two samples.

Both give the Hodges-Lehmann estimate and its bounds, which are order statistics of all pairwise
means or differences (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed.
2014, sections 3.1 to 3.3 and 4.1 to 4.3). The pairs are never stored: the k-th smallest is found
by halving, with a count in O(n log n). Null distributions are exact up to `EXACT` rows and normal
above; ties make bounds slightly too wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from mlspec.runtime.metrics.arrays import Floats, numbers, same_length
from mlspec.runtime.metrics.ranks import midranks
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, normal_bound

EXACT = 50
"""Rows (of the larger sample) up to which the null distribution is counted out."""

Count = Callable[[float], int]


def wilcoxon(
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    confidence: float = 0.95,
    factor: float = 1.0,
) -> Interval:
    """Return the interval of the middle of values - factor x reference, row by row.

    The middle is the pseudo-median: half of all means of two differences lie below it. It is the
    mean if the differences are symmetric, which the bounds assume (Wilcoxon, Biometrics Bulletin 1,
    1945; Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963). The p-value is that of
    the signed-rank test of "no shift"; rows without a difference do not count for it.

    Args:
        values, reference: shape (n,), n at least 2, losses of the same rows.
        confidence: of each bound alone. factor: multiplies the reference.

    Raises:
        MetricError: missing values or different lengths. StatisticsError: fewer than two rows.
    """
    one, other = numbers(values, "values"), numbers(reference, "values of the reference")
    same_length("values and those of the reference", one, other)
    apart = np.sort(one - factor * other)
    n = apart.size
    if n < 2:
        raise StatisticsError("signed ranks need at least two rows")
    z = normal_bound(confidence)
    pairs = n * (n + 1) // 2
    if n <= EXACT:
        rank = _exact_rank(_signed_counts(n), 1 - confidence)
    else:
        rank = math.floor(pairs / 2 - z * math.sqrt(n * (n + 1) * (2 * n + 1) / 24))

    def below(limit: float) -> int:
        """Count the pairs, each row with itself too, whose sum is at most the limit."""
        ends = np.searchsorted(apart, limit - apart, side="right")
        return int(np.maximum(0, ends - np.arange(n)).sum())

    reach = (2 * float(apart[0]), 2 * float(apart[-1]))
    return Interval(
        scale=Scale.DIFFERENCE,
        estimate=_middle(below, pairs, reach) / 2,
        low=_kth(below, rank, reach) / 2 if rank >= 1 else -math.inf,
        high=_kth(below, pairs + 1 - rank, reach) / 2 if rank >= 1 else math.inf,
        n=n,
        confidence=confidence,
        test="Wilcoxon signed rank",
        p_value=_signed_p(apart),
    )


def mann_whitney(
    values: npt.ArrayLike, reference: npt.ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the interval of how far one sample lies above another, independent one.

    The estimate is the middle of all differences (Hodges and Lehmann, 1963; Mann and Whitney,
    Annals of Mathematical Statistics 18, 1947). The p-value is that of "neither tends to be
    larger", two-sided, with the correction for ties and for continuity where it is normal.

    Args:
        values, reference: shapes (n,) and (m,), at least 2 each. confidence: of each bound alone.

    Raises:
        MetricError: missing values. StatisticsError: fewer than two values on a side.
    """
    one = np.sort(numbers(values, "values"))
    other = np.sort(numbers(reference, "values of the reference"))
    n, m = one.size, other.size
    if min(n, m) < 2:
        raise StatisticsError("a comparison of two samples needs at least two values of each")
    z = normal_bound(confidence)
    pairs = n * m
    if max(n, m) <= EXACT:
        rank = _exact_rank(_whitney_counts(n, m), 1 - confidence)
    else:
        rank = math.floor(pairs / 2 - z * math.sqrt(n * m * (n + m + 1) / 12))

    def below(limit: float) -> int:
        """Count the differences that are at most the limit."""
        return int((m - np.searchsorted(other, one - limit, side="left")).sum())

    reach = (float(one[0] - other[-1]), float(one[-1] - other[0]))
    return Interval(
        scale=Scale.DIFFERENCE,
        estimate=_middle(below, pairs, reach),
        low=_kth(below, rank, reach) if rank >= 1 else -math.inf,
        high=_kth(below, pairs + 1 - rank, reach) if rank >= 1 else math.inf,
        n=n + m,
        confidence=confidence,
        test="Mann-Whitney, Hodges-Lehmann",
        p_value=_whitney_p(one, other),
    )


@lru_cache(maxsize=64)
def _signed_counts(n: int) -> Floats:
    """Return how many of the 2^n signs give each sum of positive ranks, as shares."""
    shares = np.array([1.0])
    for rank in range(1, n + 1):
        grown = np.zeros(shares.size + rank)
        grown[: shares.size] += shares / 2
        grown[rank:] += shares / 2
        shares = grown
    return shares


@lru_cache(maxsize=64)
def _whitney_counts(n: int, m: int) -> Floats:
    """Return how many orders of n and m values give each U, as shares.

    The Gaussian binomial coefficient, built as a product of (1 - q^(m+i)) / (1 - q^i).
    """
    size = n * m + 1
    counts = np.zeros(size)
    counts[0] = 1.0
    for i in range(1, n + 1):
        counts[m + i :] -= counts[: max(0, size - m - i)].copy()  # times 1 - q^(m+i)
        for start in range(i):  # divided by 1 - q^i
            counts[start::i] = np.cumsum(counts[start::i])
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _exact_rank(shares: Floats, alpha: float) -> int:
    """Return the largest k with P(statistic <= k - 1) <= alpha; 0 when there is none."""
    return int(np.searchsorted(np.cumsum(shares), alpha * (1 + 1e-12), side="right"))


def _signed_p(apart: Floats) -> float:
    """Return the two-sided p-value of the signed-rank test."""
    moved = apart[apart != 0]
    n = moved.size
    if not n:
        return 1.0
    ranks = midranks(np.abs(moved))
    total = float(ranks[moved > 0].sum())
    if n <= EXACT and np.unique(np.abs(moved)).size == n:
        shares = _signed_counts(n)
        place = round(total)
        tail = min(float(shares[: place + 1].sum()), float(shares[place:].sum()))
        return min(1.0, 2 * tail)
    # The variance of half the ranks, which knows ties.
    error = math.sqrt(float((ranks**2).sum()) / 4)
    return 2 * float(ndtr(-abs(total - n * (n + 1) / 4) / error))


def _whitney_p(one: Floats, other: Floats) -> float:
    n, m = one.size, other.size
    ranks = midranks(np.concatenate((one, other)))
    statistic = float(ranks[:n].sum()) - n * (n + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    if max(n, m) <= EXACT and ties.max() == 1:
        shares = _whitney_counts(n, m)
        place = round(statistic)
        tail = min(float(shares[: place + 1].sum()), float(shares[place:].sum()))
        return min(1.0, 2 * tail)
    total = n + m
    tied = float((ties**3 - ties).sum()) / (total * (total - 1))
    error = math.sqrt(n * m / 12 * (total + 1 - tied))
    if not error:
        return 1.0
    return min(1.0, 2 * float(ndtr(-(abs(statistic - n * m / 2) - 0.5) / error)))


def _middle(below: Count, pairs: int, reach: tuple[float, float]) -> float:
    low = _kth(below, (pairs + 1) // 2, reach)
    return low if pairs % 2 else (low + _kth(below, pairs // 2 + 1, reach)) / 2


def _kth(below: Count, rank: int, reach: tuple[float, float]) -> float:
    """Return the smallest number at or below which there are `rank` pairs."""
    low, high = reach
    low -= abs(low) * 1e-15 + 1e-300
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if below(middle) >= rank:
            high = middle
        else:
            low = middle
    return high
