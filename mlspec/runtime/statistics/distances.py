"""Distances of two distributions with their sampling error.

Jensen-Shannon goes the way of the population stability index: for distributions that are not far
apart 8 x divergence (in nats) is the index to second order (both are multiples of chi-square
divergence; Csiszar and Shields, Information Theory and Statistics, 2004, section 4), so that
8 x divergence x n m / (n + m) follows nearly a non-central chi-square with bins - 1 degrees of
freedom. Kolmogorov-Smirnov and Wasserstein are resampled on up to 512 bins of the reference: both
sides' counts are drawn again, and the bounds are those of the basic bootstrap (Davison and Hinkley,
Bootstrap Methods, 1997, section 5.2), because a distance is biased upward by noise and twice so in
a resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import Floats, numbers, same_length
from mlspec.runtime.metrics.shift import counts_of, js, psi
from mlspec.runtime.statistics.bootstrap import RESAMPLES, seed_of
from mlspec.runtime.statistics.drift import below, noncentrality, psi_interval
from mlspec.runtime.statistics.interval import Interval, StatisticsError, normal_bound

SHAPE_BINS = 512
"""Bins that a profile keeps of a column of numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A distance.

    Attributes:
        interval: estimate with one-sided bounds.
        chance: of a distance at least as large as the measured one, if the true one were the
            given number; a p-value for "the distance is at most that".
    """

    interval: Interval
    chance: Callable[[float], float]


def psi_distance(
    reference: npt.ArrayLike, current: npt.ArrayLike, confidence: float = 0.95
) -> Measured:
    """Return the population stability index of two sets of bin counts.

    Args:
        reference, current: shape (bins,), counts. confidence: of each bound alone.

    Raises:
        MetricError: the counts do not fit. StatisticsError: fewer than two bins are used.
    """
    one, other = counts_of(reference, current)
    interval = psi_interval(one, other, confidence)
    used, scale = _sizes(one, other)
    statistic = psi(one, other) * scale
    return Measured(
        interval=interval, chance=lambda limit: 1 - below(statistic, used - 1, limit * scale)
    )


def js_distance(
    reference: npt.ArrayLike, current: npt.ArrayLike, confidence: float = 0.95
) -> Measured:
    """Return the Jensen-Shannon distance (0 to 1, root of bits) of two sets of bin counts.

    Args:
        reference, current: shape (bins,), counts. confidence: of each bound alone.

    Raises:
        MetricError: the counts do not fit. StatisticsError: fewer than two bins are used.
    """
    normal_bound(confidence)
    one, other = counts_of(reference, current)
    used, size = _sizes(one, other)
    if used < 2:
        raise StatisticsError("all rows are in one bin: js has no sampling error")
    estimate = js(one, other)
    scale = 8 * np.log(2.0) * size
    statistic = estimate**2 * scale
    low = (noncentrality(statistic, used - 1, confidence) / scale) ** 0.5
    high = (noncentrality(statistic, used - 1, 1 - confidence) / scale) ** 0.5
    return Measured(
        interval=Interval(
            estimate=estimate,
            low=min(float(low), estimate),
            high=min(1.0, max(float(high), estimate)),
            n=int(other.sum()),
            confidence=confidence,
            test="non-central chi-square",
        ),
        chance=lambda limit: 1 - below(statistic, used - 1, limit**2 * scale),
    )


def _sizes(one: Floats, other: Floats) -> tuple[int, float]:
    """Return how many bins are used, and n m / (n + m)."""
    n, m = float(one.sum()), float(other.sum())
    return int(((one + other) > 0).sum()), n * m / (n + m)


def ks_distance(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Measured:
    """Return the largest difference of two distribution functions, on common bins.

    Args:
        reference, current: shape (bins,), counts in rising bins without one for missing values.
        confidence: of each bound alone. resamples: of the counts; the seed is made from them.

    Raises:
        MetricError: the counts do not fit. StatisticsError: fewer than two rows on a side.
    """
    one, other = counts_of(reference, current)

    def distance(p: Floats, q: Floats) -> Floats:
        return np.asarray(np.abs(np.cumsum(p, axis=1) - np.cumsum(q, axis=1)).max(axis=1))

    return _resampled(distance, one, other, confidence, resamples)


def wasserstein_distance(
    reference: npt.ArrayLike,
    reference_means: npt.ArrayLike,
    current: npt.ArrayLike,
    current_means: npt.ArrayLike,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Measured:
    """Return the area between two distribution functions, in the unit of the column.

    Args:
        reference, current: shape (bins,), counts without a bin for missing values.
        reference_means, current_means: shape (bins,), mean of the values in each bin; any number
            for an empty one.
        confidence: of each bound alone. resamples: of the counts; the seed is made from them.

    Raises:
        MetricError: the counts do not fit. StatisticsError: fewer than two rows on a side.
    """
    one, other = counts_of(reference, current)
    places = np.concatenate((numbers(reference_means, "means"), numbers(current_means, "means")))
    same_length("bins and means", places, np.concatenate((one, other)))
    order = np.argsort(places, kind="stable")
    steps = np.diff(places[order])

    def distance(p: Floats, q: Floats) -> Floats:
        mass = np.concatenate((p, -q), axis=1)[:, order]
        return np.asarray(np.abs(np.cumsum(mass, axis=1)[:, :-1]) @ steps)

    return _resampled(distance, one, other, confidence, resamples)


def _resampled(
    distance: Callable[[Floats, Floats], Floats],
    one: Floats,
    other: Floats,
    confidence: float,
    resamples: int,
) -> Measured:
    normal_bound(confidence)
    n, m = int(one.sum()), int(other.sum())
    if min(n, m) < 2:
        raise StatisticsError("a bootstrap needs at least two rows on each side")
    estimate = float(distance(one[None] / n, other[None] / m)[0])
    seed = seed_of(one, other)
    random = np.random.default_rng(seed)
    first = random.multinomial(n, one / n, resamples) / n
    second = random.multinomial(m, other / m, resamples) / m
    drawn = distance(first, second)
    basic = 2 * estimate - drawn
    low = np.quantile(basic, 1 - confidence)
    # Near no distance at all the basic upper bound falls short; the percentile one does not.
    high = max(np.quantile(basic, confidence), np.quantile(drawn, confidence))
    interval = Interval(
        estimate=estimate,
        low=min(max(0.0, float(low)), estimate),
        high=max(float(high), estimate),
        n=m,
        confidence=confidence,
        test="bootstrap on bins",
        resamples=resamples,
        seed=seed,
    )
    return Measured(
        interval=interval,
        chance=lambda limit: (1 + float((basic <= limit).sum())) / (resamples + 1),
    )
