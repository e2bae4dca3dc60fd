"""Shares of rows or requests: one share, two shares of the same rows, ratios of two shares."""

from __future__ import annotations

import math

from scipy.special import bdtr, ndtr

from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, normal_bound


def wilson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the score interval of a share.

    Wilson, JASA 22 (1927); method 3 of Newcombe, Statistics in Medicine 17 (1998) 857-872.

    Args:
        hits: rows that count. n: all rows, at least 1. confidence: of each bound alone.

    Raises:
        StatisticsError: hits are not between 0 and n, or n is 0.
    """
    low, high = _score(hits, n, normal_bound(confidence))
    return Interval(
        estimate=hits / n, low=low, high=high, n=n, confidence=confidence, test="Wilson interval"
    )


def newcombe_paired(
    both: int, only_first: int, only_second: int, neither: int, confidence: float = 0.95
) -> Interval:
    """Return the interval of first share minus second share on the same rows.

    Method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635-2650: the Wilson bounds of the
    two shares, put together with their correlation. The p-value is that of `mcnemar`.

    Args:
        both, only_first, only_second, neither: rows by which of the two decisions counts.
        confidence: of each bound alone.

    Raises:
        StatisticsError: a count is negative or there are no rows.
    """
    counts = (both, only_first, only_second, neither)
    n = sum(counts)
    if min(counts) < 0 or not n:
        raise StatisticsError("paired counts are 0 or more, and not all 0")
    z = normal_bound(confidence)
    first, second = (both + only_first) / n, (both + only_second) / n
    low_1, high_1 = _score(both + only_first, n, z)
    low_2, high_2 = _score(both + only_second, n, z)
    phi = _correlation(both, only_first, only_second, neither)
    down = _distance(first - low_1, high_2 - second, phi)
    up = _distance(high_1 - first, second - low_2, phi)
    return Interval(
        scale=Scale.DIFFERENCE,
        estimate=first - second,
        low=max(-1.0, first - second - down),
        high=min(1.0, first - second + up),
        n=n,
        confidence=confidence,
        test="Newcombe interval of a paired difference",
        p_value=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value of "both shares are equal".

    Binomial test with chance 1/2 on the rows on which the decisions differ (McNemar,
    Psychometrika 12, 1947); 1 when they never differ.

    Raises:
        StatisticsError: a count is negative.
    """
    if min(only_first, only_second) < 0:
        raise StatisticsError("counts of a test are 0 or more")
    differing = only_first + only_second
    if not differing:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), differing, 0.5)))


def relative_risk(
    hits: int, n: int, reference_hits: int, reference_n: int, confidence: float = 0.95
) -> Interval:
    """Return the interval of share / reference share of two independent groups.

    Normal on the logarithm, with half a hit added to each side so that groups without hits have
    an interval (Katz et al., Biometrics 34, 1978; the half: Walter, Biometrika 62, 1975). The
    estimate carries the same half, so that it lies inside.

    Args:
        hits, n: of the candidate. reference_hits, reference_n: of the reference.
        confidence: of each bound alone.

    Raises:
        StatisticsError: counts do not fit, or a group is empty.
    """
    for part, whole in ((hits, n), (reference_hits, reference_n)):
        if not 0 <= part <= whole or not whole:
            raise StatisticsError(f"{part} of {whole} rows is no share")
    one, other = hits + 0.5, reference_hits + 0.5
    size, reference_size = n + 0.5, reference_n + 0.5
    ratio = math.log(one / size) - math.log(other / reference_size)
    error = math.sqrt(max(0.0, 1 / one - 1 / size + 1 / other - 1 / reference_size))
    reach = normal_bound(confidence) * error
    return Interval(
        scale=Scale.RATIO,
        estimate=math.exp(ratio),
        low=math.exp(ratio - reach),
        high=math.exp(ratio + reach),
        n=n + reference_n,
        confidence=confidence,
        test="log relative risk",
        logarithmic=True,
        p_value=2 * float(ndtr(-abs(ratio) / error)) if error else 1.0,
    )


def _score(hits: int, n: int, z: float) -> tuple[float, float]:
    if n < 1 or not 0 <= hits <= n:
        raise StatisticsError(f"{hits} of {n} rows is no share")
    share = hits / n
    middle = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if hits == 0 else (middle - reach) / scale
    high = 1.0 if hits == n else (middle + reach) / scale
    return low, high


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Return Newcombe's phi: with half the rows taken off a positive product, never below 0."""
    margins = (
        (both + only_first)
        * (only_second + neither)
        * (both + only_second)
        * (only_first + neither)
    )
    if not margins:
        return 0.0
    product = float(both * neither - only_first * only_second)
    if product > 0:
        product = max(0.0, product - (both + only_first + only_second + neither) / 2)
    return product / math.sqrt(margins)


def _distance(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))
