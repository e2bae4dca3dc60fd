"""ML105: whether a metric, and the test that a check names, can be computed where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.places import PRODUCERS, Known, Place, task_of, within
from mlspec.diagnostics.codes import checks as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.diagnostics.suggest import nearest
from mlspec.expr.check import Check
from mlspec.expr.metric import Producer
from mlspec.expr.metrics import METRICS
from mlspec.spec.nouns import CheckSpec, ModelSpec

_BATCH_METRICS = frozenset({Producer.DATA})


def fit(
    catalogue: Catalogue, place: Place, written: CheckSpec, one: Check, known: Known
) -> Iterator[Diagnostic]:
    """Yield why a metric cannot be computed at a place."""
    reason = _why_unfit(catalogue, place, one, known)
    if reason is not None:
        message, help_ = reason
        yield Diagnostic(
            code=codes.METRIC_UNFIT,
            message=message,
            at=within(written, one.spans.metric),
            help=(help_,) if help_ else (),
        )


def _why_unfit(
    catalogue: Catalogue, place: Place, one: Check, known: Known
) -> tuple[str, str] | None:
    name, metric = known.name, known.metric
    if metric is None:
        return _why_own_unfit(place, known)
    able = PRODUCERS[place.where]
    if place.service is not None and place.service.mode == "batch":
        able |= _BATCH_METRICS
    if not metric.producers & able:
        made = ", ".join(sorted(producer.value for producer in metric.producers))
        return f"`{name}` is not known at {place.where.value}", f"it is computed from {made}"
    if one.reference is not None and not metric.tests.reference:
        return (
            f"`{name}` compares two distributions already",
            f"write a number, such as `{one.term} <= 0.2`",
        )
    if place.model is None or not place.is_of_model:
        return None
    task = task_of(catalogue, place.model)
    if metric.tasks and task is not None and task not in metric.tasks:
        fitting = sorted(other.name for other in METRICS.values() if task in other.tasks)
        listed = ", ".join(f"`{other}`" for other in fitting[:6])
        help_ = f"for `{task}` there are {listed}" if fitting else ""
        return f"`{name}` does not fit the task `{task}` of `{place.model.id}`", help_
    if metric.needs_labels and not _has_truth(catalogue, place.model):
        return (
            f"`{name}` needs labels, and `{place.model.id}` has none",
            "write `label: {data: …, column: …}`, or `evaluate`",
        )
    return None


def check_test(written: CheckSpec, one: Check, known: Known) -> Iterator[Diagnostic]:
    """Yield a statistical test that the metric cannot be judged by."""
    if written.test is None or known.metric is None:
        return
    methods = known.metric.tests
    default = methods.threshold if one.reference is None else methods.reference
    names = tuple(dict.fromkeys((default, *methods.alternatives)))
    if written.test in names:
        return
    guess = nearest(written.test, names)
    listed = ", ".join(f"`{name}`" for name in names)
    yield Diagnostic(
        code=codes.METRIC_UNFIT,
        message=f"`{one.metric}` is not judged by the test `{written.test}` here",
        at=written.at / "test",
        label=f"did you mean `{guess}`?" if guess else "",
        notes=(f"tests for it: {listed}; without `test` it is `{default}`",),
    )


def _has_truth(catalogue: Catalogue, model: ModelSpec) -> bool:
    """Return whether the truth about a model's answers can be known."""
    return any(
        one.label_data is not None or one.evaluate is not None for one in catalogue.lineage(model)
    )


def _why_own_unfit(place: Place, known: Known) -> tuple[str, str] | None:
    """Say why a metric of the user's own cannot be computed at a place."""
    own, model = known.own, place.model
    if own is None:
        return None
    if own.prometheus is not None:
        if place.is_live:
            return None
        return f"`{own.name}` is measured on a service, not at {place.where.value}", ""
    if not place.is_of_model or model is None:
        return f"`{own.name}` judges a model, not {place.where.value}", ""
    if own.function is not None or place.is_live:
        return None
    evaluate = model.evaluate
    if evaluate is None or (evaluate.metrics is None and not evaluate.block.is_own):
        return (
            f"nothing writes `{own.name}` for `{model.id}`",
            "write `evaluate: {metrics: pipeline.step}`, or give the metric a `function`",
        )
    return None
