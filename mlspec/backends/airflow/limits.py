"""What only Airflow's limits show: reported before anything is lowered.

Input: one pipeline of an application; output: diagnostics. Files without a store, required
parameters of a DAG that starts by itself, sources that no worker can bring, pods that cannot be
given their files, identities and resources that a task without a pod cannot have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mlspec.backends.airflow.pods import brings, check_pod
from mlspec.backends.records import keeps_records, runs_mlspec
from mlspec.diagnostics.codes.targets import BAD_NATIVE, NO_STORE, PARTIAL, TARGET_LIMIT
from mlspec.diagnostics.model import Diagnostic, Label, Severity
from mlspec.ir.model import (
    Application,
    DataInput,
    MetricCondition,
    Pipeline,
    Script,
    StageMode,
    Step,
    StepInput,
)
from mlspec.source import Origin

LONGEST_SCRIPT = 120_000
"""Linux allows 128 KiB for one argument (MAX_ARG_STRLEN); the script is one of `bash -c`."""

MOST_LABELS = 4
"""How many places one diagnostic shows."""

OBJECT_STORES = ("s3", "gs", "gcs", "abfs", "abfss", "adl", "wasb", "wasbs", "hdfs", "file")
"""Schemes that `ObjectStoragePath` reads once the provider is installed."""


def watched(application: Application, pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    """Return the data nouns that start a pipeline and that nobody here writes, with sources."""
    made = {
        output.data
        for each in application.pipelines
        for step in each.all_steps
        for output in step.outputs
    }
    found = ((noun, application.dataset(noun).source) for noun in pipeline.triggers.data)
    return tuple(
        (noun, source) for noun, source in found if noun not in made and source is not None
    )


def check_limits(
    application: Application, pipeline: Pipeline, staging_image: str | None
) -> Iterator[Diagnostic]:
    """Report what Airflow cannot do for a pipeline, and warn about what it does otherwise."""
    triggers = pipeline.triggers
    if triggers.schedule is not None or triggers.data:
        for param in pipeline.params:
            if param.default is None:
                yield Diagnostic(
                    code=TARGET_LIMIT,
                    message=f"`{param.name}` has no default, but runs of `{pipeline.id}` "
                    "start by themselves",
                    at=param.at,
                    notes=("Airflow refuses a scheduled DAG with a required param",),
                    help=("give the parameter a default",),
                )
    if triggers.every is not None:
        yield from _watch_limits(application, pipeline)
    yield from _store_limits(application, pipeline)
    for step in pipeline.all_steps:
        yield from _step_limits(application, step)
        if step.image is not None:
            yield from check_pod(step)
    yield from _staging(application, pipeline, staging_image)
    yield from _shared_workers(application, pipeline)


def _watch_limits(application: Application, pipeline: Pipeline) -> Iterator[Diagnostic]:
    at = pipeline.triggers.at
    for noun, source in watched(application, pipeline):
        if not _is_path(source):
            yield Diagnostic(
                code=TARGET_LIMIT,
                message=f"Airflow cannot look for new data in `{noun}`: its object storage does "
                f"not read `{source.partition('://')[0]}://`",
                at=at,
                help=("start the pipeline by `schedule`, or by an asset event from outside",),
            )
    if watched(application, pipeline) and application.environment.store is None:
        yield Diagnostic(
            code=NO_STORE,
            message=f"`{pipeline.id}` looks for new data, and there is no `store` to remember "
            "what it has seen",
            at=at,
            help=("set `environments.<name>.store`",),
        )


def _is_path(source: str) -> bool:
    scheme, found, _ = source.partition("://")
    return not found or scheme in OBJECT_STORES


def _store_limits(application: Application, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Say once that files need a store, wherever they are handed on."""
    passing = [step.at for step in pipeline.all_steps if _passes_files(application, step)]
    if application.environment.store is None and passing:
        # A spec of nouns says what, and may leave to the deployment where files are kept.
        derived = all(step.kind.is_derived for step in pipeline.all_steps)
        yield from _grouped(
            Diagnostic(
                code=NO_STORE,
                message=f"steps of `{pipeline.id}` hand files on, and there is no `store` to keep"
                " them in",
                notes=("MLSPEC_STORE must be set for the workers",) if derived else (),
                help=(
                    "set `environments.<name>.store`, such as `s3://bucket/path/`",
                    "`file:<folder>` will do if all workers share that folder",
                ),
                severity_override=Severity.WARNING if derived else None,
            ),
            passing,
        )


def _step_limits(application: Application, step: Step) -> Iterator[Diagnostic]:
    if isinstance(step.action, Script) and len(step.action.text.encode()) > LONGEST_SCRIPT:
        yield Diagnostic(
            code=TARGET_LIMIT,
            message=f"the script of `{step.id}` is longer than one argument of a program can be",
            at=step.action.at,
            help=("move it into a file of the repository",),
        )
    native = step.native.get("airflow")
    if step.lock is not None and isinstance(native, Mapping) and "pool" in native:
        yield Diagnostic(
            code=BAD_NATIVE,
            message=f"`{step.id}` has a `lock` and a `native.airflow.pool`: "
            "a task is in one pool only",
            at=step.at / "native",
            help=("remove one of them",),
        )
    for item in step.inputs:
        if isinstance(item, DataInput) and item.mode is StageMode.PATH:
            source = application.dataset(item.data).source
            if source is not None and not _is_path(source):
                scheme = source.partition("://")[0]
                yield Diagnostic(
                    code=TARGET_LIMIT,
                    message=f"`{item.data}` cannot reach `{step.id}` as a path: "
                    f"Airflow's object storage does not read `{scheme}://`",
                    at=item.at,
                    help=(f"use `{{from: {item.data}, as: uri}}`",),
                )


def _grouped(diagnostic: Diagnostic, places: list[Origin]) -> Iterator[Diagnostic]:
    """Say one thing once, with labels at the first few other places (defaults are one place)."""
    if places:
        first, *others = dict.fromkeys(places)
        labels = tuple(Label(at, "here as well") for at in others[: MOST_LABELS - 1])
        yield replace(diagnostic, at=first, labels=labels)


def _shared_workers(application: Application, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Warn about what a task without a pod cannot have of its own."""
    steps = [step for step in pipeline.all_steps if step.image is None]
    asked = [
        step.resources.at
        for step in steps
        if step.resources.gpu or step.resources.memory is not None
    ]
    yield from _grouped(
        Diagnostic(
            code=PARTIAL,
            message=f"steps of `{pipeline.id}` without an image share memory and GPUs of their "
            "Airflow worker",
            help=("give them an image, or a `queue` of fitting workers (`native.airflow.queue`)",),
            severity_override=Severity.WARNING,
        ),
        asked,
    )
    other = [key for key, _ in application.environment.identity if key != "service_account"]
    lost = (
        other
        if len(steps) < len(pipeline.all_steps)
        else [key for key, _ in application.environment.identity]
    )
    if lost:
        yield Diagnostic(
            code=PARTIAL,
            message=f"tasks of `{pipeline.id}` do not take on "
            + ", ".join(f"`identity.{key}`" for key in lost),
            at=application.environment.at,
            help=("bind it to the service account of the pods, or to the Airflow workers",),
            severity_override=Severity.WARNING,
        )


def _staging(
    application: Application, pipeline: Pipeline, staging_image: str | None
) -> Iterator[Diagnostic]:
    """Report pods that pass files although nothing says which image brings and takes them."""
    passing = [step for step in pipeline.all_steps if step.image is not None and brings(step)]
    if staging_image is None:
        foreign = [step.at for step in passing if not runs_mlspec(step)]
        yield from _grouped(
            Diagnostic(
                code=TARGET_LIMIT,
                message=f"steps of `{pipeline.id}` run in pods and pass files, but nothing says "
                "which image brings and takes them",
                help=(
                    "set `staging_image` in `targets.pipelines`",
                    "any image with Python, fsspec and the store's package (such as s3fs) will do",
                ),
            ),
            foreign,
        )
    store = application.environment.store
    if store is not None and store.startswith("file:"):
        yield from _grouped(
            Diagnostic(
                code=NO_STORE,
                message=f"the pods of `{pipeline.id}` cannot reach the store `{store}`",
                help=("use a store that workers and pods share, such as `s3://bucket/path/`",),
            ),
            [step.at for step in passing],
        )


def _passes_files(application: Application, step: Step) -> bool:
    dynamic = step.matrix is not None and step.matrix.dynamic is not None
    managed = any(
        isinstance(item, DataInput) and application.dataset(item.data).source is None
        for item in step.inputs
    )
    return (
        dynamic
        or managed
        or bool(step.outputs or step.metrics or step.report)
        or any(isinstance(item, StepInput) for item in step.inputs)
        or any(isinstance(condition, MetricCondition) for condition in step.when)
        or keeps_records(step)
    )
