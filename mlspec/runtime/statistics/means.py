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
    error = float(array.std(ddof=1)) / n**0.5
    return _bounded(float(array.mean()), error, n, confidence, test, scale)


def corrected_t(
    differences: npt.ArrayLike, test_share: float, confidence: float = 0.95
) -> Interval:
    """Return the interval of the mean difference of scores over folds or repeated splits.

    Corrected resampled t: folds share training rows, so the variance of the mean is taken as
    (1 / k + test / train) x variance instead of 1 / k (Nadeau and Bengio, Machine Learning 52
    (2003) 239-281, section 3). Never use the plain t over folds.

    Args:
        differences: shape (k,), score of one model minus the other's on each fold, k at least 2.
        test_share: test rows of a fold in parts of all its rows, between 0 and 1.
        confidence: of each bound alone.

    Raises:
        MetricError: missing values. StatisticsError: fewer than two folds, or no share.
    """
    if not 0 < test_share < 1:
        raise StatisticsError(f"a share of test rows lies between 0 and 1, not {test_share:g}")
    array = numbers(differences, "differences of folds")
    k = array.size
    if k < 2:
        raise StatisticsError("the corrected resampled t needs at least two folds")
    normal_bound(confidence)
    ratio = test_share / (1 - test_share)
    error = float(array.std(ddof=1)) * (1 / k + ratio) ** 0.5
    return _bounded(float(array.mean()), error, k, confidence, "corrected resampled t")


def diebold_mariano(
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    confidence: float = 0.95,
    factor: float = 1.0,
    horizon: int = 1,
) -> Interval:
    """Return the interval of mean(values - factor x reference) for rows in the order of time.

    Forecasts of h steps have errors that are correlated over h - 1 steps: the variance of the mean
    adds those autocovariances (Diebold and Mariano, JBES 13 (1995) 253-263), with the correction
    for small samples and the t distribution of Harvey, Leybourne and Newbold, International
    Journal of Forecasting 13 (1997) 281-291. Where the sum of autocovariances is not positive, the
    variance without them is used.

    Args:
        values, reference: shape (n,), losses in the order of time, n at least 2 and above horizon.
        confidence: of each bound alone. factor: multiplies the reference.
        horizon: steps ahead that were forecast, at least 1.

    Raises:
        MetricError: missing values or different lengths. StatisticsError: too few rows.
    """
    one, other = numbers(values, "values"), numbers(reference, "values of the reference")
    same_length("values and those of the reference", one, other)
    apart = one - factor * other
    n = apart.size
    if horizon < 1 or n < max(2, horizon + 1):
        raise StatisticsError(f"{n} rows are too few for forecasts of {horizon} steps")
    normal_bound(confidence)
    mean = float(apart.mean())
    off = apart - mean
    alone = float(off @ off) / n
    together = alone + 2 * sum(float(off[lag:] @ off[:-lag]) / n for lag in range(1, horizon))
    variance = (together if together > 0 else alone) / n
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    return _bounded(mean, (variance / correction) ** 0.5, n, confidence, "Diebold-Mariano")


def _bounded(
    mean: float,
    error: float,
    n: int,
    confidence: float,
    test: str,
    scale: Scale = Scale.DIFFERENCE,
) -> Interval:
    """Return the t interval, n - 1 degrees of freedom, of a mean with its standard error."""
    reach = float(stdtrit(n - 1, confidence)) * error
    sure = 0.0 if mean else 1.0
    return Interval(
        scale=scale,
        estimate=mean,
        low=mean - reach,
        high=mean + reach,
        n=n,
        confidence=confidence,
        test=test,
        p_value=2 * float(stdtr(n - 1, -abs(mean) / error)) if error else sure,
    )
