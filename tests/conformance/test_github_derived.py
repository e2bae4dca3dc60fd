"""Derived steps on act: what they are told, and what their exit codes mean."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mlspec.backends.base import LowerOptions
from mlspec.backends.github_actions import BACKEND
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Approval, Argv, Environment, Pipeline, Step
from mlspec.ir.values import literal
from tests.support.act_runner import emitted, make_project, run_on_act
from tests.support.derived import ATTEMPTS, CODES, SUCCEEDS, leaves, tells

pytestmark = pytest.mark.engine("act")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


def app_of(*steps: Step, store: str | None = "s3://bucket/ml", **settings: object) -> Application:
    pipeline = Pipeline(id="p", steps=steps, **settings)  # type: ignore[arg-type]
    return Application(name="x", environment=Environment(store=store), pipelines=(pipeline,))


def test_values__are_those_of_the_run(project: Path, tmp_path: Path) -> None:
    (workflow,) = emitted(app_of(tells("told")))
    ran = run_on_act(project, workflow, scratch=tmp_path)
    assert not ran.failed, ran.log
    (archive,) = tmp_path.rglob("out.tar")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert told == {
        "MLSPEC_RUN_ACTOR": "nektos/act",
        "MLSPEC_RUN_APPROVALS": "",
        "MLSPEC_RUN_COMMIT": commit,
        "MLSPEC_RUN_STORE": "s3://bucket/ml",
    }


def test_exit_codes__one_is_tried_again(project: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    steps = [leaves(name, str(marks / name), *codes) for name, codes in CODES.items()]
    after = [
        Step(
            id=f"after-{step.id}",
            action=Argv(words=(literal("touch"), literal(str(marks / f"after-{step.id}")))),
            needs=(step.id,),
        )
        for step in steps
    ]
    (workflow,) = emitted(app_of(*steps, *after))
    ran = run_on_act(project, workflow, scratch=scratch)
    assert ran.failed
    left = {file.name: file.read_text(encoding="utf-8") for file in marks.iterdir()}
    assert {name: len(text) for name, text in left.items() if name in CODES} == ATTEMPTS
    ended_well = {name.removeprefix("after-") for name in left if name.startswith("after-")}
    assert ended_well == SUCCEEDS


@pytest.mark.parametrize(
    ("store", "native", "says"),
    [
        (None, {}, "there is none"),
        ("file:store", {}, "do not share"),
        ("file:///srv/ml", {}, "is gone when a runner hosted by GitHub ends"),
        ("file:///srv/ml", {"github-actions": {"runs-on": "self-hosted"}}, ""),
        ("gs://bucket", {}, ""),
    ],
)
def test_store__must_outlive_a_runner(
    store: str | None, native: dict[str, object], says: str
) -> None:
    app = app_of(tells("told", Kind.REGISTER), store=store, native=native)
    result = BACKEND.lower((app,), LowerOptions())
    found = [d for d in result.diagnostics if d.is_error]
    assert [d.code.id for d in found] == (["ML096"] if says else [])
    assert not says or says in found[0].message


@pytest.mark.parametrize(("store", "warned"), [(None, 1), ("file:store", 1), ("gs://bucket", 0)])
def test_store__that_nobody_shares_is_enough_to_judge_a_pull_request(
    store: str | None, warned: int
) -> None:
    app = app_of(tells("judge", Kind.GATE), store=store)
    result = BACKEND.lower((app,), LowerOptions())
    assert not [d for d in result.diagnostics if d.is_error]
    said = [d for d in result.diagnostics if "without a champion to compare" in d.message]
    assert len(said) == warned


def test_approval__that_the_step_counts_itself_is_one_environment() -> None:
    asked = (Approval(role="ads", count=2),)
    (workflow,) = emitted(app_of(tells("approve", Kind.APPROVE, approvals=asked)))
    assert "environment: ads" in workflow.text


def test_install__only_when_it_is_asked_for() -> None:
    app = app_of(tells("told"), Step(id="own", action=Argv(words=(literal("true"),))))
    plain = emitted(app)[0].text
    assert "Install mlspec" not in plain
    assert "Needs mlspec with its `runtime` extra" in plain
    words = ["mlspec[runtime]==1.2", "-r", "requirements.txt"]
    text = emitted(app, settings={"mlspec": words})[0].text
    assert text.count("install --quiet 'mlspec[runtime]==1.2' -r requirements.txt") == 1
    assert "Needs mlspec" not in text
