"""Compiles applications for Airflow and runs them on the real engine, in its own environment.

Many DAGs share one process: `airflow_harness_run.py` builds one `DagBag` and calls `dag.test()`
for each job. `PYTHONDONTWRITEBYTECODE` must not be set, or importing Airflow takes 5 seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlspec.backends.airflow import BACKEND
from mlspec.backends.base import LowerOptions
from mlspec.ir.model import Application

RUNNER = Path(__file__).with_name("airflow_harness_run.py")
ROOT = Path(__file__).resolve().parents[2]


def engines() -> Path:
    """Return the folder of `tests/engines/install.sh`."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("MLSPEC_ENGINES", f"{cache}/mlspec-engines"))


def airflow_python() -> Path:
    """Return the interpreter of Airflow's environment."""
    return engines() / "airflow" / "bin" / "python"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of one DAG.

    Attributes:
        answers: by approval task, `Approve` or `Reject`; None: there are no approvals.
    """

    dag_id: str
    conf: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of a job: the run's state and the states of its tasks (`id` or `id_index`)."""

    state: str
    tasks: Mapping[str, str]
    run_id: str

    @property
    def failed(self) -> bool:
        """The verdict."""
        return self.state == "failed"


def renamed(app: Application, name: str, store: str = "file:../store") -> Application:
    """Return an application under another name, with a store beside the project."""
    return replace(app, name=name, environment=replace(app.environment, store=store))


def write(apps: Sequence[Application], folder: Path, **settings: Any) -> list[Path]:
    """Compile applications one by one into `folder`; the project is `folder/project`."""
    options = LowerOptions(project_path="project", settings=settings)
    written = []
    for app in apps:
        lowered = BACKEND.lower((app,), options)
        assert lowered.value is not None, lowered.diagnostics
        for artifact in BACKEND.emit(lowered.value):
            path = folder / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(artifact.text, encoding="utf-8")
            written.append(path)
    (folder / "project").mkdir(exist_ok=True)
    return written


def airflow_env(folder: Path) -> dict[str, str]:
    """Return the environment of an Airflow process whose DAGs are in `folder/dags`."""
    home = folder / "airflow-home"
    if not home.exists():
        home.mkdir(parents=True)
        shutil.copy(engines() / "airflow-home" / "airflow.db", home / "airflow.db")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH") and "MLSPEC" not in name
    }
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "NO_COLOR": "1",
        "PYTHONHASHSEED": "0",
    }


def run(folder: Path, jobs: Sequence[Job], timeout: float = 900) -> dict[str, Ran]:
    """Run jobs in one Airflow process; the results by DAG id.

    Raises:
        AssertionError: when the process fails or a DAG does not import; holds its last output.
    """
    asked = folder / "jobs.json"
    told = folder / "results.json"
    asked.write_text(
        json.dumps(
            {
                "dags": str(folder / "dags"),
                "results": str(told),
                "jobs": [
                    {
                        "dag_id": job.dag_id,
                        "conf": dict(job.conf),
                        "env": dict(job.env),
                        "answers": dict(job.answers) if job.answers is not None else None,
                    }
                    for job in jobs
                ],
            }
        ),
        encoding="utf-8",
    )
    log = folder / "airflow.log"
    with log.open("wb") as output:
        ended = subprocess.run(
            [airflow_python(), RUNNER, asked],
            env=airflow_env(folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    tail = log.read_text(encoding="utf-8", errors="replace")[-6000:]
    assert ended.returncode == 0, f"{log}:\n{tail}"
    return {
        one["dag_id"]: Ran(state=one["state"], tasks=one["tasks"], run_id=one["run_id"])
        for one in json.loads(told.read_text(encoding="utf-8"))
    }
