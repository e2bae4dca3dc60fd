"""Where checks stand, what they may compare with there, and which columns they may name.

Input: the catalogue. Output: a `Place` for each list of checks of the spec, in spec order. Names
that do not exist are None here: `mlspec.analysis.rules.names` reports them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from mlspec.analysis.catalogue import RESERVED_REFERENCES, Catalogue
from mlspec.expr.check import NOWHERE, Check, CheckProblem
from mlspec.expr.check_parser import parse_check
from mlspec.expr.metric import Better, Metric, Producer, Unit
from mlspec.source import Origin, Span
from mlspec.spec.nouns import CheckSpec, ColumnSpec, FeatureSpec, MetricSpec, ModelSpec, ServiceSpec


class Where(Enum):
    """The places of checks; the value is how messages call them."""

    DATA = "a data contract"
    FEATURE = "the checks of a feature"
    PROMOTE = "a promotion gate"
    COMPRESS = "the checks of a compression"
    JUDGE = "the agreement of a judge"
    SLO = "a service level"
    ROLLOUT = "a rollout"
    MONITOR = "a monitor of a service"
    DATA_MONITOR = "a monitor of data"


_MODEL_PLACES = frozenset({Where.PROMOTE, Where.COMPRESS, Where.ROLLOUT, Where.MONITOR})
_LIVE_PLACES = frozenset({Where.SLO, Where.ROLLOUT, Where.MONITOR})
PRODUCERS: Mapping[Where, frozenset[Producer]] = {
    Where.DATA: frozenset({Producer.DATA}),
    Where.FEATURE: frozenset({Producer.DATA}),
    Where.DATA_MONITOR: frozenset({Producer.DATA}),
    Where.PROMOTE: frozenset({Producer.SCORES, Producer.JUDGE, Producer.TELEMETRY}),
    Where.COMPRESS: frozenset({Producer.SCORES, Producer.JUDGE, Producer.TELEMETRY}),
    Where.JUDGE: frozenset({Producer.SCORES}),
    Where.SLO: frozenset({Producer.TELEMETRY}),
    Where.ROLLOUT: frozenset(Producer) - {Producer.DATA},
    Where.MONITOR: frozenset(Producer) - {Producer.DATA},
}
"""What can be measured where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A list of checks.

    Attributes:
        where: what kind of place. subject: the noun as messages call it, such as "`fraud`".
        model: whose answers are judged. service: whose telemetry and log are.
        data: id of the data noun whose rows are.
        at: of the holder of the list.
    """

    where: Where
    subject: str
    checks: tuple[CheckSpec, ...]
    model: ModelSpec | None = None
    service: ServiceSpec | None = None
    data: str | None = None
    feature: FeatureSpec | None = None
    at: Origin

    @property
    def is_live(self) -> bool:
        """Whether requests are judged."""
        return self.where in _LIVE_PLACES

    @property
    def is_of_model(self) -> bool:
        """Whether a model's answers are judged."""
        return self.where in _MODEL_PLACES


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a metric, of the registry or of the user's own. `unit` None: any."""

    name: str
    better: Better
    unit: Unit | None
    metric: Metric | None = None
    own: MetricSpec | None = None


@lru_cache(maxsize=4096)
def read_check(text: str) -> Check | CheckProblem:
    """Return the check that a text says; several rules read the same one."""
    return parse_check(text)


def parsed(check: CheckSpec) -> Check | None:
    """Return a check that can be read; None for one that was reported as unreadable."""
    found = read_check(check.text)
    return found if isinstance(found, Check) else None


def known_metric(catalogue: Catalogue, name: str) -> Known | None:
    """Return what is known of a metric, or None when there is none of that name."""
    found = catalogue.metric(name)
    if isinstance(found, Metric):
        return Known(name=name, better=found.better, unit=found.unit, metric=found)
    if isinstance(found, MetricSpec):
        return Known(name=name, better=Better(found.better), unit=_own_unit(found.unit), own=found)
    if any(kpi.id == name for kpi in catalogue.nouns.kpis):
        return Known(name=name, better=Better.NONE, unit=None)
    return None


def _own_unit(written: str) -> Unit | None:
    match written:
        case "":
            return None
        case "%":
            return Unit.SHARE
        case "ms" | "s" | "m" | "h" | "d":
            return Unit.SECONDS
        case _:
            return Unit.NUMBER


def within(written: CheckSpec, span: Span) -> Origin:
    """Return the place of a part of a check; the whole check when it is in the long form."""
    if written.is_long or span == NOWHERE:
        return written.at
    return written.at.within(span.start, span.end)


def places(catalogue: Catalogue) -> Iterator[Place]:
    """Yield all lists of checks."""
    nouns = catalogue.nouns
    for data in nouns.data:
        yield Place(
            where=Where.DATA,
            subject=f"`{data.id}`",
            checks=data.checks,
            data=data.id,
            at=data.at,
        )
    for feature in nouns.features:
        yield Place(
            where=Where.FEATURE,
            subject=f"`{feature.id}`",
            checks=feature.checks,
            feature=feature,
            at=feature.at,
        )
    for model in nouns.models:
        yield from _of_model(model)
    for service in nouns.services:
        yield from _of_service(catalogue, service)
    for monitor in nouns.monitors:
        watched = catalogue.services.get(monitor.watch.text)
        is_data = watched is None and monitor.watch.text in catalogue.data
        yield Place(
            where=Where.DATA_MONITOR if is_data else Where.MONITOR,
            subject=f"`{monitor.watch.text}`",
            checks=monitor.checks,
            model=catalogue.models.get(watched.model.text) if watched is not None else None,
            service=watched,
            data=monitor.watch.text if is_data else None,
            at=monitor.at,
        )


def _of_model(model: ModelSpec) -> Iterator[Place]:
    subject = f"`{model.id}`"
    if model.promote is not None:
        yield Place(
            where=Where.PROMOTE,
            subject=subject,
            checks=model.promote.checks,
            model=model,
            at=model.promote.at,
        )
    if model.compress is not None:
        yield Place(
            where=Where.COMPRESS,
            subject=subject,
            checks=model.compress.checks,
            model=model,
            at=model.compress.at,
        )
    if model.evaluate is not None and model.evaluate.agreement is not None:
        yield Place(
            where=Where.JUDGE,
            subject=subject,
            checks=(model.evaluate.agreement,),
            model=model,
            at=model.evaluate.at,
        )


def _of_service(catalogue: Catalogue, service: ServiceSpec) -> Iterator[Place]:
    model = catalogue.models.get(service.model.text)
    lists = [(Where.SLO, service.slo, service.at)]
    if service.rollout is not None:
        lists.append((Where.ROLLOUT, service.rollout.checks, service.rollout.at))
    for where, checks, at in lists:
        yield Place(
            where=where,
            subject=f"`{service.id}`",
            checks=checks,
            model=model,
            service=service,
            at=at,
        )


def references(catalogue: Catalogue, place: Place) -> Mapping[str, str]:
    """Return what a check may compare with at a place, and why a reserved word is not there.

    Returns:
        names in the order of decision B2 with an empty text, reserved words that mean nothing here
        with the reason.
    """
    if not place.is_of_model and not place.is_live:
        others = (word for word in RESERVED_REFERENCES if word != "previous")
        reason = "data is compared with `previous`, its version before"
        return {"previous": "", **dict.fromkeys(others, reason)}
    found: dict[str, str] = {}
    service, model = place.service, place.model
    variants = service.variants if service is not None else ()
    found.update({variant.id: "" for variant in variants})
    missing = {}
    if model is not None and model.baseline is None:
        missing["baseline"] = f"`{model.id}` has no `baseline`"
    if model is not None and model.compress is None:
        missing["uncompressed"] = f"`{model.id}` has no `compress`"
    if service is not None:
        missing["challenger"] = f"`{service.id}` has no variant `challenger`"
    for word in RESERVED_REFERENCES:
        found.setdefault(word, missing.get(word, ""))
    found.update({name: "" for name in catalogue.models if name not in found})
    return found


def sliceable(catalogue: Catalogue, place: Place) -> Mapping[str, ColumnSpec]:
    """Return the columns that may follow `by` at a place; empty when they are not known."""
    if place.data is not None:
        return {column.name: column for column in catalogue.columns(place.data)}
    if place.feature is not None:
        found = {
            column.name: column
            for read in place.feature.reads
            for column in catalogue.columns(read.data.text)
        }
        found.update({column.name: column for column in place.feature.outputs})
        return found
    if place.model is None:
        return {}
    found = dict(catalogue.slice_columns(place.model))
    evaluate = place.model.evaluate
    if evaluate is not None and evaluate.data is not None:
        found.update({one.name: one for one in catalogue.columns(evaluate.data.text)})
    if place.service is not None and place.service.data is not None:
        of_rows = catalogue.columns(place.service.data.text)
        found.update({column.name: column for column in of_rows})
    return found


def task_of(catalogue: Catalogue, model: ModelSpec) -> str | None:
    """Return the task of a model; members of a function may have other tasks than the whole."""
    if model.task is not None:
        return model.task.text
    if model.ensemble is not None and ":" in model.ensemble.combine.text:
        return None
    return catalogue.task(model)
