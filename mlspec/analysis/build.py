"""From the spec to the IR: one application for one environment.

Input: the records of a document whose layers are applied for that environment. Output: an
`Application`, and everything that can be found in one go. Invariant: when there is no error, the
application passes `mlspec.ir.verify`.
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.components import check_component
from mlspec.analysis.derive.earlier import earlier_environment
from mlspec.analysis.derive.facts import FactContext
from mlspec.analysis.derive.pipelines import derive
from mlspec.analysis.derive.steps import DeriveContext
from mlspec.analysis.environments import build_environment, effective_targets, find_environment
from mlspec.analysis.graph import check_producers
from mlspec.analysis.lints import lint
from mlspec.analysis.pipelines import AppContext, build_pipeline
from mlspec.analysis.proofs import prove_approvals
from mlspec.analysis.roles import find_role
from mlspec.analysis.rules.run import run_pipeline_rules, run_rules, settle
from mlspec.analysis.texts import resolve_constants
from mlspec.diagnostics.model import Diagnostic, Result, has_errors
from mlspec.ir.model import Application, Compute, DataSet, Pipeline, TargetChoice
from mlspec.spec.model import DataSpec, EnvironmentSpec, Spec

DEFAULT_ENVIRONMENT = "default"


def build_application(
    spec: Spec, environment: str | None, today: date | None = None
) -> Result[Application]:
    """Return the application for an environment (None: the spec without any overlay).

    Args:
        spec: the document with its layers applied for that environment.
        environment: its name.
        today: for rules about dates; None: they are not judged.
    """
    found: list[Diagnostic] = []
    place = find_environment(spec, environment, found)
    constants = MappingProxyType(
        {
            "app.name": spec.app.name,
            "environment.name": place.name if place is not None else DEFAULT_ENVIRONMENT,
        }
    )
    targets = effective_targets(spec, place)
    compute = _compute(targets)
    context = AppContext(
        spec=spec,
        roles=MappingProxyType({role.id: role for role in spec.roles}),
        formats=MappingProxyType({data.id: data.format for data in spec.data}),
        constants=constants,
        compute=compute,
    )
    if spec.app.owner is not None and spec.roles:
        find_role(spec.app.owner, context.roles, "the application is owned by", found)
    explicit = _explicit(context, found)
    datasets = tuple(
        _dataset(data, constants, found) for data in sorted(spec.data, key=lambda d: d.id)
    )
    catalogue = Catalogue(spec, place.name if place is not None else None)
    found.extend(run_rules(catalogue, {choice.part: choice for choice in targets}, today))
    pipelines = explicit
    if not has_errors(found):  # what is wrong with the nouns was said; steps need sound ones
        pipelines = _derived(context, datasets, targets, place, explicit, found)
    pipelines = tuple(sorted(pipelines, key=lambda pipeline: pipeline.id))
    application = Application(
        name=spec.app.name,
        owner=spec.app.owner.text if spec.app.owner is not None else "",
        description=spec.app.description,
        environment=build_environment(place, constants, context.roles, spec.at, found),
        targets=targets,
        compute=compute,
        data=datasets,
        pipelines=pipelines,
        at=spec.at,
    )
    found.extend(run_pipeline_rules(catalogue, application, today))
    found.extend(lint(spec, application))
    found.extend(settle(list(prove_approvals(catalogue, application)), catalogue, today))
    complete = len(explicit) == len(spec.pipelines)
    return Result(application if complete else None, tuple(found))


def _explicit(context: AppContext, found: list[Diagnostic]) -> tuple[Pipeline, ...]:
    """Return the pipelines that the user wrote, as far as they are graphs."""
    spec = context.spec
    for _, component in sorted(spec.components.items()):
        check_component(component, context.constants, found)
    made = [
        build_pipeline(pipeline, context, found)
        for pipeline in sorted(spec.pipelines, key=lambda pipeline: pipeline.id)
    ]
    explicit = tuple(pipeline for pipeline in made if pipeline is not None)
    check_producers(explicit, found)
    return explicit


def _derived(
    context: AppContext,
    datasets: tuple[DataSet, ...],
    targets: tuple[TargetChoice, ...],
    place: EnvironmentSpec | None,
    explicit: tuple[Pipeline, ...],
    found: list[Diagnostic],
) -> tuple[Pipeline, ...]:
    """Return all pipelines, with those that the nouns need."""
    catalogue = Catalogue(context.spec, place.name if place is not None else None)
    sources = {}
    for model in catalogue.nouns.models:
        if model.source is not None:
            text = resolve_constants(model.source.text, model.source.at, context.constants, found)
            sources[model.id] = text
    facts = FactContext(
        catalogue=catalogue,
        roles=context.roles,
        targets=MappingProxyType({choice.part: choice for choice in targets}),
        sources=MappingProxyType({data.id: data.source for data in datasets}),
        model_sources=MappingProxyType(sources),
    )
    name = place.name if place is not None else DEFAULT_ENVIRONMENT
    ctx = DeriveContext(
        facts=facts,
        environment=name,
        compute=context.compute,
        constants=context.constants,
        earlier=earlier_environment(context, place, found),
        is_first=place is None or place.after is None,
    )
    return derive(ctx, explicit, found)


def _compute(targets: tuple[TargetChoice, ...]) -> Compute | None:
    """Return where steps run, if the spec says so: `kubernetes` pipelines can only run there."""
    kinds = {choice.part: choice.kind for choice in targets}
    if "compute" in kinds:
        return Compute(kinds["compute"])
    return Compute.KUBERNETES if kinds.get("pipelines") == "kubernetes" else None


def _dataset(
    data: DataSpec, constants: MappingProxyType[str, str], found: list[Diagnostic]
) -> DataSet:
    source = None
    if data.source is not None:
        source = resolve_constants(data.source.text, data.source.at, constants, found)
    return DataSet(
        id=data.id,
        source=source,
        format=data.format,
        query=data.query.text if data.query is not None else None,
        secret=data.secret,
        at=data.at,
    )
