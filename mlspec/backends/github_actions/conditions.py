"""When a job may start: joins and conditions as GitHub expressions.

The closure comes from `mlspec.ir.joins`; this module spells it. `needs.p.result` is `success`,
`failure` or `skipped`; a step with `allow_failure` ends its job successfully and says the truth
in the output `failed`; a rejected approval is the failure of a job of its own.

Source: docs.github.com, "Contexts" (needs) and "Expressions" (operators; `==` on strings ignores
case, which is why some conditions on params need `exact_param` to be false and a script instead).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlspec.backends.github_actions.quoting import string
from mlspec.ir.joins import All, AnyOf, Expr, Failed, Not, Succeeded
from mlspec.ir.model import MetricCondition, Op, Param, ParamCondition, ParamType, Step

START = "run_start"
"""The job that knows about the run as a whole; no step id has a `_`."""


def gates_of(step: Step) -> tuple[str, ...]:
    """Return the ids of the jobs that only wait for approvals of a step.

    One approval of a step without matrix is the job's own `environment`. Instances of a matrix
    would each ask, and a job has one environment: then the approvals are jobs before it.
    """
    if not step.approvals or (len(step.approvals) == 1 and step.matrix is None):
        return ()
    if len(step.approvals) == 1:
        return (f"{step.id}_approval",)
    return tuple(f"{step.id}_approval-{n}" for n in range(1, len(step.approvals) + 1))


class Speller:
    """Spells closure expressions over the steps of one pipeline."""

    def __init__(self, steps: Iterable[Step]) -> None:
        """Remember which steps are tolerated and which have gates."""
        self._steps = {step.id: step for step in steps}

    def jobs_of(self, step_id: str) -> tuple[str, ...]:
        """Return the jobs whose results together are the step's outcome."""
        return (*gates_of(self._steps[step_id]), step_id)

    def failed(self, step_id: str) -> list[str]:
        """Return expressions of which one is true when the step itself failed."""
        found = [f"needs.{job}.result == 'failure'" for job in reversed(self.jobs_of(step_id))]
        if self._steps[step_id].allow_failure:
            found.append(f"needs.{step_id}.outputs.failed == 'true'")
        return found

    def succeeded(self, step_id: str) -> list[str]:
        """Return expressions that are all true when the step succeeded."""
        found = [f"needs.{step_id}.result == 'success'"]
        if self._steps[step_id].allow_failure:
            found.append(f"needs.{step_id}.outputs.failed != 'true'")
        return found

    def spell(self, expr: Expr) -> str:
        """Return an expression, in parentheses where it needs them inside `&&`."""
        match expr:
            case Failed(step):
                return _either(self.failed(step))
            case Succeeded(step):
                return " && ".join(self.succeeded(step))
            case Not(inner):
                text = self.spell(inner)
                grouped = isinstance(inner, AnyOf) and text.startswith("(")
                return f"!{text}" if grouped else f"!({text})"
            case All(terms):
                return " && ".join(self.spell(term) for term in terms) or "true"
            case AnyOf(terms):
                return _either([text for term in terms for text in self._alternatives(term)])

    def _alternatives(self, expr: Expr) -> list[str]:
        if isinstance(expr, Failed):
            return self.failed(expr.step)
        if isinstance(expr, All | Succeeded):
            text = self.spell(expr)
            return [f"({text})" if " && " in text else text]
        return [self.spell(expr)]


def _either(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    return f"({' || '.join(texts)})" if texts else "false"


# ------------------------------------------------------------------ params


def param_code(param: Param, *, by_hand_only: bool) -> str:
    """Return the expression for a run parameter's text.

    `github.event.inputs` holds what was typed, as text; `inputs` turns numbers into numbers and
    would lose their spelling. Only a string can be given as the empty string on purpose.
    """
    default = string(param.default or "")
    if param.enum or param.type is ParamType.STRING:
        if by_hand_only or not param.default:
            return f"inputs.{param.name}"
        if param.enum:
            return f"inputs.{param.name} || {default}"
        return f"github.event_name != 'workflow_dispatch' && {default} || inputs.{param.name}"
    if not param.default:
        return f"github.event.inputs.{param.name}"
    return f"github.event.inputs.{param.name} || {default}"


def exact_param(condition: ParamCondition, param: Param) -> bool:
    """Return whether GitHub's `==`, which ignores case, compares a param exactly."""
    wanted = condition.value
    if param.type is ParamType.BOOL or wanted.lower() == wanted.upper():
        return True
    same = {value for value in param.enum if value.casefold() == wanted.casefold()}
    return bool(param.enum) and same <= {wanted}


def param_test(condition: ParamCondition, param: Param, *, by_hand_only: bool) -> str:
    """Return the expression of an exact condition on a param."""
    code = param_code(param, by_hand_only=by_hand_only)
    left = f"({code})" if " " in code else code
    sign = "==" if condition.op is Op.EQ else "!="
    return f"{left} {sign} {string(condition.value)}"


# ------------------------------------------------------------------ `when`


def metric_answers(step: Step) -> tuple[str, ...]:
    """Return expressions of the answers (`true`, `false`, else unknown) of needed steps."""
    producers = dict.fromkeys(c.step for c in step.when if isinstance(c, MetricCondition))
    return tuple(f"needs.{producer}.outputs.when-{step.id}" for producer in producers)


def when_code(answers: Sequence[str], tests: Sequence[str]) -> list[str]:
    """Return conjuncts that are true unless all conditions are known and one is false.

    A step with an unknown answer starts and then fails, whatever the others say.

    Args:
        answers: from `metric_answers`.
        tests: expressions of conditions on params.
    """
    plain = [*(f"{answer} != 'false'" for answer in answers), *tests]
    if not answers or len(plain) == 1:
        return plain
    unknown = [f"({answer} != 'true' && {answer} != 'false')" for answer in answers]
    return [f"(({' && '.join(plain)}) || {' || '.join(unknown)})"]
