"""The proof of approval dominance (rule ML305), on the nouns and on the derived graph.

On the nouns: whoever answers real requests beside or instead of an approved champion (a variant
with a share, a fallback, a rollback target, the model served) must need an approval too. On the
graph: without the success of an approve step no promotion of its model can start.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes.approvals import APPROVAL_DOMINANCE
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.ir.dominance import gaps
from mlspec.ir.model import Application
from mlspec.source import Origin
from mlspec.spec.nouns import ModelSpec, ServiceSpec


def prove_approvals(catalogue: Catalogue, application: Application) -> Iterator[Diagnostic]:
    """Yield every way from a model to live traffic that avoids an approval.

    Args:
        catalogue: the nouns. application: with its derived pipelines.
    """
    for service in catalogue.nouns.services:
        yield from _service(service, catalogue)
    for pipeline in application.pipelines:
        for gap in gaps(pipeline):
            yield Diagnostic(
                code=APPROVAL_DOMINANCE,
                message=f"`{gap.step}` of `{pipeline.id}` can run without its approval",
                at=pipeline.step(gap.step).at,
                notes=(f"path: {' -> '.join(gap.path)}",),
            )


def _service(service: ServiceSpec, catalogue: Catalogue) -> Iterator[Diagnostic]:
    champion = catalogue.models.get(service.model.text)
    if champion is None:
        return
    regulated = catalogue.profile == "regulated"
    if not needs_approval(champion) and not regulated:
        return
    if not needs_approval(champion):
        yield _gap(champion, service.model.at, service, "is served", None)
    reason = champion if needs_approval(champion) else None
    for variant in service.variants:
        model = catalogue.models.get(variant.model.text)
        if model is not None and variant.share and not needs_approval(model):
            share = f"{variant.share * 100:g}%"
            what = f"answers {share} of the requests as `{variant.id}`"
            yield _gap(model, variant.model.at, service, what, reason)
    fallback = catalogue.models.get(service.fallback.text) if service.fallback is not None else None
    if fallback is not None and service.fallback is not None and not needs_approval(fallback):
        yield _gap(fallback, service.fallback.at, service, "answers as the fallback", reason)
    back = service.rollout.rollback if service.rollout is not None else None
    target = catalogue.models.get(back[0] or "") if back is not None else None
    if target is not None and service.rollout is not None and not needs_approval(target):
        at = service.rollout.at / "rollback" / "to"
        yield _gap(target, at, service, "answers after a rollback", reason)


def needs_approval(model: ModelSpec) -> bool:
    """Whether every version of a model needs a yes before it becomes the champion."""
    return model.promote is not None and bool(model.promote.approvals)


def _gap(
    model: ModelSpec, at: Origin, service: ServiceSpec, what: str, champion: ModelSpec | None
) -> Diagnostic:
    labels: tuple[Label, ...] = ()
    why = "under `profile: regulated` every model that answers requests needs an approval"
    if champion is not None and champion.promote is not None:
        place = (champion.promote.at / "approve").key()
        labels = (Label(place, f"`{champion.id}` needs an approval here"),)
        why = "a champion with an approval is worth nothing beside a model without one"
    return Diagnostic(
        code=APPROVAL_DOMINANCE,
        message=f"`{model.id}` {what} in `{service.id}`, and no approval stands before it",
        at=at,
        labels=labels,
        notes=(f"path: models.{model.id} -> serving.{service.id} -> live traffic", why),
        help=(f"add `promote: {{approve: {{by: <role>}}}}` to `models.{model.id}`",),
    )
