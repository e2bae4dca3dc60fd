"""ML101 to ML107: every check can be read, computed where it stands, and says what is meant."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.fit import check_test, fit
from mlspec.analysis.rules.places import (
    Known,
    Place,
    Where,
    known_metric,
    parsed,
    places,
    read_check,
    references,
    sliceable,
    within,
)
from mlspec.diagnostics.codes import checks as codes
from mlspec.diagnostics.model import Diagnostic, Label, Severity
from mlspec.diagnostics.suggest import nearest
from mlspec.expr.check import Check, CheckProblem, Inner, Number, Word
from mlspec.expr.metric import ArgumentKind, Better, Family, Unit
from mlspec.expr.metric_rules import argument_problem, is_wrong_direction, unit_fits
from mlspec.expr.metrics import METRICS
from mlspec.source import Origin
from mlspec.spec.nouns import CheckSpec, ModelSpec, ServiceSpec

_SLICE_TYPES = frozenset({"string", "bool", "int", "class"})
_UNBOUNDED_SHARES = frozenset({"mape"})


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield what is wrong with checks, each where its part stands."""
    for place in places(catalogue):
        for written in place.checks:
            found = read_check(written.text)
            if isinstance(found, CheckProblem):
                yield _unreadable(written, found)
            else:
                yield from _one(catalogue, place, written, found)
    for model in catalogue.nouns.models:
        yield from _named_metrics(catalogue, model)


def _unreadable(written: CheckSpec, problem: CheckProblem) -> Diagnostic:
    return Diagnostic(
        code=codes.CHECK_UNREADABLE,
        message=problem.message,
        at=within(written, problem.span),
        help=(problem.help,) if problem.help else (),
    )


def _one(
    catalogue: Catalogue, place: Place, written: CheckSpec, one: Check
) -> Iterator[Diagnostic]:
    yield from _reference(catalogue, place, written, one)
    known = known_metric(catalogue, one.metric)
    if known is None:
        yield _unknown_metric(catalogue, one.metric, within(written, one.spans.metric))
        return
    yield from _argument(catalogue, place, written, one, known)
    yield from _slice(catalogue, place, written, one, known)
    unfit = list(fit(catalogue, place, written, one, known))
    yield from unfit
    if not unfit:
        yield from check_test(written, one, known)
        yield from _unit(written, one, known)
        yield from _direction(place, written, one, known)


def _unknown_metric(catalogue: Catalogue, name: str, at: Origin) -> Diagnostic:
    names = (*METRICS, *catalogue.own_metrics)
    guess = nearest(name, names)
    return Diagnostic(
        code=codes.METRIC_UNKNOWN,
        message=f"there is no metric `{name}`",
        at=at,
        label=f"did you mean `{guess}`?" if guess else "",
        help=()
        if guess
        else (
            f"declare it under `metrics`, with a function or written by a step: `{name}: {{…}}`",
        ),
    )


def _named_metrics(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield metrics named outside of checks that do not exist."""
    objective = model.tune.objective if model.tune is not None else None
    for name in (objective, model.threshold_metric):
        if name is not None and known_metric(catalogue, name.text) is None:
            yield _unknown_metric(catalogue, name.text, name.at)


def _reference(
    catalogue: Catalogue, place: Place, written: CheckSpec, one: Check
) -> Iterator[Diagnostic]:
    if one.reference is None or place.where is Where.JUDGE:
        return
    known = references(catalogue, place)
    reason = known.get(one.reference)
    if reason == "":
        return
    at = within(written, one.spans.reference)
    if reason is not None:
        help_ = "write `baseline: prior`, or a model" if one.reference == "baseline" else ""
        yield Diagnostic(
            code=codes.REFERENCE_MISSING,
            message=f"nothing is called `{one.reference}` here",
            at=at,
            label=reason,
            help=(help_,) if help_ else (),
        )
        return
    here = [name for name, why in known.items() if not why]
    guess = nearest(one.reference, here)
    listed = ", ".join(f"`{name}`" for name in here)
    yield Diagnostic(
        code=codes.REFERENCE_MISSING,
        message=f"nothing is called `{one.reference}` here",
        at=at,
        label=f"did you mean `{guess}`?" if guess else "",
        notes=(f"a check here compares with {listed}",),
    )


def _argument(
    catalogue: Catalogue, place: Place, written: CheckSpec, one: Check, known: Known
) -> Iterator[Diagnostic]:
    at = within(written, one.spans.argument if one.argument is not None else one.spans.metric)
    if known.metric is None:
        if one.argument is not None:
            yield Diagnostic(
                code=codes.CHECK_UNREADABLE,
                message=f"`{one.metric}` takes nothing in brackets",
                at=at,
            )
        return
    if isinstance(one.argument, (Word, Inner)) and one.metric == "estimated":
        inner = one.argument.text if isinstance(one.argument, Word) else one.argument.metric
        if inner not in METRICS:
            yield _unknown_metric(catalogue, inner, at)
            return
    problem = argument_problem(known.metric, one.argument)
    if problem:
        yield Diagnostic(code=codes.CHECK_UNREADABLE, message=problem, at=at)
        return
    spec = known.metric.argument
    if spec is None or not isinstance(one.argument, Word):
        return
    if spec.kind is ArgumentKind.COLUMN:
        yield from _column_argument(catalogue, place, one.argument.text, spec.words, at)
    elif spec.kind is ArgumentKind.VARIANT and place.service is not None:
        yield from _variant_argument(place.service, one.argument.text, at)


def _variant_argument(service: ServiceSpec, name: str, at: Origin) -> Iterator[Diagnostic]:
    """Yield a variant that does not exist, or that sees other requests than the champion."""
    variants = {variant.id: variant for variant in service.variants}
    variant = variants.get(name)
    if variant is None:
        guess = nearest(name, variants)
        yield Diagnostic(
            code=codes.REFERENCE_MISSING,
            message=f"`{service.id}` has no variant `{name}`",
            at=at,
            label=f"did you mean `{guess}`?" if guess else "",
            help=() if guess else ("add it under `variants` with `traffic: mirror`",),
        )
    elif variant.share is not None:
        yield Diagnostic(
            code=codes.METRIC_UNFIT,
            message=f"`{name}` and the champion of `{service.id}` never answer the same request",
            at=at,
            labels=(Label(variant.at.key(), "answers a share of its own"),),
            help=("agreement needs `traffic: mirror`",),
        )


def _column_argument(
    catalogue: Catalogue, place: Place, name: str, words: tuple[str, ...], at: Origin
) -> Iterator[Diagnostic]:
    columns = sliceable(catalogue, place)
    if place.model is not None:
        words = (*words, *(column.name for column in catalogue.output(place.model)))
    is_word = name in words and place.where not in {Where.DATA, Where.DATA_MONITOR, Where.FEATURE}
    if is_word or name in columns or not columns:
        return
    guess = nearest(name, columns)
    yield Diagnostic(
        code=codes.COLUMN_MISSING,
        message=f"{place.subject} has no column `{name}`",
        at=at,
        label=f"did you mean `{guess}`?" if guess else "",
    )


def _slice(
    catalogue: Catalogue, place: Place, written: CheckSpec, one: Check, known: Known
) -> Iterator[Diagnostic]:
    per_group = known.metric is not None and known.metric.per_group
    if one.by is None:
        if per_group:
            yield Diagnostic(
                code=codes.COLUMN_MISSING,
                message=f"`{one.metric}` compares groups, and no column says which",
                at=within(written, one.spans.metric),
                help=(f"write `{one.metric} by column`",),
            )
        return
    columns = sliceable(catalogue, place)
    if not columns:
        return
    at = within(written, one.spans.by)
    column = columns.get(one.by)
    if column is None:
        guess = nearest(one.by, columns)
        yield Diagnostic(
            code=codes.COLUMN_MISSING,
            message=f"there is no column `{one.by}` to cut {place.subject} by",
            at=at,
            label=f"did you mean `{guess}`?" if guess else "",
            help=()
            if guess
            else ("`by` names a column of the model's data or of a feature's output",),
        )
    elif column.facts.type not in _SLICE_TYPES and not column.facts.enum:
        yield Diagnostic(
            code=codes.COLUMN_MISSING,
            message=f"`{one.by}` is `{column.facts.type}`: it has too many values to cut by",
            at=at,
            help=("`by` takes a column of type string, bool, int, or with `enum`",),
        )


def _unit(written: CheckSpec, one: Check, known: Known) -> Iterator[Diagnostic]:
    unit = known.unit
    if unit is None or one.metric == "estimated":
        return
    number, span = (one.threshold, one.spans.number)
    if number is None:
        number, span = one.margin, one.spans.margin
    at = within(written, span)
    if not unit_fits(unit, number):
        yield Diagnostic(
            code=codes.UNIT_MISMATCH,
            message=f"`{one.metric}` is {unit.value}, and `{_size(number)}` is not",
            at=at,
            help=(_unit_help(unit, number),),
        )
        return
    is_share = unit is Unit.SHARE and known.own is None and one.metric not in _UNBOUNDED_SHARES
    if is_share and one.threshold is not None and not 0 <= number.value <= 1:
        help_ = f"write `{number.digits}%`" if not number.unit and number.digits <= 100 else ""
        yield Diagnostic(
            code=codes.UNIT_MISMATCH,
            message=f"`{one.metric}` is a share: `{number}` is never reached",
            at=at,
            help=(help_,) if help_ else ("a share lies between 0 and 1",),
        )


def _size(number: Number) -> str:
    return str(Number(abs(number.digits), number.unit))


def _unit_help(unit: Unit, number: Number) -> str:
    size = abs(number.digits)
    match unit:
        case Unit.SECONDS:
            return "write a duration, such as `30ms`, `2s` or `6h`"
        case Unit.SHARE:
            return "write a share, such as `5%` or `0.05`"
        case _ if number.unit == "%":
            return f"write `{Number(size * Decimal('0.01'))}`"
        case _:
            return f"write `{Number(size)}`"


def _direction(place: Place, written: CheckSpec, one: Check, known: Known) -> Iterator[Diagnostic]:
    """Yield a check that good values fail; doubtful where a bound on both sides has a use."""
    if not is_wrong_direction(known.better, one.op):
        return
    family = known.metric.family if known.metric is not None else None
    judges_rows = place.where in {Where.DATA, Where.DATA_MONITOR, Where.FEATURE}
    doubtful = judges_rows or family is Family.EXACT or _is_bounded(place, one)
    turned = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}[one.op.value]
    way = "higher" if known.better is Better.HIGHER else "lower"
    yield Diagnostic(
        code=codes.WRONG_DIRECTION,
        message=f"`{one.metric}` is better when it is {way}: this check fails good values only",
        at=within(written, one.spans.op),
        help=(f"write `{turned}`",),
        severity_override=Severity.WARNING if doubtful else None,
    )


def _is_bounded(place: Place, one: Check) -> bool:
    """Return whether numbers bound the same term from both sides."""
    if one.threshold is None:
        return False
    others = (parsed(written) for written in place.checks)
    return any(
        other is not None
        and other.threshold is not None
        and other.term == one.term
        and other.op.wants_more != one.op.wants_more
        for other in others
    )
