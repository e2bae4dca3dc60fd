"""The texts Argo evaluates: `depends` from the join closure, `when` from conditions.

`depends` is boolean logic over task results. A `when` is made by one `{{=…}}` expression that
yields `true` (run), `false` (skipped) or a word that says what is wrong: Argo refuses a `when`
that is not boolean, and the task then ends in the phase Error without starting (shouldExecute in
workflow/controller/steps.go and executeDAGTask in dag.go, v3.6.19, v3.7.18, v4.1.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.backends.kubernetes.quoting import expr_string
from mlspec.errors import MlspecBug
from mlspec.ir.joins import All, AnyOf, Expr, Failed, Not, Succeeded
from mlspec.ir.model import Condition, MetricCondition, Op, Param, ParamCondition, ParamType

ENDED = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")
"""All end states of a task that is no daemon."""

MAX_TERMS = 2200
"""Task results in one `depends`; expr-lang refuses more than 10,000 nodes (DefaultMaxNodes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How the tasks of one step say how it ended.

    Attributes:
        failed: terms of which any is true exactly when the step failed.
        succeeded: true exactly when it succeeded.
        tasks: the tasks that have ended when, and only when, the step has.
    """

    failed: tuple[str, ...]
    succeeded: str
    tasks: tuple[str, ...]

    @property
    def any_failed(self) -> str:
        """`failed` as one term."""
        return " || ".join(self.failed)

    @property
    def ended(self) -> tuple[str, ...]:
        """Terms that are all true once the step has ended, whatever happened."""
        return tuple(ended(task) for task in self.tasks)


def ended(task: str) -> str:
    """Return a term that is true in every end state of a task."""
    return "(" + " || ".join(f"{task}.{state}" for state in ENDED) + ")"


def went_wrong(task: str) -> tuple[str, str]:
    """Return the two terms for a task that did not end well (`Failed` does not cover `Error`)."""
    return (f"{task}.Failed", f"{task}.Errored")


def depends_text(expr: Expr, results: Mapping[str, StepResult]) -> str:
    """Return a closure expression as `depends` text."""
    match expr:
        case Failed(step):
            return f"({results[step].any_failed})"
        case Succeeded(step):
            return results[step].succeeded
        case Not(term):
            return f"!({depends_text(term, results)})"
        case All(terms) if terms:
            return "(" + " && ".join(depends_text(term, results) for term in terms) + ")"
        case AnyOf(terms) if terms:
            # The failures of several steps are one flat list: shorter, and easier to read.
            return "(" + " || ".join(_unwrapped(term, results) for term in terms) + ")"
    raise MlspecBug("a join without needs has no `depends`")


def _unwrapped(term: Expr, results: Mapping[str, StepResult]) -> str:
    if isinstance(term, Failed):
        return results[term.step].any_failed
    return depends_text(term, results)


def both(*parts: str) -> str:
    """Return the conjunction of the parts that are not empty."""
    return " && ".join(part for part in parts if part)


# ------------------------------------------------------------------ when

METRICS_PARAMETER = "metrics"
"""Name of the output parameter that carries a metrics file."""

_OPS = {Op.GE: ">=", Op.GT: ">", Op.LE: "<=", Op.LT: "<", Op.EQ: "==", Op.NE: "!="}


def when_text(conditions: tuple[Condition, ...], tasks: Mapping[str, str]) -> str:
    """Return a step's conditions as a `when`; the empty string when it has none.

    Args:
        conditions: all of them must hold.
        tasks: main task of each step.
    """
    if not conditions:
        return ""
    numbers, tests = [], []
    for condition in conditions:
        match condition:
            case ParamCondition(param=param, op=op, value=value):
                tests.append(f"workflow.parameters['{param}'] {_OPS[op]} {expr_string(value)}")
            case MetricCondition(step=step, metric=metric, op=op, value=number):
                found = metric_value(tasks[step], metric)
                numbers.append(f"type({found}) == 'float'")
                tests.append(f"{found} {_OPS[op]} {number!r}")
    verdict = f"({' && '.join(tests)}) ? 'true' : 'false'"
    if numbers:
        verdict = f"({' && '.join(numbers)}) ? ({verdict}) : 'metric-is-missing-or-no-number'"
    return "{{=" + verdict + "}}"


def metric_value(task: str, metric: str) -> str:
    """Return the expression for a metric; it is nil when the file does not have it.

    Python writes NaN and Infinity into JSON, which Go refuses: NaN becomes null (so it is no
    number), and infinity the largest double, which compares like it with every other number.
    """
    text = f"tasks['{task}'].outputs.parameters['{METRICS_PARAMETER}']"
    text = f"replace(replace({text}, 'NaN', 'null'), 'Infinity', '1.7976931348623157e308')"
    return f"fromJSON({text})[{expr_string(metric)}]"


_SPELLING = {
    ParamType.INT: "^[-+]?[0-9]+$",
    ParamType.FLOAT: "^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$",
    ParamType.BOOL: "^(true|false)$",
}


def params_when(params: tuple[Param, ...]) -> str:
    """Return the `when` that checks the values a run was given; empty when any text will do."""
    tests = []
    for param in params:
        value = f"workflow.parameters['{param.name}']"
        if param.enum:
            tests.append(f"{value} in [{', '.join(expr_string(text) for text in param.enum)}]")
        elif param.type in _SPELLING:
            tests.append(f"{value} matches '{_SPELLING[param.type]}'")
    return "{{=(" + " && ".join(tests) + ") ? 'true' : 'bad-parameter'}}" if tests else ""


def approved_when(tasks: list[str]) -> str:
    """Return the `when` of what follows approvals: anything but `yes` everywhere is a failure."""
    tests = [f"tasks['{task}'].outputs.parameters['approve'] == 'yes'" for task in tasks]
    return "{{=(" + " && ".join(tests) + ") ? 'true' : 'not-approved'}}"


def list_when(task: str, parameter: str, most: int) -> str:
    """Return the `when` that checks the values of a run-time matrix before anything starts."""
    values = f"fromJSON(tasks['{task}'].outputs.parameters['{parameter}'])"
    tests = (
        f"type({values}) == 'array'",
        f"len({values}) <= {most}",
        f"all({values}, type(#) == 'string' && # matches '^[A-Za-z0-9._+=@,-]+$')",
        f"len(uniq({values})) == len({values})",
    )
    return "{{=(" + " && ".join(tests) + ") ? 'true' : 'bad-matrix-values'}}"
