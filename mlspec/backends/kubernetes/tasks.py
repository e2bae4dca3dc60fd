"""A pipeline as tasks of one Argo DAG.

A step is one to many tasks, in this order, each after the one before has succeeded:

* a gate (no pod) that carries `when`, for steps that have approvals or a matrix;
* a gate that checks the values of a run-time matrix;
* one suspended task for each approval, then, with a matrix, a gate that reads the answers;
* the step itself, or one task for each combination and a collector (no pod) that runs if all
  succeeded: a group is one node for joins, and every instance keeps a status of its own, which
  `withItems` would not give;
* for a new version of a data noun, a task that publishes it.

Where `when` reads a metric of a step that need not have succeeded, a second task takes the other
case and errs: Argo 4 waits for ever for an output parameter that never comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.backends.kubernetes.conditions import (
    StepResult,
    approved_when,
    both,
    depends_text,
    list_when,
    params_when,
    went_wrong,
    when_text,
)
from mlspec.backends.kubernetes.context import PipelineContext, base, input_folder
from mlspec.backends.kubernetes.presence import has_value, index_value, is_sure, path_value
from mlspec.backends.kubernetes.quoting import kubernetes_text
from mlspec.backends.kubernetes.staging import is_dynamic, list_parameter
from mlspec.errors import MlspecBug
from mlspec.ir.joins import JoinClosure
from mlspec.ir.model import (
    Approval,
    Combination,
    Join,
    Matrix,
    MetricCondition,
    Pairing,
    StageMode,
    Step,
    StepInput,
    combination_name,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of the DAG."""

    name: str
    template: str
    depends: str = ""
    when: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    with_param: str = ""


@dataclass(slots=True, kw_only=True)
class Plan:
    """The DAG, and what the templates must know about it."""

    tasks: list[Task] = field(default_factory=list)
    results: dict[str, StepResult] = field(default_factory=dict)
    instances: dict[str, tuple[str, ...]] = field(default_factory=dict)
    approvals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    publishers: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    admission: dict[str, Approval] = field(default_factory=dict)
    admitted: str = ""
    gates: list[str] = field(default_factory=list)
    verdict: str = ""

    def add(self, task: Task) -> str:
        """Append a task and return its name."""
        self.tasks.append(task)
        return task.name


def plan_pipeline(ctx: PipelineContext) -> Plan:
    """Return the DAG of a pipeline without its `finally`."""
    plan = Plan()
    closure = JoinClosure(ctx.pipeline)
    mains = {step.id: ctx.names.step(step.id) for step in ctx.pipeline.steps}
    _check_params(ctx, plan)
    _ask_for_environment(ctx, plan)
    for step in ctx.pipeline.steps:
        _StepPlanner(step, ctx, plan, mains).plan(closure)
    return plan


def _check_params(ctx: PipelineContext, plan: Plan) -> None:
    """Add a gate that looks at the values of parameters: Argo itself takes any text."""
    when = params_when(ctx.pipeline.params)
    if when:
        name = plan.add(Task(name=ctx.names.fresh("params"), template=ctx.gate, when=when))
        plan.admitted = name
        plan.gates.append(name)


def _ask_for_environment(ctx: PipelineContext, plan: Plan) -> None:
    """Add the approvals of the environment; without them nothing starts, and the run fails."""
    wanted = ctx.app.environment.approvals
    if not wanted:
        return
    asked = []
    first = f"{plan.admitted}.Succeeded" if plan.admitted else ""
    for number, approval in enumerate(wanted, start=1):
        for vote in range(1, approval.count + 1):
            name = ctx.names.fresh(f"approve-environment-{number}-{vote}")
            plan.add(Task(name=name, template=name, depends=first))
            plan.admission[name] = approval
            asked.append(name)
    plan.admitted = ctx.names.fresh("environment-approved")
    depends = " && ".join(f"{name}.Succeeded" for name in asked)
    plan.add(
        Task(name=plan.admitted, template=ctx.gate, depends=depends, when=approved_when(asked))
    )
    plan.gates += [*asked, plan.admitted]


class _StepPlanner:
    """Adds the tasks of one step; `_at` is the condition under which the next one may start."""

    def __init__(
        self, step: Step, ctx: PipelineContext, plan: Plan, mains: Mapping[str, str]
    ) -> None:
        self._step = step
        self._ctx = ctx
        self._plan = plan
        self._mains = mains
        self._at = ""
        self._failed: list[str] = []
        self._beside: list[str] = []

    def plan(self, closure: JoinClosure) -> None:
        step = self._step
        admitted = f"{self._plan.admitted}.Succeeded" if self._plan.admitted else ""
        self._at = both(admitted, self._join(closure))
        self._require_metrics()
        pending = when_text(step.when, self._mains)
        if pending and (step.matrix is not None or step.approvals):
            self._gate("when", pending)
            pending = ""
        if is_dynamic(step):
            self._check_values()
        if step.approvals:
            pending = approved_when(self._ask())
        if step.matrix is not None:
            self._gate("start", pending)
            main = self._group(step.matrix)
        else:
            main = self._single(pending)
        self._finish(main)

    def _join(self, closure: JoinClosure) -> str:
        step = self._step
        if not step.needs:
            return ""
        if step.join is Join.ALL_DONE:
            terms = [term for need in step.needs for term in self._plan.results[need].ended]
            return " && ".join(terms)
        return depends_text(closure.may_start(step.id), self._plan.results)

    def _require_metrics(self) -> None:
        step = self._step
        read = {c.step: None for c in step.when if isinstance(c, MetricCondition)}
        unsure = [s for s in read if step.join is not Join.ALL_SUCCESS or s not in step.needs]
        if not unsure:
            return
        good = " && ".join(self._plan.results[s].succeeded for s in unsure)
        name = self._ctx.names.fresh(f"{self._mains[step.id]}-unmeasured")
        depends = both(self._at, f"!({good})")
        self._plan.add(Task(name=name, template=self._ctx.gate, depends=depends, when="unmeasured"))
        self._failed.extend(went_wrong(name))
        self._beside.append(name)
        self._at = both(self._at, good)

    def _gate(self, purpose: str, when: str) -> str:
        name = self._ctx.names.fresh(f"{self._mains[self._step.id]}-{purpose}")
        self._plan.add(Task(name=name, template=self._ctx.gate, depends=self._at, when=when))
        self._failed.extend(went_wrong(name))
        self._at = f"{name}.Succeeded"
        return name

    def _check_values(self) -> None:
        axis = self._step.matrix.dynamic if self._step.matrix is not None else None
        if axis is None:
            return
        if self._step.join is not Join.ALL_SUCCESS or axis.step not in self._step.needs:
            self._at = both(self._at, self._plan.results[axis.step].succeeded)
        self._gate(
            "values", list_when(self._mains[axis.step], list_parameter(axis.output), axis.max)
        )

    def _ask(self) -> list[str]:
        main = self._mains[self._step.id]
        asked = []
        for number, approval in enumerate(self._step.approvals, start=1):
            for vote in range(1, approval.count + 1):
                plain = len(self._step.approvals) == 1 and approval.count == 1
                wanted = f"{main}-approve" if plain else f"{main}-approve-{number}-{vote}"
                name = self._ctx.names.fresh(wanted)
                self._plan.add(Task(name=name, template=name, depends=self._at))
                self._failed.extend(went_wrong(name))
                asked.append(name)
        self._plan.approvals[self._step.id] = tuple(asked)
        self._at = " && ".join(f"{name}.Succeeded" for name in asked)
        return asked

    def _single(self, when: str) -> str:
        name = self._mains[self._step.id]
        self._plan.add(
            Task(
                name=name,
                template=name,
                depends=self._at,
                when=when,
                parameters=self._input_parameters(None),
            )
        )
        self._plan.instances[self._step.id] = (name,)
        self._failed.extend(went_wrong(name))
        return name

    def _group(self, matrix: Matrix) -> str:
        main = self._mains[self._step.id]
        started, first = self._at, ""
        names = []
        for number, row in enumerate(matrix.rows, start=1):
            name = self._ctx.names.fresh(f"{main}-{number}")
            first = first or name
            names.append(name)
            self._plan.add(self._instance(name, matrix, row, number - 1))
        self._plan.instances[self._step.id] = tuple(names)
        collected = " && ".join(f"{name}.Succeeded" for name in names)
        self._plan.add(Task(name=main, template=self._ctx.gate, depends=collected))
        # No instance ran although the group started: its run-time list was empty.
        empty = f" && !{first}.Skipped" if matrix.dynamic is not None else ""
        self._failed.append(f"({main}.Omitted && {started}{empty})")
        return main

    def _instance(self, name: str, matrix: Matrix, row: Combination, number: int) -> Task:
        known = dict(row.values)
        parameters: list[tuple[str, str]] = []
        entry = []
        for key in matrix.keys:
            value = known.get(key, "{{item}}")
            if key in known:
                self._ctx.plain(value, "a matrix value", matrix.at)
                entry.append(combination_name([value]))
                value = kubernetes_text(value)
            else:
                entry.append(value)
            parameters.append((f"matrix-{key}", value))
        parameters.append(("entry", "-".join(entry)))
        return Task(
            name=name,
            template=self._mains[self._step.id],
            depends=self._at,
            parameters=(*parameters, *self._input_parameters(number)),
            with_param=self._values_tag(matrix),
        )

    def _values_tag(self, matrix: Matrix) -> str:
        if matrix.dynamic is None:
            return ""
        task = self._mains[matrix.dynamic.step]
        return f"{{{{tasks.{task}.outputs.parameters.{list_parameter(matrix.dynamic.output)}}}}}"

    def _input_parameters(self, number: int | None) -> tuple[tuple[str, str], ...]:
        return input_parameters(self._step, self._ctx, self._plan, number)

    def _finish(self, main: str) -> None:
        step = self._step
        last = [main]
        published = []
        for output in step.outputs:
            if output.data is None or output.mode is StageMode.URI:
                continue
            name = self._ctx.names.fresh(f"{main}-publish-{output.data}")
            self._plan.add(Task(name=name, template=name, depends=f"{main}.Succeeded"))
            self._failed.extend(went_wrong(name))
            published.append((output.name, name))
        if published:
            self._plan.publishers[step.id] = tuple(published)
            last = [name for _, name in published]
        succeeded = " && ".join(f"{name}.Succeeded" for name in last)
        self._plan.results[step.id] = StepResult(
            failed=tuple(self._failed),
            succeeded=succeeded if len(last) == 1 else f"({succeeded})",
            tasks=(*last, *self._beside),
        )


def input_parameters(
    step: Step, ctx: PipelineContext, plan: Plan, number: int | None
) -> tuple[tuple[str, str], ...]:
    """Return the arguments of a step's task for inputs that only a run knows.

    Args:
        number: index of the row, for an instance of a matrix.
    """
    made: list[tuple[str, str]] = []
    for item in step.inputs:
        if not isinstance(item, StepInput):
            continue
        producer = ctx.step(item.step)
        output = producer.output(item.output)
        if output is None:
            raise MlspecBug(f"{step.id} reads {item.step}.{item.output}, which does not exist")
        sure = is_sure(item, step)
        if is_dynamic(producer) and not sure:
            ctx.limit(
                f"`{step.id}` reads instances of `{item.step}`, which are known only at run time,"
                " but may start when some of them failed",
                item.at,
                "use `join: all_success`, the default",
            )
        tasks = plan.instances[item.step]
        if item.pairing is Pairing.PARTNER and number is not None:
            tasks = (tasks[number],)
        if not sure:
            path = f"{input_folder(item.name)}/{base(output.path)}"
            made.append((f"in-{item.name}", path_value(path, tasks)))
        if item.pairing is Pairing.FOLDER and producer.matrix is not None:
            values = _values_expr(producer.matrix, ctx)
            text = index_value(producer.matrix, tasks, values, sure=sure)
            made.append((f"index-{item.name}", text))
            if not sure and producer.matrix.dynamic is None:
                made += [
                    (f"has-{item.name}-{place}", has_value(row, task))
                    for place, (row, task) in enumerate(
                        zip(producer.matrix.rows, tasks, strict=True), start=1
                    )
                ]
    return tuple(made)


def _values_expr(matrix: Matrix, ctx: PipelineContext) -> str:
    if matrix.dynamic is None:
        return ""
    task = ctx.names.step(matrix.dynamic.step)
    parameter = list_parameter(matrix.dynamic.output)
    return f"fromJSON(tasks['{task}'].outputs.parameters['{parameter}'])"
