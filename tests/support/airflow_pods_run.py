"""Runs in Airflow's environment: prints the pods of a DAG, after the hooks, without a cluster.

Usage: python airflow_pods_run.py DAGS RESULT.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def main() -> int:
    """Build every pod, with all steps before it successful."""
    folder, result = sys.argv[1:]
    sys.path.insert(0, folder)
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(folder)
    if bag.import_errors:
        print(bag.import_errors)
        return 1
    (dag,) = bag.dags.values()
    made = {}
    for task in dag.tasks:
        if task.is_mapped and task.operator_name == "KubernetesPodOperator":
            for index in range(2):
                made[f"{task.task_id}_{index}"] = pod_of(dag, task, index)
        elif task.task_type == "KubernetesPodOperator":
            made[task.task_id] = pod_of(dag, task, -1)
    Path(result).write_text(json.dumps({"pods": made}), encoding="utf-8")
    return 0


def pod_of(dag: Any, task: Any, index: int) -> dict[str, Any]:
    """Return the pod of a task instance as Kubernetes would get it."""
    from kubernetes.client import ApiClient

    states = {t.task_id: "success" for t in dag.tasks if not t.is_mapped}
    states |= {f"{t.task_id}_{n}": "success" for t in dag.tasks if t.is_mapped for n in (0, 1)}
    instance = SimpleNamespace(
        task_id=task.task_id,
        dag_id=dag.dag_id,
        run_id="run",
        try_number=1,
        map_index=index,
        get_task_states=lambda **_: {"run": states},
    )
    context: dict[str, Any] = {
        "ti": instance,
        "task_instance": instance,
        "task": task,
        "dag": dag,
        "params": {},
        "dag_run": SimpleNamespace(),
    }
    if index >= 0:
        kwargs, _ = task._expand_mapped_kwargs(context)
        task = context["task"] = task.unmap(kwargs)
    task.render_template_fields(context)
    task._pre_execute_hook(context)
    pod = ApiClient().sanitize_for_serialization(task.build_pod_request_obj())
    for container in pod["spec"]["containers"]:
        for variable in container["env"]:
            if variable["name"] == "MLSPEC_FILES":
                publish(json.loads(variable["value"]))
    return pod


def publish(items: list[dict[str, str]]) -> None:
    """Put something where the pod would put its outputs, for the steps that need them."""
    for item in items:
        path = Path(item["to"].split("://")[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
