"""A model from rows to champion on real engines: every derived step is the real program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlspec.emit.artifact import Artifact
from tests.support.act_runner import make_project, run_on_act
from tests.support.airflow_harness import Job, run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OURS = str(Path(sys.executable).parent)
"""Where `mlspec` is, and what the example imports."""

pytestmark = pytest.mark.slow


def _project(name: str, folder: Path, more: str) -> Path:
    shutil.copytree(EXAMPLES / name, folder)
    spec = folder / "mlspec.yaml"
    spec.write_text(spec.read_text(encoding="utf-8") + more, encoding="utf-8")
    return spec


def _mlspec(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _actions(store: Path) -> list[dict[str, Any]]:
    text = (store / "ad-ctr" / "audit" / "log.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.engine("airflow")
def test_airflow__its_button_approves_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _project(
        "c_approval",
        tmp_path / "project",
        'environments:\n  dev: {store: "file:../store"}\ntargets: {pipelines: {kind: airflow}}\n',
    )
    people = spec.with_name("people.yaml")
    text = people.read_text(encoding="utf-8")
    assert "omar]" in text
    # The user of Airflow's test client.
    people.write_text(text.replace("omar]", "omar, Anonymous]"), encoding="utf-8")
    _mlspec("compile", "-f", str(spec.parent), "-o", str(tmp_path))
    monkeypatch.setenv("PATH", f"{OURS}{os.pathsep}{os.environ['PATH']}")
    dag = "ad-ctr_model-ctr"
    ran = run(tmp_path, [Job(dag_id=dag, answers={"approve__approve": "Approve"})])[dag]
    assert ran.state == "success", ran
    told = {one["action"]: one for one in _actions(tmp_path / "store")}
    assert told["approve"]["actor"] == {
        "issuer": "airflow",
        "role": "ad-operations",
        "subject": "Anonymous",
    }
    assert told["promote"]["outcome"] == "champion"


@pytest.mark.engine("act")
def test_act__a_model_becomes_the_champion(tmp_path: Path) -> None:
    store = tmp_path / "store"
    project = tmp_path / "project"
    spec = _project(
        "b_retraining",
        project,
        f'environments:\n  dev:\n    store: "{store.as_uri()}"\n'
        "    native: {github-actions: {runs-on: ubuntu-latest}}\n"
        "targets: {pipelines: {kind: github-actions}}\n",
    )
    _mlspec("compile", "-f", str(spec.parent), "-o", str(project))
    (file,) = (project / ".github" / "workflows").iterdir()
    workflow = Artifact(
        path=file.name, text=file.read_text(encoding="utf-8"), target="github-actions", kind="w"
    )
    make_project(project)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = f"{OURS}{os.pathsep}{os.environ['PATH']}"
    ran = run_on_act(project, workflow, scratch=scratch, path=path)
    assert not ran.failed, ran.log[-6000:]
    told = {one["action"]: one for one in _actions(store)}
    assert told["promote"]["outcome"] == "champion"
    assert told["promote"]["actor"]["subject"] == "nektos/act"
