"""One pipeline's objects: its WorkflowTemplate, and the ConfigMap with its scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes.conditions import MAX_TERMS
from mlspec.backends.kubernetes.containers import (
    RUN_DATE,
    approval_template,
    gate_template,
    limit_key,
    replace_config_name,
    step_template,
)
from mlspec.backends.kubernetes.context import PipelineContext
from mlspec.backends.kubernetes.ending import close_plan, reads_steps
from mlspec.backends.kubernetes.model import Manifest
from mlspec.backends.kubernetes.names import MAX_NAME, NameTable
from mlspec.backends.kubernetes.objects import (
    ARGO,
    executor_account,
    files_object,
    labels,
    repository_reference,
    step_account,
)
from mlspec.backends.kubernetes.operators import operator_of
from mlspec.backends.kubernetes.store import Store
from mlspec.backends.kubernetes.tasks import Plan, Task, plan_pipeline
from mlspec.backends.kubernetes.trainings import runtimes, training_template
from mlspec.backends.kubernetes.triggers import (
    Starters,
    cron_object,
    publisher,
    starter,
    starters_of,
    starts_by_clock,
    uses_run,
)
from mlspec.diagnostics.codes.targets import BAD_NATIVE, NAME_TOO_LONG
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.joins import JoinClosure
from mlspec.ir.model import Application, Json, Pipeline, Step
from mlspec.ir.values import Namespace, Ref

NOBODY = 65532
"""The user that steps run as; above 10,000, so that it is nobody on the node."""

KEEP_SECONDS = 7 * 86_400
"""How long a finished run stays in the cluster."""


def lower_pipeline(
    app: Application, pipeline: Pipeline, options: LowerOptions, store: Store
) -> tuple[tuple[Manifest, ...], dict[str, str], tuple[Diagnostic, ...]]:
    """Return a pipeline's objects, its semaphores' limits, and what was found."""
    ids = [step.id for step in pipeline.all_steps]
    ctx = PipelineContext(
        app=app, pipeline=pipeline, options=options, store=store, names=NameTable(ids)
    )
    if _too_large(ctx):
        return (), {}, tuple(ctx.found)
    plan = plan_pipeline(ctx)
    starters = starters_of(ctx, plan)
    close_plan(ctx, plan, tuple(task for task, _ in starters))
    templates = _templates(ctx, plan, starters)
    _check_limits(ctx, plan, templates)
    config = ctx.config_name()
    spec = replace_config_name(_spec(ctx, templates), config)
    workflow: dict[str, Json] = {
        "apiVersion": ARGO,
        "kind": "WorkflowTemplate",
        "metadata": _metadata(ctx),
        "spec": spec,
    }
    made = [Manifest(data=workflow, file=pipeline.id, pipeline=pipeline.id), *runtimes(ctx)]
    if ctx.files:
        made.append(files_object(app, config, ctx.files, pipeline.id))
    if starts_by_clock(pipeline):
        made.append(cron_object(ctx))
    limits = {
        limit_key(step, ctx): str(step.matrix.parallel)
        for step in pipeline.steps
        if step.matrix is not None and step.matrix.parallel is not None
    }
    return tuple(made), limits, tuple(ctx.found)


def _metadata(ctx: PipelineContext) -> dict[str, Json]:
    metadata: dict[str, Json] = {
        "name": ctx.full_name,
        "labels": labels(ctx.app, ctx.pipeline.id),
    }
    notes: dict[str, Json] = {}
    if ctx.pipeline.description:
        notes["workflows.argoproj.io/description"] = ctx.pipeline.description
    owner = ctx.pipeline.owner or ctx.app.owner
    if owner:
        notes["mlspec/owner"] = owner
    if ctx.pipeline.notify:
        notes["mlspec/notify"] = ", ".join(ctx.pipeline.notify)
    # Argo reads `{{…}}` in annotations of a run, not in those of the template.
    if notes:
        metadata["annotations"] = notes
    return metadata


def _spec(ctx: PipelineContext, templates: list[Json]) -> dict[str, Json]:
    app, pipeline = ctx.app, ctx.pipeline
    own = dict(cast("Mapping[str, Json]", labels(app, pipeline.id)))
    spec: dict[str, Json] = {
        "entrypoint": ctx.entry,
        "serviceAccountName": step_account(app),
        "automountServiceAccountToken": False,
        "executor": {"serviceAccountName": executor_account(app)},
        "workflowMetadata": {"labels": dict(own)},
        "podMetadata": {"labels": dict(own)},
        # `restricted` Pod Security Standard. One user for Argo's containers and the step's: what
        # one writes the other can read, and Argo's image would run as root otherwise.
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "podGC": _pod_gc(ctx),
        "ttlStrategy": {"secondsAfterCompletion": KEEP_SECONDS},
        # Two runs of a pipeline never overlap; one waits for the other.
        "synchronization": {"mutexes": [{"name": f"{app.name}-run-{pipeline.id}"}]},
    }
    if ctx.store.repository() is not None:
        spec["artifactRepositoryRef"] = repository_reference(app)
    arguments = _arguments(ctx)
    if arguments:
        spec["arguments"] = {"parameters": arguments}
    if pipeline.final is not None and not reads_steps(pipeline.final):
        spec["onExit"] = ctx.exit
    spec["templates"] = templates
    return spec


POD_GC_STRATEGIES = (
    "OnPodCompletion",
    "OnPodSuccess",
    "OnWorkflowCompletion",
    "OnWorkflowSuccess",
)
"""When Argo deletes pods (pkg/apis/workflow/v1alpha1, PodGCStrategy, v3.6 to v4.1)."""


def _pod_gc(ctx: PipelineContext) -> Json:
    for native, at in (
        (ctx.pipeline.native, ctx.pipeline.at),
        (ctx.app.environment.native, ctx.app.environment.at),
    ):
        ours = native.get("kubernetes")
        asked = ours.get("podGC") if isinstance(ours, Mapping) else None
        if not isinstance(asked, Mapping):
            continue
        if set(asked) - {"strategy", "deleteDelayDuration"} or (
            asked.get("strategy") not in POD_GC_STRATEGIES
        ):
            ctx.limit(
                "`native.kubernetes.podGC` takes `strategy` and `deleteDelayDuration`",
                at / "native" / "kubernetes" / "podGC",
                f"strategies: {', '.join(POD_GC_STRATEGIES)}",
                code=BAD_NATIVE,
            )
        return dict(asked)
    return {"strategy": "OnPodSuccess"}


def _arguments(ctx: PipelineContext) -> list[Json]:
    made: list[Json] = []
    for param in ctx.pipeline.params:
        one: dict[str, Json] = {"name": param.name}
        if param.default is not None:
            one["value"] = ctx.plain(param.default, "a default", param.at)
        if param.enum:
            one["enum"] = [ctx.plain(text, "a value", param.at) for text in param.enum]
        if param.description:
            one["description"] = ctx.plain(param.description, "a description", param.at)
        made.append(one)
    if uses_run(ctx.pipeline, "date"):
        made.append({"name": RUN_DATE, "value": ""})
    return made


# ------------------------------------------------------------------ templates


def _templates(ctx: PipelineContext, plan: Plan, starters: Starters) -> list[Json]:
    made: list[Json] = [
        {"name": ctx.entry, "dag": {"failFast": False, "tasks": [_task(t) for t in plan.tasks]}}
    ]
    made.append(gate_template(ctx.gate))
    for name, approval in plan.admission.items():
        question = f"{approval.role} approves this run in {ctx.app.environment.name}"
        made.append(approval_template(name, question, approval.within))
    for step in ctx.pipeline.steps:
        for number, name in enumerate(plan.approvals.get(step.id, ())):
            made.append(_approval(step, number, name))
        made.append(_step(step, ctx))
        for output, name in plan.publishers.get(step.id, ()):
            made.append(publisher(ctx, step, output, name))
    made.extend(starter(ctx, task, other) for task, other in starters)
    final = ctx.pipeline.final
    if final is not None:
        made.append(step_template(final, ctx))
        if not reads_steps(final):
            made.append(_exit(ctx, final))
    return made


def _step(step: Step, ctx: PipelineContext) -> dict[str, Json]:
    if operator_of(step) is not None and step.image is not None:
        return training_template(step, ctx)
    return step_template(step, ctx)


def _task(task: Task) -> dict[str, Json]:
    made: dict[str, Json] = {"name": task.name, "template": task.template}
    if task.depends:
        made["depends"] = task.depends
    if task.when:
        made["when"] = task.when
    if task.with_param:
        made["withParam"] = task.with_param
    if task.parameters:
        given: list[Json] = [{"name": name, "value": value} for name, value in task.parameters]
        made["arguments"] = {"parameters": given}
    return made


def _approval(step: Step, number: int, name: str) -> dict[str, Json]:
    votes = [approval for approval in step.approvals for _ in range(approval.count)]
    approval = votes[number]
    return approval_template(name, f"{approval.role} approves {step.id}", approval.within)


def _exit(ctx: PipelineContext, final: Step) -> dict[str, Json]:
    """Return the exit handler: `finally`, whose own failure `continueOn` keeps from the run."""
    name = ctx.names.step(final.id)
    task: dict[str, Json] = {
        "name": name,
        "template": name,
        "continueOn": {"failed": True, "error": True},
    }
    if _uses_status(final):
        status = "{{=workflow.status == 'Succeeded' ? 'success' : 'failed'}}"
        task["arguments"] = {"parameters": [{"name": "status", "value": status}]}
    return {"name": ctx.exit, "dag": {"tasks": [task]}}


def _uses_status(final: Step) -> bool:
    return Ref(Namespace.RUN, "status") in final.refs


# ------------------------------------------------------------------ limits of the engine

_MAX_BYTES = 900_000
"""etcd takes about 1 MiB for an object; the status of a run needs room as well."""


def _too_large(ctx: PipelineContext) -> bool:
    """Refuse what is certainly too large before it is lowered: some joins double at each step."""
    closure = JoinClosure(ctx.pipeline)
    verdict = sum(2 for step in ctx.pipeline.steps if not step.allow_failure)
    if verdict <= MAX_TERMS and all(
        closure.may_start(step.id).size <= MAX_TERMS for step in ctx.pipeline.steps
    ):
        return False
    ctx.limit(
        f"`{ctx.pipeline.id}` needs a condition over more than {MAX_TERMS} results of steps,"
        " which is as many as Argo Workflows evaluates",
        ctx.pipeline.at,
        "split the pipeline",
    )
    return True


def _check_limits(ctx: PipelineContext, plan: Plan, templates: list[Json]) -> None:
    if len(ctx.full_name) > MAX_NAME:
        ctx.limit(
            f"the name `{ctx.full_name}` has more than {MAX_NAME} characters",
            ctx.pipeline.at,
            "shorten `app.name` or the pipeline's id",
            code=NAME_TOO_LONG,
        )
    longest = max((task.depends.count(".") for task in plan.tasks), default=0)
    if longest > MAX_TERMS:
        ctx.limit(
            f"`{ctx.pipeline.id}` needs a condition over {longest} results of steps,"
            f" more than Argo Workflows evaluates ({MAX_TERMS})",
            ctx.pipeline.at,
            "split the pipeline",
        )
    size = len(json.dumps(templates, separators=(",", ":")))
    if size > _MAX_BYTES:
        ctx.limit(
            f"the workflow of `{ctx.pipeline.id}` has {size} bytes, too many for one object",
            ctx.pipeline.at,
            "split the pipeline",
        )
