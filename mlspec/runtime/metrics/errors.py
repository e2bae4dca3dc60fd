"""Metrics of predicted numbers, in the unit of the label unless said otherwise.

`absolute_errors` and the like give the number of each row, which is what paired tests need.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import Floats, MetricError, numbers, same_length


def differences(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """Return prediction minus label of each row, shape (n,).

    Raises:
        MetricError: missing values or different lengths.
    """
    truth, guess = numbers(labels, "labels"), numbers(predicted, "predictions")
    same_length("labels and predictions", truth, guess)
    return guess - truth


def squared_errors(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """Return the squared difference of each row, in the square of the label's unit.

    Raises:
        MetricError: missing values or different lengths.
    """
    return np.asarray(differences(labels, predicted) ** 2, dtype=np.float64)


def absolute_errors(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """Return the absolute difference of each row.

    Raises:
        MetricError: missing values or different lengths.
    """
    return np.abs(differences(labels, predicted))


def relative_errors(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """Return the absolute difference in parts of the label, a share.

    Raises:
        MetricError: missing values, or a label is 0.
    """
    error, truth = absolute_errors(labels, predicted), np.abs(numbers(labels, "labels"))
    zeros = int((truth == 0).sum())
    if zeros:
        raise MetricError(f"{zeros} of {truth.size} labels are 0: mape has no value")
    return error / truth


def rmse(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the root of the mean squared difference.

    Raises:
        MetricError: missing values or different lengths.
    """
    return float(np.sqrt(squared_errors(labels, predicted).mean()))


def mae(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean absolute difference.

    Raises:
        MetricError: missing values or different lengths.
    """
    return float(absolute_errors(labels, predicted).mean())


def mape(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean absolute difference in parts of the label, a share.

    Raises:
        MetricError: missing values, or a label is 0.
    """
    return float(relative_errors(labels, predicted).mean())


def bias(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean of prediction minus label.

    Raises:
        MetricError: missing values or different lengths.
    """
    return float(differences(labels, predicted).mean())


def r2(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return 1 - (squared differences) / (squared deviations of the labels from their mean).

    Raises:
        MetricError: missing values, or all labels are equal.
    """
    error, truth = squared_errors(labels, predicted), numbers(labels, "labels")
    spread = float(((truth - truth.mean()) ** 2).sum())
    if not spread:
        raise MetricError("all labels are equal: r2 has no value")
    return float(1 - error.sum() / spread)


def covered(labels: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> Floats:
    """Return 1.0 for each row whose label lies in its predicted interval, bounds included.

    Raises:
        MetricError: missing values, or a lower bound above its upper bound.
    """
    truth = numbers(labels, "labels")
    least, most = numbers(low, "lower bounds"), numbers(high, "upper bounds")
    same_length("labels and bounds", truth, least, most)
    if (least > most).any():
        raise MetricError("a lower bound is above its upper bound")
    return ((least <= truth) & (truth <= most)).astype(np.float64)


def coverage(labels: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> float:
    """Return the share of labels inside their predicted interval.

    Raises:
        MetricError: see `covered`.
    """
    return float(covered(labels, low, high).mean())
