"""Metrics as functions of row weights, many resamples at once.

A resample of n rows is a vector of n counts. Each function here takes the data once and returns a
function from counts of shape (resamples, n) to values of shape (resamples,); with all counts 1 it
gives the metric itself. Where a resample has no value (nothing called positive) it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import (
    Bools,
    Floats,
    MetricError,
    known,
    numbers,
    same_length,
    truths,
)
from mlspec.runtime.metrics.ranks import ranked

Statistic = Callable[[Floats], Floats]


def mean(values: npt.ArrayLike) -> Statistic:
    """Return the mean of a number per row: log loss, Brier score, absolute error, own losses."""
    array = numbers(values, "values")
    return lambda weights: _quotient(weights @ array, weights.sum(axis=1))


def root_mean(values: npt.ArrayLike) -> Statistic:
    """Return the root of the mean of a number per row: RMSE from squared errors."""
    inner = mean(values)
    return lambda weights: np.asarray(np.sqrt(inner(weights)), dtype=np.float64)


def share_within(hits: npt.ArrayLike, rows: npt.ArrayLike) -> Statistic:
    """Return the share of hits among chosen rows: precision, recall, false alarms.

    Args:
        hits, rows: shape (n,), 0 and 1; hits outside the chosen rows do not count.
    """
    hit, row = truths(hits, "decisions"), truths(rows, "rows")
    same_length("decisions and rows", hit, row)
    top, bottom = (hit & row).astype(np.float64), row.astype(np.float64)
    return lambda weights: _quotient(weights @ top, weights @ bottom)


def f1(labels: npt.ArrayLike, decisions: npt.ArrayLike) -> Statistic:
    """Return 2 TP / (2 TP + FP + FN)."""
    truth, said = truths(labels, "labels"), truths(decisions, "decisions")
    same_length("labels and decisions", truth, said)
    hits = (truth & said).astype(np.float64)
    either = truth.astype(np.float64) + said.astype(np.float64)
    return lambda weights: _quotient(2 * (weights @ hits), weights @ either)


def roc_auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Statistic:
    """Return the area under the ROC curve, ties counting half."""
    curve = _Curve(*ranked(labels, scores))

    def statistic(weights: Floats) -> Floats:
        hits, alarms = curve.steps(weights)
        before = np.concatenate((np.zeros((len(hits), 1)), hits[:, :-1]), axis=1)
        wide = np.diff(alarms, axis=1, prepend=0.0)
        area = (wide * (hits + before) / 2).sum(axis=1)
        return _quotient(area, hits[:, -1] * alarms[:, -1])

    return statistic


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Statistic:
    """Return the area under the steps of precision over recall."""
    curve = _Positives(*ranked(labels, scores))

    def statistic(weights: Floats) -> Floats:
        hits, alarms = curve.steps(weights)
        gained = np.diff(hits, axis=1, prepend=0.0)
        # Before the first counted row there is nothing to gain: 0 over 1 instead of 0 over 0.
        area = (gained * hits / np.maximum(hits + alarms, 1e-300)).sum(axis=1)
        return _quotient(area, hits[:, -1])

    return statistic


def recall_at_fpr(labels: npt.ArrayLike, scores: npt.ArrayLike, fpr: float) -> Statistic:
    """Return the largest recall whose share of false alarms is at most `fpr`."""
    curve = _Positives(*ranked(labels, scores))

    def statistic(weights: Floats) -> Floats:
        hits, alarms = curve.steps(weights)
        allowed = alarms <= fpr * curve.negatives(weights)[:, None]
        return _quotient(np.where(allowed, hits, 0.0).max(axis=1), hits[:, -1])

    return statistic


def parity_ratio(decisions: npt.ArrayLike, groups: npt.ArrayLike) -> Statistic:
    """Return the smallest share of positive decisions of a group in parts of the largest."""
    said, group = truths(decisions, "decisions"), known(groups, "groups")
    same_length("decisions and groups", said, group)
    shares = [share_within(said, group == name) for name in np.unique(group)]

    def statistic(weights: Floats) -> Floats:
        rates = np.array([share(weights) for share in shares])
        return _quotient(rates.min(axis=0), rates.max(axis=0))

    return statistic


def rate_spread(hits: npt.ArrayLike, rows: npt.ArrayLike, groups: npt.ArrayLike) -> Statistic:
    """Return the largest share of hits among chosen rows of a group minus the smallest.

    Args:
        hits, rows: shape (n,), 0 and 1; see `share_within`. groups: shape (n,).
    """
    hit, row, group = truths(hits, "decisions"), truths(rows, "rows"), known(groups, "groups")
    same_length("decisions, rows and groups", hit, row, group)
    shares = [share_within(hit, row & (group == name)) for name in np.unique(group)]

    def statistic(weights: Floats) -> Floats:
        rates = np.array([share(weights) for share in shares])
        return np.asarray(rates.max(axis=0) - rates.min(axis=0), dtype=np.float64)

    return statistic


def largest(*statistics: Statistic) -> Statistic:
    """Return the largest of several statistics."""
    return lambda weights: np.asarray(
        np.max([one(weights) for one in statistics], axis=0), dtype=np.float64
    )


def per_query(values: npt.ArrayLike, queries: npt.ArrayLike) -> Statistic:
    """Return the mean of a number per query; a query counts as often as its first row.

    Args:
        values: shape (q,), in the order of the sorted ids. queries: shape (n,), drawn as a whole.
    """
    array, first = (
        numbers(values, "values"),
        np.unique(known(queries, "queries"), return_index=True)[1],
    )

    def statistic(weights: Floats) -> Floats:
        counts = weights[:, first]
        return _quotient(counts @ array, counts.sum(axis=1))

    return statistic


def difference(candidate: Statistic, reference: Statistic, factor: float = 1.0) -> Statistic:
    """Return candidate - factor x reference on the same resampled rows."""
    return lambda weights: candidate(weights) - factor * reference(weights)


def ratio(candidate: Statistic, reference: Statistic) -> Statistic:
    """Return candidate / reference on the same resampled rows."""
    return lambda weights: _quotient(candidate(weights), reference(weights))


class _Curve:
    """Counts of true and false positives at each distinct score, from the highest down."""

    def __init__(self, truth: Bools, scores: Floats) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
        self._truth = truth[self._order].astype(np.float64)

    def steps(self, weights: Floats) -> tuple[Floats, Floats]:
        sorted_ = weights[:, self._order]
        rows = np.cumsum(sorted_, axis=1)[:, self._last]
        hits = np.cumsum(sorted_ * self._truth, axis=1)[:, self._last]
        return hits, rows - hits


class _Positives:
    """Counts of true and false positives at each distinct score of a positive row.

    Between two of them recall stands still and precision falls, so that neither the average
    precision nor the largest recall needs the other scores; positives are few where it matters.
    """

    def __init__(self, truth: Bools, scores: Floats) -> None:
        positives, negatives = np.flatnonzero(truth), np.flatnonzero(~truth)
        self._positives = positives[np.argsort(-scores[positives], kind="stable")]
        order = negatives[np.argsort(-scores[negatives], kind="stable")]
        ordered = scores[self._positives]
        self._last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
        # Negative rows that score at least as high as each distinct positive score.
        above = np.searchsorted(-scores[order], -ordered[self._last], side="right")
        self._above, self._negatives = above, order[: above.max(initial=0)]
        self._all_negatives = (~truth).astype(np.float64)

    def steps(self, weights: Floats) -> tuple[Floats, Floats]:
        hits = np.cumsum(weights[:, self._positives], axis=1)[:, self._last]
        alarms = np.zeros((len(weights), self._negatives.size + 1))
        np.cumsum(weights[:, self._negatives], axis=1, out=alarms[:, 1:])
        return hits, alarms[:, self._above]

    def negatives(self, weights: Floats) -> Floats:
        return np.asarray(weights @ self._all_negatives, dtype=np.float64)


def _quotient(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(bottom > 0, top / bottom, np.nan), dtype=np.float64)


def by_rows(function: Callable[..., float], *arrays: npt.ArrayLike) -> Statistic:
    """Return any metric as a statistic by repeating rows; slow, for own and rare metrics.

    Args:
        function: from arrays of rows to one number. arrays: its arguments, first axis n. Where it
            raises `MetricError` on a resample, the resample has no value.
    """
    data = [np.asarray(array) for array in arrays]

    def value(counts: Floats) -> float:
        drawn = np.repeat(np.arange(counts.size), counts.astype(np.int64))
        try:
            return float(function(*(array[drawn] for array in data)))
        except MetricError:
            return float("nan")

    return lambda weights: np.array([value(row) for row in weights], dtype=np.float64)
