"""The real scheduler with LocalExecutor: order under concurrency, locks, asset schedules."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.ir.model import (
    Application,
    DataInput,
    DataSet,
    Environment,
    Output,
    Pipeline,
    Script,
    Step,
    Triggers,
)
from mlspec.ir.values import Namespace, Ref, literal
from tests.support.airflow_harness import airflow_env, airflow_python, renamed, write
from tests.support.graphs import TRAPS, problems, random_application, read_events

pytestmark = [pytest.mark.engine("airflow"), pytest.mark.slow]

SEEDS = range(1000, 1000 + int(os.environ.get("MLSPEC_SCHEDULER_GRAPHS", "8")))
CHOSEN = (
    "early-block-starts-all-done-early",
    "early-skip-hides-later-failure",
    "matrix-with-one-failing-instance",
    "one-success-waits-for-slow-need",
    "run-time-matrix",
    "run-time-matrix-empty",
)
AT_A_TIME = 4
"""Runs that go on at the same time."""

PATIENCE = float(os.environ.get("MLSPEC_SCHEDULER_SECONDS", "900"))


@dataclass
class Server:
    """A running Airflow."""

    url: str
    token: str = ""

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the REST API."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def until(self, what: str, found: Any) -> Any:
        """Wait until a function returns something."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if (value := found()) is not None:
                    return value
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(1)
        raise AssertionError(f"waited too long for {what}")

    def start(self, dag_id: str) -> bool:
        """Start one run, however often it is asked for."""
        try:
            body = {"dag_run_id": "run", "logical_date": None}
            self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
        except urllib.error.HTTPError as error:
            if error.code != 409:  # 409: an earlier request did arrive
                raise
        return True

    def ended(self, dag_id: str) -> list[str] | None:
        """Return the states of a DAG's runs once there is one and all have ended."""
        runs = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
        states = [run["state"] for run in runs]
        done = states and all(state in ("success", "failed") for state in states)
        return states if done else None


def graphs() -> dict[str, Application]:
    found = {f"g{seed}": random_application(seed, sleep=0.6) for seed in SEEDS}
    return {**found, **{name: TRAPS[name] for name in CHOSEN}}


def with_events(app: Application, name: str, events: Path) -> Application:
    """Give every step the file to write to: all DAGs share one environment here."""
    (pipeline,) = renamed(app, name).pipelines
    env = (("MLSPEC_TEST_EVENTS", literal(str(events))),)
    final = replace(pipeline.final, env=env) if pipeline.final is not None else None
    steps = tuple(replace(step, env=env) for step in pipeline.steps)
    return replace(renamed(app, name), pipelines=(replace(pipeline, steps=steps, final=final),))


def locked(events: Path) -> Application:
    text = f"echo s >> {events}\nsleep 1\necho e >> {events}\n"
    steps = tuple(
        Step(id=name, action=Script(text=text), lock="gpu") for name in ("one", "two", "three")
    )
    return Application(name="locks", pipelines=(Pipeline(id="p", steps=steps),))


def chained() -> Application:
    make = Step(
        id="make",
        action=Script(text="echo 1 > out/sales"),
        outputs=(Output(name="o", path="out/sales", data="sales"),),
    )
    use = Step(
        id="use",
        action=Script(
            text='cp "$MLSPEC_INPUTS_SALES" out/copy', refs=(Ref(Namespace.INPUTS, "sales"),)
        ),
        inputs=(DataInput(name="sales", data="sales"),),
        outputs=(Output(name="o", path="out/copy"),),
    )
    pipelines = (
        Pipeline(id="make", steps=(make,)),
        Pipeline(id="use", steps=(use,), triggers=Triggers(data=("sales",))),
    )
    environment = Environment(store="file:../store")
    return Application(
        name="chain", environment=environment, data=(DataSet(id="sales"),), pipelines=pipelines
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scheduler")
    apps = [with_events(app, name, made / f"{name}.events") for name, app in graphs().items()]
    write([*apps, locked(made / "locks.events"), chained()], made)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = airflow_env(folder) | {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "3",
        # On a busy machine a task that waits 5 s for the server would fail before it starts.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": "1",
    }
    env["PATH"] = f"{airflow_python().parent}:{env['PATH']}"
    airflow = airflow_python().with_name("airflow")
    subprocess.run(
        [airflow, "pools", "import", folder / "pools" / "locks.json"],
        env=env,
        check=True,
        capture_output=True,
        timeout=300,
    )
    with (folder / "standalone.log").open("wb") as log:
        process = subprocess.Popen(
            [airflow, "standalone"],
            env=env,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        made = Server(url)
        try:
            token = made.until("the server", lambda: made.call("GET", "/auth/token"))
            made.token = token["access_token"]
            yield made
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def test_scheduler__graphs_locks_and_assets(server: Server, folder: Path) -> None:
    apps = graphs()
    wanted = [*(f"{name}_p" for name in apps), "locks_p", "chain_make", "chain_use"]

    def known() -> bool | None:
        found = server.call("GET", "/api/v2/dags?limit=100")["dags"]
        return True if {dag["dag_id"] for dag in found} >= set(wanted) else None

    server.until("all DAGs", known)
    states: dict[str, list[str]] = {}
    for first in range(0, len(wanted), AT_A_TIME):
        some = wanted[first : first + AT_A_TIME]
        for dag_id in some:
            if dag_id != "chain_use":  # its asset starts it
                server.until(f"a run of {dag_id}", lambda dag_id=dag_id: server.start(dag_id))
        for dag_id in some:
            states[dag_id] = server.until(dag_id, lambda dag_id=dag_id: server.ended(dag_id))
    wrong = {}
    for name, app in apps.items():
        found = problems(
            app, read_events(folder / f"{name}.events"), states[f"{name}_p"] == ["failed"]
        )
        if found:
            wrong[name] = found
    assert wrong == {}
    assert states["locks_p"] == ["success"]
    assert (folder / "locks.events").read_text().split() == ["s", "e"] * 3
    assert states["chain_use"] == ["success"]
    (copy,) = (folder / "store" / "chain" / "runs" / "use").glob("*/use/o/copy")
    assert copy.read_text() == "1\n"
