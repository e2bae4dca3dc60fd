"""One pipeline: steps built, linked, ordered and checked as a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mlspec.analysis.components import settings_of
from mlspec.analysis.edges import Surroundings, find_output
from mlspec.analysis.graph import check_cycles, check_outputs
from mlspec.analysis.matrix import build_matrix
from mlspec.analysis.params import build_params
from mlspec.analysis.roles import find_role
from mlspec.analysis.settings import merge_settings
from mlspec.analysis.steps import StepContext, build_step
from mlspec.analysis.triggers import build_triggers
from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.codes import names as name_codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.graph import topological_order
from mlspec.ir.model import Compute, Matrix, Param, Pipeline, Step
from mlspec.spec.model import PipelineSpec, RoleSpec, SettingsSpec, Spec, StepSpec

FINALLY = "finally"
"""Id of the block that runs after everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """What pipelines share: the spec's names, looked up once.

    Attributes:
        formats: data nouns with their format.
        constants: `app.name` and `environment.name`.
    """

    spec: Spec
    roles: Mapping[str, RoleSpec]
    formats: Mapping[str, str | None]
    constants: Mapping[str, str]
    compute: Compute | None = None


def build_pipeline(
    spec: PipelineSpec, context: AppContext, found: list[Diagnostic]
) -> Pipeline | None:
    """Return the IR of a pipeline, or None when its graph is not one."""
    params = build_params(spec.params, found)
    steps = MappingProxyType({step.id: step for step in sorted(spec.steps, key=lambda s: s.id)})
    if FINALLY in steps:
        found.append(_reserved(steps[FINALLY], spec.id))
    around = _surroundings(steps, context, found)
    base = merge_settings(context.spec.defaults, spec.defaults)
    by_name = {param.name: param for param in params}
    built = []
    for step in steps.values():
        made = _build(step, base, around, by_name, spec, context, found)
        if made is not None:
            built.append(made)
    final = None
    if spec.final is not None:
        final = _build(spec.final, base, around, by_name, spec, context, found)
    ordered = _ordered(tuple(built), found)
    check_outputs((*built, final) if final is not None else tuple(built), found)
    if ordered is None:
        return None
    owner = spec.owner or context.spec.app.owner
    role = None
    if spec.owner is not None and context.roles:
        role = find_role(spec.owner, context.roles, f"pipeline `{spec.id}` is owned by", found)
    elif owner is not None:
        role = context.roles.get(owner.text)
    return Pipeline(
        id=spec.id,
        owner=owner.text if owner is not None else "",
        description=spec.description,
        params=params,
        triggers=build_triggers(spec.trigger, context.formats, context.spec.models, found),
        steps=ordered,
        final=final,
        notify=role.notify if role is not None else (),
        at=spec.at,
    )


def _reserved(step: StepSpec, pipeline: str) -> Diagnostic:
    """Refuse a step with the id that the `finally` block has on every engine."""
    return Diagnostic(
        code=name_codes.RESERVED_NAME,
        message=f"a step of `{pipeline}` cannot be called `{FINALLY}`",
        at=step.at.key(),
        label="the block that runs after everything has this name",
        help=("rename the step, or write `finally` beside `steps`",),
    )


def _build(
    step: StepSpec,
    base: SettingsSpec,
    around: Surroundings,
    params: Mapping[str, Param],
    pipeline: PipelineSpec,
    context: AppContext,
    found: list[Diagnostic],
) -> Step | None:
    used = context.spec.components.get(step.uses.component) if step.uses is not None else None
    far = base if used is None else merge_settings(base, settings_of(used, found))
    return build_step(
        step,
        merge_settings(far, step.settings),
        StepContext(
            around=around,
            params=params,
            roles=context.roles,
            constants=context.constants,
            components=context.spec.components,
            app=context.spec.app.name,
            compute=context.compute,
            folder=context.spec.folders.get(step.source, "."),
            final=step is pipeline.final,
        ),
        found,
    )


def _surroundings(
    steps: Mapping[str, StepSpec],
    context: AppContext,
    found: list[Diagnostic],
) -> Surroundings:
    producers: dict[str, tuple[str, str]] = {}
    for step in steps.values():
        for output in step.outputs:
            if "/" not in output.text and output.text in context.formats:
                producers.setdefault(output.text, (step.id, output.name))
    bare = Surroundings(steps=steps, matrices={}, producers=producers, formats=context.formats)
    matrices: dict[str, Matrix] = {}
    for step in steps.values():
        if step.matrix is None:
            continue
        matrix = build_matrix(step.matrix, step.parallel, step.id, found)
        if matrix is None:
            continue
        matrices[step.id] = matrix
        axis = matrix.dynamic
        if axis is not None:
            producer = find_output(axis.step, axis.output, axis.at, step.id, bare, found)
            if producer is not None and producer.matrix is not None:
                found.append(
                    Diagnostic(
                        code=codes.MATRIX_MISMATCH,
                        message=f"the values of the matrix of `{step.id}` come from a matrix step",
                        at=axis.at,
                        help=("let a step without a matrix write the list",),
                    )
                )
    return replace(bare, matrices=MappingProxyType(matrices))


def _ordered(steps: tuple[Step, ...], found: list[Diagnostic]) -> tuple[Step, ...] | None:
    """Return the steps in topological order, ties by id, with their needs in that order."""
    by_id = {step.id: step for step in steps}
    needs = {step.id: tuple(n for n in step.needs if n in by_id) for step in steps}
    order = topological_order(needs)
    if order is None:
        check_cycles(by_id, needs, found)
        return None
    rank = {step_id: index for index, step_id in enumerate(order)}
    return tuple(
        replace(by_id[step_id], needs=tuple(sorted(needs[step_id], key=rank.__getitem__)))
        for step_id in order
    )
