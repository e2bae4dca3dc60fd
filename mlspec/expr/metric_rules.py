"""Rules about checks that need the registry only: direction, units, arguments.

Duty: a metric and a part of a check in, yes or no or words out; whether a column, a variant or a
model exists is asked elsewhere.
"""

from __future__ import annotations

from mlspec.expr.check import Argument, CheckOp, Inner, Number, Setting, Word
from mlspec.expr.metric import ArgumentKind, ArgumentSpec, Better, Metric, Unit
from mlspec.expr.metrics import METRICS


def is_wrong_direction(better: Better, op: CheckOp) -> bool:
    """Return whether a check can only reject good values (rule ML106)."""
    if op is CheckOp.EQ or better is Better.NONE:
        return False
    return op.wants_more != (better is Better.HIGHER)


def unit_fits(unit: Unit, number: Number) -> bool:
    """Return whether a number may be compared with values of a unit (rule ML107).

    `%` fits shares only; durations need a unit unless they are 0, and nothing else takes one.
    """
    match number.unit:
        case "":
            return unit is not Unit.SECONDS or not number.digits
        case "%":
            return unit is Unit.SHARE
        case _:
            return unit is Unit.SECONDS


def argument_problem(metric: Metric, argument: Argument | None) -> str:
    """Return what is wrong with the argument of a metric, in words; empty when nothing is.

    Whether a column or a variant exists is asked elsewhere.
    """
    spec = metric.argument
    name = metric.name
    match argument:
        case None:
            if spec is None or not spec.required:
                return ""
            return f"`{name}` needs a {spec.kind.value} in brackets"
        case _ if spec is None:
            return f"`{name}` takes nothing in brackets"
        case Setting() if spec.kind is ArgumentKind.SETTING:
            return _setting_problem(name, spec, argument)
        case Word() if spec.kind is ArgumentKind.METRIC:
            return _estimated_problem(argument.text, None)
        case Inner() if spec.kind is ArgumentKind.METRIC:
            return _estimated_problem(argument.metric, argument.setting)
        case Word() if spec.kind is not ArgumentKind.SETTING:
            return ""
        case _:
            return f"`{name}` takes a {spec.kind.value} in brackets, not `{argument}`"


def _setting_problem(name: str, spec: ArgumentSpec, setting: Setting) -> str:
    unit = dict(spec.settings).get(setting.name)
    if unit is None:
        known = ", ".join(f"`{key}`" for key, _ in spec.settings)
        return f"`{name}` has no setting `{setting.name}`; there is {known}"
    value = setting.number.value
    if not unit_fits(unit, setting.number):
        return f"`{setting}` is not {unit.value}"
    if unit is Unit.SHARE and not 0 <= value <= 1:
        return f"`{setting}` is not between 0 and 1"
    if unit is Unit.COUNT and (value < 1 or value != int(value)):
        return f"`{setting}` is not a whole number from 1"
    return ""


def _estimated_problem(name: str, setting: Setting | None) -> str:
    metric = METRICS.get(name)
    if metric is None:
        return f"there is no metric `{name}`"
    if "binary" not in metric.tasks or not metric.needs_labels or metric.per_group:
        return f"`{name}` cannot be estimated without labels"
    return argument_problem(metric, setting)
