from __future__ import annotations

import re
from itertools import product

import pytest

from mlspec.backends.github_actions.conditions import (
    Speller,
    exact_param,
    gates_of,
    param_code,
    when_code,
)
from mlspec.ir.joins import JoinClosure, holds, steps_in
from mlspec.ir.model import (
    Approval,
    Combination,
    Matrix,
    Op,
    Param,
    ParamCondition,
    ParamType,
    Script,
    Step,
)
from tests.support.graphs import TRAPS, random_application


def evaluate(text: str, needs: dict[str, dict[str, str]]) -> bool:
    """Evaluate the subset of GitHub's language that joins use, as Python."""

    def look(found: re.Match[str]) -> str:
        job, path = found[1], found[2]
        return repr(needs[job].get(path.removeprefix("outputs."), ""))

    text = re.sub(r"needs\.([a-z0-9_-]+)\.((?:outputs\.)?[a-z]+)", look, text)
    text = text.replace("!=", "\0").replace("!", " not ").replace("\0", "!=")
    text = text.replace("&&", " and ").replace("||", " or ")
    text = re.sub(r"\btrue\b(?!')", "True", text)
    return bool(eval(text, {"__builtins__": {}}))


@pytest.mark.parametrize("seed", range(25))
def test_spell__means_the_closure(seed: int) -> None:
    pipeline = random_application(seed).pipelines[0]
    closure = JoinClosure(pipeline)
    speller = Speller(pipeline.steps)
    by_id = {step.id: step for step in pipeline.steps}
    for step in pipeline.steps:
        expr = closure.may_start(step.id)
        named = steps_in(expr)[:5]
        if len(steps_in(expr)) > 5:
            continue
        text = speller.spell(expr)
        for states in product("SFK", repeat=len(named)):
            failed = frozenset(n for n, s in zip(named, states, strict=True) if s == "F")
            good = frozenset(n for n, s in zip(named, states, strict=True) if s == "S")
            needs = {
                name: github_view(state, tolerated=by_id[name].allow_failure)
                for name, state in zip(named, states, strict=True)
            }
            assert evaluate(text, needs) is holds(expr, failed, good), text


def github_view(state: str, *, tolerated: bool) -> dict[str, str]:
    """What GitHub says of a job whose step succeeded, failed, or did not run."""
    if state == "K":
        return {"result": "skipped"}
    if state == "F" and tolerated:
        return {"result": "success", "failed": "true"}
    return {"result": "success" if state == "S" else "failure"}


def test_traps__conditions_are_short() -> None:
    for app in TRAPS.values():
        closure = JoinClosure(app.pipelines[0])
        speller = Speller(app.pipelines[0].steps)
        for step in app.pipelines[0].steps:
            assert len(speller.spell(closure.may_start(step.id))) < 700


def step(**settings: object) -> Step:
    return Step(id="s", action=Script(text="true"), **settings)  # type: ignore[arg-type]


def test_gates_of__one_approval_is_the_jobs_own_environment() -> None:
    assert gates_of(step(approvals=(Approval(role="a"),))) == ()


def test_gates_of__matrix_and_several() -> None:
    matrix = Matrix(keys=("k",), rows=(Combination((("k", "1"),)),))
    assert gates_of(step(approvals=(Approval(role="a"),), matrix=matrix)) == ("s_approval",)
    two = (Approval(role="a"), Approval(role="b"))
    assert gates_of(step(approvals=two)) == ("s_approval-1", "s_approval-2")


@pytest.mark.parametrize(
    ("param", "value", "exact"),
    [
        (Param(name="p"), "Release", False),
        (Param(name="p"), "1.5", True),
        (Param(name="p", type=ParamType.BOOL), "true", True),
        (Param(name="p", enum=("full", "quick")), "full", True),
        (Param(name="p", enum=("full", "Full")), "full", False),
        (Param(name="p", enum=("Full",)), "full", False),
    ],
)
def test_exact_param(param: Param, value: str, exact: bool) -> None:
    condition = ParamCondition(param="p", op=Op.EQ, value=value)
    assert exact_param(condition, param) is exact


def test_param_code__default_reaches_other_triggers() -> None:
    text = Param(name="p", default="x")
    assert param_code(text, by_hand_only=True) == "inputs.p"
    assert (
        param_code(text, by_hand_only=False)
        == "github.event_name != 'workflow_dispatch' && 'x' || inputs.p"
    )
    number = Param(name="p", type=ParamType.FLOAT, default="0.1")
    assert param_code(number, by_hand_only=False) == "github.event.inputs.p || '0.1'"


@pytest.mark.parametrize(
    ("first", "second", "third"), list(product(("true", "false", "unknown"), repeat=3))
)
def test_when_code__unknown_wins_over_false(first: str, second: str, third: str) -> None:
    given = {"needs.a.outputs.w": first, "needs.b.outputs.w": second}
    passes = third == "true"
    (text,) = when_code(list(given), ["P"])
    for name, value in given.items():
        text = text.replace(name, repr(value))
    text = text.replace("P", repr(passes)).replace("&&", "and").replace("||", "or")
    known = {first, second} <= {"true", "false"}
    all_true = first == second == "true" and passes
    assert eval(text) is (not known or all_true)
