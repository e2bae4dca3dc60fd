"""`when`: conditions over metrics of needed steps and over run parameters (decision B17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.codes import names as name_codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.diagnostics.suggest import nearest
from mlspec.expr.condition import ParsedCondition, parse_condition
from mlspec.ir.model import Condition, MetricCondition, Op, Param, ParamCondition
from mlspec.ir.params import canonical_value
from mlspec.spec.model import Located, StepSpec


@dataclass(frozen=True, slots=True)
class Needs:
    """What a step needs, and whether everything that it names could be found."""

    steps: frozenset[str]
    complete: bool


def build_condition(
    text: Located,
    step: StepSpec,
    needs: Needs,
    steps: Mapping[str, StepSpec],
    params: Mapping[str, Param],
    found: list[Diagnostic],
) -> Condition | None:
    """Return a condition of a step, or None when it cannot be read or evaluated."""
    parsed = parse_condition(text.text)
    if isinstance(parsed, str):
        found.append(
            Diagnostic(
                code=codes.BAD_CONDITION,
                message=f"the condition `{text.text}` of `{step.id}` cannot be read",
                at=text.at,
                help=(parsed,),
            )
        )
        return None
    if parsed.subject == "params":
        return _param_condition(parsed, text, params, found)
    return _metric_condition(parsed, text, step, needs, steps, found)


def _param_condition(
    parsed: ParsedCondition, text: Located, params: Mapping[str, Param], found: list[Diagnostic]
) -> ParamCondition | None:
    param = params.get(parsed.name)
    if param is None:
        guess = nearest(parsed.name, params)
        found.append(
            Diagnostic(
                code=name_codes.UNKNOWN_REFERENCE,
                message=f"the pipeline has no parameter `{parsed.name}`",
                at=text.at.within(*parsed.name_span),
                label=f"did you mean `{guess}`?" if guess else "",
            )
        )
        return None
    if parsed.op not in (Op.EQ, Op.NE):
        found.append(
            Diagnostic(
                code=codes.BAD_CONDITION,
                message=f"a run parameter cannot be compared with `{parsed.op.value}`",
                at=text.at.within(*parsed.op_span),
                label="`==` or `!=`",
                help=("compute a 0/1 metric in a step for anything else",),
            )
        )
        return None
    value = canonical_value(parsed.value, param.type)
    if value is None or (param.enum and value not in param.enum):
        wanted = ", ".join(param.enum) if param.enum else param.type.value
        found.append(
            Diagnostic(
                code=codes.PARAM_VALUE,
                message=f"`{parsed.name}` can never be `{parsed.value}`",
                at=text.at.within(*parsed.value_span),
                label=f"expected {wanted}",
            )
        )
        return None
    return ParamCondition(param=parsed.name, op=parsed.op, value=value, at=text.at)


def _metric_condition(
    parsed: ParsedCondition,
    text: Located,
    step: StepSpec,
    needs: Needs,
    steps: Mapping[str, StepSpec],
    found: list[Diagnostic],
) -> MetricCondition | None:
    problem = _subject_problem(parsed, text, step, needs, steps)
    if problem is None and parsed.number is None:
        problem = Diagnostic(
            code=codes.BAD_CONDITION,
            message=f"a metric cannot be compared with `{parsed.value}`",
            at=text.at.within(*parsed.value_span),
            label="expected a number, such as `0.9` or `2%`",
        )
    if problem is not None or parsed.number is None:
        if problem is not None:
            found.append(problem)
        return None
    return MetricCondition(
        step=parsed.subject, metric=parsed.name, op=parsed.op, value=parsed.number, at=text.at
    )


def _subject_problem(
    parsed: ParsedCondition,
    text: Located,
    step: StepSpec,
    needs: Needs,
    steps: Mapping[str, StepSpec],
) -> Diagnostic | None:
    place = text.at.within(*parsed.subject_span)
    subject = steps.get(parsed.subject)
    if subject is None:
        guess = nearest(parsed.subject, (*sorted(needs.steps), "params", *steps))
        return Diagnostic(
            code=name_codes.UNKNOWN_STEP,
            message=f"`when` of `{step.id}` reads a step `{parsed.subject}` that does not exist",
            at=place,
            label=f"did you mean `{guess}`?" if guess else "",
        )
    if parsed.subject not in needs.steps:
        if not needs.complete:
            return None  # the missing edge has its own message
        return Diagnostic(
            code=codes.NOT_NEEDED,
            message=f"`when` of `{step.id}` reads `{parsed.subject}`, which it does not need",
            at=place,
            help=(f"add `needs: [{parsed.subject}]` to `{step.id}`",),
        )
    if subject.metrics is None:
        return Diagnostic(
            code=codes.NO_METRICS,
            message=f"`{parsed.subject}` writes no metrics",
            at=place,
            labels=(Label(subject.at.key(), "no `metrics` here"),),
            help=(f"add `metrics: out/metrics.json` to `{parsed.subject}`",),
        )
    if subject.matrix is not None:
        return Diagnostic(
            code=codes.WHEN_ON_MATRIX,
            message=f"`{parsed.subject}` has a matrix, so it has no single `{parsed.name}`",
            at=place,
            labels=(Label(subject.matrix.at, "one value for each combination"),),
            help=("add a step without a matrix that reads the metrics and writes one number",),
        )
    return None
