"""Approvals on real Airflow, answered through its API while `dag.test()` waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.ir.model import (
    Application,
    Approval,
    Environment,
    Join,
    Op,
    Param,
    ParamCondition,
    Pipeline,
    Script,
    Step,
)
from mlspec.ir.values import Duration
from tests.support.airflow_harness import Job, Ran, run, write

pytestmark = pytest.mark.engine("airflow")


def app(name: str, *approvals: Approval, **settings: object) -> Application:
    """`gate` needs approval; `after` runs when it is bad, `well` when it succeeded."""
    steps = (
        Step(id="gate", action=Script(text="true"), approvals=approvals, **settings),  # type: ignore[arg-type]
        Step(id="after", action=Script(text="true"), needs=("gate",), join=Join.ONE_FAILED),
        Step(id="well", action=Script(text="true"), needs=("gate",)),
    )
    params = (Param(name="go", default="yes"),)
    pipeline = Pipeline(id="p", steps=steps, params=params)
    return Application(name=name, environment=Environment(store="file:s"), pipelines=(pipeline,))


LEAD = Approval(role="lead", within=Duration(3_600_000))


def ran(folder: Path, *cases: tuple[Application, dict[str, str]]) -> list[Ran]:
    write([made for made, _ in cases], folder)
    jobs = [Job(dag_id=f"{made.name}_p", answers=answers) for made, answers in cases]
    results = run(folder, jobs, timeout=500)
    return [results[job.dag_id] for job in jobs]


def test_approval__approve_reject_timeout(tmp_path: Path) -> None:
    soon = Approval(role="lead", within=Duration(1500))
    never = ParamCondition(param="go", op=Op.EQ, value="no")
    approved, rejected, late, skipped, allowed = ran(
        tmp_path,
        (app("approved", LEAD), {"gate__approve": "Approve"}),
        (app("rejected", LEAD), {"gate__approve": "Reject"}),
        (app("late", soon), {}),
        (app("skipped", LEAD, when=(never,)), {}),
        (app("allowed", LEAD, allow_failure=True), {"gate__approve": "Reject"}),
    )
    assert approved.state == "success"
    assert (approved.tasks["gate"], approved.tasks["well"]) == ("success", "success")
    assert approved.tasks["after"] == "skipped"
    for refused in (rejected, late):
        assert refused.state == "failed"
        assert refused.tasks["gate__approve"] == "failed"
        assert refused.tasks["gate"] == "upstream_failed"
        assert refused.tasks["after"] == "success"
    assert skipped.state == "success"
    assert skipped.tasks["gate__approve"] == "skipped"
    assert skipped.tasks["gate"] == "skipped"
    assert allowed.state == "success"
    assert allowed.tasks["after"] == "success"


def test_approval__of_the_environment_comes_before_anything(tmp_path: Path) -> None:
    def step(name: str, *needs: str, join: Join) -> Step:
        return Step(id=name, action=Script(text="true"), needs=needs, join=join)

    joins = [join for join in Join if join is not Join.ALL_SUCCESS]
    steps = (
        Step(id="a", action=Script(text="true")),
        Step(id="b", action=Script(text="exit 1"), allow_failure=True),
        *(step(join.value.replace("_", "-"), "a", "b", join=join) for join in joins),
        *(
            step(f"n-{n}", j.value.replace("_", "-"), join=Join.NONE_FAILED)
            for n, j in enumerate(joins)
        ),
    )

    def made(name: str, *approvals: Approval) -> Application:
        environment = Environment(name="prod", store="file:s", approvals=approvals)
        return Application(
            name=name, environment=environment, pipelines=(Pipeline(id="p", steps=steps),)
        )

    yes, no = ran(
        tmp_path,
        (made("yes", LEAD), {"environment__approve": "Approve"}),
        (
            made("no", LEAD, LEAD),
            {
                "environment__approve_first": "Reject",
                "environment__approve_second": "Approve",
            },
        ),
    )
    assert yes.state == "success"
    assert yes.tasks["a"] == yes.tasks["one_failed"] == yes.tasks["all_done"] == "success"
    assert no.state == "failed"
    ran_anyway = {task for task, state in no.tasks.items() if state == "success"}
    assert ran_anyway <= {"environment__approve_second"}


def test_approval__two_are_needed_from_two_people(tmp_path: Path) -> None:
    two = Approval(role="lead", count=2, within=Duration(3_600_000))
    both = {"gate__approve_first": "Approve", "gate__approve_second": "Approve"}
    one_no = {"gate__approve_first": "Approve", "gate__approve_second": "Reject"}
    same, refused = ran(tmp_path, (app("same", two), both), (app("refused", two), one_no))
    assert same.tasks["gate"] == "failed"  # the one test user has answered both
    assert same.state == "failed"
    assert refused.tasks["gate"] == "upstream_failed"
    assert refused.state == "failed"
