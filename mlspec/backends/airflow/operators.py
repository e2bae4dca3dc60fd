"""Turns tasks into expressions: operators with their arguments, and the hooks of the support.

Texts of users only ever become string literals; where Airflow would read them as templates or
file names they are wrapped (`quoting`).
"""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.backends.airflow.model import (
    ApprovalTask,
    Dag,
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
    VerdictTask,
    WatchTask,
)
from mlspec.backends.airflow.pods import pod_arguments, pod_env, pod_settings
from mlspec.backends.airflow.quoting import (
    bash_command,
    jinja_text,
    literal_env,
    template_text,
)
from mlspec.emit.python import Call, Expression, Name
from mlspec.ir.model import Condition, MetricCondition, ParamType
from mlspec.ir.values import Duration, Literal, Text

Arguments = list[tuple[str, Expression]]


def rows_constant(task_id: str) -> str:
    """Return the name of the constant with a task's combinations."""
    return f"{task_id.upper()}_ROWS"


def operator_name(task: StepTask) -> str:
    """Return the operator of a step: Airflow's, or ours that is tried again after one code."""
    base = "BashOperator" if task.pod is None else "KubernetesPodOperator"
    return base if task.retry_exit is None else f"{base}{task.retry_exit}"


def own_operators(dag: Dag) -> list[tuple[str, Call]]:
    """Return the operators that a DAG file defines for its tasks, by name."""
    found: dict[str, Call] = {}
    for task in dag.tasks:
        if isinstance(task, StepTask) and task.retry_exit is not None:
            name = operator_name(task)
            base = name.removesuffix(str(task.retry_exit))
            found[name] = call("only_after", task.retry_exit, Name(base))
    return sorted(found.items())


def duration(value: Duration) -> Call:
    """Return `timedelta(…)` in the largest unit that is exact."""
    for unit, size in (("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000)):
        if value.milliseconds and value.milliseconds % size == 0:
            return _timedelta(unit, value.milliseconds // size)
    whole, rest = divmod(value.milliseconds, 1000)
    return _timedelta("milliseconds", value.milliseconds) if rest else _timedelta("seconds", whole)


def _timedelta(unit: str, count: int) -> Call:
    return Call(function=Name("timedelta"), keywords=((unit, count),))


def call(function: str, *args: Expression, **keywords: Expression) -> Call:
    """Return a call."""
    return Call(function=Name(function), args=args, keywords=tuple(keywords.items()))


class Printer:
    """Makes the expressions of one DAG file."""

    def __init__(self, dag: Dag) -> None:
        self._dag = dag
        self._rows = {
            task.id: task.rows for task in dag.tasks if isinstance(task, StepTask) and task.rows
        }

    def pipeline(self) -> Call:
        """Return what the tasks share."""
        dag = self._dag
        keywords: Arguments = [
            ("app", dag.app),
            ("name", dag.pipeline),
            ("dag_file", Name("__file__")),
            ("project", dag.project),
        ]
        if dag.store:
            keywords.append(("store", dag.store))
        floats = [param.name for param in dag.params if param.type is ParamType.FLOAT]
        if floats:
            keywords.append(("floats", floats))
        return Call(function=Name("Pipeline"), keywords=tuple(keywords), exploded=True)

    def task(self, task: Task) -> Call:
        """Return the operator of a task."""
        match task:
            case StepTask():
                return self._step(task)
            case GateTask():
                keywords = tuple(_guard(task.guard))
                return self._python(task, Call(function=Name("pipeline.gate"), keywords=keywords))
            case MatrixTask():
                return self._matrix(task)
            case ApprovalTask():
                return self._approval(task)
            case WatchTask():
                look = call("pipeline.look", task.data, task.source)
                outlets: list[Expression] = [call("Asset", task.asset)]
                return self._python(task, look, [("outlets", outlets)])
            case VerdictTask():
                extra: Arguments = [("op_kwargs", {"ignore": [*task.ignore]})]
                return self._python(task, Name("verdict"), extra)

    # -------------------------------------------------------------- operators

    def _step(self, task: StepTask) -> Call:
        if task.pod is not None:
            return self._pod(task, task.pod)
        keywords: Arguments = [
            ("task_id", task.id),
            ("bash_command", bash_command(task.action)),
        ]
        literals = literal_env(task.env)
        mapped = task.rows is not None
        if literals and not mapped:
            keywords.append(("env", {k: template_text(v) for k, v in literals.items()}))
        keywords += self._running(task)
        keywords.append(("**", self._hooks(task)))
        if task.rows is None:
            return _operator(operator_name(task), keywords)
        partial = _operator(f"{operator_name(task)}.partial", keywords)
        return Call(
            function=Name("expand"),
            on=partial,
            keywords=(("env", self._mapped_over(task, literals)),),
        )

    def _pod(self, task: StepTask, pod: Pod) -> Call:
        keywords: Arguments = [("task_id", task.id), *pod_arguments(task, pod, self._dag.app)]
        env = pod_env(task)
        if env and task.rows is None:
            keywords.append(("env_vars", {k: jinja_text(v) for k, v in env.items()}))
        keywords += [*pod_settings(task, pod), *self._running(task)]
        hooks = self._hooks(task)
        staging: Arguments = []
        if pod.staging_image is not None and (task.inputs or task.outputs):
            staging.append(("staging_image", pod.staging_image))
        keywords.append(
            ("**", Call(function=Name("pipeline.pod"), keywords=(*staging, *hooks.keywords)))
        )
        if task.rows is None:
            return _operator(operator_name(task), keywords)
        partial = _operator(f"{operator_name(task)}.partial", keywords)
        over = ("env_vars", self._mapped_over(task, env))
        return Call(function=Name("expand"), on=partial, keywords=(over,))

    def _mapped_over(self, task: StepTask, env: dict[str, str]) -> Expression:
        rows = task.rows
        if rows is not None and rows.task is not None:
            return Name(f"{rows.task}.output")
        constant = Name(rows_constant(task.id))
        return call("as_env", constant, env) if env else call("as_env", constant)

    def _running(self, task: StepTask) -> Arguments:
        keywords: Arguments = []
        if task.trigger_rule != "all_success":
            keywords.append(("trigger_rule", task.trigger_rule))
        if task.description:
            keywords.append(("doc_md", task.description))
        if task.retries is not None:
            keywords += _retries(task.retries)
        if task.timeout is not None:
            keywords.append(("execution_timeout", duration(task.timeout)))
        keywords += task.settings
        if task.parallel is not None:
            keywords.append(("max_active_tis_per_dagrun", task.parallel))
        if task.assets:
            keywords.append(("outlets", [call("Asset", asset) for asset in task.assets]))
        return keywords

    def _hooks(self, task: StepTask) -> Call:
        keywords = _guard(task.guard)
        if task.uses:
            keywords.append(("uses", [*task.uses]))
        if task.inputs:
            keywords.append(("inputs", {name: self._input(item) for name, item in task.inputs}))
        if task.outputs:
            keywords.append(("outputs", {item.name: _output(item) for item in task.outputs}))
        if task.metrics is not None:
            keywords.append(("metrics", task.metrics))
        if task.report:
            keywords.append(("report", [*task.report]))
        env = self._hook_env(task)
        if env:
            keywords.append(("env", env))
        if task.secrets and task.pod is None:
            keywords.append(("secrets", dict(task.secrets)))
        if task.rows is not None:
            keywords.append(("matrix", [*task.rows.keys]))
        if task.ignore:
            keywords.append(("ignore", [*task.ignore]))
        if task.asked:
            keywords.append(("asked", dict(task.asked)))
        if task.retry_exit is not None:
            keywords.append(("final", True))
        return Call(function=Name("pipeline.step"), keywords=tuple(keywords))

    def _hook_env(self, task: StepTask) -> Mapping[str, Expression]:
        """Return the variables that only the hook can set.

        Those with references, and all of a task whose environments another task returns.
        """
        known = literal_env(task.env)
        at_run_time = task.rows is not None and task.rows.task is not None
        return {name: _parts(text) for name, text in task.env if name not in known or at_run_time}

    def _python(self, task: Task, function: Expression, extra: Arguments | None = None) -> Call:
        keywords: Arguments = [("task_id", task.id), ("python_callable", function)]
        keywords += extra or []
        if task.trigger_rule != "all_success":
            keywords.append(("trigger_rule", task.trigger_rule))
        return _operator("PythonOperator", keywords)

    def _matrix(self, task: MatrixTask) -> Call:
        made = call(
            "pipeline.run_time_matrix",
            key=task.key,
            step=task.step,
            path=task.path,
            keys=[*task.rows.keys],
            rows=[dict(row) for row in task.rows.rows],
            most=task.most,
        )
        extra: Arguments = []
        if not task.guard.is_empty:
            extra.append(
                ("**", Call(function=Name("pipeline.check"), keywords=tuple(_guard(task.guard))))
            )
        made_task = self._python(task, made)
        return _operator("PythonOperator", [*made_task.keywords, ("do_xcom_push", True), *extra])

    def _approval(self, task: ApprovalTask) -> Call:
        keywords: Arguments = [("task_id", task.id), ("subject", jinja_text(task.subject))]
        if task.body:
            keywords.append(("body", jinja_text(task.body)))
        keywords += [
            ("fail_on_reject", True),
            ("ignore_downstream_trigger_rules", True),
            ("response_timeout", duration(task.within)),
            ("do_xcom_push", True),
        ]
        if task.people:
            people: list[Expression] = [{"id": one, "name": one} for one in task.people]
            keywords.append(("assigned_users", people))
        if task.trigger_rule != "all_success":
            keywords.append(("trigger_rule", task.trigger_rule))
        if not task.guard.is_empty:
            guard = Call(function=Name("pipeline.check"), keywords=tuple(_guard(task.guard)))
            keywords.append(("**", guard))
        return _operator("ApprovalOperator", keywords)

    # -------------------------------------------------------------- parts

    def _input(self, item: Input) -> Call:
        match item:
            case Repo(path):
                return call("Repo", path)
            case FromStep(step, path):
                return call("FromStep", step, path)
            case Partner(step, path, keys):
                return call("Partner", step, path, [*keys])
            case Folder(step, path):
                return call("Folder", step, path, self._rows_of(step))
            case Data(name=name, source=source, as_uri=as_uri):
                keywords: dict[str, Expression] = {"name": name}
                if source is not None:
                    keywords["source"] = source
                if as_uri:
                    keywords["as_uri"] = True
                return call("Data", **keywords)

    def _rows_of(self, step: str) -> Expression:
        rows: Rows | None = self._rows.get(step)
        if rows is not None and rows.task is not None:
            return rows.task
        return Name(rows_constant(step))


def _operator(function: str, keywords: Arguments) -> Call:
    return Call(function=Name(function), keywords=tuple(keywords), exploded=True)


def _guard(guard: Guard) -> Arguments:
    keywords: Arguments = []
    if guard.admitted:
        keywords.append(("admitted", [*guard.admitted]))
    if guard.join is not None:
        keywords += [("join", guard.join), ("needs", [*guard.needs])]
    if guard.when:
        keywords.append(("when", [_condition(condition) for condition in guard.when]))
    if len(guard.approvals) > 1:
        keywords.append(("approvals", [*guard.approvals]))
    return keywords


def _condition(condition: Condition) -> Call:
    if isinstance(condition, MetricCondition):
        return call("Metric", condition.step, condition.metric, condition.op.value, condition.value)
    return call("RunParam", condition.param, condition.op.value, condition.value)


def _output(output: Output) -> Expression:
    if output.data is None:
        return output.path
    keywords: dict[str, Expression] = {"data": output.data}
    if output.source is not None:
        keywords["source"] = output.source
    if output.as_uri:
        keywords["as_uri"] = True
    return call("NewVersion", output.path, **keywords)


def _parts(text: Text) -> list[Expression]:
    return [
        part.text
        if isinstance(part, Literal)
        else call("Ref", f"{part.namespace.value}.{part.name}")
        for part in text
    ]


def _retries(retries: Retries) -> Arguments:
    keywords: Arguments = [("retries", retries.count), ("retry_delay", duration(retries.delay))]
    if retries.factor != 1.0 and retries.delay.milliseconds:
        keywords += [
            ("retry_exponential_backoff", call("backoff", retries.factor)),
            ("max_retry_delay", duration(retries.max_delay)),
        ]
    return keywords
