"""One step: from its record to the IR, everything resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.analysis.components import Caller, Filled, Port, fill, fit_step
from mlspec.analysis.conditions import Needs, build_condition
from mlspec.analysis.edges import Surroundings, build_input, build_output
from mlspec.analysis.paths import written_path
from mlspec.analysis.roles import build_approvals
from mlspec.analysis.settings import image_of
from mlspec.analysis.texts import (
    Scope,
    refuse_references,
    resolve_argv,
    resolve_script,
    resolve_text,
)
from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.codes import names as name_codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.model import (
    Action,
    Argv,
    Compute,
    Condition,
    DataInput,
    Input,
    Join,
    Matrix,
    Output,
    Param,
    Resources,
    Secret,
    StageMode,
    Step,
    StepInput,
)
from mlspec.ir.values import Namespace, Text
from mlspec.spec.model import ComponentSpec, Located, RoleSpec, SettingsSpec, StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What a step is built in: its pipeline, and the application's names.

    Attributes:
        folder: folder of the file that holds the step, relative to the spec's folder.
        final: whether this is `finally`.
    """

    around: Surroundings
    params: Mapping[str, Param]
    roles: Mapping[str, RoleSpec]
    constants: Mapping[str, str]
    components: Mapping[str, ComponentSpec]
    app: str
    compute: Compute | None = None
    folder: str = "."
    final: bool = False


def build_step(
    spec: StepSpec, settings: SettingsSpec, context: StepContext, found: list[Diagnostic]
) -> Step | None:
    """Return the IR of a step; its `needs` are direct and unsorted yet.

    Args:
        spec: the step as written.
        settings: its effective run settings.
        context: names it can use.
        found: where problems go.
    """
    inputs = _inputs(spec, context, found)
    outputs = _outputs(spec, context, found)
    matrix = context.around.matrices.get(spec.id)
    scope = _scope(spec, matrix, context)
    used = _used(spec, inputs, matrix, scope, context, found)
    action = used.action() if used is not None else _action(spec, scope, found)
    needs = _needs(spec, inputs, matrix, context, found)
    whole = len(inputs) == len(spec.inputs) and all(
        need.text in context.around.steps for need in spec.needs
    )
    conditions = _conditions(spec, Needs(frozenset(needs), whole), context, found)
    _check_join(spec, needs, found)
    image = image_of(settings, context.app, context.compute, spec.at.key())
    if image is not None:
        refuse_references(image.reference, image.at, "an image", found)
    if action is None:
        return None
    return Step(
        id=spec.id,
        action=action,
        description=spec.description,
        needs=tuple(needs),
        join=spec.join or Join.ALL_SUCCESS,
        when=conditions,
        approvals=build_approvals(spec.approvals, context.roles, found),
        inputs=inputs,
        outputs=outputs,
        metrics=_path(spec.metrics, "the metrics file", context, found),
        report=tuple(
            path for item in spec.report if (path := _path(item, "the report", context, found))
        ),
        matrix=matrix,
        image=image,
        env=_env(settings, used, scope, found),
        secrets=tuple(Secret(name, item.text) for name, item in settings.secrets),
        resources=settings.resources or Resources(),
        timeout=settings.timeout,
        retry=settings.retry if settings.retry is not None and settings.retry.max > 0 else None,
        lock=spec.lock,
        allow_failure=spec.allow_failure,
        cache=spec.cache,
        native=settings.native,
        at=spec.at,
    )


def _conditions(
    spec: StepSpec, needs: Needs, context: StepContext, found: list[Diagnostic]
) -> tuple[Condition, ...]:
    made = (
        build_condition(text, spec, needs, context.around.steps, context.params, found)
        for text in spec.when
    )
    return tuple(condition for condition in made if condition is not None)


def _inputs(spec: StepSpec, context: StepContext, found: list[Diagnostic]) -> tuple[Input, ...]:
    made = (
        build_input(item, spec, context.folder, context.around, found)
        for item in sorted(spec.inputs, key=lambda item: item.name)
    )
    return tuple(item for item in made if item is not None)


def _outputs(spec: StepSpec, context: StepContext, found: list[Diagnostic]) -> tuple[Output, ...]:
    made = []
    for item in sorted(spec.outputs, key=lambda item: item.name):
        output = build_output(item, context.folder, context.around, found)
        if output is None:
            continue
        if output.data is not None and spec.matrix is not None:
            found.append(
                Diagnostic(
                    code=codes.DATA_OUTPUT_ON_MATRIX,
                    message=f"every combination of `{spec.id}` would be a version of"
                    f" `{output.data}`",
                    at=output.at,
                    help=("write to a path here, and to the data noun in a step that gathers",),
                )
            )
        made.append(output)
    return tuple(made)


def _path(
    item: Located | None, what: str, context: StepContext, found: list[Diagnostic]
) -> str | None:
    if item is None:
        return None
    if refuse_references(item.text, item.at, what, found):
        return None
    return written_path(item.text, context.folder, item.at, what, found)


def _scope(spec: StepSpec, matrix: Matrix | None, context: StepContext) -> Scope:
    # Inputs and outputs that could not be resolved stay in scope: one mistake, one message.
    run = ("id", "date", "attempt", "status", "url") if context.final else ("id", "date", "attempt")
    keys = matrix.keys if matrix is not None else ()
    if matrix is None and spec.matrix is not None:
        keys = tuple(key for key, _ in spec.matrix.axes)
    return Scope(
        owner="`finally`" if context.final else f"step `{spec.id}`",
        names={
            Namespace.PARAMS: tuple(context.params),
            Namespace.INPUTS: tuple(sorted(item.name for item in spec.inputs)),
            Namespace.OUTPUTS: tuple(sorted(item.name for item in spec.outputs)),
            Namespace.MATRIX: keys,
            Namespace.RUN: run,
        },
        constants=context.constants,
    )


def _env(
    settings: SettingsSpec, used: Filled | None, scope: Scope, found: list[Diagnostic]
) -> tuple[tuple[str, Text], ...]:
    """Return the variables: those that a component sets see its names only."""
    env: dict[str, Text] = {}
    for name, item in settings.env:
        own = used.env(name, item) if used is not None else None
        env[name] = resolve_text(item.text, item.at, scope, found) if own is None else own
    if used is not None:
        env.update(used.variables())
    return tuple(sorted(env.items()))


def _used(
    spec: StepSpec,
    inputs: tuple[Input, ...],
    matrix: Matrix | None,
    scope: Scope,
    context: StepContext,
    found: list[Diagnostic],
) -> Filled | None:
    """Return the component that a step uses; None: none, or it cannot be read."""
    component = context.components.get(spec.uses.component) if spec.uses is not None else None
    if component is None or spec.uses is None:
        return None
    resolved = {item.name: item for item in inputs}
    fit_step(
        component,
        spec.uses,
        scope.owner,
        {
            item.name: Port(at=item.at, type=_type_of(resolved.get(item.name), context))
            for item in spec.inputs
        },
        {item.name: Port(at=item.at) for item in spec.outputs},
        found,
    )
    caller = Caller(owner=scope.owner, scope=scope, params=context.params, matrix=matrix)
    return fill(component, spec.uses, caller, found)


def _type_of(item: Input | None, context: StepContext) -> str | None:
    """Return what an input is, when its producer says so."""
    match item:
        case DataInput(data=data, mode=StageMode.PATH):
            return "folder" if context.around.formats.get(data) == "files" else "table"
        case StepInput(step=step, output=output):
            producer = context.around.steps.get(step)
            if producer is None or producer.uses is None or producer.matrix is not None:
                return None
            component = context.components.get(producer.uses.component)
            ports = component.outputs if component is not None else ()
            return next((port.type for port in ports if port.name == output), None)
        case _:
            return None


def _action(spec: StepSpec, scope: Scope, found: list[Diagnostic]) -> Action | None:
    at = spec.at / "run"
    match spec.run:
        case None:
            return None  # a component that cannot be read: that was said
        case str():
            return resolve_script(spec.run, at, scope, found)
        case _:
            words: Argv = resolve_argv(spec.run, at, scope, found)
            return words


def _needs(
    spec: StepSpec,
    inputs: tuple[Input, ...],
    matrix: Matrix | None,
    context: StepContext,
    found: list[Diagnostic],
) -> dict[str, None]:
    """Return direct needs: by order, by data, and for the values of a run-time matrix."""
    steps = context.around.steps
    needs: dict[str, None] = {}
    for need in spec.needs:
        if need.text not in steps:
            guess = nearest(need.text, steps)
            found.append(
                Diagnostic(
                    code=name_codes.UNKNOWN_STEP,
                    message=f"`{spec.id}` needs a step `{need.text}` that does not exist",
                    at=need.at,
                    label=f"did you mean `{guess}`?" if guess else "",
                )
            )
            continue
        needs[need.text] = None
    if context.final:
        return needs
    for item in inputs:
        if isinstance(item, StepInput):
            needs[item.step] = None
    if matrix is not None and matrix.dynamic is not None and matrix.dynamic.step in steps:
        needs[matrix.dynamic.step] = None
    return needs


def _check_join(spec: StepSpec, needs: Mapping[str, None], found: list[Diagnostic]) -> None:
    if spec.join is not None and not needs and spec.id != "finally":
        found.append(
            Diagnostic(
                code=codes.JOIN_WITHOUT_NEEDS,
                message=f"`{spec.id}` has a join but needs nothing, so it always runs",
                at=spec.at / "join",
            )
        )
