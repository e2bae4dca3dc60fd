"""Environments: their order, the targets and places of the chosen one (C1, C12)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mlspec.analysis.roles import build_approvals
from mlspec.analysis.texts import resolve_constants
from mlspec.diagnostics.codes import names as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.graph import topological_order
from mlspec.ir.model import Environment, TargetChoice
from mlspec.source import Origin
from mlspec.spec.model import EnvironmentSpec, RoleSpec, Spec, TargetSpec


def environment_order(environments: tuple[EnvironmentSpec, ...]) -> tuple[str, ...]:
    """Return names so that each stands behind the one it comes `after`, ties by name.

    A circle was reported when layers were applied; names are then only sorted.
    """
    names = sorted(environment.name for environment in environments)
    after = {item.name: (item.after.text,) if item.after else () for item in environments}
    return topological_order({name: after[name] for name in names}) or tuple(names)


def find_environment(
    spec: Spec, wanted: str | None, found: list[Diagnostic]
) -> EnvironmentSpec | None:
    """Return the wanted environment; None when none is wanted, or it is unknown (reported)."""
    if wanted is None:
        return None
    names = environment_order(spec.environments)
    for environment in spec.environments:
        if environment.name == wanted:
            return environment
    guess = nearest(wanted, names)
    here = ", ".join(f"`{name}`" for name in names) or "none"
    found.append(
        Diagnostic(
            code=codes.UNKNOWN_ENVIRONMENT,
            message=f"there is no environment `{wanted}`",
            at=(spec.at / "environments").key() if spec.environments else None,
            notes=(f"environments: {here}",),
            help=(f"did you mean `{guess}`?",) if guess else (),
        )
    )
    return None


def effective_targets(spec: Spec, environment: EnvironmentSpec | None) -> tuple[TargetChoice, ...]:
    """Return the tool for each part, the environment's own choice first, sorted by part."""
    chosen: dict[str, TargetSpec] = {choice.part: choice for choice in spec.targets}
    if environment is not None:
        chosen.update({choice.part: choice for choice in environment.targets})
    return tuple(
        TargetChoice(part=part, kind=choice.kind, settings=choice.settings, at=choice.at)
        for part, choice in sorted(chosen.items())
    )


def build_environment(
    spec: EnvironmentSpec | None,
    constants: Mapping[str, str],
    roles: Mapping[str, RoleSpec],
    root: Origin,
    found: list[Diagnostic],
) -> Environment:
    """Return the IR of the chosen environment, or of the implied one called `default`."""
    if spec is None:
        return Environment(at=root)
    store = None
    if spec.store is not None:
        store = resolve_constants(spec.store.text, spec.store.at, constants, found)
    return Environment(
        name=spec.name,
        after=spec.after.text if spec.after is not None else None,
        store=store,
        namespace=spec.namespace,
        identity=tuple(sorted(spec.identity)),
        approvals=build_approvals(spec.approvals, roles, found),
        native=MappingProxyType(dict(spec.native)),
        at=spec.at,
    )
