"""What the environment asks before anything runs in it, and what steps may do to their inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlspec.ir.model import Approval, Environment, Join, Output, StepInput
from mlspec.ir.values import Duration, Namespace, Ref
from mlspec.runtime.progress import AttemptStarted
from tests.support.running import app_of, run_app, script
from tests.unit.runtime.test_interpreter_people import _answer


def asking(*steps, people=("ann",), decision="approve", folder: Path):
    wanted = Approval(role="leads", within=Duration(3_600_000))
    app = replace(app_of(*steps), environment=Environment(name="prod", approvals=(wanted,)))
    return run_app(app, folder, on_event=_answer(folder, decision, *people))


def test_run__the_environment_asks_before_anything_starts(tmp_path):
    ran = asking(script("a", "true"), script("b", "true"), folder=tmp_path)
    started = [e.step for e in ran.recorder.events if isinstance(e, AttemptStarted)]
    assert started[0] == "environment"
    assert ran.outcomes == {"environment": "success", "a": "success", "b": "success"}


def test_run__a_no_blocks_everything(tmp_path):
    after = script("b", "true", needs=("a",), join=Join.ALL_DONE)
    ran = asking(script("a", "true"), after, decision="reject", folder=tmp_path)
    assert ran.outcomes == {"environment": "failed", "a": "blocked", "b": "blocked"}
    assert ran.reason("b") == "blocked: nobody approved this environment"
    assert ran.result.exit_code == 20


def test_run__without_an_answer_it_is_pending(tmp_path):
    wanted = Approval(role="leads", within=Duration(3_600_000))
    app = app_of(script("a", "true"))
    app = replace(app, environment=Environment(name="prod", approvals=(wanted,)))
    ran = run_app(app, tmp_path, wait=False)
    assert ran.result.exit_code == 12


def test_run__a_step_that_changes_its_input_changes_nothing_of_anybodys(tmp_path):
    ref = Ref(Namespace.INPUTS, "x")

    def reads(step_id, text, *needs):
        made = script(step_id, text, needs=("make", *needs))
        action = replace(made.action, refs=(ref,))
        return replace(made, action=action, inputs=(StepInput(name="x", step="make", output="x"),))

    ran = run_app(
        app_of(
            script(
                "make", "mkdir -p out; echo one > out/x", outputs=(Output(name="x", path="out/x"),)
            ),
            reads("spoil", 'echo two >> "$MLSPEC_INPUTS_X"'),
            reads("look", 'cat "$MLSPEC_INPUTS_X"', "spoil"),
        ),
        tmp_path,
    )
    assert ran.log("look") == "one\n"


def test_run__only_the_word_approve_is_a_yes(tmp_path):
    wanted = Approval(role="leads", within=Duration(3_600_000))
    app = replace(app_of(script("a", "true")), environment=Environment(approvals=(wanted,)))
    ran = run_app(app, tmp_path, wait=False, on_event=_answer(tmp_path, "approved?", "ann"))
    assert ran.result.exit_code == 12
