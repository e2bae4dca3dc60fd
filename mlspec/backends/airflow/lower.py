"""Lowers applications to DAG files.

Input: finished IR, one application for each environment. Output: the model, or what `limits` and
`names` found to be impossible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlspec.backends.airflow.joins import JoinLowering
from mlspec.backends.airflow.limits import check_limits, watched
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
from mlspec.backends.airflow.tasks import (
    Surroundings,
    environment_tasks,
    lower_step,
    step_task,
)
from mlspec.backends.base import LowerOptions
from mlspec.diagnostics.model import Diagnostic, Result, has_errors
from mlspec.ir.model import (
    Application,
    Pipeline,
)


def lower(applications: tuple[Application, ...], options: LowerOptions) -> Result[Bundle]:
    """Return the files for all applications (one for each environment)."""
    found: list[Diagnostic] = []
    dags: list[Dag] = []
    pools: list[Pools] = []
    several = len(applications) > 1
    for application in applications:
        suffix = f"_{application.environment.name}" if several else ""
        locks = _locks(application)
        names = {lock: f"{application.name}_{lock}{suffix}" for lock in locks}
        pools_file = f"pools/{application.name}{suffix}.json"
        if locks:
            described = tuple(
                (names[lock], f"lock {lock} of {application.name}: one task at a time")
                for lock in locks
            )
            pools.append(Pools(path=pools_file, pools=described))
        for pipeline in application.pipelines:
            found.extend(check_limits(application, pipeline, _staging_image(options)))
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


def _locks(application: Application) -> tuple[str, ...]:
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
    asked, admitted = environment_tasks(around)
    around = replace(around, admitted=admitted)
    tasks: list[Task] = [*asked]
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
