"""Means of numbers per row, and of paired differences."""

from __future__ import annotations

import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from mlspec.runtime.metrics.arrays import numbers, same_length
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, normal_bound


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the t interval of a mean (Student, Biometrika 6, 1908).

    Args:
        values: shape (n,), one number per row, n at least 2. confidence: of each bound alone.

    Raises:
        MetricError: missing values. StatisticsError: fewer than two rows.
    """
    return _interval(values, confidence, Scale.VALUE, "t interval")


def paired_t(
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    confidence: float = 0.95,
    factor: float = 1.0,
) -> Interval:
    """Return the t interval of mean(values - factor x reference), row by row.

    The p-value is that of the paired t test of "no difference" (Student, Biometrika 6, 1908).

    Args:
        values, reference: shape (n,), losses of the same rows. confidence: of each bound alone.
        factor: multiplies the reference.

    Raises:
        MetricError: missing values or different lengths. StatisticsError: fewer than two rows.
    """
    one, other = numbers(values, "values"), numbers(reference, "values of the reference")
    same_length("values and those of the reference", one, other)
    return _interval(one - factor * other, confidence, Scale.DIFFERENCE, "paired t")


def _interval(values: npt.ArrayLike, confidence: float, scale: Scale, test: str) -> Interval:
    array = numbers(values, "values")
    n = array.size
    if n < 2:
        raise StatisticsError(f"{test} needs at least two rows")
    normal_bound(confidence)  # refuses a confidence that is none
    estimate = float(array.mean())
    error = float(array.std(ddof=1)) / n**0.5
    reach = float(stdtrit(n - 1, confidence)) * error
    sure = 0.0 if estimate else 1.0
    return Interval(
        scale=scale,
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        n=n,
        confidence=confidence,
        test=test,
        p_value=2 * float(stdtr(n - 1, -abs(estimate) / error)) if error else sure,
    )
