"""What starts a run, and what a run leaves for others: clocks, data nouns, one after another."""

from __future__ import annotations

import json
from typing import TypeAlias

from mlspec.backends.kubernetes.containers import RUN_DATE, SAFE_CONTAINER
from mlspec.backends.kubernetes.context import PipelineContext, base, input_folder
from mlspec.backends.kubernetes.model import Manifest
from mlspec.backends.kubernetes.names import MAX_CRON_NAME
from mlspec.backends.kubernetes.objects import ARGO, labels
from mlspec.backends.kubernetes.store import source_artifact, source_key
from mlspec.backends.kubernetes.tasks import Plan, Task
from mlspec.diagnostics.codes.targets import NAME_TOO_LONG
from mlspec.errors import MlspecBug
from mlspec.ir.model import Application, Json, Output, Pipeline, Step
from mlspec.ir.values import Duration, Namespace, Ref

Starters: TypeAlias = "tuple[tuple[Task, str], ...]"
"""Tasks that start other pipelines, with the ids of those."""

# ------------------------------------------------------------------ clocks


def starts_by_clock(pipeline: Pipeline) -> bool:
    """Whether time starts runs of a pipeline."""
    return pipeline.triggers.schedule is not None or pipeline.triggers.every is not None


def uses_run(pipeline: Pipeline, name: str) -> bool:
    """Whether a step reads `${run.<name>}`."""
    wanted = Ref(Namespace.RUN, name)
    return any(wanted in step.refs for step in pipeline.all_steps)


def cron_object(ctx: PipelineContext) -> Manifest:
    """Return the CronWorkflow of a pipeline."""
    triggers = ctx.pipeline.triggers
    if len(ctx.full_name) > MAX_CRON_NAME:
        ctx.limit(
            f"the schedule of `{ctx.pipeline.id}` needs the name `{ctx.full_name}`,"
            f" and a CronWorkflow's has at most {MAX_CRON_NAME} characters",
            ctx.pipeline.at,
            "shorten `app.name` or the pipeline's id",
            code=NAME_TOO_LONG,
        )
    schedules: list[Json] = []
    if triggers.schedule is not None:
        schedules.append(triggers.schedule.cron)
    if triggers.every is not None:
        cron = every_as_cron(triggers.every)
        if cron is None:
            ctx.limit(
                f"`every: {triggers.every}` does not divide an hour or a day evenly, and Argo"
                " Workflows has only cron",
                triggers.at,
                "use 5m, 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h or 1d",
            )
        schedules.append(cron or "")
    workflow: dict[str, Json] = {"workflowTemplateRef": {"name": ctx.full_name}}
    if uses_run(ctx.pipeline, "date"):
        given: Json = {"name": RUN_DATE, "value": "{{workflow.scheduledTime}}"}
        workflow["arguments"] = {"parameters": [given]}
    spec: dict[str, Json] = {
        "schedules": schedules,
        "timezone": triggers.schedule.timezone if triggers.schedule is not None else "UTC",
        # Runs queue up at the mutex of the WorkflowTemplate.
        "concurrencyPolicy": "Allow",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "workflowMetadata": {"labels": labels(ctx.app, ctx.pipeline.id)},
        "workflowSpec": workflow,
    }
    data: dict[str, Json] = {
        "apiVersion": ARGO,
        "kind": "CronWorkflow",
        "metadata": {"name": ctx.full_name, "labels": labels(ctx.app, ctx.pipeline.id)},
        "spec": spec,
    }
    return Manifest(data=data, file=ctx.pipeline.id, pipeline=ctx.pipeline.id)


def every_as_cron(every: Duration) -> str | None:
    """Return five cron fields for an interval, None when cron cannot say it."""
    minutes = every.milliseconds // 60_000
    if not minutes or every.milliseconds % 60_000:
        return None
    if 60 % minutes == 0 and minutes < 60:
        return f"*/{minutes} * * * *"
    hours = minutes // 60
    if minutes % 60 or 24 % hours:
        return None
    return "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"


# ------------------------------------------------------------------ data nouns


def publisher(ctx: PipelineContext, step: Step, output: str, name: str) -> dict[str, Json]:
    """Return the template that makes an output the newest version of its data noun.

    A task of its own, because Argo uploads the outputs of failed steps as well.
    """
    item = step.output(output)
    if item is None or item.data is None:
        raise MlspecBug(f"{step.id}.{output} is no data output")
    key = f"{ctx.run_key(step.id, output)}/{base(item.path)}"
    source = ctx.app.dataset(item.data).source
    if source is not None:
        return _copy_to_source(ctx, step, item, name, key, source)
    pointer = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{ctx.app.name}-data"},
        "data": {item.data: key},
    }
    manifest = json.dumps(pointer, indent=2)
    return {
        "name": name,
        "resource": {"action": "patch", "mergeStrategy": "merge", "manifest": manifest},
    }


def _copy_to_source(
    ctx: PipelineContext, step: Step, item: Output, name: str, key: str, source: str
) -> dict[str, Json]:
    """Return a pod whose artifact goes in by one key and out by another.

    An image need not hold any program that does nothing. Argo runs every command as a child of its
    own program, so `/proc/self/exe` is that program, wherever a version of Argo puts it.
    """
    written = base(item.path)
    location = source_artifact(source_key(ctx.plain(source, "a source", item.at), written))
    if location is None or "http" in location or step.image is None:
        ctx.limit(
            f"Argo Workflows cannot write a new version of `{item.data}` to where its source is",
            item.at,
            "leave `source` out: the store keeps the versions then",
        )
        return {}
    folder = input_folder(item.name)
    path = f"{folder}/{written}"
    raw: dict[str, Json] = {"name": item.name, "path": path, "archive": {"none": {}}}
    mount: dict[str, Json] = {"name": "mlspec", "mountPath": folder, "subPath": "new"}
    return {
        "name": name,
        "inputs": {"artifacts": [{**raw, "s3": {"key": key}}]},
        "outputs": {"artifacts": [{**raw, **location}]},
        "volumes": [{"name": "mlspec", "emptyDir": {}}],
        "container": {
            "image": step.image.reference,
            "command": ["/proc/self/exe", "version"],
            "volumeMounts": [mount],
            "securityContext": dict(SAFE_CONTAINER),
        },
    }


def starters_of(ctx: PipelineContext, plan: Plan) -> Starters:
    """Return the tasks that start pipelines triggered by the data this one writes."""
    made = []
    for step in ctx.pipeline.steps:
        published = dict(plan.publishers.get(step.id, ()))
        for output in step.outputs:
            after = published.get(output.name, ctx.names.step(step.id))
            for other in ctx.app.pipelines:
                if output.data is None or output.data not in other.triggers.data:
                    continue
                name = ctx.names.fresh(f"start-{other.id}")
                task = Task(name=name, template=name, depends=f"{after}.Succeeded")
                made.append((task, other.id))
    return tuple(made)


def started_by_data(pipeline: Pipeline, app: Application) -> bool:
    """Whether another pipeline of the application writes data that starts this one."""
    return any(
        output.data in pipeline.triggers.data
        for other in app.pipelines
        for step in other.all_steps
        for output in step.outputs
        if output.data is not None
    )


def starter(ctx: PipelineContext, task: Task, other: str) -> dict[str, Json]:
    """Return the template that starts a run of another pipeline."""
    name = f"{ctx.app.name}-{other}"
    workflow = {
        "apiVersion": ARGO,
        "kind": "Workflow",
        "metadata": {"generateName": f"{name}-"},
        "spec": {"workflowTemplateRef": {"name": name}},
    }
    manifest = json.dumps(workflow, indent=2)
    return {"name": task.name, "resource": {"action": "create", "manifest": manifest}}
