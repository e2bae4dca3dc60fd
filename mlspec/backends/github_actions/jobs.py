"""Jobs: one for each step, one before a matrix or several approvals, one about the run.

Input: a pipeline and its closure; output: jobs in the order of the steps. `needs` lists the
step's needs and every job that its expressions name.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.backends.github_actions.conditions import (
    START,
    Speller,
    exact_param,
    gates_of,
    metric_answers,
    param_test,
    when_code,
)
from mlspec.backends.github_actions.model import Concurrency, Job, Run, Strategy
from mlspec.backends.github_actions.quoting import Code, Value
from mlspec.backends.github_actions.steps import StepsMaker
from mlspec.backends.github_actions.values import Frame, Index, asks_github, is_product, param_value
from mlspec.backends.shell import bash_quote
from mlspec.ir.joins import JoinClosure, steps_in
from mlspec.ir.model import (
    Application,
    Join,
    Json,
    MetricCondition,
    Op,
    Pairing,
    ParamCondition,
    Pipeline,
    Step,
    StepInput,
)
from mlspec.ir.values import Namespace

TARGET = "github-actions"
HOSTED = "ubuntu-latest"
HOSTED_MINUTES = 360
"""A job on a GitHub-hosted runner ends after 6 hours (docs.github.com, "Actions limits")."""
MARGIN_MINUTES = 15
"""For checking out and moving files, on top of the attempts."""


_ASKS = (("actions", "read"), ("contents", "read"))
"""To read who reviewed the run, and what every job may: to check out."""


class JobsMaker:
    """Makes the jobs of one pipeline."""

    def __init__(
        self,
        application: Application,
        pipeline: Pipeline,
        folder: str,
        *,
        by_hand_only: bool,
        install: tuple[str, ...] = (),
    ) -> None:
        """Compute the closure and what the jobs share."""
        self._application = application
        self._pipeline = pipeline
        self._folder = folder
        self._by_hand_only = by_hand_only
        self._install = install
        self._params = {param.name: param for param in pipeline.params}
        self._speller = Speller(pipeline.steps)
        self._closure = JoinClosure(pipeline)
        self._index = _index(pipeline, self._speller)
        self._gate = (
            application.environment.approvals[0] if application.environment.approvals else None
        )

    def make(self) -> tuple[Job, ...]:
        """Return all jobs: `run_start` if needed, the steps with their gates, `finally` last."""
        jobs: list[Job] = []
        start = self._start()
        if start is not None:
            jobs.append(start)
        for step in self._pipeline.steps:
            jobs += self._jobs_of(step)
        if self._pipeline.final is not None:
            jobs.append(self._finally(self._pipeline.final, [job.id for job in jobs]))
        return tuple(jobs)

    # -------------------------------------------------------------- the run as a whole

    def _start(self) -> Job | None:
        """Make the job that notes the start, compares params exactly, and waits for approval."""
        steps: list[Run] = []
        outputs: list[tuple[str, str]] = []
        if any(_uses_date(step) for step in self._pipeline.all_steps):
            steps.append(
                Run(
                    name="Note when the run started",
                    id="date",
                    script=(_DATE,),
                )
            )
            outputs.append(("date", "steps.date.outputs.date"))
        asking = [(step, found) for step in self._pipeline.steps if (found := self._inexact(step))]
        if asking:
            steps.append(self._comparison(asking))
            outputs += [(f"when-{s.id}", f"steps.params.outputs.when-{s.id}") for s, _ in asking]
        if not steps and self._gate is None:
            return None
        if not steps:
            steps.append(Run(name="Go on", script=("echo approved\n",)))
        return Job(
            id=START,
            environment=(self._gate.role,) if self._gate else None,
            outputs=tuple(outputs),
            steps=tuple(steps),
            timeout_minutes=MARGIN_MINUTES,
        )

    def _inexact(self, step: Step) -> list[ParamCondition]:
        return [
            c
            for c in step.when
            if isinstance(c, ParamCondition) and not exact_param(c, self._params[c.param])
        ]

    def _comparison(self, asking: list[tuple[Step, list[ParamCondition]]]) -> Run:
        lines = []
        names: dict[str, Value] = {}
        for step, conditions in asking:
            tests = []
            for condition in conditions:
                variable = f"MLSPEC_PARAMS_{condition.param}".upper()
                names[variable] = param_value(
                    self._params[condition.param], by_hand_only=self._by_hand_only
                )
                sign = "=" if condition.op is Op.EQ else "!="
                tests.append(f'[ "${variable}" {sign} {bash_quote(condition.value)} ]')
            lines += [
                f"if {' && '.join(tests)}; then answer=true; else answer=false; fi",
                f'echo "when-{step.id}=$answer" >> "$GITHUB_OUTPUT"',
            ]
        return Run(
            name="Compare params",
            id="params",
            env=tuple(names.items()),
            script=("\n".join(lines) + "\n",),
        )

    def _needs_start(self, step: Step) -> bool:
        return self._gate is not None or _uses_date(step) or bool(self._inexact(step))

    # -------------------------------------------------------------- steps

    def _jobs_of(self, step: Step) -> list[Job]:
        needs, conjuncts = self._may_start(step)
        jobs = []
        gates = gates_of(step)
        for number, gate in enumerate(gates):
            before = gates[number - 1] if number else None
            jobs.append(
                Job(
                    id=gate,
                    name=f"approve {step.id}",
                    needs=(before,) if before else needs,
                    condition=None if before else _condition(needs, conjuncts),
                    environment=(step.approvals[number].role,),
                    timeout_minutes=MARGIN_MINUTES,
                    steps=(Run(name="Go on", script=("echo approved\n",)),),
                )
            )
        if gates:
            needs = (*needs, *gates)
            conjuncts = [f"needs.{gates[-1]}.result == 'success'"]
        jobs.append(self._job(step, needs, _condition(needs, conjuncts)))
        return jobs

    def _may_start(self, step: Step) -> tuple[tuple[str, ...], list[str]]:
        """Return the jobs to wait for, and the conjuncts of the condition."""
        expr = self._closure.may_start(step.id)
        named = {*step.needs, *steps_in(expr), *_sources(step, self._index)}
        needs: list[str] = [START] if self._needs_start(step) else []
        for name in sorted(named, key=self._index.rank.__getitem__):
            needs += self._speller.jobs_of(name)
        conjuncts = [f"needs.{START}.result == 'success'"] if needs[:1] == [START] else []
        joined = self._speller.spell(expr)
        if joined != "true":
            conjuncts.append(joined)
        tests = [
            param_test(c, self._params[c.param], by_hand_only=self._by_hand_only)
            for c in step.when
            if isinstance(c, ParamCondition) and exact_param(c, self._params[c.param])
        ]
        if self._inexact(step):
            tests.append(f"needs.{START}.outputs.when-{step.id} == 'true'")
        conjuncts += when_code(metric_answers(step), tests)
        axis = step.matrix.dynamic if step.matrix is not None else None
        if axis is not None:
            listed = f"needs.{axis.step}.outputs.matrix-{step.id}"
            conjuncts += [f"{listed} != ''", f"{listed} != '[]'"]
        return tuple(dict.fromkeys(needs)), conjuncts

    def _job(self, step: Step, needs: tuple[str, ...], condition: str | None) -> Job:
        certain = step.needs if step.join is Join.ALL_SUCCESS else ()
        made = StepsMaker(step, self._frame(step, frozenset(certain))).make()
        runs_on, is_hosted = self._runs_on(step)
        one_approval = len(step.approvals) == 1 and not gates_of(step)
        return Job(
            id=step.id,
            needs=needs,
            condition=condition,
            runs_on=runs_on,
            timeout_minutes=_minutes(step, is_hosted=is_hosted),
            permissions=_ASKS if asks_github(step) else (),
            environment=(step.approvals[0].role,) if one_approval else None,
            concurrency=self._lock(step),
            strategy=_strategy(step),
            outputs=tuple(made.outputs),
            steps=tuple(made.steps),
        )

    def _frame(self, step: Step, certain: frozenset[str], *, tolerated: bool = False) -> Frame:
        return Frame(
            application=self._application,
            pipeline=self._pipeline,
            folder=self._folder,
            by_hand_only=self._by_hand_only,
            index=self._index,
            certain=certain,
            tolerated=tolerated or step.allow_failure,
            install=self._install,
            answers=metric_answers(step),
        )

    def _finally(self, final: Step, before: list[str]) -> Job:
        made = StepsMaker(final, self._frame(final, frozenset(), tolerated=True)).make()
        runs_on, is_hosted = self._runs_on(final)
        return Job(
            id=final.id,
            needs=tuple(before),
            condition="always()",
            runs_on=runs_on,
            timeout_minutes=_minutes(final, is_hosted=is_hosted),
            concurrency=self._lock(final),
            steps=tuple(made.steps),
        )

    def _runs_on(self, step: Step) -> tuple[Value | tuple[Value, ...], bool]:
        for native in (
            step.native,
            self._pipeline.native,
            self._application.environment.native,
        ):
            match _asked(native):
                case str() as label:
                    return (label,), False
                case list() as labels:
                    return tuple((str(label),) for label in labels), False
        return (HOSTED,), True

    def _lock(self, step: Step) -> Concurrency | None:
        if step.lock is None:
            return None
        return Concurrency(group=(f"lock {self._application.name} {step.lock}",), queue=True)


_DATE = 'echo "date=$(date --utc +%Y-%m-%dT%H:%M:%SZ)" >> "$GITHUB_OUTPUT"\n'


def _index(pipeline: Pipeline, speller: Speller) -> Index:
    compared: dict[str, list[Step]] = {}
    fanned: dict[str, list[Step]] = {}
    for step in pipeline.steps:
        for name in dict.fromkeys(c.step for c in step.when if isinstance(c, MetricCondition)):
            compared.setdefault(name, []).append(step)
        if step.matrix is not None and step.matrix.dynamic is not None:
            fanned.setdefault(step.matrix.dynamic.step, []).append(step)
    return Index(
        steps={step.id: step for step in pipeline.steps},
        rank={step.id: number for number, step in enumerate(pipeline.steps)},
        succeeded={s.id: " && ".join(speller.succeeded(s.id)) for s in pipeline.steps},
        compared={name: tuple(found) for name, found in compared.items()},
        fanned={name: tuple(found) for name, found in fanned.items()},
    )


def _asked(native: Mapping[str, Json]) -> Json:
    mine = native.get(TARGET)
    return mine.get("runs-on") if isinstance(mine, Mapping) else None


def _uses_date(step: Step) -> bool:
    return any(ref.namespace is Namespace.RUN and ref.name == "date" for ref in step.refs)


def _sources(step: Step, index: Index) -> list[str]:
    """Return the steps whose outputs the job of a step reads."""
    found = []
    if step.matrix is not None and step.matrix.dynamic is not None:
        found.append(step.matrix.dynamic.step)
    for item in step.inputs:
        if not isinstance(item, StepInput):
            continue
        found.append(item.step)
        producer = index.steps[item.step]
        dynamic = producer.matrix.dynamic if producer.matrix is not None else None
        if item.pairing is Pairing.FOLDER and dynamic is not None:
            found.append(dynamic.step)
    return found


def _condition(needs: tuple[str, ...], conjuncts: list[str]) -> str | None:
    """Return the `if` of a job; without needs GitHub's own default is right."""
    if not needs:
        return " && ".join(conjuncts) or None
    if needs == (START,):
        rest = [text for text in conjuncts if not text.startswith(f"needs.{START}.result")]
        return " && ".join(rest) or None
    return " && ".join(["!cancelled()", *conjuncts])


def _minutes(step: Step, *, is_hosted: bool) -> int | None:
    """Return the outer limit of a job: all attempts, their pauses, and a margin."""
    if step.timeout is None:
        return None
    retry = step.retry
    attempts = 1 + (retry.max if retry else 0)
    pauses = sum(retry.delay_before(n).milliseconds for n in range(1, attempts)) if retry else 0
    total = step.timeout.milliseconds * attempts + pauses
    minutes = -(-total // 60_000) + MARGIN_MINUTES
    return min(minutes, HOSTED_MINUTES) if is_hosted else minutes


def _strategy(step: Step) -> Strategy | None:
    matrix = step.matrix
    if matrix is None:
        return None
    if not is_product(step):
        rows = tuple(
            (*((key, (value,)) for key, value in row.values), ("_entry", (row.name,)))
            for row in matrix.rows
        )
        return Strategy(include=rows, max_parallel=matrix.parallel)
    axes: list[tuple[str, tuple[Value, ...] | Code]] = []
    for key in matrix.keys:
        if matrix.dynamic is not None and key == matrix.dynamic.key:
            listed = f"needs.{matrix.dynamic.step}.outputs.matrix-{step.id}"
            axes.append((key, Code(f"fromJSON({listed})")))
        else:
            values = dict.fromkeys(dict(row.values)[key] for row in matrix.rows)
            axes.append((key, tuple((value,) for value in values)))
    return Strategy(axes=tuple(axes), max_parallel=matrix.parallel)
