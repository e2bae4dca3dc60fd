"""Names on Airflow: the one injective table from ids of the spec to ids of tasks.

A task's id is also its variable in the DAG file (ruff AIR001 asks for that): dashes become
underscores, and what Python or the file itself uses gets one underscore at the end. Ids of the
spec hold no underscore and end in none, so the way back is `rstrip("_")` and dashes again; the
support module relies on it for its folders.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from mlspec.backends.airflow.model import Dag, StepTask
from mlspec.diagnostics.codes.targets import NAME_CLASH, NAME_TOO_LONG
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Pipeline

LONGEST = 250
"""Airflow's columns `dag_id` and `task_id` (airflow/models/base.py ID_LEN, 3.3.2)."""

TAKEN = frozenset({"as_env", "backoff", "k8s", "literal", "pipeline", "timedelta", "verdict"})
"""Lower-case names that a DAG file has besides its tasks."""


def task_id(step_id: str) -> str:
    """Return the id, and the variable, of a step's task."""
    name = step_id.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) or name in TAKEN else name


def module_name(app: str) -> str:
    """Return the name of the module with run-time support."""
    return f"{app.replace('-', '_')}_steps"


def check_names(dag: Dag, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Report ids that are too long, and ids that two tasks or instances of tasks share."""
    places = {task_id(step.id): step.at for step in pipeline.all_steps}
    seen: set[str] = set()
    for task in dag.tasks:
        at = places.get(task.id, pipeline.at)
        if task.id in seen:
            yield Diagnostic(
                code=NAME_CLASH,
                message=f"two tasks of `{pipeline.id}` are called `{task.id}` on Airflow",
                at=at,
                help=("rename the step",),
            )
        seen.add(task.id)
    for task in dag.tasks:
        if isinstance(task, StepTask) and task.rows is not None:
            taken = sorted(
                other
                for other in seen
                if other.startswith(f"{task.id}_") and other[len(task.id) + 1 :].isdigit()
            )
            for other in taken:
                yield Diagnostic(
                    code=NAME_CLASH,
                    message=f"Airflow calls the instances of `{task.id}` "
                    f"`{task.id}_0`, `{task.id}_1`, …; `{other}` could be one of them",
                    at=places.get(other, pipeline.at),
                    help=("rename the step",),
                )
    for name in (dag.dag_id, *seen):
        if len(name) > LONGEST:
            yield Diagnostic(
                code=NAME_TOO_LONG,
                message=f"`{name}` is longer than the {LONGEST} characters of an Airflow id",
                at=places.get(name, pipeline.at),
                help=("give it a shorter name",),
            )
