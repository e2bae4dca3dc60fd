"""ML301 to ML304: somebody answers, somebody looks, and nobody approves their own work."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.places import parsed
from mlspec.analysis.rules.skew import served_models
from mlspec.diagnostics.codes import governance as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.expr.metric import Producer
from mlspec.expr.metrics import METRICS
from mlspec.spec.model import ApprovalSpec, Located
from mlspec.spec.nouns import ModelSpec, MonitorSpec, ServiceSpec

_REQUESTS = frozenset({"online", "stream"})


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield what governance misses."""
    yield from _owner(catalogue)
    yield from _unwatched(catalogue)
    for model in catalogue.nouns.models:
        approvals = model.promote.approvals if model.promote is not None else ()
        yield from _four_eyes(catalogue, model.owner, approvals)
    for service in catalogue.nouns.services:
        approvals = service.rollout.approvals if service.rollout is not None else ()
        model_owner = (
            catalogue.models[service.model.text].owner
            if service.model.text in catalogue.models
            else None
        )
        yield from _four_eyes(catalogue, service.owner or model_owner, approvals)
        yield from _review(service)


def owner_of(catalogue: Catalogue, owner: Located | None) -> Located | None:
    """Return who owns a noun: its owner, or that of the application."""
    return owner or catalogue.spec.app.owner


# ------------------------------------------------------------------ ML301


def _owner(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield an application without owner, as soon as it has a model or a service."""
    nouns = catalogue.nouns
    if catalogue.spec.app.owner is not None or not (nouns.models or nouns.services):
        return
    lonely = [model.id for model in nouns.models if model.owner is None]
    lonely += [service.id for service in nouns.services if service.owner is None]
    if lonely:
        listed = ", ".join(f"`{name}`" for name in lonely)
        yield Diagnostic(
            code=codes.NO_OWNER,
            message=f"nobody owns {listed}",
            at=catalogue.spec.app.at.key(),
            help=("write `owner: role` under `app`",),
        )


# ------------------------------------------------------------------ ML302


def monitors_of(catalogue: Catalogue, model: ModelSpec) -> Iterator[MonitorSpec]:
    """Yield the monitors of services that serve a model as their champion."""
    for monitor in catalogue.nouns.monitors:
        service = catalogue.services.get(monitor.watch.text)
        if service is not None and service.model.text == model.id:
            yield monitor


def judges_model(catalogue: Catalogue, monitor: MonitorSpec) -> bool:
    """Return whether a monitor looks at answers, and not only at the service."""
    for written in monitor.checks:
        one = parsed(written)
        if one is None:
            continue
        metric = METRICS.get(one.metric)
        if metric is not None and metric.producers != {Producer.TELEMETRY}:
            return True
        own = catalogue.own_metrics.get(one.metric)
        if own is not None:
            return True
    return False


def can_go_back(catalogue: Catalogue, service: ServiceSpec) -> bool:
    """Return whether something rolls a service back: its rollout, its levels, or a monitor."""
    rolled = {name.text for one in catalogue.nouns.monitors for name in one.rollback}
    has_rollback = service.rollout is not None and service.rollout.rollback is not None
    return has_rollback or bool(service.slo) or service.id in rolled


def _unwatched(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield champions that nobody watches, and services without a way back, once for a model."""
    seen: set[str] = set()
    for service in catalogue.nouns.services:
        model = catalogue.models.get(service.model.text)
        if model is not None and model.id not in seen:
            seen.add(model.id)
            watched = any(judges_model(catalogue, one) for one in monitors_of(catalogue, model))
            if not watched:
                yield Diagnostic(
                    code=codes.UNWATCHED,
                    message=f"no monitor looks at the answers of `{model.id}`",
                    at=service.model.at,
                    label=f"served by `{service.id}`",
                    help=(
                        f"write a monitor with `watch: {service.id}` and a check such as"
                        " `psi(prediction) <= 0.2`",
                    ),
                )
        if service.mode in _REQUESTS and not can_go_back(catalogue, service):
            yield Diagnostic(
                code=codes.UNWATCHED,
                message=f"nothing takes `{service.id}` back when it fails",
                at=service.at.key(),
                help=("write `slo`, or `rollout: {rollback: {to: previous, within: 5m}}`",),
            )


# ------------------------------------------------------------------ ML303


def _four_eyes(
    catalogue: Catalogue, owner: Located | None, approvals: tuple[ApprovalSpec, ...]
) -> Iterator[Diagnostic]:
    """Yield approvals by those whose work it is (decision B33).

    `standard`: when approvers and owners are the same people; `regulated`: when they share any.
    """
    roles = {role.id: set(role.members) for role in catalogue.spec.roles}
    found = owner_of(catalogue, owner)
    mine = roles.get(found.text, set()) if found is not None else set()
    if found is None or not mine:
        return
    for approval in approvals:
        its = roles.get(approval.by.text, set())
        shared = mine & its
        if not shared or (catalogue.profile != "regulated" and mine != its):
            continue
        listed = ", ".join(f"`{name}`" for name in sorted(shared))
        yield Diagnostic(
            code=codes.FOUR_EYES,
            message=f"{listed} own this and approve it",
            at=approval.by.at,
            labels=(Label(found.at, "the owner"),),
            help=("let a role approve that has other members",),
        )


# ------------------------------------------------------------------ ML304


def _review(service: ServiceSpec) -> Iterator[Diagnostic]:
    if service.effect is None or service.effect.text != "significant":
        return
    if service.review is None:
        yield Diagnostic(
            code=codes.NO_REVIEW,
            message=f"`{service.id}` decides about people, and nobody can overturn it",
            at=service.effect.at,
            help=("write `review: role`, those who can",),
        )


def answering_models(catalogue: Catalogue) -> tuple[ModelSpec, ...]:
    """Return the models that answer requests somewhere, each once, in spec order."""
    names = {
        model.id
        for service in catalogue.nouns.services
        for model in served_models(catalogue, service)
    }
    return tuple(model for model in catalogue.nouns.models if model.id in names)
