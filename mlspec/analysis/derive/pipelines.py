"""Which pipelines the nouns need, and their steps in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlspec.analysis.derive.data import data_pipeline
from mlspec.analysis.derive.explicit import extend
from mlspec.analysis.derive.models import model_pipeline
from mlspec.analysis.derive.steps import DeriveContext
from mlspec.analysis.derive.versions import has_pipeline
from mlspec.diagnostics.codes.names import RESERVED_NAME
from mlspec.diagnostics.model import Diagnostic, Label, has_errors
from mlspec.ir.graph import topological_order
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Pipeline


def derive(
    ctx: DeriveContext, written: tuple[Pipeline, ...], found: list[Diagnostic]
) -> tuple[Pipeline, ...]:
    """Return all pipelines: the user's with what nouns add, those of models, those of data.

    Args:
        ctx: the nouns of one environment.
        written: the pipelines that the user wrote.
        found: where problems go.
    """
    explicit = extend(written, ctx, found)
    catalogue = ctx.facts.catalogue
    made = [
        pipeline
        for model in catalogue.nouns.models
        if has_pipeline(model, catalogue)
        for pipeline in model_pipeline(model, ctx, found)
    ]
    checked = set(_checked((*explicit, *made)))
    # Where models are delivered, their data is checked where they are made.
    checked.update(one for model in catalogue.nouns.models for one in catalogue.event_data(model))
    made += [
        data_pipeline(noun.id, ctx, found)
        for noun in catalogue.nouns.data
        if noun.id not in checked and catalogue.has_contract(noun)
    ]
    _check_names(explicit, made, found)
    if has_errors(found):
        return written
    return tuple(_in_order(pipeline) for pipeline in (*explicit, *made))


def _check_names(
    explicit: tuple[Pipeline, ...], made: list[Pipeline], found: list[Diagnostic]
) -> None:
    """Report a pipeline of the user's that has the id of a derived one."""
    ids = {pipeline.id: pipeline for pipeline in made}
    found.extend(
        Diagnostic(
            code=RESERVED_NAME,
            message=f"a pipeline cannot be called `{pipeline.id}` here",
            at=pipeline.at.key(),
            labels=(Label(ids[pipeline.id].at.key(), "this noun's pipeline has the name"),),
            help=("rename the pipeline",),
        )
        for pipeline in explicit
        if pipeline.id in ids
    )


def _checked(pipelines: tuple[Pipeline, ...]) -> Iterator[str]:
    """Yield the data nouns whose contract some pipeline checks."""
    for pipeline in pipelines:
        for step in pipeline.steps:
            if step.kind is Kind.VALIDATE:
                yield step.subject.removeprefix("data.")


def _in_order(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline whose steps, and their needs, stand in topological order."""
    by_id = {step.id: step for step in pipeline.steps}
    order = topological_order({step.id: step.needs for step in pipeline.steps})
    assert order is not None  # noqa: S101  derived steps only need steps before them
    rank = {step_id: index for index, step_id in enumerate(order)}
    return replace(
        pipeline,
        steps=tuple(
            replace(by_id[one], needs=tuple(sorted(by_id[one].needs, key=rank.__getitem__)))
            for one in order
        ),
    )
