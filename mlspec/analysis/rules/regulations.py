"""ML308: the facts that a named regulation asks for.

Which regulation asks for which facts is data with a date (`regulations.json`), not language: laws
change, the words of a spec do not. What a fact is, is a function here. A fact is about the form of
the spec; whether what it says is true, and whether it is enough, people decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.governance import (
    answering_models,
    monitors_of,
    owner_of,
)
from mlspec.analysis.rules.places import parsed, places
from mlspec.diagnostics.codes import governance as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.diagnostics.suggest import nearest
from mlspec.expr.metrics import METRICS
from mlspec.source import Origin
from mlspec.spec.nouns import ServiceSpec

_HALF_A_YEAR = 180 * 86_400.0
Missing = tuple[str, Origin, str]
"""What is missing, where it would stand, and what to write."""


@cache
def regulations() -> Mapping[str, Any]:
    """Return the known regulations by id."""
    found: Mapping[str, Any] = json.loads(
        Path(__file__).with_name("regulations.json").read_text(encoding="utf-8")
    )
    return found


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield unknown regulations, and facts that the named ones ask for."""
    policy = catalogue.nouns.policy
    said: set[tuple[str, Origin]] = set()
    for name in policy.regulations if policy is not None else ():
        known = regulations().get(name.text)
        if known is None:
            guess = nearest(name.text, regulations())
            listed = ", ".join(f"`{one}`" for one in regulations())
            yield Diagnostic(
                code=codes.FACT_MISSING,
                message=f"no facts are known for the regulation `{name.text}`",
                at=name.at,
                label=f"did you mean `{guess}`?" if guess else "",
                notes=(f"known: {listed}",),
            )
            continue
        for fact, reason in known["facts"].items():
            for message, at, help_ in _FACTS[fact](catalogue):
                if (message, at) in said:
                    continue
                said.add((message, at))
                yield Diagnostic(
                    code=codes.FACT_MISSING,
                    message=message,
                    at=at,
                    labels=(Label(name.at, "asked for here"),),
                    notes=(f"{name.text}: {reason}",),
                    help=(help_,),
                )


def _owner(catalogue: Catalogue) -> Iterator[Missing]:
    for model in answering_models(catalogue):
        if owner_of(catalogue, model.owner) is None:
            yield f"nobody owns `{model.id}`", model.at.key(), "write `owner: role`"


def _intended_use(catalogue: Catalogue) -> Iterator[Missing]:
    if catalogue.nouns.intended_use is None:
        app = catalogue.spec.app.at
        yield "nothing says what the application is for", app.key(), "write `app.intended_use`"


def _limitations(catalogue: Catalogue) -> Iterator[Missing]:
    if catalogue.nouns.limitations is None:
        app = catalogue.spec.app.at
        yield "nothing says what the application is not for", app.key(), "write `app.limitations`"


def _independent(catalogue: Catalogue) -> Iterator[Missing]:
    roles = {role.id: set(role.members) for role in catalogue.spec.roles}
    for service in catalogue.nouns.services:
        model = catalogue.models.get(service.model.text)
        if model is None:
            continue
        owner = owner_of(catalogue, model.owner)
        mine = roles.get(owner.text, set()) if owner is not None else set()
        approvals = model.promote.approvals if model.promote is not None else ()
        if not any(not roles.get(one.by.text, set()) & mine for one in approvals):
            yield (
                f"nobody but its owner approves `{model.id}`",
                (model.at / "promote").key() if model.promote is not None else model.at.key(),
                "write `promote.approve: {by: role}` with people who did not develop it",
            )


def _outcome(catalogue: Catalogue) -> Iterator[Missing]:
    """Yield champions whose answers are never held against what happened."""
    for service in catalogue.nouns.services:
        model = catalogue.models.get(service.model.text)
        if model is None or catalogue.label(model) is None:
            continue
        metrics = [
            METRICS.get(one.metric)
            for monitor in monitors_of(catalogue, model)
            for written in monitor.checks
            if (one := parsed(written)) is not None
        ]
        if not any(metric is not None and metric.needs_labels for metric in metrics):
            yield (
                f"no monitor holds the answers of `{model.id}` against what happened",
                service.model.at,
                "write a monitor with a metric that needs labels, such as `roc_auc >= 0.7`",
            )


def _audit(catalogue: Catalogue) -> Iterator[Missing]:
    policy = catalogue.nouns.policy
    if policy is not None and policy.audit_to is None:
        yield "nothing keeps a record of decisions", policy.at.key(), "write `policy.audit.to`"


def _deciding(catalogue: Catalogue) -> Iterator[ServiceSpec]:
    """Yield services whose answers are significant decisions about people."""
    for service in catalogue.nouns.services:
        if service.effect is not None and service.effect.text == "significant":
            yield service


def _review(catalogue: Catalogue) -> Iterator[Missing]:
    for service in _deciding(catalogue):
        if service.review is None:
            yield (
                f"nobody can overturn what `{service.id}` decides",
                service.at / "decision",
                "write `decision.review: role`",
            )


def _explanation(catalogue: Catalogue) -> Iterator[Missing]:
    for service in _deciding(catalogue):
        if service.explain is None:
            yield (
                f"`{service.id}` gives no reasons for what it decides",
                service.at.key(),
                "write `explain: {method: shap, top: 5}`",
            )


def _log_end(catalogue: Catalogue) -> Iterator[Missing]:
    for service in catalogue.nouns.services:
        if service.log_to is not None and service.log_retain is None:
            yield (
                f"the prediction log of `{service.id}` is kept for ever",
                service.log_to.at,
                "write `log.retain`",
            )


def _log_six_months(catalogue: Catalogue) -> Iterator[Missing]:
    for service in _deciding(catalogue):
        kept = service.log_retain
        if service.log_to is None or (kept is not None and kept.seconds < _HALF_A_YEAR):
            yield (
                f"the predictions of `{service.id}` are not kept for six months",
                service.at / "log" if service.log_to is not None else service.at.key(),
                "write `log: {to: …, retain: 400d}`",
            )


def _card(catalogue: Catalogue) -> Iterator[Missing]:
    for service in _deciding(catalogue):
        model = catalogue.models.get(service.model.text)
        if model is not None and model.card is None:
            yield f"`{model.id}` has no model card", model.at.key(), "write `card: docs/card.md`"


def _measured(catalogue: Catalogue) -> Iterator[Missing]:
    for service in _deciding(catalogue):
        model = catalogue.models.get(service.model.text)
        if model is not None and not catalogue.promote_checks(model):
            yield (
                f"nothing measures how good `{model.id}` is",
                model.at.key(),
                "write `promote.checks`",
            )


def _bias(catalogue: Catalogue) -> Iterator[Missing]:
    """Yield champions that no check compares between protected groups."""
    for service in catalogue.nouns.services:
        model = catalogue.models.get(service.model.text)
        if model is None:
            continue
        protected = {
            column.name
            for data in catalogue.nouns.data
            for column in catalogue.columns(data.id)
            if column.facts.protected
        }
        compared = any(
            one.by in protected and METRICS[one.metric].per_group
            for place in places(catalogue)
            if place.model is not None and place.model.id == model.id
            for written in place.checks
            if (one := parsed(written)) is not None and one.metric in METRICS
        )
        if not compared:
            yield (
                f"no check compares groups of people in the answers of `{model.id}`",
                model.at.key(),
                "write `demographic_parity_ratio by column >= 0.8` over a `protected` column",
            )


_FACTS: Mapping[str, Callable[[Catalogue], Iterator[Missing]]] = {
    "owner": _owner,
    "intended-use": _intended_use,
    "limitations": _limitations,
    "independent-approval": _independent,
    "outcome-monitor": _outcome,
    "audit": _audit,
    "review": _review,
    "explanation": _explanation,
    "log-end": _log_end,
    "log-six-months": _log_six_months,
    "card": _card,
    "measured": _measured,
    "bias-check": _bias,
}
