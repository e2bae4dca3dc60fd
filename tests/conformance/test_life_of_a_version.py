"""Pattern (c) from end to end: run, ask, refuse, approve, go on, explain, train again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path):
    target = tmp_path / "project"
    shutil.copytree(ROOT / "examples" / "c_approval", target)
    return target


def mlspec(project: Path, *words: str, user: str = "dana") -> subprocess.CompletedProcess[str]:
    home = project.parent
    environ = {
        **os.environ,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "MLSPEC_ACTOR": user,
        "COLUMNS": "120",
    }
    return subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=300,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def git(project: Path, *words: str) -> str:
    names = ("-c", "user.name=Dana", "-c", "user.email=dana@acme.com")
    done = subprocess.run(
        ["git", *names, *words], cwd=project, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_version__from_run_to_champion_and_again(project):
    (project / ".gitignore").write_text(".mlspec/\n__pycache__/\n", encoding="utf-8")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "first")

    asked = mlspec(project, "run", "models.ctr")
    assert asked.returncode == 12, asked.stderr
    assert "mlspec approve ctr@1" in asked.stdout + asked.stderr
    people = (project / "people.yaml").read_text(encoding="utf-8")
    (project / "people.yaml").write_text(people.replace("[olga", "[dana, olga"), encoding="utf-8")
    own = mlspec(project, "approve", "ctr@1")
    assert own.returncode == 1
    assert "dana: they started the run, and four eyes are needed" in own.stderr
    (project / "people.yaml").write_text(people, encoding="utf-8")
    assert mlspec(project, "run", "--resume").returncode == 12

    said = mlspec(project, "approve", "ctr@1", "--reason", "numbers look right", user="olga")
    assert said.returncode == 0, said.stderr
    done = mlspec(project, "run", "--resume")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(mlspec(project, "versions", "--format", "json").stdout)["versions"]
    assert (row["version"], row["state"], row["aliases"]) == ("ctr@1", "champion", ["champion"])
    assert row["provenance"]["commit"] == git(project, "rev-parse", "HEAD")
    why = mlspec(project, "why", "ctr").stdout
    assert "log_loss < baseline" in why
    assert "approved by olga (ad-operations)" in why
    assert mlspec(project, "audit", "verify").returncode == 0

    # The code changes; what made the version is still in the history.
    code = project / "ctr" / "train.py"
    code.write_text("raise SystemExit('broken')\n", encoding="utf-8")
    git(project, "commit", "-q", "-am", "second")
    again = mlspec(project, "reproduce", "ctr@1", "--format", "json")
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert told["reproduced"] is True
    assert {"predictions", "data clicks", "metric log_loss"} <= {
        one["what"] for one in told["compared"]
    }
    assert git(project, "worktree", "list").count("\n") == 0, "nothing is left behind"
    assert len(json.loads(mlspec(project, "versions", "--format", "json").stdout)["versions"]) == 1
