"""Runs in Airflow's environment: every job of a file through `dag.test()`.

Usage: python airflow_harness_run.py JOBS.json (see `airflow_harness.run`). Imports nothing of
mlspec.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
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
    from airflow.utils.session import create_session
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    before = dict(os.environ)
    os.environ.update(job["env"])
    if job["answers"]:
        answering = threading.Thread(target=_answer, args=(dag.dag_id, job["answers"]), daemon=True)
        answering.start()
    try:
        run = dag.test(run_conf=job["conf"] or None)
    finally:
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


def _answer(dag_id: str, answers: dict[str, str]) -> None:
    """Answer approvals through the API as soon as they wait."""
    from airflow.api_fastapi.app import create_app
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from fastapi.testclient import TestClient
    from sqlalchemy import select

    client = TestClient(create_app(apps="core"), base_url="http://testserver")
    token = client.get("/auth/token").json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    left = {task: answer for task, answer in answers.items() if answer}
    while left:
        time.sleep(0.2)
        with create_session() as session:
            waiting = session.execute(
                select(TaskInstance.task_id, TaskInstance.run_id).where(
                    TaskInstance.dag_id == dag_id,
                    TaskInstance.state.in_(["awaiting_input", "deferred"]),
                )
            ).all()
        for task, run_id in waiting:
            if task in left:
                answer = client.patch(
                    f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/-1/hitlDetails",
                    json={"chosen_options": [left.pop(task)], "params_input": {}},
                )
                print(f"answered {task}: {answer.status_code} {answer.text[:300]}")


if __name__ == "__main__":
    sys.exit(main())
