"""Steps that bring data: a snapshot that pins its version, and the contract that it must meet."""

from __future__ import annotations

from dataclasses import replace

from mlspec.analysis.derive.blocks import block_settings, program, table_format
from mlspec.analysis.derive.facts import data_facts, digest_of_facts, metric_facts, secret_variable
from mlspec.analysis.derive.steps import DeriveContext, Draft, blank_node, derived_step, input_of
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.kinds import Kind
from mlspec.ir.model import DataInput, Input, Pipeline, RepoInput, Secret, Step, StepInput
from mlspec.source import Origin
from mlspec.spec.model import DataSpec, SettingsSpec


def snapshot_id(data_id: str) -> str:
    """Return the id of the step that pins a data noun's version."""
    return f"snapshot-{data_id}"


def validate_id(data_id: str) -> str:
    """Return the id of the step that checks a data noun's contract."""
    return f"validate-{data_id}"


def data_steps(
    data_id: str, pipeline: str, ctx: DeriveContext, found: list[Diagnostic]
) -> tuple[Step, ...]:
    """Return snapshot and validation of a data noun, for one pipeline."""
    spec = _spec(data_id, ctx)
    data = input_of("data", snapshot_id(data_id), "data", spec.at)
    return (
        snapshot_of(data_id, pipeline, ctx),
        validation(data_id, pipeline, data, ctx, found),
    )


def data_pipeline(data_id: str, ctx: DeriveContext, found: list[Diagnostic]) -> Pipeline:
    """Return the pipeline of a data noun that nothing else reads: pin it and check it."""
    pipeline = f"data-{data_id}"
    spec, noun = _spec(data_id, ctx), ctx.facts.catalogue.data[data_id]
    owner = noun.owner or ctx.facts.catalogue.spec.app.owner
    return Pipeline(
        id=pipeline,
        owner=owner.text if owner is not None else "",
        description=f"Pins a version of {data_id} and holds it against its contract.",
        steps=data_steps(data_id, pipeline, ctx, found),
        at=spec.at,
    )


def _spec(data_id: str, ctx: DeriveContext) -> DataSpec:
    return next(item for item in ctx.facts.catalogue.spec.data if item.id == data_id)


def snapshot_of(
    data_id: str, pipeline: str, ctx: DeriveContext, raw: tuple[Input, ...] | None = None
) -> Step:
    """Return the step that pins a version of a data noun.

    Args:
        data_id: the noun. pipeline: id of the pipeline it stands in.
        ctx: what all derived steps share.
        raw: where the bytes come from, when a step of this pipeline makes them.
    """
    spec = _spec(data_id, ctx)
    facts = data_facts(spec.id, ctx.facts)
    if raw is not None:
        facts = replace(facts, source=None, query=None, secret_variable=None)
    step, subject = snapshot_id(spec.id), f"data.{spec.id}"
    node = replace(
        blank_node(Kind.SNAPSHOT, step, pipeline, subject, ctx),
        data=(facts,),
        spec=digest_of_facts(facts),
    )
    secrets: tuple[Secret, ...] = ()
    if spec.secret is not None and raw is None:
        secrets = (Secret(secret_variable(spec.id), spec.secret),)
    at = spec.source.at if spec.source is not None else spec.at
    return derived_step(
        Draft(
            id=step,
            kind=Kind.SNAPSHOT,
            subject=subject,
            at=at,
            description=f"Pins the version of {spec.id}.",
            node=node,
            inputs=raw or (*_raw(spec, facts.source), *_query(spec)),
            outputs=("data",),
            secrets=secrets,
        ),
        ctx,
    )


def _raw(spec: DataSpec, source: str | None) -> tuple[Input, ...]:
    """Return the input that stages bytes which the checkout or the store holds."""
    if source is None:
        return (DataInput(name="raw", data=spec.id, at=spec.at),)
    assert spec.source is not None  # noqa: S101  resolved from it; for the type checker
    path = source.removeprefix("file:")
    if source.startswith("file:") and not path.startswith("/") and "*" not in path:
        return (RepoInput(name="raw", path=path.removeprefix("./"), at=spec.source.at),)
    return ()


def _query(spec: DataSpec) -> tuple[Input, ...]:
    if spec.query is None:
        return ()
    return (RepoInput(name="query", path=spec.query.text, at=spec.query.at),)


def validation(
    data_id: str, pipeline: str, data: StepInput, ctx: DeriveContext, found: list[Diagnostic]
) -> Step:
    """Return the step that holds a version of data against its contract.

    Args:
        data_id: the noun. pipeline: id of the pipeline it stands in.
        data: where the version comes from. ctx: what all derived steps share.
        found: where problems go.
    """
    noun = ctx.facts.catalogue.data[data_id]
    facts = data_facts(data_id, ctx.facts)
    step, subject = validate_id(data_id), f"data.{data_id}"
    at: Origin = noun.at
    if noun.checks:
        at = (noun.at / "checks").key()
    elif noun.columns:
        at = (noun.at / "schema").key()
    own = noun.validate
    contract = "validate files" if facts.format == "files" else "validate"
    fields, reads = program(own, contract, ctx, found)
    if fields:
        fields["table"] = table_format(data_id, ctx)
    node = replace(
        blank_node(Kind.VALIDATE, step, pipeline, subject, ctx),
        data=(facts,),
        metrics=metric_facts(facts.checks, ctx.facts.catalogue),
        spec=digest_of_facts(facts),
        **fields,
    )
    settings = block_settings(own, ctx) if own is not None else SettingsSpec()
    return derived_step(
        Draft(
            id=step,
            kind=Kind.VALIDATE,
            subject=subject,
            at=at,
            description=f"Holds {data_id} against its contract.",
            node=node,
            inputs=(data,),
            outputs=("data",),
            settings=settings,
            reads=reads,
        ),
        ctx,
    )
