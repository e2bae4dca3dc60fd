"""The paired bootstrap: percentile bounds of any statistic of the rows.

Efron, Annals of Statistics 7 (1979) 1-26; percentile bounds after Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13. Rows are drawn with replacement, the same ones
for both models; within strata (the label), so that no resample lacks a class; and in clusters
(rows of one entity) when rows are not independent.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import AnyArray, Floats, Integers, known, same_length
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, normal_bound
from mlspec.runtime.statistics.weighted import Statistic

RESAMPLES = 1000
_AT_ONCE = 2_000_000
"""Counts held at a time: about 16 MB per array."""


def seed_of(*arrays: npt.ArrayLike) -> int:
    """Return a seed from the data, so that the same rows give the same verdict."""
    digest = hashlib.sha256()
    for values in arrays:
        array = np.asarray(values)
        plain = np.array([str(one) for one in array.ravel()]) if array.dtype.kind == "O" else array
        digest.update(f"{plain.dtype.str}{plain.shape}".encode())
        digest.update(np.ascontiguousarray(plain).tobytes())
    return int.from_bytes(digest.digest()[:6], "big")


def bootstrap(
    statistic: Statistic,
    n: int,
    *,
    seed: int,
    strata: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    scale: Scale = Scale.VALUE,
) -> Interval:
    """Return the percentile interval of a statistic (see `mlspec.runtime.statistics.weighted`).

    Args:
        statistic: from counts of shape (b, n) to values of shape (b,).
        n: rows. seed: of the draws; see `seed_of`.
        strata: shape (n,), drawn within; a cluster belongs to the largest stratum value it has.
        clusters: shape (n,), rows with the same value are drawn together.
        resamples: at least 100. confidence: of each bound alone.
        scale: what the statistic is, for the verdict.

    Raises:
        MetricError: missing strata or clusters. StatisticsError: fewer than two rows or clusters,
            or the statistic has no value on the rows or on a resample.
    """
    normal_bound(confidence)
    if resamples < 100:
        raise StatisticsError(f"a bootstrap needs at least 100 resamples, not {resamples}")
    unit_of_row, stratum_of_unit = _units(n, strata, clusters)
    estimate = float(statistic(np.ones((1, n)))[0])
    if not np.isfinite(estimate):
        raise StatisticsError("the metric has no value on these rows")
    members = [np.flatnonzero(stratum_of_unit == s) for s in np.unique(stratum_of_unit)]
    random = np.random.default_rng(seed)
    values = np.empty(resamples)
    block = max(1, _AT_ONCE // n)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        counts = _draw(random, members, stratum_of_unit.size, size)
        values[start : start + size] = statistic(counts[:, unit_of_row])
    lacking = int((~np.isfinite(values)).sum())
    if lacking:
        raise StatisticsError(
            f"the metric has no value on {lacking} of {resamples} resamples: too few rows"
        )
    low, high = np.quantile(values, [1 - confidence, confidence])
    name = "bootstrap" if scale is Scale.VALUE else "paired bootstrap"
    return Interval(
        scale=scale,
        estimate=estimate,
        low=min(float(low), estimate),
        high=max(float(high), estimate),
        n=n,
        confidence=confidence,
        test=name if clusters is None else f"{name}, clustered",
        resamples=resamples,
        seed=seed,
    )


def _units(
    n: int, strata: npt.ArrayLike | None, clusters: npt.ArrayLike | None
) -> tuple[Integers, Integers]:
    """Return the unit of each row, and the stratum of each unit."""
    rows = np.arange(n)
    unit_of_row = rows if clusters is None else _numbered(clusters, "clusters", rows)
    count = int(unit_of_row.max(initial=-1)) + 1
    if count < 2:
        what = "rows" if clusters is None else "clusters"
        raise StatisticsError(f"a bootstrap needs at least two {what}")
    stratum_of_unit = np.zeros(count, dtype=np.int64)
    if strata is not None:
        np.maximum.at(stratum_of_unit, unit_of_row, _numbered(strata, "strata", rows))
    return unit_of_row, stratum_of_unit


def _numbered(values: npt.ArrayLike, what: str, rows: AnyArray) -> Integers:
    array = known(values, what)
    same_length(f"rows and {what}", rows, array)
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _draw(
    random: np.random.Generator, members: list[npt.NDArray[np.int64]], units: int, size: int
) -> Floats:
    """Return how often each unit is drawn, shape (size, units)."""
    counts = np.empty((size, units))
    for inside in members:
        drawn = random.integers(0, inside.size, (size, inside.size))
        drawn += np.arange(size)[:, None] * inside.size
        flat = np.bincount(drawn.ravel(), minlength=size * inside.size)
        counts[:, inside] = flat.reshape(size, inside.size)
    return counts
