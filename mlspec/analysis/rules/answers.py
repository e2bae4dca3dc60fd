"""ML108, ML201, ML202: models that are made of, or stand in for, each other must answer alike."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.places import task_of
from mlspec.diagnostics.codes import checks as check_codes
from mlspec.diagnostics.codes import models as codes
from mlspec.diagnostics.model import Diagnostic, Label, Severity
from mlspec.ir.graph import cycles
from mlspec.source import Origin
from mlspec.spec.model import Located
from mlspec.spec.nouns import ColumnSpec, ModelSpec, ServiceSpec

_NUMBERS = frozenset({"int", "float", "probability", "score"})
_AVERAGED = frozenset({"mean", "weighted"})


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield circles, members that do not combine, and stand-ins that answer something else."""
    yield from _circles(catalogue)
    for model in catalogue.nouns.models:
        if model.ensemble is not None:
            yield from _members(catalogue, model)
    for service in catalogue.nouns.services:
        yield from _stand_ins(catalogue, service)


# ------------------------------------------------------------------ ML108


def _circles(catalogue: Catalogue) -> Iterator[Diagnostic]:
    made_of = {model.id: _made_of(model) for model in catalogue.nouns.models}
    for circle in cycles({name: tuple(one.text for one in of) for name, of in made_of.items()}):
        first, second = circle[0], circle[1 % len(circle)]
        at = next(one.at for one in made_of[first] if one.text == second)
        way = " -> ".join(f"`{name}`" for name in (*circle, first))
        yield Diagnostic(
            code=check_codes.MODEL_CYCLE,
            message=f"models are made of each other: {way}",
            at=at,
            help=("a model is made of models that exist before it",),
        )
    for service in catalogue.nouns.services:
        fallback = service.fallback
        if fallback is not None and fallback.text == service.model.text:
            yield Diagnostic(
                code=check_codes.MODEL_CYCLE,
                message=f"`{service.id}` falls back on the model that has failed",
                at=fallback.at,
                labels=(Label(service.model.at, "the model it serves"),),
                help=("name a model that is simpler and always there",),
            )


def _made_of(model: ModelSpec) -> tuple[Located, ...]:
    found = list(model.ensemble.members) if model.ensemble is not None else []
    if model.train is not None and model.train.base is not None:
        found.append(model.train.base)
    return tuple(found)


# ------------------------------------------------------------------ ML201


def _members(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    ensemble = model.ensemble
    assert ensemble is not None  # noqa: S101  asked by the caller; for the type checker
    combine = ensemble.combine
    if ":" in combine.text:
        if not model.output:
            yield Diagnostic(
                code=codes.MEMBERS_DISAGREE,
                message=f"nothing says what `{combine.text}` answers",
                at=combine.at,
                help=("write `input` and `output` of the ensemble",),
            )
        return
    named = [
        (one, catalogue.models[one.text])
        for one in ensemble.members
        if one.text in catalogue.models
    ]
    outputs = [(name, catalogue.output(member)) for name, member in named]
    known = [(name, output) for name, output in outputs if output]
    if not known:
        return
    agree = True
    first_name, first = known[0]
    for name, output in known[1:]:
        difference = _difference(first, output)
        if difference:
            agree = False
            yield Diagnostic(
                code=codes.MEMBERS_DISAGREE,
                message=f"`{first_name.text}` and `{name.text}` answer different things:"
                f" {difference}",
                at=name.at,
                labels=(
                    Label(first[0].at.key(), first_name.text),
                    Label(output[0].at.key(), name.text),
                ),
                help=("members answer under one name, with one type, classes and unit",),
            )
    if agree:
        yield from _combination(catalogue, model, combine, known)


def _combination(
    catalogue: Catalogue,
    model: ModelSpec,
    combine: Located,
    known: list[tuple[Located, tuple[ColumnSpec, ...]]],
) -> Iterator[Diagnostic]:
    """Yield members whose answers cannot be combined in the way that is asked for."""
    if combine.text in _AVERAGED:
        for name, output in known:
            odd = next((one for one in output if one.facts.type not in _NUMBERS), None)
            if odd is not None:
                yield Diagnostic(
                    code=codes.MEMBERS_DISAGREE,
                    message=f"`{combine.text}` cannot average `{odd.name}` of `{name.text}`:"
                    f" it is `{odd.facts.type}`",
                    at=name.at,
                    labels=(Label(combine.at, "combined here"), Label(odd.at.key(), "its output")),
                    help=("write `combine: vote`, or let the members answer a probability",),
                )
    if combine.text == "vote":
        name, output = known[0]
        odd = next((one for one in output if one.facts.type in {"float", "score"}), None)
        if odd is not None:
            yield Diagnostic(
                code=codes.MEMBERS_DISAGREE,
                message=f"`{odd.name}` of `{name.text}` is `{odd.facts.type}`: there is nothing"
                " to vote on",
                at=combine.at,
                help=("write `combine: mean`",),
            )
    is_soft = combine.text in _AVERAGED and known[0][1][0].facts.type == "probability"
    members = catalogue.members(model)
    if is_soft and catalogue.profile == "regulated" and not model.calibrate:
        raw = [one.id for one in members if one.calibrate is None]
        if raw:
            listed = ", ".join(f"`{name}`" for name in raw)
            yield Diagnostic(
                code=codes.MEMBERS_DISAGREE,
                message=f"probabilities are averaged that nobody made true: {listed}",
                at=combine.at,
                help=("write `calibrate: isotonic` in the members or in the ensemble",),
                severity_override=Severity.WARNING,
            )


def _difference(one: tuple[ColumnSpec, ...], other: tuple[ColumnSpec, ...]) -> str:
    """Say how two lists of output fields differ; empty when they do not."""
    names, others = {field.name for field in one}, {field.name for field in other}
    if names != others:
        left = ", ".join(f"`{name}`" for name in sorted(names))
        right = ", ".join(f"`{name}`" for name in sorted(others))
        return f"{left} and {right}"
    by_name = {field.name: field for field in other}
    for field in one:
        mine, its = field.facts, by_name[field.name].facts
        if mine.type != its.type:
            return f"`{field.name}` is `{mine.type}` and `{its.type}`"
        if set(mine.enum) != set(its.enum):
            return f"`{field.name}` has different classes"
        if mine.unit != its.unit:
            return f"`{field.name}` is in {mine.unit or 'no unit'} and in {its.unit or 'no unit'}"
    return ""


# ------------------------------------------------------------------ ML202


def _stand_ins(catalogue: Catalogue, service: ServiceSpec) -> Iterator[Diagnostic]:
    champion = catalogue.models.get(service.model.text)
    if champion is None:
        return
    others = [(f"the variant `{one.id}`", one.model) for one in service.variants]
    if service.fallback is not None:
        others.append(("the fallback", service.fallback))
    for role, name in others:
        model = catalogue.models.get(name.text)
        if model is not None:
            yield from _stands_in(catalogue, champion, model, role, name.at)


def _stands_in(
    catalogue: Catalogue, champion: ModelSpec, model: ModelSpec, role: str, at: Origin
) -> Iterator[Diagnostic]:
    mine, its = catalogue.output(champion), catalogue.output(model)
    difference = _difference(mine, its) if mine and its else ""
    tasks = task_of(catalogue, champion), task_of(catalogue, model)
    if not difference and None not in tasks and tasks[0] != tasks[1]:
        difference = f"the task is `{tasks[0]}` and `{tasks[1]}`"
    if difference:
        told = ((champion.id, mine), (model.id, its))
        labels = tuple(Label(fields[0].at.key(), name) for name, fields in told if fields)
        yield Diagnostic(
            code=codes.ANSWERS_DIFFER,
            message=f"{role} answers something else than `{champion.id}`: {difference}",
            at=at,
            labels=labels,
            help=("whoever asks must get the same fields, whichever model answers",),
        )
