"""Approvals, and values that Argo evaluates, in a model of Argo that uses Argo's own evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes import BACKEND
from mlspec.backends.kubernetes.conditions import list_when, params_when, when_text
from mlspec.backends.kubernetes.presence import has_value, index_value, path_value
from mlspec.ir.model import (
    Application,
    Approval,
    Combination,
    DynamicAxis,
    Environment,
    Image,
    Join,
    Matrix,
    MetricCondition,
    Op,
    Param,
    ParamCondition,
    ParamType,
    Pipeline,
    Script,
    Step,
)
from tests.support.argo_model import Ended, Oracle, Run, WaitsForeverError, Workflow, oracle
from tests.support.kubernetes_checks import ARGO_VALIDATE

pytestmark = pytest.mark.engine("argo")

IMAGE = Image(reference="example.org/stub@sha256:" + "0" * 64)
LEAD = Approval(role="lead")


@pytest.fixture(scope="module")
def ask() -> Iterator[Oracle]:
    with oracle(ARGO_VALIDATE) as found:
        yield found


def step(step_id: str, **settings: Any) -> Step:
    return Step(id=step_id, action=Script(text="true"), image=IMAGE, **settings)


def run(
    ask: Oracle, *steps: Step, environment: Environment | None = None, **answers: str
) -> tuple[Run, list[str]]:
    """Run steps that succeed; returns the run and the steps that started."""
    app = Application(
        name="a",
        environment=environment or Environment(),
        pipelines=(Pipeline(id="p", steps=steps),),
    )
    result = BACKEND.lower((app,), LowerOptions())
    assert result.value is not None
    text = next(a.text for a in BACKEND.emit(result.value) if "pipeline-p" in a.path)
    template = next(d for d in yaml.safe_load_all(text) if d["kind"] == "WorkflowTemplate")
    given = {name.replace("_", "-"): value for name, value in answers.items()}
    made = Workflow(template, ask, lambda _pod: Ended(0), answer=given.get).execute()
    return made, sorted({name for name, _, kind in made.events if kind == "start"})


# ------------------------------------------------------------------ approvals


def test_approval__yes_runs_the_step(ask: Oracle) -> None:
    made, started = run(ask, step("one", approvals=(LEAD,)), one_approve="yes")
    assert started == ["one"]
    assert made.failed is False


@pytest.mark.parametrize("answer", ["no", "", "YES", "stop", "true"])
def test_approval__anything_else_fails_the_step(answer: str, ask: Oracle) -> None:
    steps = (
        step("one", approvals=(LEAD,)),
        step("two", needs=("one",)),
        step("three", needs=("one",), join=Join.ONE_FAILED),
    )
    made, started = run(ask, *steps, one_approve=answer)
    assert started == ["three"]
    assert made.failed is True


def test_approval__of_a_step_that_may_fail_does_not_fail_the_run(ask: Oracle) -> None:
    made, started = run(ask, step("one", approvals=(LEAD,), allow_failure=True))
    assert started == []
    assert made.failed is False


def test_approval__is_not_asked_when_the_step_does_not_run(ask: Oracle) -> None:
    never = ParamCondition(param="x", op=Op.EQ, value="1")
    app_step = step("one", approvals=(LEAD,), when=(never,))
    app = Application(
        name="a",
        pipelines=(Pipeline(id="p", steps=(app_step,), params=()),),
    )
    result = BACKEND.lower((app,), LowerOptions())
    assert result.value is not None
    text = next(a.text for a in BACKEND.emit(result.value) if "pipeline-p" in a.path)
    template = next(d for d in yaml.safe_load_all(text) if d["kind"] == "WorkflowTemplate")
    template["spec"]["arguments"] = {"parameters": [{"name": "x", "value": "0"}]}
    asked = []

    def answer(name: str) -> str | None:
        asked.append(name)
        return "yes"

    made = Workflow(template, ask, lambda _pod: Ended(0), answer=answer).execute()
    assert asked == []
    assert made.phases["one-when"] == "Skipped"
    assert made.failed is False


@pytest.mark.parametrize(("second", "starts"), [("yes", ["one"]), ("no", [])])
def test_approval__all_of_several_are_needed(second: str, starts: list[str], ask: Oracle) -> None:
    two = (LEAD, replace(LEAD, role="other"))
    answers = {"one_approve_1_1": "yes", "one_approve_2_1": second}
    made, started = run(ask, step("one", approvals=two), **answers)
    assert started == starts
    assert made.failed is (starts == [])


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_approval__of_a_matrix_is_asked_once(answer: str, ask: Oracle) -> None:
    rows = (Combination((("k", "a"),)), Combination((("k", "b"),)))
    made, _ = run(
        ask,
        step("one", approvals=(LEAD,), matrix=Matrix(keys=("k",), rows=rows)),
        step("two", needs=("one",), join=Join.ALL_DONE),
        one_approve=answer,
    )
    started = [(name, entry) for name, entry, kind in made.events if kind == "start"]
    wanted = [("one", "a"), ("one", "b")] if answer == "yes" else []
    assert sorted(started) == [*wanted, ("two", "")]
    assert made.failed is (answer == "no")


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_approval__of_the_environment(answer: str, ask: Oracle) -> None:
    steps = (step("one"), step("two", needs=("one",), join=Join.ALL_DONE))
    environment = Environment(name="prod", approvals=(LEAD,))
    made, started = run(ask, *steps, environment=environment, approve_environment_1_1=answer)
    assert started == (["one", "two"] if answer == "yes" else [])
    assert made.failed is (answer == "no")


# ------------------------------------------------------------------ values

NASTY = (
    "plain",
    "it's",
    'a "b"',
    "back\\slash",
    "}}",
    "{ x }",
    "{",
    "$(X) $$",
    "é😀",
    "new\nline",
    "tab\t",
    "<&>",
    "' + x + '",
    "",
)


def text_of(ask: Oracle, text: str, **values: str) -> str | None:
    made = ask.ask(
        op="text", text=text, values={k.replace("__", "."): v for k, v in values.items()}
    )
    assert not made["waits"], made["error"]
    return None if made["error"] else made["text"]


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Error", "Skipped", "Omitted"])
def test_path_value__is_empty_unless_a_producer_succeeded(status: str, ask: Oracle) -> None:
    text = path_value("/mlspec/in/x/it's $(X)", ["a-b"])
    made = ask.ask(op="text", text=text, values={"tasks.a-b.status": status})
    assert made["text"] == ("/mlspec/in/x/it's $$(X)" if status == "Succeeded" else "")


@pytest.mark.parametrize("value", NASTY)
def test_index_value__holds_any_value(value: str, ask: Oracle) -> None:
    rows = (Combination((("k", value), ("l", "1"))), Combination((("k", "other"), ("l", "2"))))
    matrix = Matrix(keys=("k", "l"), rows=rows)
    wanted = [{"entry": row.name, "matrix": dict(row.values)} for row in rows]
    sure = text_of(ask, index_value(matrix, ["a", "b"], "", sure=True))
    assert sure is not None
    assert json.loads(sure) == wanted
    one = text_of(
        ask,
        index_value(matrix, ["a", "b"], "", sure=False),
        tasks__a__status="Succeeded",
        tasks__b__status="Failed",
    )
    assert one is not None
    assert json.loads(one) == wanted[:1]
    assert text_of(ask, has_value(rows[0], "a"), tasks__a__status="Succeeded") == rows[0].name
    assert text_of(ask, has_value(rows[0], "a"), tasks__a__status="Failed") == "(absent)"


def test_index_value__of_a_run_time_matrix_is_in_matrix_order(ask: Oracle) -> None:
    axis = DynamicAxis(key="shard", step="s", output="o", max=9)
    rows = (Combination((("engine", "l'x"),)), Combination((("engine", "p"),)))
    matrix = Matrix(keys=("shard", "engine"), rows=rows, dynamic=axis)
    values = "fromJSON(tasks['s'].outputs.parameters['list-o'])"
    made = ask.ask(
        op="text",
        text=index_value(matrix, ["a", "b"], values, sure=True),
        values={"tasks.s.outputs.parameters.list-o": '["7", "x.y"]'},
    )
    wanted = [
        {"entry": c.name, "matrix": dict(c.values)} for c in matrix.combinations(("7", "x.y"))
    ]
    assert json.loads(made["text"]) == wanted


@pytest.mark.parametrize(
    ("listed", "good"),
    [
        ('["a", "b.c"]', True),
        ("[]", True),
        ('["a", "a"]', False),
        ('["a", 1]', False),
        ('["a b"]', False),
        ('["a", "b", "c", "d"]', False),
        ('{"a": 1}', False),
        ("nonsense", False),
        ("", False),
        ('["{{x}}"]', False),
    ],
)
def test_list_when__lets_only_good_lists_through(listed: str, good: bool, ask: Oracle) -> None:
    key = "tasks.s.outputs.parameters.list-o"
    made = ask.ask(op="text", text=list_when("s", "list-o", 3), values={key: listed})
    assert not made["waits"]
    assert (made["text"] == "true") is good
    if not good and not made["error"]:
        assert ask.ask(op="when", text=made["text"])["error"]


@pytest.mark.parametrize(
    ("metrics", "wanted"),
    [
        ('{"auc": 0.9}', "true"),
        ('{"auc": 1}', "true"),
        ('{"auc": 0.5}', "false"),
        ('{"auc": 0.9, "loss": NaN}', "true"),
        ('{"auc": Infinity}', "true"),
        ('{"auc": -Infinity}', "false"),
        ('{"auc": NaN}', None),
        ('{"auc": "0.9"}', None),
        ('{"auc": true}', None),
        ('{"auc": null}', None),
        ("{}", None),
        ("[]", None),
        ("", None),
    ],
)
def test_when__over_a_metric(metrics: str, wanted: str | None, ask: Oracle) -> None:
    condition = MetricCondition(step="s", metric="auc", op=Op.GE, value=0.9)
    key = "tasks.s-x.outputs.parameters.metrics"
    made = ask.ask(op="text", text=when_text((condition,), {"s": "s-x"}), values={key: metrics})
    assert not made["waits"]
    if wanted is not None:
        assert made["text"] == wanted
    elif not made["error"]:
        assert ask.ask(op="when", text=made["text"])["error"]


@pytest.mark.parametrize("value", NASTY)
def test_when__over_a_parameter_compares_text(value: str, ask: Oracle) -> None:
    for given, op, wanted in (
        (value, Op.EQ, "true"),
        (value, Op.NE, "false"),
        (value + "x", Op.EQ, "false"),
        ("true == true", Op.EQ, "false"),
    ):
        condition = ParamCondition(param="p", op=op, value=value)
        values = {"workflow.parameters.p": given, "workflow.parameters": "[]"}
        made = ask.ask(op="text", text=when_text((condition,), {}), values=values)
        assert made["text"] == wanted


@pytest.mark.parametrize(
    ("param", "good", "bad"),
    [
        (Param(name="p", enum=("a", "it's", "{{x}}")), ("a", "it's", "{{x}}"), ("b", "", "its")),
        (Param(name="p", type=ParamType.INT), ("0", "-12", "+3"), ("", "1.0", "x", "1\n2")),
        (
            Param(name="p", type=ParamType.FLOAT),
            ("1", "-.5", "1.5e-3", "2."),
            ("", "nan", "1e", "."),
        ),
        (Param(name="p", type=ParamType.BOOL), ("true", "false"), ("True", "1", "")),
    ],
)
def test_params_when__lets_only_good_values_through(
    param: Param, good: tuple[str, ...], bad: tuple[str, ...], ask: Oracle
) -> None:
    for value in (*good, *bad):
        values = {"workflow.parameters.p": value, "workflow.parameters": "[]"}
        made = ask.ask(op="text", text=params_when((param,)), values=values)
        assert made["text"] == ("true" if value in good else "bad-parameter"), value


def test_params_when__is_empty_for_plain_texts() -> None:
    assert params_when((Param(name="p"),)) == ""


def test_params__a_bad_value_fails_the_run_before_anything_starts(ask: Oracle) -> None:
    steps = (step("one"), step("two", needs=("one",), join=Join.ALL_DONE))
    params = (Param(name="n", type=ParamType.INT, default="1"),)
    app = Application(name="a", pipelines=(Pipeline(id="p", steps=steps, params=params),))
    result = BACKEND.lower((app,), LowerOptions())
    assert result.value is not None
    text = next(a.text for a in BACKEND.emit(result.value) if "pipeline-p" in a.path)
    template = next(d for d in yaml.safe_load_all(text) if d["kind"] == "WorkflowTemplate")
    for value, wanted in (("2", 2), ("two", 0)):
        one = Workflow(template, ask, lambda _pod: Ended(0), parameters={"n": value}).execute()
        assert len(one.pods) == wanted
        assert one.failed is (wanted == 0)


def test_model__notices_what_argo_would_wait_for(ask: Oracle) -> None:
    template = {
        "spec": {
            "entrypoint": "d",
            "templates": [
                {
                    "name": "d",
                    "dag": {
                        "tasks": [
                            {"name": "a", "template": "g"},
                            {
                                "name": "b",
                                "template": "g",
                                "depends": "a.Succeeded",
                                "when": "{{tasks.a.outputs.parameters.x}} == 1",
                            },
                        ]
                    },
                },
                {"name": "g", "suspend": {"duration": "0"}},
            ],
        }
    }
    with pytest.raises(WaitsForeverError):
        Workflow(template, ask, lambda _pod: Ended(0)).execute()
