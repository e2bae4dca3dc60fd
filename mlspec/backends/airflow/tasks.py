"""Lowers one step to its tasks: gate, approvals, run-time matrix, and the step itself.

Order: join, then `when`, then approvals, then the matrix, then the step. Whatever comes first
carries the join and the conditions; what follows is `all_success` on what stands before it.
Ids of the tasks that a step has besides its own hold `__`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlspec.backends.airflow.joins import JoinLowering
from mlspec.backends.airflow.model import (
    ApprovalTask,
    Data,
    Folder,
    FromStep,
    GateTask,
    Guard,
    Input,
    MatrixTask,
    Output,
    Partner,
    Pod,
    Repo,
    Retries,
    Rows,
    StepTask,
    Task,
)
from mlspec.backends.airflow.names import task_id
from mlspec.backends.records import issuer, runs_mlspec
from mlspec.ir.model import (
    Application,
    Approval,
    Condition,
    DataInput,
    Json,
    MetricCondition,
    Pairing,
    Pipeline,
    RepoInput,
    Retry,
    StageMode,
    Step,
    StepInput,
)
from mlspec.ir.model import Output as IrOutput
from mlspec.ir.values import Duration, Namespace, Ref, Text, literal

LONGEST_DELAY = Duration(86_400_000)
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the tasks of a pipeline share.

    Attributes:
        pool_of: pool of a lock.
        asset_of: asset of a data noun.
        admitted: tasks that must succeed before anything runs.
        approvers: Airflow users who may answer for a role; none: whoever may edit the run.
    """

    application: Application
    pipeline: Pipeline
    joins: JoinLowering
    pool_of: Mapping[str, str]
    asset_of: Mapping[str, str]
    approvers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    admitted: tuple[str, ...] = ()
    staging_image: str | None = None


def lower_step(step: Step, around: Surroundings) -> tuple[Task, ...]:
    """Return the tasks of a step, the step's own task last."""
    start = around.joins.start(step)
    rule, upstream, join = start.rule, _tasks(start.upstream) or around.admitted, start.check
    # A rule that needs no success would start below an environment that nobody approved.
    admitted = () if rule == "all_success" else around.admitted
    made: list[Task] = []
    if start.gate and join is not None:
        gate = GateTask(
            id=f"{task_id(step.id)}__join",
            upstream=upstream,
            guard=Guard(admitted=admitted, join=join.value, needs=_tasks(step.needs)),
        )
        made.append(gate)
        rule, upstream, join, admitted = "all_success", (gate.id,), None, ()
    guard = Guard(
        admitted=admitted,
        join=join.value if join is not None else None,
        needs=_tasks(step.needs) if join is not None else (),
        when=tuple(_condition(condition) for condition in step.when),
    )
    approvals = _approvals(step, around, rule, upstream, guard)
    asked = tuple((task.id, task.role) for task in approvals)
    if approvals:
        made += approvals
        ids = tuple(task.id for task in approvals)
        rule, upstream = "all_success", ids
        guard = Guard(approvals=ids if len(ids) > 1 else ())
    matrix = _matrix_task(step, around.pipeline, rule, upstream, guard)
    if matrix is not None:
        made.append(matrix)
        rule, upstream, guard = "all_success", (matrix.id,), Guard()
    return (*made, step_task(step, around, rule, upstream, guard, asked=asked))


def step_task(
    step: Step,
    around: Surroundings,
    rule: str,
    upstream: tuple[str, ...],
    guard: Guard = Guard(),  # noqa: B008  (frozen)
    ignore: tuple[str, ...] = (),
    asked: tuple[tuple[str, str], ...] = (),
) -> StepTask:
    """Return the task that runs a step."""
    retries = _retries(step.retry)
    return StepTask(
        id=task_id(step.id),
        action=step.action,
        trigger_rule=rule,
        upstream=upstream,
        guard=guard,
        description=step.description,
        uses=tuple(f"{ref.namespace.value}.{ref.name}" for ref in step.refs),
        inputs=_inputs(step, around),
        outputs=tuple(_output(output, around.application) for output in step.outputs),
        metrics=step.metrics,
        report=step.report,
        env=_env(step),
        secrets=tuple((secret.variable, secret.name) for secret in step.secrets),
        rows=rows_of(step),
        parallel=step.matrix.parallel if step.matrix is not None else None,
        ignore=ignore,
        assets=tuple(around.asset_of[o.data] for o in step.outputs if o.data is not None),
        retries=retries,
        retry_exit=step.retry_exit if retries is not None else None,
        asked=asked if Ref(Namespace.RUN, "approvals") in step.refs else (),
        is_ours=step.kind.is_derived,
        timeout=step.timeout,
        settings=_settings(step, around),
        pod=_pod(step, around),
    )


def rows_of(step: Step) -> Rows | None:
    """Return what a step's task is mapped over."""
    if step.matrix is None:
        return None
    return Rows(
        keys=step.matrix.keys,
        rows=tuple(row.values for row in step.matrix.rows),
        task=f"{task_id(step.id)}__matrix" if step.matrix.dynamic is not None else None,
    )


def environment_tasks(around: Surroundings) -> tuple[tuple[Task, ...], tuple[str, ...]]:
    """Return the approvals of the environment, and which tasks must succeed before all others."""
    environment = around.application.environment
    where = f"{around.application.name} {around.pipeline.id}"
    asked = _ask(
        environment.approvals,
        around,
        "environment",
        f"run {where} in {environment.name}?",
        around.application.description,
    )
    ids = tuple(task.id for task in asked)
    if len(ids) < 2:
        return tuple(asked), ids
    gate = GateTask(
        id="environment__approved",
        upstream=ids,
        guard=Guard(approvals=ids),
        trigger_rule="all_success",
    )
    return (*asked, gate), (gate.id,)


def _approvals(
    step: Step, around: Surroundings, rule: str, upstream: tuple[str, ...], guard: Guard
) -> list[ApprovalTask]:
    what = f"run step {step.id} of {around.application.name} {around.pipeline.id}?"
    asked = _ask(step.approvals, around, task_id(step.id), what, step.description)
    return [replace(task, trigger_rule=rule, upstream=upstream, guard=guard) for task in asked]


def _ask(
    approvals: tuple[Approval, ...], around: Surroundings, of: str, what: str, body: str
) -> list[ApprovalTask]:
    """Return one task for each approval that is wanted."""
    wanted = [approval for approval in approvals for _ in range(approval.count)]
    return [
        ApprovalTask(
            id=f"{of}__approve{ending}",
            subject=f"{approval.role}: {what}",
            body=body,
            within=approval.within,
            role=approval.role,
            people=around.approvers.get(approval.role, ()),
        )
        for ending, approval in zip(_endings(len(wanted)), wanted, strict=True)
    ]


def _endings(count: int) -> tuple[str, ...]:
    """Return ends of names that are no number, as the names of mapped instances are."""
    more = tuple(f"no{number}" for number in range(len(ORDINALS) + 1, count + 1))
    return tuple(f"_{name}" for name in (*ORDINALS, *more)[:count]) if count > 1 else ("",)[:count]


def _tasks(steps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(task_id(step) for step in steps)


def _matrix_task(
    step: Step, pipeline: Pipeline, rule: str, upstream: tuple[str, ...], guard: Guard
) -> MatrixTask | None:
    rows = rows_of(step)
    if step.matrix is None or step.matrix.dynamic is None or rows is None or rows.task is None:
        return None
    axis = step.matrix.dynamic
    return MatrixTask(
        id=rows.task,
        key=axis.key,
        step=task_id(axis.step),
        path=_published(pipeline.step(axis.step), axis.output),
        most=axis.max,
        rows=rows,
        trigger_rule=rule,
        upstream=upstream,
        guard=guard,
    )


def _published(producer: Step, name: str) -> str:
    output = producer.output(name)
    path = output.path if output is not None else name
    return f"{name}/{posixpath.basename(path)}"


def _condition(condition: Condition) -> Condition:
    if isinstance(condition, MetricCondition):
        return replace(condition, step=task_id(condition.step))
    return condition


def _inputs(step: Step, around: Surroundings) -> tuple[tuple[str, Input], ...]:
    used = {ref.name for ref in step.refs if ref.namespace.value == "inputs"}
    return tuple((item.name, _input(item, around)) for item in step.inputs if item.name in used)


def _input(item: RepoInput | StepInput | DataInput, around: Surroundings) -> Input:
    match item:
        case RepoInput(path=path):
            return Repo(path)
        case DataInput(data=data, mode=mode):
            source = around.application.dataset(data).source
            return Data(name=data, source=source, as_uri=mode is StageMode.URI)
        case StepInput(step=producer, output=output, pairing=pairing):
            path = _published(around.pipeline.step(producer), output)
            task = task_id(producer)
            match pairing:
                case Pairing.PLAIN:
                    return FromStep(task, path)
                case Pairing.PARTNER:
                    matrix = around.pipeline.step(producer).matrix
                    return Partner(task, path, matrix.keys if matrix is not None else ())
                case Pairing.FOLDER:
                    return Folder(task, path)


def _output(output: IrOutput, application: Application) -> Output:
    return Output(
        name=output.name,
        path=output.path,
        data=output.data,
        source=application.dataset(output.data).source if output.data is not None else None,
        as_uri=output.mode is StageMode.URI,
    )


def _env(step: Step) -> tuple[tuple[str, Text], ...]:
    """Return `env`, what records say of us, and `OMP_NUM_THREADS` unless the user set it."""
    env = (*step.env, *((name, literal(value)) for name, value in issuer(step, "airflow")))
    cpu = step.resources.cpu
    if cpu is None or any(name == "OMP_NUM_THREADS" for name, _ in step.env):
        return env
    return (*env, ("OMP_NUM_THREADS", literal(str(max(1, cpu.milli // 1000)))))


def _retries(retry: Retry | None) -> Retries | None:
    if retry is None or retry.max == 0:
        return None
    return Retries(
        count=retry.max,
        delay=retry.delay,
        factor=retry.factor,
        max_delay=retry.max_delay or LONGEST_DELAY,
    )


def _settings(step: Step, around: Surroundings) -> tuple[tuple[str, str | int], ...]:
    native = step.native.get("airflow")
    found: dict[str, str | int] = {}
    if isinstance(native, Mapping):
        for key in ("pool", "pool_slots", "queue", "priority_weight"):
            value = native.get(key)
            if isinstance(value, str | int) and not isinstance(value, bool):
                found[key] = value
    if step.lock is not None:
        found["pool"] = around.pool_of[step.lock]
    return tuple(found.items())


def _pod(step: Step, around: Surroundings) -> Pod | None:
    if step.image is None:
        return None
    environment = around.application.environment
    asked = step.resources
    requests = []
    if asked.cpu is not None:
        requests.append(("cpu", str(asked.cpu)))
    if asked.memory is not None:
        requests.append(("memory", str(asked.memory)))
    limits = [pair for pair in requests if pair[0] == "memory"]
    if asked.gpu:
        limits.append(("nvidia.com/gpu", str(asked.gpu)))
    native = step.native.get("airflow")
    patch: Json = native.get("pod") if isinstance(native, Mapping) else None
    return Pod(
        image=step.image.reference,
        namespace=environment.namespace,
        service_account=dict(environment.identity).get("service_account"),
        requests=tuple(requests),
        limits=tuple(limits),
        patch=patch if isinstance(patch, Mapping) else None,
        # The image of our own steps has Python, and can bring and take files itself.
        staging_image=around.staging_image or (step.image.reference if runs_mlspec(step) else None),
    )
