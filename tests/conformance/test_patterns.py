"""The patterns on real engines: the same verdicts, registry state and audit entries as `mlspec run`.

Airflow's approval is answered through its API; act models no approvals, so that a run there stays
pending, as it must without a signed statement. Digests differ between runs (a package says which
run made it), so what is compared is everything else.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support import act_runner, airflow_harness
from tests.support.patterns import Project, copy_of

pytest.importorskip("sklearn")
pytest.importorskip("skops")

BIN = Path(sys.executable).parent
ENVIRONMENT = """
defaults: {native: {github-actions: {runs-on: self-hosted}}}
environments:
  dev: {store: "file://STORE"}
"""


@pytest.fixture(autouse=True, scope="module")
def programs_first_on_path(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("MLSPEC_ENGINES", str(airflow_harness.engines()))
        yield


def placed(example: str, folder: Path) -> Project:
    """A copy of an example whose store every engine can reach."""
    project = copy_of(example, folder)
    spec = project.folder / "mlspec.yaml"
    text = ENVIRONMENT.replace("STORE", str(project.folder / ".mlspec" / "store"))
    spec.write_text(spec.read_text(encoding="utf-8") + text, encoding="utf-8")
    return project


def state_of(project: Project) -> list[tuple[str, ...]]:
    """Versions with their states and aliases, without digests and times."""
    told = project.run("versions", "--env", "dev")
    return re.findall(r"^(\S+@\d+) +(\S+) +(\S*)", told, re.MULTILINE)


def judged(project: Project) -> list[tuple[object, ...]]:
    """What the gate found, as the registry keeps it: checks, estimates and bounds, to the bit."""
    keys = ("check", "verdict", "estimate", "lower", "upper", "n")
    (place,) = project.store.glob("registry/dev/models/ctr/attachments/1/verdict/*")
    verdict = json.loads(place.read_text(encoding="utf-8"))
    return [(verdict["verdict"],), *(tuple(c.get(k) for k in keys) for c in verdict["checks"])]


def audited(project: Project) -> list[tuple[object, ...]]:
    """Audit entries without times, digests, runs and the people that engines name differently.

    Where a button of the engine asks, no request of ours is needed: those are left out.
    """
    return [
        (one["action"], one["subject"]["name"], one["environment"], one["outcome"], one["data"])
        for one in project.audit()
        if one["action"] != "request"
    ]


def on_act(example: str, folder: Path) -> tuple[Project, bool]:
    """Compile an example, run its workflow on act; return the copy and whether the run failed."""
    project = placed(example, folder)
    project.run("compile", "--target", "github-actions")
    act_runner.make_project(project.folder)
    (text,) = (project.folder / ".github" / "workflows").glob("*.yml")
    scratch = folder / "scratch"
    scratch.mkdir()
    # act knows one label; it runs on this machine, whose disk outlives the jobs.
    told = text.read_text("utf-8").replace("runs-on: self-hosted", "runs-on: ubuntu-latest")
    workflow = act_runner.Artifact(
        path="w.yml", text=told, target="github-actions", kind="workflow"
    )
    return project, act_runner.run_on_act(project.folder, workflow, scratch=scratch).failed


def same(project: Project, local: Project) -> None:
    assert judged(project) == judged(local)
    assert state_of(project) == state_of(local)
    assert audited(project) == audited(local)


@pytest.mark.engine("act")
def test_b_retraining__github_actions(tmp_path):
    local = placed("b_retraining", tmp_path / "local")
    local.run("run", "models.ctr", "--env", "dev")
    project, failed = on_act("b_retraining", tmp_path)
    assert not failed
    same(project, local)


@pytest.mark.engine("act")
def test_d_ensemble__github_actions_waits_for_a_signed_approval(tmp_path):
    local = placed("d_ensemble", tmp_path / "local")
    local.run("run", "models.ctr", "--env", "dev", "--no-wait", code=12)
    project, failed = on_act("d_ensemble", tmp_path)
    assert failed  # pending: the approve job ends with 12, and nothing is promoted
    same(project, local)
    assert "ctr@1" in project.run("approvals")


@pytest.mark.engine("airflow")
@pytest.mark.parametrize("example", ["c_approval", "d_ensemble"])
def test_approved__airflow(example, tmp_path):
    local = placed(example, tmp_path / "local")
    local.run("run", "models.ctr", "--env", "dev", "--no-wait", code=12)
    local.run("approve", "ctr@1", "--env", "dev", "--as", "olga")
    local.run("run", "--resume", "--env", "dev", "--no-wait")

    project = placed(example, tmp_path / "airflow")
    (project.folder / "people.yaml").write_text(
        'teams:\n  "@acme/ads-ops": [olga, Anonymous]\n  "@acme/ads-ds": [dana]\n'
    )
    project.run("compile", "--target", "airflow")
    job = airflow_harness.Job(dag_id="ad-ctr_model-ctr", answers={"approve__approve": "Approve"})
    done = airflow_harness.run(project.folder, [job], timeout=500)
    assert done[job.dag_id].state == "success", done
    same(project, local)
    (answer,) = (one["actor"] for one in project.audit() if one["action"] == "approve")
    assert answer == {"issuer": "airflow", "role": "ad-operations", "subject": "Anonymous"}
