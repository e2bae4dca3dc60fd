"""Lowers applications to DAG files.

Input: finished IR, one application for each environment. Output: the model, or what only
Airflow's limits show: names that are too long, files without a store, required parameters of a
scheduled DAG, sources that no worker can bring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mlspec.backends.airflow.joins import JoinLowering
from mlspec.backends.airflow.model import (
    Bundle,
    Dag,
    DagParam,
    Pools,
    Task,
    VerdictTask,
    WatchTask,
    When,
)
from mlspec.backends.airflow.names import check_names, module_name, task_id
from mlspec.backends.airflow.pods import check_pod
from mlspec.backends.airflow.tasks import Surroundings, lower_step, step_task
from mlspec.backends.base import LowerOptions
from mlspec.diagnostics.codes.targets import BAD_NATIVE, NO_STORE, PARTIAL, TARGET_LIMIT
from mlspec.diagnostics.model import Diagnostic, Result, Severity, has_errors
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

LONGEST_SCRIPT = 120_000
"""Linux allows 128 KiB for one argument (MAX_ARG_STRLEN); the script is one of `bash -c`."""

OBJECT_STORES = ("s3", "gs", "gcs", "abfs", "abfss", "adl", "wasb", "wasbs", "hdfs", "file")
"""Schemes that `ObjectStoragePath` reads once the provider is installed."""


def lower(applications: tuple[Application, ...], options: LowerOptions) -> Result[Bundle]:
    """Return the files for all applications (one for each environment)."""
    found: list[Diagnostic] = []
    dags: list[Dag] = []
    pools: list[Pools] = []
    several = len(applications) > 1
    for application in applications:
        suffix = f"_{application.environment.name}" if several else ""
        locks = _locks(application, suffix)
        names = {lock: f"{application.name}_{lock}{suffix}" for lock in locks}
        pools_file = f"pools/{application.name}{suffix}.json"
        if locks:
            described = tuple(
                (names[lock], f"lock {lock} of {application.name}: one task at a time")
                for lock in locks
            )
            pools.append(Pools(path=pools_file, pools=described))
        for pipeline in application.pipelines:
            found.extend(_limits(application, pipeline, _staging_image(options)))
            if not has_errors(found):
                dag = _dag(application, pipeline, options, suffix, names, pools_file)
                found.extend(check_names(dag, pipeline))
                dags.append(dag)
                watch = _watch(application, pipeline, dag, suffix)
                if watch is not None:
                    dags.append(watch)
    if has_errors(found):
        return Result(None, tuple(found))
    support = sorted({f"dags/{dag.support}.py" for dag in dags})
    return Result(
        Bundle(dags=tuple(dags), pools=tuple(pools), support=tuple(support)), tuple(found)
    )


def _locks(application: Application, suffix: str) -> tuple[str, ...]:
    del suffix
    steps = (step for pipeline in application.pipelines for step in pipeline.all_steps)
    return tuple(sorted({step.lock for step in steps if step.lock is not None}))


def _dag(
    application: Application,
    pipeline: Pipeline,
    options: LowerOptions,
    suffix: str,
    pool_of: Mapping[str, str],
    pools_file: str,
) -> Dag:
    environment = application.environment.name if suffix else None
    folder = f"dags/{environment}" if environment else "dags"
    dag_id = f"{application.name}_{pipeline.id}{suffix}"
    up = "/".join(".." for _ in folder.split("/"))
    project = up if options.project_path == "." else f"{up}/{options.project_path}"
    tasks = _tasks(application, pipeline, options, suffix, pool_of)
    used = [step.lock for step in pipeline.all_steps if step.lock is not None]
    secrets = {
        (secret.name, step.image is not None)
        for step in pipeline.all_steps
        for secret in step.secrets
    }
    triggers = pipeline.triggers
    native = pipeline.native.get("airflow")
    settings = native if isinstance(native, Mapping) else {}
    return Dag(
        path=f"{folder}/{application.name}_{pipeline.id}.py",
        pipeline=pipeline.id,
        environment=environment,
        dag_id=dag_id,
        app=application.name,
        support=module_name(application.name),
        owner=pipeline.owner or application.owner,
        description=pipeline.description,
        schedule=When(
            cron=triggers.schedule.cron if triggers.schedule is not None else None,
            timezone=triggers.schedule.timezone if triggers.schedule is not None else "UTC",
            assets=tuple(_asset(application, noun, suffix) for noun in triggers.data),
        ),
        params=tuple(
            DagParam(
                name=param.name,
                type=param.type,
                enum=param.enum,
                default=param.default,
                description=param.description,
            )
            for param in pipeline.params
        ),
        store=application.environment.store or "",
        project=project,
        spec=options.spec_path,
        pools=tuple(sorted({pool_of[lock] for lock in used})),
        pools_file=pools_file,
        connections=tuple(sorted(name for name, in_pod in secrets if not in_pod)),
        secrets=tuple(sorted(name for name, in_pod in secrets if in_pod)),
        settings=tuple((k, v) for k, v in settings.items() if isinstance(v, int)),
        tasks=tasks,
    )


def _watch(application: Application, pipeline: Pipeline, dag: Dag, suffix: str) -> Dag | None:
    """Return the DAG that looks for data that no pipeline here writes."""
    if pipeline.triggers.every is None:
        return None
    tasks = tuple(
        WatchTask(
            id=task_id(noun),
            data=noun,
            source=source,
            asset=_asset(application, noun, suffix),
        )
        for noun, source in watched(application, pipeline)
    )
    if not tasks:
        return None
    return replace(
        dag,
        path=dag.path.removesuffix(".py") + "_watch.py",
        dag_id=f"{dag.dag_id}_watch",
        description=f"Looks for new data for {dag.dag_id}",
        schedule=When(every=pipeline.triggers.every),
        params=(),
        pools=(),
        connections=(),
        secrets=(),
        settings=(),
        tasks=tasks,
    )


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


def _asset(application: Application, noun: str, suffix: str) -> str:
    return f"{application.name}/{noun}{suffix}"


def _tasks(
    application: Application,
    pipeline: Pipeline,
    options: LowerOptions,
    suffix: str,
    pool_of: Mapping[str, str],
) -> tuple[Task, ...]:
    around = Surroundings(
        application=application,
        pipeline=pipeline,
        joins=JoinLowering(pipeline),
        pool_of=pool_of,
        asset_of={data.id: _asset(application, data.id, suffix) for data in application.data},
        approvers=_approvers(options),
        staging_image=_staging_image(options),
    )
    tasks: list[Task] = []
    ignore: list[str] = []
    for step in pipeline.steps:
        made = lower_step(step, around)
        tasks += made
        ignore += [task.id for task in made if step.allow_failure or task.id.endswith("__join")]
    leaves = tuple(task_id(step.id) for step in pipeline.steps)
    if pipeline.final is not None:
        final = task_id(pipeline.final.id)
        ignore.append(final)
        tasks.append(step_task(pipeline.final, around, "all_done", leaves, ignore=tuple(ignore)))
        leaves = (*leaves, final)
    tasks.append(VerdictTask(id="run__verdict", upstream=leaves, ignore=tuple(ignore)))
    return tuple(tasks)


def _staging_image(options: LowerOptions) -> str | None:
    told = options.settings.get("staging_image")
    return told if isinstance(told, str) else None


def _approvers(options: LowerOptions) -> Mapping[str, tuple[str, ...]]:
    told = options.settings.get("approvers")
    if not isinstance(told, Mapping):
        return {}
    return {
        role: tuple(str(one) for one in (people if isinstance(people, list | tuple) else [people]))
        for role, people in told.items()
    }


# ------------------------------------------------------------------ limits


def _limits(
    application: Application, pipeline: Pipeline, staging_image: str | None
) -> Iterator[Diagnostic]:
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
    for step in pipeline.all_steps:
        yield from _step_limits(application, step)
        if step.image is not None:
            yield from check_pod(step, application, staging_image)
        else:
            yield from _shared_worker(step)


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


def _step_limits(application: Application, step: Step) -> Iterator[Diagnostic]:
    if application.environment.store is None and _passes_files(application, step):
        yield Diagnostic(
            code=NO_STORE,
            message=f"`{step.id}` hands files on, and there is no `store` to keep them in",
            at=step.at,
            help=(
                "set `environments.<name>.store`, such as `s3://bucket/path/`",
                "`file:<folder>` will do if all workers share that folder",
            ),
        )
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


def _shared_worker(step: Step) -> Iterator[Diagnostic]:
    """Warn about resources that a task without a pod cannot have of its own."""
    asked = step.resources
    if asked.gpu or asked.memory is not None:
        yield Diagnostic(
            code=PARTIAL,
            message=f"`{step.id}` has no image: it shares memory and GPUs of its Airflow worker",
            at=asked.at,
            help=("give it an image, or a `queue` of fitting workers (`native.airflow.queue`)",),
            severity_override=Severity.WARNING,
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
    )
