"""Distances between a reference and what arrives now.

Bins are fixed on the reference: ten quantile bins (merged when tied) for numbers, levels above
0.5 % and `other` for categories, and one bin for missing values. Counts, not rows, are what the
distances need, so a profile is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import (
    Floats,
    MetricError,
    missing,
    numbers,
    same_length,
    vector,
)

QUANTILE_BINS = 10
SMALLEST_LEVEL = 0.005


@dataclass(frozen=True, slots=True)
class NumberBins:
    """Bins of numbers.

    Attributes:
        edges: inner edges, rising; a value on an edge belongs to the bin below it.
    """

    edges: Floats


@dataclass(frozen=True, slots=True)
class LevelBins:
    """Bins of categories; the last two bins are other levels and missing values.

    Attributes:
        levels: texts of the levels with a bin of their own.
    """

    levels: tuple[str, ...]


def number_bins(reference: npt.ArrayLike, bins: int = QUANTILE_BINS) -> NumberBins:
    """Return quantile bins of the present values of a reference.

    Raises:
        MetricError: no value is present.
    """
    array = vector(reference, "reference values")
    present = numbers(array[~missing(array)], "present reference values")
    edges = np.unique(np.quantile(present, np.arange(1, bins) / bins, method="inverted_cdf"))
    # An edge at the largest value would leave the bin above it empty by construction.
    return NumberBins(edges[edges < present.max()])


def level_bins(reference: npt.ArrayLike, smallest: float = SMALLEST_LEVEL) -> LevelBins:
    """Return the levels of a reference that hold more than `smallest` of its rows.

    Raises:
        MetricError: there are no rows.
    """
    array = vector(reference, "reference values")
    names, counts = np.unique(array[~missing(array)].astype(str), return_counts=True)
    return LevelBins(tuple(str(name) for name in names[counts > smallest * array.size]))


def binned(values: npt.ArrayLike, bins: NumberBins | LevelBins) -> Floats:
    """Return the count of each bin; missing values are the last one.

    Raises:
        MetricError: there are no values.
    """
    array = vector(values, "values")
    gone = missing(array)
    present = array[~gone]
    if isinstance(bins, NumberBins):
        size = bins.edges.size + 1
        place = np.searchsorted(bins.edges, present.astype(np.float64), side="left")
    else:
        size = len(bins.levels) + 1
        order = {name: index for index, name in enumerate(bins.levels)}
        texts = present.astype(str)
        place = np.array([order.get(str(text), size - 1) for text in texts], dtype=np.int64)
    counts = np.bincount(place, minlength=size).astype(np.float64)
    return np.append(counts, float(gone.sum()))


def psi(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the population stability index of two sets of bin counts.

    Sum of (p - q) ln(p / q) with half a row added to every bin; bins that are empty on both
    sides do not count (Yurdakul and Naranjo, Journal of Risk Model Validation 14, 2020).

    Args:
        reference, current: shape (bins,), counts.

    Raises:
        MetricError: different bins, negative counts or an empty side.
    """
    p, q = smoothed(reference, current)
    return float(((p - q) * np.log(p / q)).sum())


def smoothed(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the shares of the bins that are not empty on both sides, with half a row added.

    Raises:
        MetricError: see `psi`.
    """
    one, other = counts_of(reference, current)
    used = (one + other) > 0
    one, other = one[used] + 0.5, other[used] + 0.5
    return one / one.sum(), other / other.sum()


def counts_of(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return two checked sets of counts of the same bins.

    Raises:
        MetricError: see `psi`.
    """
    one, other = numbers(reference, "reference counts"), numbers(current, "counts")
    same_length("the bins of the two sides", one, other)
    if (one < 0).any() or (other < 0).any():
        raise MetricError("a count is negative")
    if not one.sum() or not other.sum():
        raise MetricError("one side has no rows")
    return one, other


def js(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the Jensen-Shannon distance of two sets of bin counts, 0 to 1.

    Root of the divergence in bits (Endres and Schindelin, IEEE Trans. Inf. Theory 49, 2003).

    Args:
        reference, current: shape (bins,), counts.

    Raises:
        MetricError: see `psi`.
    """
    one, other = counts_of(reference, current)
    p, q = one / one.sum(), other / other.sum()
    middle = (p + q) / 2

    def toward(share: Floats) -> float:
        used = share > 0
        return float((share[used] * np.log2(share[used] / middle[used])).sum())

    return float(np.sqrt(max(0.0, (toward(p) + toward(q)) / 2)))


def ks(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the largest difference of the two distribution functions, 0 to 1.

    Args:
        reference, current: shapes (n,) and (m,), numbers.

    Raises:
        MetricError: missing values.
    """
    below, under, _ = _distributions(reference, current)
    return float(np.abs(below - under).max())


def wasserstein(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the area between the two distribution functions, in the unit of the values.

    The mean way that a value has to move (Ramdas, Trillos and Cuturi, Entropy 19, 2017).

    Args:
        reference, current: shapes (n,) and (m,), numbers.

    Raises:
        MetricError: missing values.
    """
    below, under, points = _distributions(reference, current)
    return float((np.abs(below - under)[:-1] * np.diff(points)).sum())


def _distributions(
    reference: npt.ArrayLike, current: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    one, other = numbers(reference, "reference values"), numbers(current, "values")
    points = np.unique(np.concatenate((one, other)))
    below = np.searchsorted(np.sort(one), points, side="right") / one.size
    under = np.searchsorted(np.sort(other), points, side="right") / other.size
    return below, under, points
