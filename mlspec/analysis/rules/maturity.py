"""ML309: the maturity of an application, computed with reasons, and held against what it asserts.

Levels are those of IBM's maturity model as far as a spec can show them: 0 nothing is automatic,
1 data is checked and models are trained and served, 2 delivery and gates are automatic, 3 the loop
is closed. The level is reported, never forced; `app.maturity` asserts a floor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.evidence import retrains_by_itself
from mlspec.analysis.rules.governance import can_go_back, owner_of
from mlspec.diagnostics.codes import governance as codes
from mlspec.diagnostics.model import Diagnostic

HIGHEST = 3


@dataclass(frozen=True, slots=True)
class Maturity:
    """The level that a spec reaches, and what the next one lacks."""

    level: int
    missing: tuple[str, ...] = ()


def maturity(catalogue: Catalogue, parts: Collection[str]) -> Maturity:
    """Return the level of an application.

    Args:
        catalogue: the nouns.
        parts: for which parts of `targets` a tool is chosen.
    """
    for level, missing in (
        (1, tuple(_first(catalogue))),
        (2, tuple(_second(catalogue, parts))),
        (3, tuple(_third(catalogue))),
    ):
        if missing:
            return Maturity(level - 1, missing)
    return Maturity(HIGHEST)


def check(catalogue: Catalogue, parts: Collection[str]) -> Iterator[Diagnostic]:
    """Yield an asserted level that the spec does not reach."""
    asserted = catalogue.nouns.maturity
    if asserted is None:
        return
    reached = maturity(catalogue, parts)
    if asserted <= reached.level:
        return
    notes = tuple(f"level {reached.level + 1} needs {reason}" for reason in reached.missing)
    yield Diagnostic(
        code=codes.MATURITY,
        message=f"the spec asserts maturity {asserted} and reaches {reached.level}",
        at=catalogue.spec.app.at / "maturity",
        notes=notes or (f"{HIGHEST} is the highest level that a spec can show",),
        help=(f"add what is missing, or write `maturity: {reached.level}`",),
    )


def _first(catalogue: Catalogue) -> Iterator[str]:
    nouns = catalogue.nouns
    if not any(data.checks or catalogue.columns(data.id) for data in nouns.data):
        yield "data with a contract (`schema`, `checks`)"
    if not any(model.train is not None for model in nouns.models):
        yield "a model that is trained here (`train`)"
    if not nouns.services:
        yield "a service (`serving`)"


def _second(catalogue: Catalogue, parts: Collection[str]) -> Iterator[str]:
    if "ci" not in parts:
        yield "continuous integration (`targets.ci`)"
    if len(catalogue.spec.environments) < 2:
        yield "at least two environments"
    served = {service.model.text for service in catalogue.nouns.services}
    for model in catalogue.nouns.models:
        trained = model.train is not None or model.ensemble is not None
        if model.id in served and trained and not catalogue.promote_checks(model):
            yield f"a promotion gate of `{model.id}` (`promote.checks`)"


def _third(catalogue: Catalogue) -> Iterator[str]:
    nouns = catalogue.nouns
    if not nouns.monitors:
        yield "monitors"
    served = {service.model.text for service in nouns.services}
    loops = [
        model
        for model in nouns.models
        if model.id in served and retrains_by_itself(catalogue, model)
    ]
    if not loops:
        yield "a served model that is retrained by itself (`retrain`)"
    online = [service for service in nouns.services if service.mode == "online"]
    if online and not any(can_go_back(catalogue, service) for service in online):
        yield "automatic rollback (`rollout.rollback` or `slo`)"
    for model in loops:
        if model.promote is None or not model.promote.approvals:
            yield f"an approval of `{model.id}` (`promote.approve`)"
        if owner_of(catalogue, model.owner) is None:
            yield f"an owner of `{model.id}`"
