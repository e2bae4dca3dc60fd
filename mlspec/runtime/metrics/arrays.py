"""Arrays that metrics can trust: one-dimensional, of equal length, without missing values.

Duty: turn what a caller has into checked arrays, or say in words why no number can be computed.
No metric guesses: a missing label or score is an error, never a row that is silently left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
AnyArray = npt.NDArray[Any]


class MetricError(ValueError):
    """A metric has no value on these rows; the message says why, for people."""


def vector(values: npt.ArrayLike, what: str) -> AnyArray:
    """Return a one-dimensional, non-empty array.

    Args:
        values: numbers, texts or truth values.
        what: plural name for messages, such as `labels`.

    Raises:
        MetricError: it is empty or has more than one dimension.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise MetricError(f"{what} have {array.ndim} dimensions, not 1")
    if not array.size:
        raise MetricError(f"there are no {what}")
    return array


def numbers(values: npt.ArrayLike, what: str) -> Floats:
    """Return a vector of finite numbers.

    Raises:
        MetricError: it holds something that is no number, missing values or infinities.
    """
    array = vector(values, what)
    try:
        result = array.astype(np.float64)
    except (TypeError, ValueError):
        raise MetricError(f"{what} are not numbers") from None
    return _finite(result, what)


def table(values: npt.ArrayLike, what: str) -> Floats:
    """Return a two-dimensional array of finite numbers, one row per row.

    Raises:
        MetricError: see `numbers`.
    """
    array = np.asarray(values)
    if array.ndim != 2 or not array.size:
        raise MetricError(f"{what} are not a table with a row for each row")
    return _finite(array.astype(np.float64), what)


def truths(values: npt.ArrayLike, what: str) -> Bools:
    """Return a vector of truth values from booleans or from 0 and 1.

    Raises:
        MetricError: it holds anything else.
    """
    array = vector(values, what)
    if array.dtype == np.bool_:
        return array
    result = numbers(array, what)
    if not np.isin(result, (0.0, 1.0)).all():
        odd = result[~np.isin(result, (0.0, 1.0))][0]
        raise MetricError(f"{what} are 0 and 1, not {odd:g}")
    return result.astype(np.bool_)


def known(values: npt.ArrayLike, what: str) -> AnyArray:
    """Return a vector without missing values, of any type.

    Raises:
        MetricError: a value is None or NaN.
    """
    array = vector(values, what)
    gone = int(missing(array).sum())
    if gone:
        raise MetricError(f"{gone} of {array.size} {what} are missing")
    return array


def missing(values: AnyArray) -> Bools:
    """Return which values are missing: None, NaN or NaT."""
    if values.dtype.kind in "fc":
        return np.asarray(np.isnan(values), dtype=np.bool_)
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values), dtype=np.bool_)
    if values.dtype.kind == "O":
        # The only value that differs from itself is NaN.
        return np.array([v is None or v != v for v in values], dtype=np.bool_)  # noqa: PLR0124
    return np.zeros(values.shape, dtype=np.bool_)


def same_length(what: str, *arrays: AnyArray) -> None:
    """Check that arrays describe the same rows.

    Raises:
        MetricError: lengths differ.
    """
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise MetricError(f"{what} differ in length: {', '.join(map(str, sorted(lengths)))}")


def probabilities(values: npt.ArrayLike, what: str = "probabilities") -> Floats:
    """Return a vector of numbers from 0 to 1.

    Raises:
        MetricError: a number is outside.
    """
    result = numbers(values, what)
    outside = (result < 0) | (result > 1)
    if outside.any():
        raise MetricError(f"{what} are from 0 to 1, not {result[outside][0]:g}")
    return result


def _finite(result: Floats, what: str) -> Floats:
    gone = int(np.isnan(result).sum())
    if gone:
        raise MetricError(f"{gone} of {result.size} {what} are missing")
    if not np.isfinite(result).all():
        raise MetricError(f"{what} are not finite")
    return result
