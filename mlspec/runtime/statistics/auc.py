"""DeLong's variance of areas under ROC curves, in its fast form.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; mid-rank form in O(n log n) of
Sun and Xu, IEEE Signal Processing Letters 21 (2014) 1389-1393.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from mlspec.runtime.metrics.arrays import Floats
from mlspec.runtime.metrics.ranks import midranks, ranked
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, normal_bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Areas:
    """Areas of one or more scores of the same rows.

    Attributes:
        areas: shape (k,), 0 to 1. covariance: shape (k, k), of the estimates.
        n: rows.
    """

    areas: Floats
    covariance: Floats
    n: int


def delong(labels: npt.ArrayLike, *scores: npt.ArrayLike) -> Areas:
    """Return the areas of several scores of the same rows, and their covariance.

    Args:
        labels: shape (n,), 0 and 1. scores: each of shape (n,).

    Raises:
        MetricError: missing values or a single class.
        StatisticsError: a class has a single row.
    """
    checked = [ranked(labels, score) for score in scores]
    truth = checked[0][0]
    positives = int(truth.sum())
    negatives = truth.size - positives
    if min(positives, negatives) < 2:
        raise StatisticsError("DeLong needs at least two rows of each class")
    wins, losses = [], []
    for _, score in checked:
        whole = midranks(score)
        wins.append((whole[truth] - midranks(score[truth])) / negatives)
        losses.append(1 - (whole[~truth] - midranks(score[~truth])) / positives)
    of_positives, of_negatives = np.array(wins), np.array(losses)
    covariance = (
        np.atleast_2d(np.cov(of_positives)) / positives
        + np.atleast_2d(np.cov(of_negatives)) / negatives
    )
    return Areas(areas=of_positives.mean(axis=1), covariance=covariance, n=truth.size)


def auc_interval(
    labels: npt.ArrayLike, scores: npt.ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the normal interval of one area, cut to 0 and 1.

    When every positive row scores above every negative one the estimated variance is 0, and so is
    the width; the least number of rows of each class is what guards that verdict.

    Raises:
        MetricError, StatisticsError: see `delong`.
    """
    result = delong(labels, scores)
    area = float(result.areas[0])
    reach = normal_bound(confidence) * float(np.sqrt(result.covariance[0, 0]))
    return Interval(
        estimate=area,
        low=max(0.0, area - reach),
        high=min(1.0, area + reach),
        n=result.n,
        confidence=confidence,
        test="DeLong",
    )


def auc_difference(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    reference: npt.ArrayLike,
    confidence: float = 0.95,
    factor: float = 1.0,
) -> Interval:
    """Return the interval of area - factor x reference area on the same rows.

    Args:
        labels: shape (n,), 0 and 1. scores, reference: shape (n,).
        confidence: of each bound alone. factor: multiplies the reference.

    Raises:
        MetricError, StatisticsError: see `delong`.
    """
    result = delong(labels, scores, reference)
    contrast = np.array([1.0, -factor])
    estimate = float(contrast @ result.areas)
    error = float(np.sqrt(max(0.0, contrast @ result.covariance @ contrast)))
    reach = normal_bound(confidence) * error
    return Interval(
        scale=Scale.DIFFERENCE,
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        n=result.n,
        confidence=confidence,
        test="DeLong, paired",
        p_value=2 * float(ndtr(-abs(estimate) / error)) if error else 1.0,
    )
