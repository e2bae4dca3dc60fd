"""What a check asks, in words: the quantity, the confidence and the method it is judged with.

Duty: a check and where it stands in, one line out: `candidate - champion >= -0.02 with 95 %
confidence, paired bootstrap, 1 000 resamples` (with the mathematical signs). The methods are those
that `mlspec.runtime.statistics.measure` and `mlspec.runtime.contracts.measures` choose.
"""

from __future__ import annotations

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.evidence import declared_rows
from mlspec.analysis.rules.places import Place, Where, known_metric, parsed
from mlspec.expr.check import Check, CheckOp, Setting, plain
from mlspec.expr.metric import Family, Metric, Producer
from mlspec.expr.power import auc_rows
from mlspec.spec.nouns import CheckSpec, ModelSpec

RESAMPLES = 1_000
"""Draws of a bootstrap; twice as many under `regulated`."""

_MINUS, _TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_SIGNS = {
    CheckOp.GE: "\N{GREATER-THAN OR EQUAL TO}",
    CheckOp.LE: "\N{LESS-THAN OR EQUAL TO}",
    CheckOp.GT: ">",
    CheckOp.LT: "<",
    CheckOp.EQ: "=",
}
_METHODS = {
    "delong": ("DeLong", "paired DeLong"),
    "wilson": ("Wilson", "Wilson"),
    "newcombe": ("Newcombe", "Newcombe's paired difference"),
    "t": ("t", "t"),
    "paired-t": ("t", "paired t"),
    "wilcoxon": ("Wilcoxon", "Wilcoxon signed rank"),
    "relative-risk": ("log relative risk over all pairs of groups", "log relative risk"),
    "order-statistic": ("order statistics of single calls", "order statistics"),
}
_DATA_METHODS = {
    Family.PROPORTION: "Wilson",
    Family.PSI: "non-central chi-square",
    Family.DISTANCE: "bootstrap on bins",
}
_LATER_VERSIONS = ("champion", "previous")


def in_words(written: CheckSpec, place: Place, catalogue: Catalogue) -> str:
    """Return what a check asks; empty where nothing judges it yet, or it cannot be read."""
    check = parsed(written)
    if check is None or place.is_live or place.where in {Where.DATA_MONITOR, Where.JUDGE}:
        return ""
    known = known_metric(catalogue, check.metric)
    if known is None:
        return ""
    if not place.is_of_model:
        parts = _of_data(check, known.metric, written)
    else:
        parts = _of_model(check, known.metric, written, place.model, catalogue)
        if known.own is not None and known.own.function is None:
            parts = [_quantity(check), "a number that a step writes, compared without bounds"]
        if written.severity != "error":
            parts.append("warns only")
    return ", ".join(part for part in parts if part)


def _of_data(check: Check, metric: Metric | None, written: CheckSpec) -> list[str]:
    """Return the parts for a data contract: data are stopped only by what the rows show."""
    is_distance = metric is not None and metric.family in {Family.PSI, Family.DISTANCE}
    asked = _quantity(check, "distance to the previous version" if is_distance else "this version")
    if check.by is not None:
        asked += f" for each value of `{check.by}`"
    stops = "stops the run" if written.severity == "error" else "is told"
    if metric is None or metric.family is Family.EXACT:
        return [asked, f"counted, anything else {stops}"]
    method = _DATA_METHODS.get(metric.family, "Welch t" if check.reference is not None else "t")
    confidence = _percent(written.confidence)
    sure = f"{stops} when the rows show with {confidence} confidence that it is broken"
    least = written.min_samples
    few = metric.tests.min_samples if least is None else least
    return [asked, sure, method, f"at least {_grouped(few)} rows" if few else ""]


def _of_model(
    check: Check,
    metric: Metric | None,
    written: CheckSpec,
    model: ModelSpec | None,
    catalogue: Catalogue,
) -> list[str]:
    parts = [_asked(check, metric)]
    if model is not None and model.evaluate is not None and model.evaluate.metrics is not None:
        return [*parts, "a number that a step writes, compared without bounds, unpaired"]
    if metric is not None and is_not_measured(metric):
        return [*parts, "inconclusive, as nothing measures it yet"]
    if metric is not None and metric.family is Family.EXACT:
        return [*parts, "one number, compared without bounds"]
    parts[0] += f" with {_percent(written.confidence)} confidence"
    entity = _entity(catalogue, model, metric)
    test = "bootstrap" if entity else method_of(check, metric, written.test)
    if test == "bootstrap":
        draws = 2 * RESAMPLES if catalogue.profile == "regulated" else RESAMPLES
        paired = "paired " if check.reference is not None else ""
        together = f" by `{entity}`" if entity else ""
        parts += [f"{paired}bootstrap{together}", f"{_grouped(draws)} resamples"]
    else:
        parts.append(_METHODS[test][check.reference is not None])
    parts.append(_least(metric, written, model, catalogue))
    if model is not None:
        parts.append(_needs(check, metric, written, model, catalogue))
    if check.reference in _LATER_VERSIONS:
        parts.append(f"not applicable while there is no {check.reference}")
    return parts


def is_not_measured(metric: Metric) -> bool:
    """Return whether no step makes the rows of a metric: answers of a language model, requests."""
    about_answers = metric.tasks == {"generation"} or metric.producers == {Producer.JUDGE}
    return about_answers or metric.family is Family.REQUESTS


def method_of(check: Check, metric: Metric | None, test: str | None = None) -> str:
    """Return the method of `mlspec.runtime.statistics.measure` for rows that share no entity."""
    if metric is None or test == "bootstrap":
        return "bootstrap"
    compared = check.reference is not None
    chosen = test or (metric.tests.reference if compared else metric.tests.threshold)
    if metric.family is Family.PROPORTION:
        by_setting = metric.name == "recall" and isinstance(check.argument, Setting)
        return "bootstrap" if by_setting or (compared and check.factor != 1) else chosen
    if metric.family is Family.GROUPS and metric.name != "demographic_parity_ratio":
        return "bootstrap"
    return chosen


def _entity(catalogue: Catalogue, model: ModelSpec | None, metric: Metric | None) -> str:
    """Return the key of the first keyed feature: its rows are drawn together."""
    if model is None or (metric is not None and Producer.TELEMETRY in metric.producers):
        return ""
    if metric is not None and metric.name in {"ndcg", "map"}:
        return ""  # judged by the query
    features = catalogue.model_features(model)
    return next(("|".join(k.text for k in one.key) for one in features if one.key), "")


def _least(
    metric: Metric | None, written: CheckSpec, model: ModelSpec | None, catalogue: Catalogue
) -> str:
    least = written.min_samples
    if least is None:
        least = 30 if metric is None else metric.tests.min_samples
    if not least:
        return ""
    is_service = metric is not None and Producer.TELEMETRY in metric.producers
    if is_service:
        return f"at least {_grouped(least)} calls"
    labelled = metric is None or metric.needs_labels
    classes = labelled and model is not None and catalogue.task(model) == "binary"
    return f"at least {_grouped(least)} rows" + (" of each class" if classes else "")


def _needs(
    check: Check,
    metric: Metric | None,
    written: CheckSpec,
    model: ModelSpec,
    catalogue: Catalogue,
) -> str:
    """Return the rows at which an equally good model passes in 80 % of the cases, if known."""
    margin = abs(float(check.margin.value))
    if metric is None or metric.name != "roc_auc" or check.reference is None or not margin:
        return ""
    declared = declared_rows(catalogue, model)
    if check.factor != 1 or check.by is not None or declared is None:
        return ""
    rows = auc_rows(margin, declared[1], confidence=written.confidence)
    return f"needs about {_grouped(rows)} test rows"


def _asked(check: Check, metric: Metric | None) -> str:
    asked = _quantity(check)
    if check.by is None:
        return asked
    if metric is not None and metric.per_group:
        return f"{asked} between the groups of `{check.by}`"
    return f"{asked} for each value of `{check.by}`"


def _quantity(check: Check, subject: str = "candidate") -> str:
    """Return the comparison: `candidate - champion >= -0.02`, `candidate >= 0.3`."""
    sign = _SIGNS[check.op]
    if check.reference is None:
        limit = f"{check.threshold}".replace("-", _MINUS)
        return f"{subject} {sign} {limit}"
    factor = "" if check.factor == 1 else f"{plain(check.factor)} {_TIMES} "
    margin = str(check.margin).replace("-", _MINUS)
    return f"{subject} {_MINUS} {factor}{check.reference} {sign} {margin}"


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")
