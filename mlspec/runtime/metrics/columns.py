"""Metrics of a column: missing values, repetitions, new values.

Values may be of any type; None, NaN and NaT are missing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import MetricError, missing, numbers, vector


def rows(values: npt.ArrayLike) -> int:
    """Return the number of rows; an empty column has 0."""
    return int(np.shape(np.asarray(values))[0])


def null_rate(values: npt.ArrayLike) -> float:
    """Return the share of missing values, shape (n,).

    Raises:
        MetricError: there are no rows.
    """
    return float(missing(vector(values, "values")).mean())


def duplicates(values: npt.ArrayLike) -> int:
    """Return how many values occurred before in the column; missing values are no duplicates."""
    array = np.asarray(values)
    if not array.size:
        return 0
    present = _texts(array[~missing(array)])
    return int(present.size - np.unique(present).size)


def unseen(values: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[int, int]:
    """Return how many present values the reference does not have, and how many are present.

    The metric is their ratio.

    Raises:
        MetricError: no value is present.
    """
    array = vector(values, "values")
    present = _texts(array[~missing(array)])
    if not present.size:
        raise MetricError("all values are missing: unseen has no value")
    return int((~np.isin(present, _texts(np.asarray(reference)))).sum()), int(present.size)


def mean(values: npt.ArrayLike) -> float:
    """Return the mean of the present values, in the column's unit.

    Raises:
        MetricError: no value is present, or one is no number.
    """
    array = vector(values, "values")
    present = array[~missing(array)]
    return float(numbers(present, "present values").mean())


def _texts(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Make values of mixed types comparable: numbers stay, objects become their type and text."""
    if values.dtype.kind != "O":
        return values
    return np.array([f"{type(value).__name__}:{value}" for value in values], dtype=str)
