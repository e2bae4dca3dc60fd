"""The pipeline of a model: from data to a version that is judged, approved and promoted.

Input: a model and the nouns. Output: a `Pipeline`. An ensemble's members are made in its own
pipeline, side by side, from the same rows and the same split. The order of steps is that of
`mlspec.ir.kinds`.
"""

from __future__ import annotations

from dataclasses import replace

from mlspec.analysis.derive.deliver import deliver_model
from mlspec.analysis.derive.judging import (
    evaluate_models,
    explain_model,
    judge,
    package_model,
    register_version,
)
from mlspec.analysis.derive.line import Line, Made, Rows
from mlspec.analysis.derive.making import calibrate_model, compress_model, make
from mlspec.analysis.derive.rows import add_rows
from mlspec.analysis.derive.steps import (
    DeriveContext,
)
from mlspec.analysis.triggers import build_triggers
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import (
    Pipeline,
    StepInput,
    Triggers,
)
from mlspec.spec.nouns import ModelSpec


def model_pipeline(
    model: ModelSpec, ctx: DeriveContext, found: list[Diagnostic]
) -> tuple[Pipeline, ...]:
    """Return the pipelines of a model: its own, and one that judges on pull requests if asked.

    Args:
        model: the model. ctx: the nouns. found: where problems go.
    """
    made = [_pipeline(model, ctx, found, judged=False)]
    made_here = ctx.is_first  # pull requests run in the first environment (decision B30)
    if made_here and model.retrain is not None and model.retrain.trigger.pull_request is not None:
        made.append(_pipeline(model, ctx, [], judged=True))
    return tuple(made)


def pipeline_id(model_id: str) -> str:
    """Return the id of a model's pipeline."""
    return f"model-{model_id}"


def _pipeline(
    model: ModelSpec, ctx: DeriveContext, found: list[Diagnostic], *, judged: bool
) -> Pipeline:
    catalogue = ctx.facts.catalogue
    name = f"check-{pipeline_id(model.id)}" if judged else pipeline_id(model.id)
    line = Line(id=name, model=model, ctx=ctx, judged=judged, found=found)
    if ctx.earlier is None or model.source is not None:
        _fill(line)
    else:
        deliver_model(line, ctx.earlier)
    owner = model.owner or catalogue.spec.app.owner
    role = ctx.facts.roles.get(owner.text) if owner is not None else None
    return Pipeline(
        id=name,
        owner=owner.text if owner is not None else "",
        description=model.description or _about(model, ctx, judged=judged),
        triggers=_triggers(model, ctx, judged=judged),
        steps=tuple(line.steps),
        notify=role.notify if role is not None else (),
        at=model.at,
    )


def _about(model: ModelSpec, ctx: DeriveContext, *, judged: bool) -> str:
    if judged:
        return f"Trains and judges {model.id} on pull requests; registers nothing."
    if ctx.earlier is not None and model.source is None:
        return f"Brings the champion of {model.id} from {ctx.earlier.environment}."
    return f"Makes, judges and registers versions of {model.id}."


def _triggers(model: ModelSpec, ctx: DeriveContext, *, judged: bool) -> Triggers:
    if model.retrain is None or ctx.earlier is not None:
        return Triggers(at=model.at)
    catalogue = ctx.facts.catalogue
    found = build_triggers(model.retrain.trigger, catalogue.data, catalogue.models, [])
    if judged:
        return Triggers(pull_request=found.pull_request, at=found.at)
    return replace(found, pull_request=None)


def _fill(line: Line) -> None:
    """Add all steps of a pipeline."""
    model = line.model
    exam = model.evaluate.data if model.evaluate is not None else None
    rows = add_rows(line, exam.text if exam is not None else None)
    made = make(line, model, rows)
    uncompressed = made if model.compress is not None else None
    made = compress_model(line, made, rows)
    made = calibrate_model(line, made, rows)
    scores = evaluate_models(line, made, uncompressed, rows)
    explanation = explain_model(line, made, scores, rows)
    if line.judged:
        if scores is not None:
            judge(line, scores, None, None)
        return
    package = package_model(line, made, scores, explanation, rows)
    register_version(line, scores, package, None)


def judge_and_promote(line: Line, made: Made, written: StepInput | None) -> None:
    """Add the steps behind a model that a pipeline of the user's made.

    Args:
        line: the pipeline. made: the model. written: metrics of a step that are believed.
    """
    package = package_model(line, made, None, None, Rows())
    register_version(line, None, package, written)
