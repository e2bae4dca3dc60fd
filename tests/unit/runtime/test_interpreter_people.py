from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mlspec.ir.model import (
    Approval,
    DataInput,
    DataSet,
    Join,
    Output,
    Pipeline,
    StageMode,
)
from mlspec.ir.values import Duration, Namespace, Ref
from mlspec.runtime import approvals
from mlspec.runtime.approvals import Decision
from mlspec.runtime.interpreter import run_pipeline
from mlspec.runtime.model import RunOptions, stamp
from mlspec.runtime.progress import (
    ApprovalWanted,
    AttemptStarted,
    Notice,
    Silent,
)
from tests.support.running import FakeClock, app_of, run_app, script

MS = Duration


def _ref(namespace: str, name: str) -> Ref:
    return Ref(Namespace(namespace), name)


# ------------------------------------------------------------------ approvals

WANTED = Approval(role="leads", count=2, within=MS(3_600_000), notify=("slack:#leads",))


def _answer(project: Path, decision: str, *people: str) -> object:
    def on(event: object) -> None:
        if isinstance(event, ApprovalWanted):
            request = event.request
            for who in people:
                approvals.decide(
                    project,
                    request,
                    Decision(
                        who=who,
                        decision=decision,
                        reason="because",
                        when=stamp(datetime.now(UTC)),
                        roles=("leads",),
                        subject=request.subject,
                        serial=request.serial,
                    ),
                )

    return on


def test_approval__given(tmp_path: Path) -> None:
    app = app_of(script("a", "echo ran", approvals=(WANTED,)))
    on = _answer(tmp_path, approvals.APPROVE, "ann", "bob")
    ran = run_app(app, tmp_path, on_event=on)
    assert ran.outcomes == {"a": "success"}
    assert ran.recorder.of(Notice)[0].to == ("slack:#leads",)
    assert approvals.open_requests(tmp_path) == ()


def test_approval__rejected_fails_without_starting(tmp_path: Path) -> None:
    app = app_of(
        script("a", "echo ran", approvals=(WANTED,)),
        script("b", "true", needs=("a",), join=Join.ONE_FAILED),
    )
    ran = run_app(app, tmp_path, on_event=_answer(tmp_path, approvals.REJECT, "ann"))
    assert ran.outcomes == {"a": "failed", "b": "success"}
    assert ran.result.exit_code == 20
    assert ran.reason("a") == "rejected by ann: because"
    assert [event.step for event in ran.recorder.of(AttemptStarted)] == ["b"]


def test_approval__expires(tmp_path: Path) -> None:
    app = app_of(script("a", "echo ran", approvals=(WANTED,)))
    ran = run_app(app, tmp_path, clock=FakeClock(stride=600))
    assert ran.outcomes == {"a": "failed"}
    assert ran.result.exit_code == 12
    assert "not approved within" in ran.reason("a")


def test_approval__is_asked_after_join_and_condition(tmp_path: Path) -> None:
    app = app_of(script("a", "exit 1"), script("b", "true", needs=("a",), approvals=(WANTED,)))
    ran = run_app(app, tmp_path)
    assert ran.outcomes == {"a": "failed", "b": "blocked"}
    assert ran.recorder.of(ApprovalWanted) == []


def test_approval__pending_then_resumed(tmp_path: Path) -> None:
    app = app_of(
        script("a", 'echo x >> "$D/a"'),
        script("b", "true", needs=("a",), approvals=(WANTED,)),
        script("c", 'echo x >> "$D/c"'),
    )
    environ = {"D": str(tmp_path)}
    ran = run_app(app, tmp_path, environ=environ, wait=False)
    assert ran.result.exit_code == 12
    assert ran.result.record is not None
    assert ran.result.record.state == "waiting"
    assert ran.outcomes == {"a": "success", "b": None, "c": "success"}
    (request,) = approvals.open_requests(tmp_path)
    _answer(tmp_path, approvals.APPROVE, "ann", "bob")(ApprovalWanted(request))  # type: ignore[operator]  # a function
    again = run_app(app, tmp_path, environ=environ, wait=False, resume="")
    assert again.result.exit_code == 0
    assert (tmp_path / "a").read_text() == "x\n"
    assert (tmp_path / "c").read_text() == "x\n"


# ------------------------------------------------------------------ data


def test_data__made_by_one_pipeline_and_read_by_another(tmp_path: Path) -> None:
    output = Output(name="t", path="out/t.csv", data="trips")
    make = Pipeline(id="make", steps=(script("m", "echo 1 > out/t.csv", outputs=(output,)),))
    inputs = (
        DataInput(name="t", data="trips"),
        DataInput(name="u", data="trips", mode=StageMode.URI),
    )
    read = script(
        "r",
        'cat "$MLSPEC_INPUTS_T"; echo "$MLSPEC_INPUTS_U"',
        _ref("inputs", "t"),
        _ref("inputs", "u"),
        inputs=inputs,
    )
    app = app_of(read, data=(DataSet(id="trips"),))
    app = replace(app, pipelines=(*app.pipelines, make))
    assert [d.code.id for d in run_app(app, tmp_path).result.diagnostics] == ["ML924", "ML924"]
    options = RunOptions(environ=dict(os.environ))
    made = run_pipeline(app, "make", tmp_path, options, Silent())
    assert made.exit_code == 0
    assert made.record is not None
    version = tmp_path / f".mlspec/store/app/data/trips/versions/{made.record.id}/t.csv"
    assert run_app(app, tmp_path).log("r") == f"1\n{version.as_uri()}\n"


def test_data__a_resumed_run_reads_the_same_version(tmp_path: Path) -> None:
    data = tmp_path / ".mlspec/store/app/data/trips"
    for version in ("1", "2"):
        (data / "versions" / version).mkdir(parents=True)
        (data / "versions" / version / "t.csv").write_text(version)
    (data / "latest").write_text("versions/1/t.csv\n")
    step = script(
        "r",
        'cat "$MLSPEC_INPUTS_T"; [ -e "$D/ok" ]',
        _ref("inputs", "t"),
        inputs=(DataInput(name="t", data="trips"),),
    )
    app, environ = app_of(step, data=(DataSet(id="trips"),)), {"D": str(tmp_path)}
    run_app(app, tmp_path, environ=environ)
    (data / "latest").write_text("versions/2/t.csv\n")
    (tmp_path / "ok").touch()
    assert run_app(app, tmp_path, environ=environ, resume="").log("r", attempt=2) == "1"
    assert run_app(app, tmp_path, environ=environ).log("r") == "2"


def test_data__failed_step_makes_no_version(tmp_path: Path) -> None:
    output = Output(name="t", path="t.csv", data="trips")
    app = app_of(
        script("m", "echo 1 > t.csv; exit 1", outputs=(output,)), data=(DataSet(id="trips"),)
    )
    run_app(app, tmp_path)
    assert not (tmp_path / ".mlspec/store/app/data").exists()


def test_data__written_to_an_address(tmp_path: Path) -> None:
    output = Output(name="t", path="t.csv", data="trips", mode=StageMode.URI)

    def app(text: str) -> object:
        step = script("m", text, _ref("outputs", "t"), outputs=(output,))
        return app_of(step, data=(DataSet(id="trips"),))

    good = run_app(app('echo 1 > "${MLSPEC_OUTPUTS_T#file://}"'), tmp_path)
    assert good.outcomes == {"m": "success"}, good.reason("m")
    (version,) = (tmp_path / ".mlspec/store/app/data/trips/versions").iterdir()
    assert (version / "t.csv").read_text() == "1\n"
    bad = run_app(app('echo "$MLSPEC_OUTPUTS_T"'), tmp_path)
    assert bad.outcomes == {"m": "failed"}
    assert "was not written" in bad.reason("m")
