"""Derived steps on this machine: what they are told, and what their exit codes mean."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlspec.ir.kinds import Kind
from mlspec.ir.model import Approval, Argv, Output, Retry, Step
from mlspec.ir.values import DERIVED_RUN_NAMES, Duration, Namespace, Ref, literal
from mlspec.runtime import attempt
from mlspec.runtime.progress import ApprovalNeeded, ApprovalWanted, AttemptFailed, AttemptStarted
from tests.support.running import FakeClock, app_of, run_app, script

NAMES = tuple(sorted(DERIVED_RUN_NAMES))
READS = tuple(Ref(Namespace.RUN, name) for name in NAMES)


def derived(step_id: str, kind: Kind, text: str, *refs: Ref, **more: Any) -> Step:
    """A derived step that runs a script."""
    return script(step_id, text, *refs, kind=kind, subject="models.ctr", **more)


def leaves(step_id: str, kind: Kind, *codes: int, **more: Any) -> Step:
    """A derived step whose attempts end with the codes, one after the other."""
    told = " ".join(str(code) for code in codes)
    text = (
        f'n=$(cat "$HOME/{step_id}.count" 2>/dev/null || echo 0)\n'
        f'echo $((n + 1)) > "$HOME/{step_id}.count"\n'
        f"codes=({told} 0)\n"
        'exit "${codes[$n]:-0}"'
    )
    return derived(step_id, kind, text, **more)


def _home(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(tmp_path)}


# ------------------------------------------------------------------ what they are told


def test_run__a_derived_step_is_told_about_the_run(tmp_path: Path) -> None:
    for words in (
        ["git", "init", "-q"],
        [
            "git",
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-q",
            "--allow-empty",
            "-mx",
        ],
    ):
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.strip()
    tell = (
        "import json, os, sys; json.dump({n: os.environ['MLSPEC_RUN_' + n.upper()] for n in"
        f" {NAMES!r}}}, open(os.environ['MLSPEC_OUTPUTS_TOLD'], 'w'))"
    )
    step = Step(
        id="a",
        kind=Kind.TRAIN,
        action=Argv(
            words=(literal(sys.executable), literal("-c"), literal(tell)),
            reads=tuple(
                sorted((*READS, Ref(Namespace.OUTPUTS, "told")), key=lambda ref: ref.variable)
            ),
        ),
        outputs=(Output(name="told", path="told.json"),),
    )
    ran = run_app(app_of(step), tmp_path, environ={**os.environ, "MLSPEC_ACTOR": "ann"})
    assert ran.result.folder is not None, ran.result.diagnostics
    left = ran.result.folder / "results" / "a" / "told" / "told.json"
    told = json.loads(left.read_text(encoding="utf-8"))
    store = (tmp_path / ".mlspec" / "store").absolute().as_uri()
    assert told == {"actor": "ann", "approvals": "", "commit": commit, "store": store}


def test_run__without_git_and_without_a_told_actor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("MLSPEC_ACTOR", raising=False)
    text = 'echo "<${MLSPEC_RUN_ACTOR}> <${MLSPEC_RUN_COMMIT}>"'
    ran = run_app(app_of(derived("a", Kind.GATE, text, *READS)), tmp_path)
    assert ran.log("a").startswith(f"<{os.environ.get('USER') or getpass.getuser()}> <>")


def test_run__mlspec_is_the_one_that_runs(tmp_path: Path) -> None:
    action = Argv(words=(literal("mlspec"), literal("--version")))
    assert attempt.is_ours(Step(id="a", kind=Kind.TRAIN, action=action))
    assert not attempt.is_ours(Step(id="a", action=action))
    (tmp_path / "mlspec").mkdir()
    (tmp_path / "mlspec" / "__init__.py").write_text("raise SystemExit(3)", encoding="utf-8")
    step = Step(id="a", kind=Kind.TRAIN, action=action)
    ran = run_app(app_of(step), tmp_path, environ={**os.environ, "PATH": "/usr/bin:/bin"})
    assert ran.result.exit_code == 0, ran.log("a")
    assert ran.log("a").startswith("mlspec ")


# ------------------------------------------------------------------ exit codes

ONCE_MORE = Retry(max=3, delay=Duration(1000))


def test_run__only_what_is_temporary_is_tried_again(tmp_path: Path) -> None:
    step = leaves("a", Kind.TRAIN, 75, 75, retry=ONCE_MORE, retry_exit=75)
    ran = run_app(app_of(step), tmp_path, environ=_home(tmp_path), clock=FakeClock())
    assert ran.outcomes == {"a": "success"}
    assert [e.reason for e in ran.recorder.of(AttemptFailed)] == ["exit code 75: temporary"] * 2


@pytest.mark.parametrize("code", [1, 10, 11, 74, 76])
def test_run__a_decision_or_a_fault_is_not_tried_again(tmp_path: Path, code: int) -> None:
    step = leaves("a", Kind.GATE, code, retry=ONCE_MORE, retry_exit=75)
    ran = run_app(app_of(step), tmp_path, environ=_home(tmp_path), clock=FakeClock())
    assert ran.outcomes == {"a": "failed"}
    assert len(ran.recorder.of(AttemptStarted)) == 1


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [((10,), 10), ((11,), 11), ((11, 10), 10), ((11, 11), 11), ((10, 1), 20), ((75,), 20)],
)
def test_run__exit_code_of_gates(tmp_path: Path, codes: tuple[int, ...], wanted: int) -> None:
    steps = [leaves(f"g{n}", Kind.GATE, code) for n, code in enumerate(codes)]
    ran = run_app(app_of(*steps), tmp_path, environ=_home(tmp_path))
    assert ran.result.exit_code == wanted
    assert ran.result.record is not None
    assert ran.result.record.state == "failed"


def test_run__a_step_of_a_user_that_exits_10_is_a_fault(tmp_path: Path) -> None:
    ran = run_app(app_of(script("a", "exit 10"), leaves("g", Kind.GATE, 10)), tmp_path)
    assert ran.result.exit_code == 20


# ------------------------------------------------------------------ approvals of versions


def _approved(*codes: int) -> tuple[Step, ...]:
    return (
        derived("gate", Kind.GATE, "true"),
        leaves(
            "approve",
            Kind.APPROVE,
            *codes,
            needs=("gate",),
            approvals=(Approval(role="leads"),),
        ),
        derived("promote", Kind.PROMOTE, "true", needs=("approve",)),
        script("other", "sleep 0.2"),
    )


@pytest.mark.parametrize("wait", [True, False])
def test_run__a_version_waits_and_the_run_goes_on_later(tmp_path: Path, wait: bool) -> None:
    app = app_of(*_approved(12, 12))
    ran = run_app(app, tmp_path, environ=_home(tmp_path), wait=wait)
    assert ran.result.exit_code == 12
    assert ran.result.record is not None
    assert ran.result.record.state == "waiting"
    assert ran.outcomes == {"gate": "success", "approve": None, "promote": None, "other": "success"}
    assert ran.recorder.of(ApprovalWanted) == []
    run_id = ran.result.record.id
    assert ran.recorder.of(ApprovalNeeded) == [ApprovalNeeded(run_id, "approve", "models.ctr")]

    again = run_app(app, tmp_path, environ=_home(tmp_path), wait=wait, resume=run_id)
    assert again.result.exit_code == 12
    last = run_app(app, tmp_path, environ=_home(tmp_path), wait=wait, resume=run_id)
    assert last.result.exit_code == 0
    assert [(e.step, e.number) for e in last.recorder.of(AttemptStarted)] == [
        ("approve", 3),
        ("promote", 1),
    ]


def test_run__a_rejected_version_fails(tmp_path: Path) -> None:
    ran = run_app(app_of(*_approved(1)), tmp_path, environ=_home(tmp_path))
    assert ran.result.exit_code == 20
    assert ran.outcomes["promote"] == "blocked"
