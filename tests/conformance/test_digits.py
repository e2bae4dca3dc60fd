"""The same spec, real data and ordinary scripts: every engine must leave the same metrics, byte for byte.

The reference is `mlspec run`. scikit-learn comes from the environment of the tests, which stands
first on every engine's PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support import act_runner, airflow_harness
from tests.support.dvc import DvcProject

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "digits"
BIN = Path(sys.executable).parent
STEPS = ("evaluate", "choose")

pytest.importorskip("sklearn")


@pytest.fixture(autouse=True, scope="module")
def programs_first_on_path():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        yield


def project(folder: Path) -> Path:
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".mlspec", "out"))
    return folder


def mlspec(*words: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr


def from_store(folder: Path) -> dict[str, bytes]:
    (run,) = (folder / ".mlspec" / "store" / "digits" / "runs" / "train").iterdir()
    return {step: (run / step / "metrics.json").read_bytes() for step in STEPS}


@pytest.fixture(scope="module")
def reference(tmp_path_factory, programs_first_on_path):
    folder = project(tmp_path_factory.mktemp("digits") / "local")
    mlspec("run", cwd=folder)
    return from_store(folder)


@pytest.mark.engine("airflow")
def test_digits__airflow(tmp_path, reference):
    folder = project(tmp_path / "digits")
    mlspec("compile", "--target", "airflow", cwd=folder)
    ran = airflow_harness.run(folder, [airflow_harness.Job(dag_id="digits_train")])
    assert ran["digits_train"].state == "success"
    assert from_store(folder) == reference


@pytest.mark.engine("act")
def test_digits__github_actions(tmp_path, reference):
    folder = project(tmp_path / "digits")
    mlspec("compile", "--target", "github-actions", cwd=folder)
    act_runner.make_project(folder)
    (text,) = (folder / ".github" / "workflows").glob("*.yml")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    workflow = act_runner.Artifact(
        path="w.yml", text=text.read_text("utf-8"), target="github-actions", kind="workflow"
    )
    ran = act_runner.run_on_act(folder, workflow, scratch=scratch)
    assert not ran.failed, ran.log
    found = {step: metrics_of(scratch / "artifacts" / step) for step in STEPS}
    assert found == reference


def metrics_of(artifact: Path) -> bytes:
    """Metrics lie beside the packed outputs of a step's artifact."""
    (path,) = artifact.rglob("metrics.json")
    assert tarfile.is_tarfile(next(artifact.rglob("*.tar")))
    return path.read_bytes()


@pytest.mark.engine("dvc")
def test_digits__dvc(tmp_path, reference):
    folder = project(tmp_path / "digits")
    mlspec("compile", "--target", "dvc", cwd=folder)
    ran = DvcProject(folder).repro()
    assert ran.code == 0, ran.output
    paths = {"evaluate": "out/evaluation.json", "choose": "out/best-metrics.json"}
    assert {step: (folder / path).read_bytes() for step, path in paths.items()} == reference
