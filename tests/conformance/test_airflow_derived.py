"""Derived steps on real Airflow: what they are told, the answers of its buttons, exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Approval, Combination, Environment, Matrix, Pipeline, Step
from mlspec.ir.values import Duration
from tests.support.airflow_harness import Job, run, write
from tests.support.derived import ATTEMPTS, CODES, SUCCEEDS, leaves, tells

pytestmark = pytest.mark.engine("airflow")

HOUR = Duration(3_600_000)


def _app(name: str, *steps: Step) -> Application:
    return Application(
        name=name,
        owner="growth",
        environment=Environment(store="file:../store"),
        pipelines=(Pipeline(id="p", steps=steps),),
    )


def test_derived_steps__values_answers_and_exit_codes(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    approvals = (Approval(role="ads", within=HOUR),)
    rows = tuple(Combination((("k", one),)) for one in ("a", "b"))
    apps = [
        _app("told", tells("plain"), tells("approve", Kind.APPROVE, approvals=approvals)),
        _app("refused", tells("approve", Kind.APPROVE, approvals=approvals)),
        _app(
            "codes",
            *(leaves(name, str(marks / name), *codes) for name, codes in CODES.items()),
            leaves("many", str(marks / "many"), 10, 10, matrix=Matrix(keys=("k",), rows=rows)),
            leaves("slow", str(marks / "slow"), sleep=60, timeout=Duration(1000)),
        ),
    ]
    write(apps, tmp_path)
    began = datetime.now(UTC).replace(microsecond=0)
    done = run(
        tmp_path,
        [
            Job(dag_id="told_p", answers={"approve__approve": "Approve"}),
            Job(dag_id="refused_p", answers={"approve__approve": "Reject"}),
            Job(dag_id="codes_p"),
        ],
        timeout=500,
    )
    told = done["told_p"]
    assert told.state == "success", told
    place = tmp_path / "store" / "told" / "runs" / "p" / told.run_id
    plain = json.loads((place / "plain" / "out" / "told.json").read_text(encoding="utf-8"))
    assert plain == {
        "MLSPEC_RUN_ACTOR": "dag_test",
        "MLSPEC_RUN_APPROVALS": "",
        "MLSPEC_RUN_COMMIT": "",
        "MLSPEC_RUN_STORE": (tmp_path / "store").resolve().as_uri(),
    }
    approve = json.loads((place / "approve" / "out" / "told.json").read_text(encoding="utf-8"))
    (answer,) = json.loads(approve["MLSPEC_RUN_APPROVALS"])
    when = datetime.fromisoformat(answer.pop("time"))
    assert began <= when <= datetime.now(UTC)
    person = answer.pop("subject")
    assert person
    assert answer == {"issuer": "airflow", "role": "ads", "decision": "approve"}

    refused = done["refused_p"]
    assert refused.state == "failed"
    assert refused.tasks["approve"] == "upstream_failed"

    codes = done["codes_p"]
    for name, attempts in ATTEMPTS.items():
        assert len((marks / name).read_text(encoding="utf-8")) == attempts, name
        wanted = "success" if name in SUCCEEDS else "failed"
        assert codes.tasks[name.replace("-", "_")] == wanted, name
    assert len((marks / "many").read_text(encoding="utf-8")) == 2
    assert {codes.tasks["many_0"], codes.tasks["many_1"]} == {"failed"}
    assert codes.tasks["slow"] == "failed"
    assert len((marks / "slow").read_text(encoding="utf-8")) == 1
    assert codes.state == "failed"
