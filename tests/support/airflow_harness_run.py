"""Runs in Airflow's environment: every job of a file through `dag.test()`.

Usage: python airflow_harness_run.py JOBS.json (see `airflow_harness.run`). Imports nothing of
mlspec.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any


def main() -> int:
    """Run all jobs; exit 1 when a DAG file does not import."""
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.path.insert(0, asked["dags"])
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(asked["dags"])
    if bag.import_errors:
        print("\n".join(f"{path}: {error}" for path, error in bag.import_errors.items()))
        return 1
    results = [_run(bag.dags[job["dag_id"]], job) for job in asked["jobs"]]
    Path(asked["results"]).write_text(json.dumps(results), encoding="utf-8")
    return 0


def _run(dag: Any, job: dict[str, Any]) -> dict[str, Any]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    before = dict(os.environ)
    os.environ.update(job["env"])
    ended = threading.Event()
    if job["answers"] is not None:
        waiter = threading.Thread(target=_attend, args=(dag.dag_id, job["answers"], ended))
        waiter.start()
    try:
        run = dag.test(run_conf=job["conf"] or None)
    finally:
        ended.set()
        os.environ.clear()
        os.environ.update(before)
    with create_session() as session:
        rows = session.execute(
            select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state).where(
                TaskInstance.dag_id == dag.dag_id, TaskInstance.run_id == run.run_id
            )
        ).all()
    return {
        "dag_id": dag.dag_id,
        "run_id": run.run_id,
        "state": str(getattr(run.state, "value", run.state)),
        "tasks": {
            (task if index < 0 else f"{task}_{index}"): str(getattr(state, "value", state))
            for task, index, state in rows
        },
    }


def _attend(dag_id: str, answers: dict[str, str], ended: threading.Event) -> None:
    """Answer approvals through the API as soon as they wait, and end those that wait too long."""
    try:
        _answer(dag_id, dict(answers), ended)
    except BaseException:  # noqa: BLE001  whatever it is, the run would wait for ever
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(3)


def _answer(dag_id: str, left: dict[str, str], ended: threading.Event) -> None:
    from airflow.api_fastapi.app import create_app
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from fastapi.testclient import TestClient
    from sqlalchemy import select

    scheduler = SchedulerJobRunner(job=Job(), executors=[])
    client = TestClient(create_app(apps="core"), base_url="http://testserver")
    token = client.get("/auth/token").json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    while not ended.wait(0.3):
        with create_session() as session:
            waiting = session.execute(
                select(TaskInstance.task_id, TaskInstance.run_id).where(
                    TaskInstance.dag_id == dag_id,
                    TaskInstance.state == "awaiting_input",
                )
            ).all()
        for task, run_id in waiting:
            if task in left:
                place = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/-1"
                body = {"chosen_options": [left.pop(task)], "params_input": {}}
                answer = client.patch(f"{place}/hitlDetails", json=body)
                print(f"answered {task}: {answer.status_code} {answer.text[:300]}")
        with create_session() as session:
            scheduler.check_awaiting_input_timeouts(session=session)


if __name__ == "__main__":
    sys.exit(main())
