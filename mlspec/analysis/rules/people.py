"""ML110 for all nouns: who owns, approves, is told, reviews, and answers for exceptions.

Without `roles` an owner is only a label (decision B37); whoever is asked or told must exist.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.roles import find_role
from mlspec.diagnostics.model import Diagnostic
from mlspec.spec.model import Located


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield roles that do not exist."""
    roles = {role.id: role for role in catalogue.spec.roles}
    found: list[Diagnostic] = []
    if roles:
        for purpose, name in _owners(catalogue):
            find_role(name, roles, purpose, found)
    for purpose, name in _asked(catalogue):
        find_role(name, roles, purpose, found)
    yield from found


def _owners(catalogue: Catalogue) -> Iterator[tuple[str, Located]]:
    nouns = catalogue.nouns
    groups = (nouns.data, nouns.features, nouns.models, nouns.services, nouns.monitors, nouns.kpis)
    for group in groups:
        for one in group:
            if one.owner is not None:
                yield f"`{one.id}` is owned by", one.owner


def _asked(catalogue: Catalogue) -> Iterator[tuple[str, Located]]:
    nouns = catalogue.nouns
    for model in nouns.models:
        for approval in model.promote.approvals if model.promote is not None else ():
            yield "an approval asks for", approval.by
    for service in nouns.services:
        for approval in service.rollout.approvals if service.rollout is not None else ():
            yield "an approval asks for", approval.by
        if service.review is not None:
            yield "decisions are reviewed by", service.review
    for monitor in nouns.monitors:
        for role in monitor.alert:
            yield "an alert goes to", role
    columns = (
        *(column for data in nouns.data for column in data.columns),
        *(column for feature in nouns.features for column in feature.outputs),
        *(column for model in nouns.models for column in (*model.output, *model.fields)),
    )
    for column in columns:
        if column.declassify is not None:
            yield "a column is declassified by", column.declassify[2]
    for waiver in nouns.policy.waivers if nouns.policy is not None else ():
        if waiver.by is not None:
            yield "a rule is waived by", waiver.by
