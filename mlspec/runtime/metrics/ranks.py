"""Metrics of an order: how well scores put positive rows before negative ones.

Labels are 0 and 1 (or booleans), scores any finite numbers, higher meaning more positive. Rows
with equal scores are one step: no order among them is invented.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import (
    Bools,
    Floats,
    MetricError,
    numbers,
    same_length,
    truths,
)


def ranked(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Bools, Floats]:
    """Return checked labels and scores in which both classes occur.

    Raises:
        MetricError: something is missing, or only one class occurs.
    """
    truth, score = truths(labels, "labels"), numbers(scores, "scores")
    same_length("labels and scores", truth, score)
    if truth.all() or not truth.any():
        which = "positive" if truth.all() else "negative"
        raise MetricError(f"all {truth.size} labels are {which}; both classes are needed")
    return truth, score


def midranks(values: Floats) -> Floats:
    """Return ranks from 1; equal values share the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    ends = np.r_[starts[1:], values.size]
    result = np.empty(values.size)
    result[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return result


def steps(truth: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """Return true and false positives at each distinct score, from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.r_[ordered[1:] != ordered[:-1], True]
    hits = np.cumsum(truth[order])[last]
    alarms = np.cumsum(~truth[order])[last]
    return hits.astype(np.float64), alarms.astype(np.float64)


def roc_auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the area under the ROC curve, 0 to 1.

    The chance that a positive row scores above a negative one, ties counting half: the
    Mann-Whitney statistic (Hanley and McNeil, Radiology 143, 1982).

    Args:
        labels: shape (n,), 0 and 1. scores: shape (n,).

    Raises:
        MetricError: missing values or a single class.
    """
    truth, score = ranked(labels, scores)
    positives = int(truth.sum())
    negatives = truth.size - positives
    wins = midranks(score)[truth].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the area under the steps of precision over recall, 0 to 1.

    Sum of (recall step) x (precision at that score), without interpolation (Manning, Raghavan and
    Schuetze, Introduction to Information Retrieval, 2008, section 8.4).

    Args:
        labels: shape (n,), 0 and 1. scores: shape (n,).

    Raises:
        MetricError: missing values or a single class.
    """
    truth, score = ranked(labels, scores)
    hits, alarms = steps(truth, score)
    gained = np.diff(hits, prepend=0.0)
    return float((gained * hits / (hits + alarms)).sum() / truth.sum())


def recall_at_fpr(labels: npt.ArrayLike, scores: npt.ArrayLike, fpr: float) -> float:
    """Return the largest recall whose share of false alarms is at most `fpr`; 0 to 1.

    Args:
        labels: shape (n,), 0 and 1. scores: shape (n,). fpr: a share, 0 to 1.

    Raises:
        MetricError: missing values or a single class.
    """
    truth, score = ranked(labels, scores)
    hits, alarms = steps(truth, score)
    negatives = truth.size - int(truth.sum())
    allowed = alarms <= fpr * negatives
    return float(hits[allowed].max(initial=0.0) / truth.sum())


def precision_at_recall(labels: npt.ArrayLike, scores: npt.ArrayLike, recall: float) -> float:
    """Return the largest precision whose recall is at least `recall`; 0 to 1.

    Args:
        labels: shape (n,), 0 and 1. scores: shape (n,). recall: a share, 0 to 1.

    Raises:
        MetricError: missing values or a single class.
    """
    truth, score = ranked(labels, scores)
    hits, alarms = steps(truth, score)
    enough = hits >= recall * truth.sum()
    return float((hits[enough] / (hits + alarms)[enough]).max())


def ndcg(relevance: npt.ArrayLike, scores: npt.ArrayLike, queries: npt.ArrayLike, k: int) -> Floats:
    """Return the normalised discounted cumulative gain of the first k, one number per query.

    Linear gain, discount log2(1 + rank); equal scores share the mean of their gains (Jaervelin and
    Kekaelaeinen, ACM TOIS 20, 2002; ties after McSherry and Najork, ECIR 2008). A query without
    anything relevant counts 0. The metric is the mean of the result.

    Args:
        relevance: shape (n,), 0 or more. scores: shape (n,). queries: shape (n,), ids of queries.
        k: at least 1.

    Raises:
        MetricError: missing values or negative relevance.
    """
    gain, score, group = _queries(relevance, scores, queries)
    if (gain < 0).any():
        raise MetricError("relevance is 0 or more")
    return np.array([_ndcg(gain[group == q], score[group == q], k) for q in np.unique(group)])


def mean_average_precision(
    relevance: npt.ArrayLike, scores: npt.ArrayLike, queries: npt.ArrayLike, k: int
) -> Floats:
    """Return the average precision of the first k, one number per query.

    Sum over relevant rows among the first k of the precision there, divided by the smaller of k
    and the number of relevant rows; equal scores keep the order of the rows. A query without
    anything relevant counts 0. The metric is the mean of the result.

    Args:
        relevance: shape (n,), 0 and 1. scores: shape (n,). queries: shape (n,). k: at least 1.

    Raises:
        MetricError: missing values.
    """
    gain, score, group = _queries(truths(relevance, "labels"), scores, queries)
    result = []
    for query in np.unique(group):
        inside = group == query
        hits = gain[inside][np.argsort(-score[inside], kind="stable")][:k]
        precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
        result.append((precision * hits).sum() / max(1.0, min(float(k), gain[inside].sum())))
    return np.array(result)


def _queries(
    relevance: npt.ArrayLike, scores: npt.ArrayLike, queries: npt.ArrayLike
) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    gain, score = numbers(relevance, "labels"), numbers(scores, "scores")
    group = np.unique(np.asarray(queries), return_inverse=True)[1].astype(np.int64)
    same_length("labels, scores and queries", gain, score, group)
    return gain, score, group


def _ndcg(gain: Floats, score: Floats, k: int) -> float:
    discount = 1 / np.log2(np.arange(2, gain.size + 2))
    discount[k:] = 0
    best = float((np.sort(gain)[::-1] * discount).sum())
    tied = np.unique(-score, return_inverse=True)[1]
    mean_gain = np.bincount(tied, weights=gain) / np.bincount(tied)
    return float((mean_gain[np.sort(tied)] * discount).sum() / best) if best else 0.0
