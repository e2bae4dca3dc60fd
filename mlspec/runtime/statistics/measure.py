"""From scored rows to the interval that a check is judged by.

Duty: choose the method that the registry names for the metric (or the one the check asks for),
apply it to the candidate and, for a comparison, to the reference on the very same rows. Rows that
share an entity are never treated as independent: with clusters every method is the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlspec.expr.check import Check, Setting
from mlspec.expr.metric import Metric
from mlspec.runtime.metrics import decisions, errors, groups, ranks
from mlspec.runtime.metrics.arrays import AnyArray, Bools, Floats, truths
from mlspec.runtime.statistics import auc, means, proportions, weighted
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
    candidate = _Side(rows, np.asarray(rows.predictions), rows.threshold)
    reference = None
    if compared and rows.reference is not None:
        reference = _Side(rows, np.asarray(rows.reference), rows.reference_threshold)
    chosen = "bootstrap" if rows.clusters is not None else test or default
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
    positives = int(candidate.truth.sum()) if candidate.is_binary else None
    return (
        Estimate(
            value=value,
            n=candidate.n,
            positives=positives,
            negatives=None if positives is None else candidate.n - positives,
            reference=other,
        ),
        interval,
    )


class _Side:
    """The predictions of one model on the rows."""

    def __init__(self, rows: Scored, predicted: AnyArray, threshold: float) -> None:
        self.rows = rows
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
            case "top_k_accuracy" if setting is not None:
                k = int(setting.number.value)
                return decisions.in_top_k(self.labels, self.predicted, k), everything
            case "recall" if setting is None:
                return truths(self.decided, "decisions"), self.truth
            case _:
                return None

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
                return weighted.by_rows(
                    groups.demographic_parity_difference, self.decided, self.grouping()
                )
            case _ if name in _OF_GROUPS:
                return weighted.by_rows(
                    _OF_GROUPS[name], self.labels, self.decided, self.grouping()
                )
            case _ if name in _OF_DECISIONS:
                return weighted.by_rows(_OF_DECISIONS[name], self.labels, self.decided)
            case _ if name in _OF_NUMBERS:
                return weighted.by_rows(_OF_NUMBERS[name], self.labels, self.predicted)
            case _:
                raise StatisticsError(f"`{name}` is not a metric of scored rows")

    def grouping(self) -> AnyArray:
        if self.rows.groups is None:
            raise StatisticsError("a metric that compares groups needs the groups of the rows")
        return np.asarray(self.rows.groups)


_Metric = Callable[..., float]
_LOSSES: dict[str, Callable[[AnyArray, AnyArray], Floats]] = {
    "log_loss": decisions.log_losses,
    "brier": decisions.brier_losses,
    "mae": errors.absolute_errors,
    "mape": errors.relative_errors,
    "bias": errors.differences,
}
_OF_GROUPS: dict[str, _Metric] = {
    "equalized_odds_difference": groups.equalized_odds_difference,
    "equal_opportunity_difference": groups.equal_opportunity_difference,
}
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
    losses, hits = candidate.losses(name), candidate.hits(name, setting)
    if losses is not None:
        theirs = None if reference is None else reference.losses(name)
        if theirs is None:
            return means.mean_interval(losses, confidence)
        return means.paired_t(losses, theirs, confidence, factor)
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
    """Return the relative risk of the group with the smallest rate and the one with the largest."""
    group = side.grouping()
    rates = groups.group_rates(side.decided, group)
    value = groups.demographic_parity_ratio(side.decided, group)
    least, most = int(rates.rates.argmin()), int(rates.rates.argmax())
    found = proportions.relative_risk(
        int(rates.hits[least]),
        int(rates.counts[least]),
        int(rates.hits[most]),
        int(rates.counts[most]),
        confidence,
    )
    return replace(
        found,
        scale=Scale.VALUE,
        estimate=value,
        low=min(found.low, value),
        high=max(found.high, value),
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
    if reference is not None:
        statistic = weighted.difference(statistic, reference.statistic(name, setting), factor)
        arrays.append(reference.predicted)
    return bootstrap(
        statistic,
        candidate.n,
        seed=seed_of(*arrays),
        strata=candidate.labels if candidate.is_binary else None,
        clusters=candidate.rows.clusters,
        resamples=resamples,
        confidence=confidence,
        scale=Scale.VALUE if reference is None else Scale.DIFFERENCE,
    )
