"""What nouns add to pipelines that the user wrote.

A step that makes a version of a data noun with a contract is followed by a snapshot and a
validation, and whoever reads that version waits for them (C4). A model that a pipeline trains
(`train: {pipeline, output}`) has its package, version, gate and promotion there.
"""

from __future__ import annotations

from dataclasses import replace

from mlspec.analysis.derive.data import snapshot_id, snapshot_of, validation
from mlspec.analysis.derive.line import Line
from mlspec.analysis.derive.models import judge_and_promote
from mlspec.analysis.derive.steps import DeriveContext, input_of
from mlspec.diagnostics.codes import graph as graph_codes
from mlspec.diagnostics.codes import names as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Output, Pipeline, Step, StepInput
from mlspec.source import Origin
from mlspec.spec.nouns import ModelSpec, TrainSpec


def extend(
    pipelines: tuple[Pipeline, ...], ctx: DeriveContext, found: list[Diagnostic]
) -> tuple[Pipeline, ...]:
    """Return the pipelines with the steps that nouns add to them.

    Args:
        pipelines: as the user wrote them. ctx: the nouns. found: where problems go.
    """
    made = {pipeline.id: _with_contracts(pipeline, ctx, found) for pipeline in pipelines}
    for model in ctx.facts.catalogue.nouns.models:
        train = model.train
        if train is None or train.pipeline is None or train.output is None:
            continue
        pipeline = made.get(train.pipeline.text)
        if pipeline is None:
            found.append(_unknown_pipeline(train, tuple(made)))
            continue
        made[pipeline.id] = _with_model(pipeline, model, train, ctx, found)
    for pipeline in made.values():
        _check_ids(pipeline, found)
    return tuple(made.values())


def _check_ids(pipeline: Pipeline, found: list[Diagnostic]) -> None:
    """Report a step of the user's that has the id of one that a noun adds."""
    seen: dict[str, Step] = {}
    for step in pipeline.all_steps:
        other = seen.setdefault(step.id, step)
        if other is not step:
            found.append(
                Diagnostic(
                    code=codes.RESERVED_NAME,
                    message=f"a step of `{pipeline.id}` cannot be called `{step.id}`",
                    at=other.at.key(),
                    label=f"`{step.subject}` adds a step of this name",
                    help=("rename the step",),
                )
            )


# ------------------------------------------------------------------ contracts of data


def _with_contracts(pipeline: Pipeline, ctx: DeriveContext, found: list[Diagnostic]) -> Pipeline:
    steps: list[Step] = list(pipeline.steps)
    for step in pipeline.steps:
        for output in step.outputs:
            noun = ctx.facts.catalogue.data.get(output.data or "")
            if noun is None or not ctx.facts.catalogue.has_contract(noun):
                continue
            raw = StepInput(name="raw", step=step.id, output=output.name, at=output.at)
            snapshot = snapshot_of(noun.id, pipeline.id, ctx, (raw,))
            data = input_of("data", snapshot_id(noun.id), "data", output.at)
            checked = validation(noun.id, pipeline.id, data, ctx, found)
            steps = [_waiting(one, step.id, output.name, checked.id) for one in steps]
            steps += [snapshot, checked]
    return replace(pipeline, steps=tuple(steps))


def _waiting(step: Step, producer: str, output: str, checked: str) -> Step:
    """Return a step that waits for the validation of what it reads."""
    reads = any(
        isinstance(item, StepInput) and (item.step, item.output) == (producer, output)
        for item in step.inputs
    )
    return replace(step, needs=(*step.needs, checked)) if reads else step


# ------------------------------------------------------------------ models


def _unknown_pipeline(train: TrainSpec, known: tuple[str, ...]) -> Diagnostic:
    assert train.pipeline is not None  # noqa: S101  the caller looked
    guess = nearest(train.pipeline.text, known)
    return Diagnostic(
        code=codes.UNKNOWN_PIPELINE,
        message=f"there is no pipeline `{train.pipeline.text}`",
        at=train.pipeline.at,
        label=f"did you mean `{guess}`?" if guess else "",
    )


def _with_model(
    pipeline: Pipeline,
    model: ModelSpec,
    train: TrainSpec,
    ctx: DeriveContext,
    found: list[Diagnostic],
) -> Pipeline:
    assert train.output is not None  # noqa: S101  the caller looked
    step_id, _, output = train.output.text.partition(".")
    producer = _step(pipeline, step_id, train.output.at, found)
    if producer is None:
        return pipeline
    if producer.output(output) is None:
        found.append(_unknown_output(producer, output, train.output.at))
        return pipeline
    if producer.matrix is not None:
        found.append(_matrix(producer, train.output.at))
        return pipeline
    pipeline, written = _written(pipeline, model, found)
    line = Line(id=pipeline.id, model=model, ctx=ctx, beside=True)
    made = line.add(
        Kind.FETCH,
        train.output.at,
        f"Takes {model.id} from `{train.output.text}`.",
        inputs=(StepInput(name="file", step=step_id, output=output, at=train.output.at),),
        outputs=("model",),
        opaque=written is not None,
    )
    judge_and_promote(line, (made, "model"), written)
    return replace(pipeline, steps=(*pipeline.steps, *line.steps))


def _step(pipeline: Pipeline, step_id: str, at: Origin, found: list[Diagnostic]) -> Step | None:
    known = {step.id: step for step in pipeline.steps}
    if step_id not in known:
        guess = nearest(step_id, known)
        found.append(
            Diagnostic(
                code=codes.UNKNOWN_STEP,
                message=f"pipeline `{pipeline.id}` has no step `{step_id}`",
                at=at,
                label=f"did you mean `{guess}`?" if guess else "",
            )
        )
    return known.get(step_id)


def _unknown_output(producer: Step, output: str, at: Origin) -> Diagnostic:
    guess = nearest(output, [one.name for one in producer.outputs])
    return Diagnostic(
        code=codes.UNKNOWN_OUTPUT,
        message=f"step `{producer.id}` has no output `{output}`",
        at=at,
        label=f"did you mean `{guess}`?" if guess else "",
    )


def _matrix(producer: Step, at: Origin) -> Diagnostic:
    return Diagnostic(
        code=graph_codes.MATRIX_MISMATCH,
        message=f"`{producer.id}` has a matrix, so it makes many models and no one model",
        at=at,
        help=("choose one of them in a step without a matrix (decision B5)",),
    )


def _written(
    pipeline: Pipeline, model: ModelSpec, found: list[Diagnostic]
) -> tuple[Pipeline, StepInput | None]:
    """Return where the metrics are that `evaluate.metrics` believes; a file becomes an output."""
    told = model.evaluate.metrics if model.evaluate is not None else None
    if told is None:
        return pipeline, None
    owner, _, step_id = told.text.partition(".")
    if owner != pipeline.id:
        found.append(
            Diagnostic(
                code=codes.UNKNOWN_STEP,
                message=f"`{told.text}` is no step of `{pipeline.id}`, which trains `{model.id}`",
                at=told.at,
                help=("name a step of the pipeline that trains the model",),
            )
        )
        return pipeline, None
    step = _step(pipeline, step_id, told.at, found)
    if step is None or step.metrics is None:
        if step is not None:
            found.append(_no_metrics(step, told.at))
        return pipeline, None
    output = next((one for one in step.outputs if one.path == step.metrics), None)
    if output is None:
        output = Output(name="mlspec_metrics", path=step.metrics, at=told.at)
        outputs = tuple(sorted((*step.outputs, output), key=lambda one: one.name))
        changed = replace(step, outputs=outputs)
        steps = tuple(changed if one.id == step.id else one for one in pipeline.steps)
        pipeline = replace(pipeline, steps=steps)
    return pipeline, StepInput(name="written", step=step.id, output=output.name, at=told.at)


def _no_metrics(step: Step, at: Origin) -> Diagnostic:
    return Diagnostic(
        code=codes.UNKNOWN_OUTPUT,
        message=f"step `{step.id}` writes no metrics",
        at=at,
        help=("give it `metrics: <path>`, a flat JSON object of numbers",),
    )
