"""Metrics of decisions and of probabilities.

Decisions come from probabilities at a threshold (0.5, or the model's own; decision B12). Where a
metric divides by nothing (no row was called positive), it has no value and says so; it is not 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import (
    AnyArray,
    Bools,
    Floats,
    Integers,
    MetricError,
    known,
    numbers,
    probabilities,
    same_length,
    table,
    truths,
)

CALIBRATION_BINS = 15
_TINY = float(np.finfo(np.float64).eps)


def decide(scores: npt.ArrayLike, threshold: float = 0.5) -> Bools:
    """Return which rows are called positive: a score of at least the threshold.

    Args:
        scores: shape (n,). threshold: in the unit of the scores.

    Raises:
        MetricError: missing values.
    """
    return np.asarray(numbers(scores, "scores") >= threshold, dtype=np.bool_)


def confusion(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> tuple[int, int, int, int]:
    """Return true positives, false positives, false negatives, true negatives.

    Args:
        labels, decisions: shape (n,), 0 and 1 or booleans.

    Raises:
        MetricError: missing values or different lengths.
    """
    truth, said = truths(labels, "labels"), truths(decisions, "decisions")
    same_length("labels and decisions", truth, said)
    hits, alarms = int((truth & said).sum()), int((~truth & said).sum())
    misses = int((truth & ~said).sum())
    return hits, alarms, misses, truth.size - hits - alarms - misses


def right(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> Bools:
    """Return which rows are decided as labelled; classes may be of any type, shape (n,).

    Raises:
        MetricError: missing values or different lengths.
    """
    truth, said = known(labels, "labels"), known(decisions, "decisions")
    same_length("labels and decisions", truth, said)
    return np.asarray(truth == said, dtype=np.bool_)


def accuracy(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> float:
    """Return the share of rows decided as labelled; classes may be of any type, shape (n,).

    Raises:
        MetricError: missing values or different lengths.
    """
    return float(right(labels, decisions).mean())


def precision(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> float:
    """Return the share of positives among those called positive.

    Args:
        labels, decisions: shape (n,), 0 and 1.

    Raises:
        MetricError: missing values, or no row is called positive.
    """
    hits, alarms, _, _ = confusion(labels, decisions)
    return _share(hits, hits + alarms, "no row is called positive: precision has no value")


def recall(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> float:
    """Return the share of positives that are called positive.

    Args:
        labels, decisions: shape (n,), 0 and 1.

    Raises:
        MetricError: missing values, or no label is positive.
    """
    hits, _, misses, _ = confusion(labels, decisions)
    return _share(hits, hits + misses, "no label is positive: recall has no value")


def f1(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> float:
    """Return the harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN).

    Args:
        labels, decisions: shape (n,), 0 and 1.

    Raises:
        MetricError: missing values, or neither labels nor decisions have a positive.
    """
    hits, alarms, misses, _ = confusion(labels, decisions)
    return _share(2 * hits, 2 * hits + alarms + misses, "nothing is positive: f1 has no value")


def balanced_accuracy(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> float:
    """Return the mean over the classes of the labels of their recall.

    Args:
        labels, decisions: shape (n,), classes of any type.

    Raises:
        MetricError: missing values.
    """
    hit = right(labels, decisions)
    _, group = np.unique(np.asarray(labels), return_inverse=True)
    return float((np.bincount(group, weights=hit) / np.bincount(group)).mean())


def mcc(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> float:
    """Return the correlation of labels and decisions, -1 to 1 (Matthews, BBA 405, 1975).

    Args:
        labels, decisions: shape (n,), 0 and 1.

    Raises:
        MetricError: missing values, or one of the two is constant.
    """
    hits, alarms, misses, rest = confusion(labels, decisions)
    sizes = (hits + alarms, hits + misses, rest + alarms, rest + misses)
    if 0 in sizes:
        raise MetricError("labels or decisions are all the same: mcc has no value")
    return float((hits * rest - alarms * misses) / np.sqrt(np.prod(np.array(sizes, dtype=float))))


def kappa(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> float:
    """Return the agreement beyond chance, -1 to 1 (Cohen, EPM 20, 1960).

    Args:
        labels, decisions: shape (n,), classes of any type.

    Raises:
        MetricError: missing values, or both are constant and equal.
    """
    agreed = accuracy(labels, decisions)
    one, other = np.asarray(labels), np.asarray(decisions)
    classes = np.union1d(one, other)
    chance = sum(float((one == c).mean() * (other == c).mean()) for c in classes)
    if chance == 1:
        raise MetricError("labels and decisions are all the same: kappa has no value")
    return (agreed - chance) / (1 - chance)


def log_losses(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """Return -ln(probability of the label) of each row, in nats; the metric is the mean.

    Probabilities are cut at 2.2e-16 and 1 - 2.2e-16, so that one sure error is dear and not
    infinite.

    Args:
        labels: shape (n,); 0 and 1, or class numbers from 0.
        predicted: shape (n,) for the positive class, or (n, classes) with rows that sum to 1.

    Raises:
        MetricError: missing values, probabilities outside 0 to 1 or that do not sum to 1.
    """
    if np.ndim(predicted) == 1:
        truth, chance = truths(labels, "labels"), probabilities(predicted)
        same_length("labels and probabilities", truth, chance)
        own: Floats = np.where(truth, chance, 1 - chance)
        return _surprise(own)
    number, table_ = _classes(labels, predicted)
    return _surprise(table_[np.arange(number.size), number])


def _surprise(chance: Floats) -> Floats:
    cut: Floats = np.clip(chance, _TINY, 1 - _TINY)
    return np.asarray(-np.log(cut), dtype=np.float64)


def log_loss(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean of `log_losses`, in nats.

    Raises:
        MetricError: see `log_losses`.
    """
    return float(log_losses(labels, predicted).mean())


def brier_losses(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """Return the squared error of each row's probability; the metric is the mean.

    Args:
        labels: shape (n,), 0 and 1. predicted: shape (n,), 0 to 1.

    Raises:
        MetricError: missing values or probabilities outside 0 to 1.
    """
    truth, chance = truths(labels, "labels"), probabilities(predicted)
    same_length("labels and probabilities", truth, chance)
    return np.asarray((chance - truth) ** 2, dtype=np.float64)


def brier(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean squared error of the probability (Brier, Monthly Weather Review 78, 1950).

    Raises:
        MetricError: see `brier_losses`.
    """
    return float(brier_losses(labels, predicted).mean())


def calibration_error(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the expected calibration error, a share.

    Mean over 15 equally wide bins, weighted by rows, of |share of positives - mean probability|
    (Guo, Pleiss, Sun and Weinberger, ICML 2017, eq. 5).

    Args:
        labels: shape (n,), 0 and 1. predicted: shape (n,), 0 to 1.

    Raises:
        MetricError: missing values or probabilities outside 0 to 1.
    """
    truth, chance = truths(labels, "labels"), probabilities(predicted)
    same_length("labels and probabilities", truth, chance)
    place = np.clip(np.ceil(chance * CALIBRATION_BINS).astype(np.int64) - 1, 0, None)
    gap = np.bincount(place, weights=truth - chance, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / truth.size)


def in_top_k(labels: npt.ArrayLike, predicted: npt.ArrayLike, k: int) -> Bools:
    """Return which rows have their class among the k most probable.

    A class that ties with the k-th counts only if fewer than k classes are as probable or more.

    Args:
        labels: shape (n,), class numbers from 0. predicted: shape (n, classes). k: at least 1.

    Raises:
        MetricError: missing values or a class number without a column.
    """
    number, chances = _classes(labels, predicted)
    own = chances[np.arange(number.size), number]
    rivals = (chances >= own[:, None]).sum(axis=1) - 1
    return np.asarray(rivals < k, dtype=np.bool_)


def top_k_accuracy(labels: npt.ArrayLike, predicted: npt.ArrayLike, k: int) -> float:
    """Return the share of rows whose class is among the k most probable.

    Raises:
        MetricError: see `in_top_k`.
    """
    return float(in_top_k(labels, predicted, k).mean())


def _classes(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Integers, Floats]:
    number, chances = numbers(labels, "labels"), table(predicted, "probabilities")
    same_length("labels and probabilities", number, _first(chances))
    whole = number.astype(np.int64)
    if (whole != number).any() or whole.min() < 0 or whole.max() >= chances.shape[1]:
        raise MetricError(f"labels are class numbers from 0 to {chances.shape[1] - 1}")
    if (chances < 0).any() or (np.abs(chances.sum(axis=1) - 1) > 1e-6).any():
        raise MetricError("probabilities of a row do not sum to 1")
    return whole, chances


def _first(chances: Floats) -> AnyArray:
    return chances[:, 0]


def _share(part: int, whole: int, empty: str) -> float:
    if not whole:
        raise MetricError(empty)
    return part / whole
