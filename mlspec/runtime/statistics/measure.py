"""From scored rows to the interval that a check is judged by.

Duty: choose the method that the registry names for the metric (or the one the check asks for),
apply it to the candidate and, for a comparison, to the reference on the very same rows. Rows that
share an entity are never treated as independent: with clusters every method is the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from mlspec.expr.check import Check, Setting
from mlspec.expr.metric import Metric
from mlspec.runtime.metrics import decisions, errors, groups, ranks
from mlspec.runtime.metrics.arrays import AnyArray, Bools, Floats, truths
from mlspec.runtime.statistics import auc, means, proportions, ranktests, weighted
from mlspec.runtime.statistics.bootstrap import RESAMPLES, bootstrap, seed_of
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError
from mlspec.runtime.statistics.verdict import Estimate
from mlspec.runtime.statistics.weighted import Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows with labels and predictions.

    Attributes:
        labels: shape (n,).
        predictions: of the candidate; shape (n,) probabilities, scores, numbers or classes, or
            (n, classes) probabilities.
        reference: of the model compared with, for the same rows; None for a threshold.
        threshold, reference_threshold: at which a probability is a positive decision.
        groups: shape (n,), for metrics that compare groups.
        clusters: shape (n,), the entity of each row, when rows share entities.
        bounds, reference_bounds: shape (n, 2), predicted intervals, for `coverage`.
        queries: shape (n,), ids of queries, for rankings.
    """

    labels: npt.ArrayLike
    predictions: npt.ArrayLike
    reference: npt.ArrayLike | None = None
    threshold: float = 0.5
    reference_threshold: float = 0.5
    groups: npt.ArrayLike | None = None
    clusters: npt.ArrayLike | None = None
    bounds: npt.ArrayLike | None = None
    reference_bounds: npt.ArrayLike | None = None
    queries: npt.ArrayLike | None = None


def measure(
    check: Check,
    metric: Metric,
    rows: Scored,
    *,
    confidence: float = 0.95,
    test: str | None = None,
    resamples: int = RESAMPLES,
) -> tuple[Estimate, Interval]:
    """Return what `mlspec.runtime.statistics.verdict.judge` needs.

    Args:
        check: decides between threshold and comparison. metric: its registry entry.
        rows: of all slices or of one. confidence: of each bound alone.
        test: a method name of the registry; None for the default of the metric.
        resamples: of a bootstrap; its seed is made from the rows.

    Raises:
        MetricError: the metric has no value on these rows. StatisticsError: the method does not
            fit, a comparison lacks its reference, or the metric is not one of scored rows.
    """
    compared = check.reference is not None
    if compared and rows.reference is None:
        raise StatisticsError(f"`{check}` needs predictions of the {check.reference}")
    methods = metric.tests
    default = methods.reference if compared else methods.threshold
    if test not in {None, default, *methods.alternatives}:
        raise StatisticsError(f"`{metric.name}` is not tested by `{test}`")
    setting = check.argument if isinstance(check.argument, Setting) else None
    candidate = _Side(rows, np.asarray(rows.predictions), rows.threshold, rows.bounds)
    reference = None
    if compared and rows.reference is not None:
        reference = _Side(
            rows, np.asarray(rows.reference), rows.reference_threshold, rows.reference_bounds
        )
    clustered = rows.clusters is not None and metric.name not in RANKINGS
    chosen = "bootstrap" if clustered else test or default
    factor = float(check.factor)
    interval = _closed_form(metric.name, setting, chosen, candidate, reference, factor, confidence)
    if interval is None:
        interval = _resampled(
            metric.name, setting, candidate, reference, factor, confidence, resamples
        )
    one = np.ones((1, candidate.n))
    value = float(candidate.statistic(metric.name, setting)(one)[0])
    other = None
    if reference is not None:
        other = float(reference.statistic(metric.name, setting)(one)[0])
    counted = candidate.is_binary and metric.name not in RANKINGS
    positives = int(candidate.truth.sum()) if counted else None
    return (
        Estimate(
            value=value,
            n=interval.n if metric.name in RANKINGS else candidate.n,
            positives=positives,
            negatives=None if positives is None else candidate.n - positives,
            reference=other,
        ),
        interval,
    )


class _Side:
    """The predictions of one model on the rows."""

    def __init__(
        self,
        rows: Scored,
        predicted: AnyArray,
        threshold: float,
        bounds: npt.ArrayLike | None = None,
    ) -> None:
        self.rows = rows
        self._bounds = bounds
        self.labels = np.asarray(rows.labels)
        self.predicted = predicted
        self._threshold = threshold
        self.n = int(self.labels.size)
        if len(predicted) != self.n:
            raise StatisticsError(f"{len(predicted)} predictions for {self.n} labels")

    @property
    def is_binary(self) -> bool:
        return self.labels.dtype.kind in "biuf" and bool(np.isin(self.labels, (0, 1)).all())

    @property
    def truth(self) -> Bools:
        return truths(self.labels, "labels")

    @property
    def decided(self) -> AnyArray:
        """Decisions: the most probable class, a probability at its threshold, or as they are."""
        if self.predicted.ndim == 2:
            return np.asarray(self.predicted.argmax(axis=1))
        if self.predicted.dtype.kind == "f":
            return decisions.decide(self.predicted, self._threshold)
        return self.predicted

    def hits(self, name: str, setting: Setting | None) -> tuple[Bools, Bools] | None:
        """Return the rows that count and the rows they are a share of, for shares of rows."""
        everything = np.ones(self.n, dtype=np.bool_)
        match name:
            case "accuracy":
                return decisions.right(self.labels, self.decided), everything
            case "positive_rate":
                return truths(self.decided, "decisions"), everything
            case "coverage":
                return self._covered(), everything
            case "top_k_accuracy" if setting is not None:
                k = int(setting.number.value)
                return decisions.in_top_k(self.labels, self.predicted, k), everything
            case "recall" if setting is None:
                return truths(self.decided, "decisions"), self.truth
            case _:
                return None

    def _covered(self) -> Bools:
        if self._bounds is None:
            raise StatisticsError("the model gives no interval: `coverage` has no value")
        low, high = np.asarray(self._bounds, dtype=np.float64).T
        return errors.covered(self.labels, low, high).astype(np.bool_)

    def of_queries(self, name: str, setting: Setting | None) -> Floats | None:
        """Return the number of each query, for rankings; in the order of the sorted ids."""
        function = RANKINGS.get(name)
        if function is None:
            return None
        if self.rows.queries is None:
            raise StatisticsError(f"`{name}` needs the query of each row")
        k = self.n if setting is None else int(setting.number.value)
        return function(self.labels, self.predicted, self.rows.queries, k)

    def losses(self, name: str) -> Floats | None:
        """Return the number of each row, for metrics that are its mean."""
        function = _LOSSES.get(name)
        return None if function is None else function(self.labels, self.predicted)

    def statistic(self, name: str, setting: Setting | None) -> Statistic:
        """Return the metric as a function of row weights."""
        losses, hits = self.losses(name), self.hits(name, setting)
        if losses is not None:
            return weighted.mean(losses)
        if hits is not None:
            return weighted.share_within(*hits)
        level = None if setting is None else float(setting.number.value)
        ranked = self.of_queries(name, setting)
        if ranked is not None and self.rows.queries is not None:
            return weighted.per_query(ranked, self.rows.queries)
        match name:
            case "roc_auc":
                return weighted.roc_auc(self.labels, self.predicted)
            case "average_precision":
                return weighted.average_precision(self.labels, self.predicted)
            case "recall" if level is not None:
                return weighted.recall_at_fpr(self.labels, self.predicted, level)
            case "precision" if level is not None:
                return weighted.by_rows(
                    lambda y, p: ranks.precision_at_recall(y, p, level), self.labels, self.predicted
                )
            case "precision":
                return weighted.share_within(self.truth, self.decided)
            case "f1":
                return weighted.f1(self.labels, self.decided)
            case "rmse":
                return weighted.root_mean(errors.squared_errors(self.labels, self.predicted))
            case "demographic_parity_ratio":
                return weighted.parity_ratio(self.decided, self.grouping())
            case "demographic_parity_difference":
                return weighted.rate_spread(
                    self.decided, np.ones(self.n, dtype=np.bool_), self.grouping()
                )
            case "equal_opportunity_difference" | "equalized_odds_difference":
                recall = weighted.rate_spread(self.decided, self.truth, self.grouping())
                if name == "equal_opportunity_difference":
                    return recall
                alarms = weighted.rate_spread(self.decided, ~self.truth, self.grouping())
                return weighted.largest(recall, alarms)
            case _ if name in _OF_DECISIONS:
                return weighted.by_rows(_OF_DECISIONS[name], self.labels, self.decided)
            case _ if name in _OF_NUMBERS:
                return weighted.by_rows(_OF_NUMBERS[name], self.labels, self.predicted)
            case _:
                raise StatisticsError(f"`{name}` is not a metric of scored rows")

    def grouping(self) -> AnyArray:
        if self.rows.groups is None:
            raise StatisticsError("a metric that compares groups needs the groups of the rows")
        found = np.asarray(self.rows.groups)
        if np.unique(found.astype(str)).size < 2:
            raise StatisticsError("there is one group only: nothing to compare")
        return found


_Metric = Callable[..., float]
_LOSSES: dict[str, Callable[[AnyArray, AnyArray], Floats]] = {
    "log_loss": decisions.log_losses,
    "brier": decisions.brier_losses,
    "mae": errors.absolute_errors,
    "mape": errors.relative_errors,
    "bias": errors.differences,
}
RANKINGS: dict[str, Callable[[AnyArray, AnyArray, npt.ArrayLike, int], Floats]] = {
    "ndcg": ranks.ndcg,
    "map": ranks.mean_average_precision,
}
"""Metrics with a number for each query; their rows are queries."""
_OF_DECISIONS: dict[str, _Metric] = {
    "balanced_accuracy": decisions.balanced_accuracy,
    "mcc": decisions.mcc,
    "kappa": decisions.kappa,
}
_OF_NUMBERS: dict[str, _Metric] = {
    "calibration_error": decisions.calibration_error,
    "r2": errors.r2,
}


def _closed_form(
    name: str,
    setting: Setting | None,
    test: str,
    candidate: _Side,
    reference: _Side | None,
    factor: float,
    confidence: float,
) -> Interval | None:
    """Return the interval of a method that needs no resampling, or None when there is none."""
    if test == "bootstrap":
        return None
    if name == "roc_auc":
        if reference is None:
            return auc.auc_interval(candidate.labels, candidate.predicted, confidence)
        return auc.auc_difference(
            candidate.labels, candidate.predicted, reference.predicted, confidence, factor
        )
    ranked = candidate.of_queries(name, setting)
    losses = candidate.losses(name) if ranked is None else ranked
    hits = candidate.hits(name, setting)
    if losses is not None:
        if reference is None:
            return means.mean_interval(losses, confidence)
        theirs = reference.losses(name) if ranked is None else reference.of_queries(name, setting)
        compare = ranktests.wilcoxon if test == "wilcoxon" else means.paired_t
        return compare(losses, [] if theirs is None else theirs, confidence, factor)
    if hits is not None and reference is None:
        hit, base = hits
        return proportions.wilson(int((hit & base).sum()), int(base.sum()), confidence)
    other = None if reference is None else reference.hits(name, setting)
    if hits is not None and other is not None and factor == 1:
        return _paired_shares(hits, other[0], confidence)
    if name == "demographic_parity_ratio" and reference is None:
        return _parity(candidate, confidence)
    return None


def _paired_shares(hits: tuple[Bools, Bools], other: Bools, confidence: float) -> Interval:
    one, two = hits[0][hits[1]], other[hits[1]]
    return proportions.newcombe_paired(
        int((one & two).sum()),
        int((one & ~two).sum()),
        int((~one & two).sum()),
        int((~one & ~two).sum()),
        confidence,
    )


def _parity(side: _Side, confidence: float) -> Interval:
    """Return the interval of the smallest ratio of two groups' rates.

    Which two groups are farthest apart is itself seen in the rows. The low bound is the smallest
    of all pairs: the true pair is among them, so it needs no correction. The high bound is the
    smallest of all pairs at a confidence that is corrected for their number (Bonferroni).
    """
    group = side.grouping()
    rates = groups.group_rates(side.decided, group)
    value = groups.demographic_parity_ratio(side.decided, group)
    count = len(rates.names)
    corrected = 1 - (1 - confidence) / max(1, count * (count - 1) // 2)
    lows, highs = [], []
    for one, other in permutations(range(count), 2):
        hits = (int(rates.hits[one]), int(rates.counts[one]))
        theirs = (int(rates.hits[other]), int(rates.counts[other]))
        lows.append(proportions.relative_risk(*hits, *theirs, confidence).low)
        highs.append(proportions.relative_risk(*hits, *theirs, corrected).high)
    return Interval(
        estimate=value,
        low=min(*lows, value),
        high=max(min(highs), value),
        n=side.n,
        confidence=confidence,
        test="log relative risk",
        logarithmic=True,
    )


def _resampled(
    name: str,
    setting: Setting | None,
    candidate: _Side,
    reference: _Side | None,
    factor: float,
    confidence: float,
    resamples: int,
) -> Interval:
    statistic = candidate.statistic(name, setting)
    arrays: list[AnyArray] = [candidate.labels, candidate.predicted]
    is_ranking = name in RANKINGS
    if reference is not None:
        statistic = weighted.difference(statistic, reference.statistic(name, setting), factor)
        arrays.append(reference.predicted)
    return bootstrap(
        statistic,
        candidate.n,
        seed=seed_of(*arrays),
        strata=candidate.labels if candidate.is_binary and not is_ranking else None,
        clusters=candidate.rows.queries if is_ranking else candidate.rows.clusters,
        resamples=resamples,
        confidence=confidence,
        scale=Scale.VALUE if reference is None else Scale.DIFFERENCE,
    )
