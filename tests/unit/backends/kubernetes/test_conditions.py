from __future__ import annotations

import pytest

from mlspec.backends.kubernetes.conditions import (
    StepResult,
    both,
    depends_text,
    ended,
    when_text,
)
from mlspec.errors import MlspecBug
from mlspec.ir.joins import TRUE, All, AnyOf, Failed, Not, Succeeded
from mlspec.ir.model import MetricCondition, Op, ParamCondition

RESULTS = {
    "a": StepResult(failed=("a.Failed", "a.Errored"), succeeded="a.Succeeded", tasks=("a",)),
    "b": StepResult(failed=("b.Failed", "b.Errored"), succeeded="b.Succeeded", tasks=("b",)),
}


def test_depends_text__flattens_failures() -> None:
    expr = AnyOf((Failed("a"), Failed("b")))
    assert depends_text(expr, RESULTS) == "(a.Failed || a.Errored || b.Failed || b.Errored)"


def test_depends_text__keeps_precedence() -> None:
    expr = All((Not(Failed("a")), AnyOf((Succeeded("a"), Succeeded("b")))))
    assert depends_text(expr, RESULTS) == (
        "(!((a.Failed || a.Errored)) && (a.Succeeded || b.Succeeded))"
    )


def test_depends_text__refuses_what_waits_for_nothing() -> None:
    with pytest.raises(MlspecBug):
        depends_text(TRUE, RESULTS)


def test_ended__names_every_end_state() -> None:
    assert ended("x") == "(x.Succeeded || x.Failed || x.Errored || x.Skipped || x.Omitted)"


def test_both__leaves_out_what_is_empty() -> None:
    assert both("", "a", "", "b") == "a && b"


def test_when_text__is_empty_without_conditions() -> None:
    assert when_text((), {}) == ""


def test_when_text__compares_params_as_text() -> None:
    made = when_text((ParamCondition(param="dry", op=Op.EQ, value="a'b"),), {})
    assert made == "{{=(workflow.parameters['dry'] == 'a\\u0027b') ? 'true' : 'false'}}"


def test_when_text__checks_the_number_before_it_compares() -> None:
    condition = MetricCondition(step="s", metric="auc", op=Op.GE, value=0.9)
    made = when_text((condition,), {"s": "s"})
    assert made.startswith("{{=(type(fromJSON(")
    assert ">= 0.9" in made
    assert made.endswith(": 'metric-is-missing-or-no-number'}}")
