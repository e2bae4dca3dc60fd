"""The environment that comes before, and whether its registry can be read from here (C12)."""

from __future__ import annotations

import re

from mlspec.analysis.derive.facts import registry_of
from mlspec.analysis.environments import effective_targets
from mlspec.analysis.pipelines import AppContext
from mlspec.analysis.texts import resolve_constants
from mlspec.diagnostics.codes.approvals import DELIVERY_UNREACHABLE
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.facts import EarlierFacts
from mlspec.spec.model import EnvironmentSpec


def earlier_environment(
    context: AppContext,
    place: EnvironmentSpec | None,
    found: list[Diagnostic],
) -> EarlierFacts | None:
    """Return the environment whose champions are delivered to this one (C12), if any.

    Reports a registry in files that this environment cannot reach.
    """
    spec = context.spec
    deliver = dict(spec.nouns.deliver)
    if place is None or place.after is None or deliver.get(place.name) != "models":
        return None
    before = next((one for one in spec.environments if one.name == place.after.text), None)
    if before is None or not any(model.source is None for model in spec.nouns.models):
        return None
    chosen = {choice.part: choice for choice in effective_targets(spec, before)}
    constants = {**context.constants, "environment.name": before.name}
    registry, store = registry_of(chosen.get("registry")), None
    if before.store is not None:
        store = resolve_constants(before.store.text, before.store.at, constants, [])
    here = place.store.text if place.store is not None else None
    same = here == (before.store.text if before.store is not None else None)
    fixed = store is not None and not re.match(r"file:(?!/)", store)
    if registry.kind == "file" and not same and not fixed:
        found.append(_unreachable(place, before, store))
    return EarlierFacts(environment=before.name, registry=registry, store=None if same else store)


def _unreachable(place: EnvironmentSpec, before: EnvironmentSpec, store: str | None) -> Diagnostic:
    where = f"`{store}`" if store is not None else "its own local store"
    return Diagnostic(
        code=DELIVERY_UNREACHABLE,
        message=f"`{place.name}` gets its models from `{before.name}`, whose registry is files in"
        f" {where}: it cannot be read from here",
        at=place.after.at if place.after is not None else place.at,
        help=(
            "give both a registry that both reach, such as"
            " `targets.registry: {kind: mlflow, uri: …}`",
            f"or train again in `{place.name}`: `deliver: code`",
        ),
    )
