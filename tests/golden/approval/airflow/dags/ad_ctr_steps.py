"""What the DAGs beside this file need at run time besides Airflow itself.

Generated together with the DAGs; do not edit. Nothing in here runs when a DAG file is parsed,
except that `Pipeline.step` and its siblings put hooks together.

A step's task does, in this order:

1. `pre_execute`: looks at how the needed steps ended (`join`), then at `when`, then at who
   approved. If the step must not run, it ends as skipped or failed right here. Otherwise it makes
   a fresh workspace that looks like the project folder, brings the inputs, and sets the
   `MLSPEC_*` variables that the step uses.
2. The operator runs the command in the workspace.
3. `post_execute`: every declared output must exist; outputs and metrics go to the store, under
   `<store>/<app>/runs/<pipeline>/<run id>/<step>[/<combination>]/`. A step that failed publishes
   nothing.

Works with Airflow 3.1 and newer; a store that is no local folder goes through
`ObjectStoragePath` and needs the provider of its scheme.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

Row = dict[str, str]
"""One combination of a matrix: key and value, in the order of the keys."""

MATRIX = "MLSPEC_MATRIX_"
BAD = ("failed", "upstream_failed")
MANY = 50
"""Up to so many tasks are asked for by name; beyond, all states of the run are read at once."""


# ------------------------------------------------------------------ what a DAG file says


@dataclass(frozen=True)
class Metric:
    """A condition on a number in the metrics file of a step."""

    step: str
    name: str
    is_: str
    value: float


@dataclass(frozen=True)
class RunParam:
    """A condition on a run parameter, compared as text."""

    name: str
    is_: str
    value: str


@dataclass(frozen=True)
class Repo:
    """An input: a file or folder of the project."""

    path: str


@dataclass(frozen=True)
class FromStep:
    """An input: what a step published; absent (an empty variable) if it published nothing."""

    step: str
    path: str


@dataclass(frozen=True)
class Partner:
    """An input: what the instance with the same combination of another matrix published.

    Attributes:
        keys: the keys of the other matrix, in its order.
    """

    step: str
    path: str
    keys: Sequence[str]


@dataclass(frozen=True)
class Folder:
    """An input: a folder with one entry for each combination of a matrix that published it.

    Attributes:
        rows: the combinations, or the id of the task that made them at run time.
    """

    step: str
    path: str
    rows: Sequence[Row] | str


@dataclass(frozen=True, kw_only=True)
class Data:
    """An input: the current version of a data set, as a path or as an address.

    Attributes:
        source: address of data that is not kept in the store, or a path of the project.
    """

    name: str
    source: str | None = None
    as_uri: bool = False


@dataclass(frozen=True)
class NewVersion:
    """An output that is also a new version of a data set.

    Attributes:
        source: where the data set is, if it is not kept in the store.
        as_uri: the step gets an address, and writes there itself.
    """

    path: str
    data: str
    source: str | None = None
    as_uri: bool = False


Condition = Metric | RunParam
Input = Repo | FromStep | Partner | Folder | Data
Output = str | NewVersion


@dataclass(frozen=True)
class Ref:
    """A place in an environment variable's text that is filled in when the step runs."""

    name: str


def as_env(
    rows: Sequence[Row], env: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """Return one environment for each combination, for `expand(env=...)`.

    Airflow renders the values as Jinja; those that hold any are written so that Jinja returns
    them unchanged.
    """
    return [
        {
            name: _not_a_template(value)
            for name, value in (
                *(env or {}).items(),
                *((f"{MATRIX}{key.upper()}", value) for key, value in row.items()),
            )
        }
        for row in rows
    ]


def _not_a_template(text: str) -> str:
    plain = not re.search(r"\{[{%#]|[\r\n]|\.(sh|bash)\Z", text)
    if plain:
        return text
    escaped = "".join(
        c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text
    )
    return '{{ "' + escaped + '" }}'


def only_after(code: int, operator: type[Any]) -> type[Any]:
    """Return an operator whose tasks are tried again after one exit code only.

    Every other failure of the program is final, a timeout as well: exit codes of steps that
    mlspec derived are decisions, and a gate that says no would say it again.
    """
    try:
        from airflow.sdk.exceptions import AirflowTaskTimeout
    except ImportError:  # before Airflow 3.3
        from airflow.exceptions import AirflowTaskTimeout

    class OnlyAfter(operator):  # type: ignore[misc]  # the base is known at run time
        pod_ended_with: int | None = None

        def execute(self, context: Context) -> Any:
            try:
                return super().execute(context)
            except (AirflowFailException, AirflowSkipException):
                raise
            except AirflowTaskTimeout as error:
                self.on_kill()
                raise AirflowFailException("timed out") from error
            except AirflowException as error:
                if _exit_code(self) == code:
                    raise
                raise AirflowFailException(str(error)) from error

        def cleanup(self, pod: Any, remote_pod: Any, *more: Any, **named: Any) -> None:
            """Note how the pod ended before it is removed (KubernetesPodOperator)."""
            self.pod_ended_with = _pod_exit_code(self.pod_manager.read_pod(pod))
            super().cleanup(pod, remote_pod, *more, **named)

    OnlyAfter.__name__ = OnlyAfter.__qualname__ = operator.__name__
    return OnlyAfter


def _exit_code(task: Any) -> int | None:
    hook = vars(task).get("subprocess_hook")
    ended = getattr(hook, "sub_process", None)
    return task.pod_ended_with if ended is None else ended.returncode


def _pod_exit_code(pod: Any) -> int | None:
    """Return the exit code of the step's container: `step`, or the only one, `base`."""
    found = {
        status.name: status.state.terminated.exit_code
        for several in (
            pod.status.init_container_statuses,
            pod.status.container_statuses,
        )
        for status in several or ()
        if status.state and status.state.terminated
    }
    return found.get("step", found.get("base"))


def backoff(factor: float) -> Any:
    """Return `retry_exponential_backoff`; before Airflow 3.2 it can only double the delay."""
    return factor if _version(airflow_version) >= (3, 2) else True


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


# ------------------------------------------------------------------ the pipeline


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What the tasks of one DAG share.

    Attributes:
        app: name of the application.
        name: name of the pipeline.
        dag_file: `__file__` of the DAG.
        project: path from the DAG's folder to the project, unless MLSPEC_PROJECT says otherwise.
        store: address under which steps hand files to each other; empty: none do.
        floats: run parameters that are floating-point numbers.
        steps: all steps, in the order of the DAG.
    """

    app: str
    name: str
    dag_file: str
    project: str
    store: str = ""
    floats: Sequence[str] = ()
    steps: list[Step] = field(default_factory=list, repr=False, compare=False)

    def check(self, **asked: Any) -> dict[str, Any]:
        """Return the hook of a task that only decides whether a step may go on (`Check`)."""
        return {"pre_execute": Check(self, **asked).before}

    def gate(self, **asked: Any) -> Callable[..., None]:
        """Return the callable of a task that does nothing but check (`Check`)."""
        return Check(self, **asked).gate

    def run_time_matrix(self, **asked: Any) -> Callable[..., list[dict[str, str]]]:
        """Return the callable of a task that makes combinations (`RunTimeMatrix`)."""
        return RunTimeMatrix(self, **asked).rows_of_run

    def look(self, data: str, source: str) -> Callable[..., None]:
        """Return the callable of a task that skips unless a source has changed."""

        def look(**context: Any) -> None:
            del context
            above, last = self.outside(source)
            seen = (self.app, "data", data, "seen")
            found = above.fingerprint(last)
            if found is None or found == self.files().read(*seen):
                raise AirflowSkipException(f"nothing new in {data}")
            self.files().write(found, *seen)

        return look

    def step(self, **asked: Any) -> dict[str, Any]:
        """Return the hooks of a step's task (`Step`)."""
        made = Step(self, **asked)
        self.steps.append(made)
        return {
            "pre_execute": made.before,
            "post_execute": made.after,
            "on_failure_callback": made.clean,
            "on_retry_callback": made.clean,
        }

    def pod(self, **asked: Any) -> dict[str, Any]:
        """Return the hooks of a step's task that runs in a pod (`PodStep`)."""
        made = PodStep(self, **asked)
        self.steps.append(made)
        return {"pre_execute": made.before, "post_execute": made.after}

    def param(self, context: Context, name: str) -> str:
        """Return a run parameter as steps see it; 1 is 1.0 where it is a float."""
        value = context["params"][name]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return (
            repr(float(value)) if name in self.floats and is_number else text_of(value)
        )

    @property
    def folder(self) -> Path:
        """The project's folder on this worker."""
        told = os.environ.get("MLSPEC_PROJECT")
        return (
            Path(told)
            if told
            else (Path(self.dag_file).resolve().parent / self.project).resolve()
        )

    def run_folder(self, run_id: str) -> tuple[str, ...]:
        """Return where a run's files are in the store."""
        if run_id in (".", ".."):
            raise AirflowFailException(f"a run cannot be called {run_id!r}")
        return (self.app, "runs", self.name, run_id)

    def store_address(self) -> str:
        """Return the absolute address of the store."""
        store = self.store_given()
        folder = local_path(store, self.folder)
        return store if folder is None else folder.resolve().as_uri()

    def store_given(self) -> str:
        """Return the store of the spec, or the one that the deployment names."""
        store = self.store or os.environ.get("MLSPEC_STORE", "")
        if not store:
            raise AirflowFailException(
                "this pipeline was compiled without a store, and MLSPEC_STORE is not set"
            )
        return store

    def files(self) -> Store:
        """Return the store."""
        store = self.store_given()
        folder = local_path(store, self.folder)
        return ObjectStore(store) if folder is None else LocalStore(folder)

    def outside(self, address: str) -> tuple[Store, str]:
        """Return the store above any address or path of the project, and the last name."""
        path = local_path(address, self.folder)
        if path is not None:
            return LocalStore(path.parent), path.name
        above, _, last = address.rstrip("/").rpartition("/")
        return ObjectStore(above), last

    @property
    def products(self) -> frozenset[str]:
        """What any step of the pipeline writes, relative to its workspace."""
        return frozenset(path for step in self.steps for path in step.written())


def local_path(address: str, project: Path) -> Path | None:
    """Return the path that `file:...` or a path of the project means, None for others."""
    scheme, colon, rest = address.partition(":")
    if not colon or "/" in scheme or len(scheme) < 2:
        return project / address
    if scheme.lower() != "file":
        return None
    if rest.startswith("//"):
        rest = "/" + rest[2:].partition("/")[2]
    return project / unquote(rest)


# ------------------------------------------------------------------ joins and conditions

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def outcomes(context: Context, steps: Sequence[str] | None = None) -> dict[str, str]:
    """Return how steps ended: success, failed, upstream_failed or skipped.

    A mapped task is one step: failed if any instance failed, a success if all succeeded.
    """
    ti = context["ti"]
    few = list(steps) if steps is not None and len(steps) <= MANY else None
    found = ti.get_task_states(dag_id=ti.dag_id, task_ids=few, run_ids=[ti.run_id])
    groups: dict[str, set[str]] = {}
    for task_id, state in found.get(ti.run_id, {}).items():
        groups.setdefault(re.sub(r"_\d+\Z", "", task_id), set()).add(str(state))
    return {
        step: next(
            (
                state
                for state in ("failed", "upstream_failed", "skipped")
                if state in states
            ),
            "success" if states <= {"success", "removed"} else "running",
        )
        for step, states in groups.items()
        if steps is None or step in steps
    }


def run_status(context: Context, ignore: Sequence[str]) -> str:
    """Return `failed` if and only if a task that counts failed itself, else `success`."""
    return "failed" if _failed(context, ignore) else "success"


def verdict(ignore: Sequence[str], **context: Any) -> None:
    """Fail the run if and only if a task that counts failed itself (`ignore` never counts)."""
    failed = _failed(context, ignore)  # type: ignore[arg-type]  # Airflow passes all of it
    if failed:
        raise AirflowFailException("failed: " + ", ".join(failed))


def _failed(context: Context, ignore: Sequence[str]) -> list[str]:
    found = outcomes(context).items()
    return sorted(s for s, state in found if state == "failed" and s not in ignore)


class Check:
    """Decides, before a task runs, whether its step may go on.

    Args:
        pipeline: the pipeline.
        admitted: tasks that must have succeeded, or nothing may run.
        join: how the needed steps must have ended, where the trigger rule does not say it.
        needs: the needed steps.
        when: conditions, all of which must hold.
        approvals: approval tasks; different people must have answered them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        admitted: Sequence[str] = (),
        join: str | None = None,
        needs: Sequence[str] = (),
        when: Sequence[Condition] = (),
        approvals: Sequence[str] = (),
    ) -> None:
        self.pipeline = pipeline
        self.admitted = admitted
        self.join = join
        self.needs = needs
        self.when = when
        self.approvals = approvals

    def before(self, context: Context) -> None:
        """Raise AirflowSkipException or AirflowFailException if the step must not go on."""
        if self.admitted:
            ended = outcomes(context, self.admitted)
            if any(ended.get(task) != "success" for task in self.admitted):
                raise AirflowSkipException("nobody approved this environment")
        if self.join is not None:
            self._check_join([*outcomes(context, self.needs).values()])
        if self.when:
            self._check_when(context)
        if len(self.approvals) > 1:
            self._check_approvals(context)

    def gate(self, **context: Any) -> None:
        """Do the same as a task of its own."""
        self.before(context)  # type: ignore[arg-type]  # Airflow passes all of it

    def _check_join(self, ended: list[str]) -> None:
        bad = sum(state in BAD for state in ended)
        match self.join:
            case "all_success" if "skipped" in ended:
                raise AirflowSkipException("a needed step was skipped")
            case "one_failed" if not bad:
                raise AirflowSkipException("no needed step failed")
            case "all_failed" if bad < len(ended):
                raise AirflowSkipException("not all needed steps failed")
            case "one_success" if "success" not in ended and not bad:
                raise AirflowSkipException("all needed steps were skipped")
            case "one_success" if "success" not in ended:
                raise AirflowFailException(
                    "no needed step succeeded: what follows is blocked"
                )

    def _check_when(self, context: Context) -> None:
        held = True
        for condition in self.when:
            if isinstance(condition, RunParam):
                found: Any = self.pipeline.param(context, condition.name)
            else:
                found = self._metric(context, condition)
            held = COMPARE[condition.is_](found, condition.value) and held
        if not held:
            raise AirflowSkipException("its condition is false")

    def _metric(self, context: Context, condition: Metric) -> float:
        run = self.pipeline.run_folder(context["ti"].run_id)
        place = (*run, step_folder(condition.step), "metrics.json")
        succeeded = outcomes(context, [condition.step]).get(condition.step) == "success"
        text = self.pipeline.files().read(*place) if succeeded else None
        try:
            found = json.loads(text or "{}")[condition.name]
        except (ValueError, KeyError, TypeError):
            found = None
        if (
            isinstance(found, bool)
            or not isinstance(found, int | float)
            or math.isnan(found)
        ):
            raise AirflowFailException(
                f"no number: metric {condition.name} of {condition.step}"
            )
        return found

    def _check_approvals(self, context: Context) -> None:
        answers = context["ti"].xcom_pull(task_ids=list(self.approvals))
        people = [
            str((answer.get("responded_by_user") or {}).get("id")) for answer in answers
        ]
        if len(set(people)) < len(self.approvals):
            raise AirflowFailException("the same person approved more than once")


# ------------------------------------------------------------------ steps


class Step(Check):
    """Runs a step: checks as `Check` does, then workspace, inputs, variables, outputs.

    Args:
        pipeline: the pipeline.
        uses: references whose variables the step reads, such as `inputs.train`.
        inputs: what the step reads, by name.
        outputs: what it writes, by name: paths in the workspace.
        metrics: path of its metrics file.
        report: paths of files for people; kept if they exist.
        env: environment variables whose text needs references.
        secrets: environment variable and name of the connection that holds the secret.
        matrix: keys of its matrix.
        ignore: tasks that do not count in `run.status`.
        asked: roles by the ids of the approval tasks, for `run.approvals`.
        final: whether a failure is final whatever failed (`only_after`).
        checked: further arguments of `Check`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        uses: Sequence[str] = (),
        inputs: Mapping[str, Input] | None = None,
        outputs: Mapping[str, Output] | None = None,
        metrics: str | None = None,
        report: Sequence[str] = (),
        env: Mapping[str, Sequence[str | Ref]] | None = None,
        secrets: Mapping[str, str] | None = None,
        matrix: Sequence[str] = (),
        ignore: Sequence[str] = (),
        asked: Mapping[str, str] | None = None,
        final: bool = False,
        **checked: Any,
    ) -> None:
        super().__init__(pipeline, **checked)
        self.asked = asked or {}
        self.final = final
        self.uses = uses
        self.inputs = inputs or {}
        self.outputs = outputs or {}
        self.metrics = metrics
        self.report = report
        self.env = env or {}
        self.secrets = secrets or {}
        self.matrix = matrix
        self.ignore = ignore
        self.row: Row = {}

    # -------------------------------------------------------------- before

    def before(self, context: Context) -> None:
        """Check, make the workspace, and set what the operator runs with."""
        super().before(context)
        task = context["task"]
        home = Path(tempfile.mkdtemp(prefix=f"{task.task_id}-"))
        workspace = home / "work"
        task.cwd = str(workspace)  # first: `clean` finds the folder here
        self.row = {key: task.env[f"{MATRIX}{key.upper()}"] for key in self.matrix}
        self._make_workspace(workspace)
        if self.outputs or self.metrics or self.report:
            self.pipeline.files().remove(*self._place(context, row=self.row))
        inherited = (task.env or {}).items()
        own = {name: value for name, value in inherited if not name.startswith(MATRIX)}
        task.env = own | self._environment(context, home)
        task.env |= {variable: secret(name) for variable, name in self.secrets.items()}
        if self.row:
            context["map_index_template"] = entry_name(self.row)

    def _make_workspace(self, workspace: Path) -> None:
        project = self.pipeline.folder
        if not project.is_dir():
            raise AirflowFailException(f"no project at {project}: set MLSPEC_PROJECT")
        workspace.mkdir()
        products = self.pipeline.products
        real = {Path(path).parts[0] for path in products}
        for entry in sorted(project.iterdir()):
            if entry.name in (".git", ".mlspec"):
                continue
            if entry.name in real:
                _copy_without(entry, workspace / entry.name, entry.name, products)
            else:
                (workspace / entry.name).symlink_to(entry)
        for path in self.written():
            (workspace / path).parent.mkdir(parents=True, exist_ok=True)

    def written(self) -> list[str]:
        """Return what the step writes, relative to its workspace."""
        asked = (*self._paths(), self.metrics, *self.report)
        return [Path(path).as_posix() for path in asked if path]

    def _paths(self) -> list[str]:
        return [
            _path(output) for output in self.outputs.values() if not _as_uri(output)
        ]

    def _environment(self, context: Context, home: PurePath) -> dict[str, str]:
        """Return the variables of references, and those whose text needs references."""
        values = {name: self._value(context, home, name) for name in self._used()}
        env = {
            "MLSPEC_" + name.replace(".", "_").upper(): values[name]
            for name in self.uses
        }
        for variable, parts in self.env.items():
            env[variable] = "".join(
                values[part.name] if isinstance(part, Ref) else part for part in parts
            )
        return env

    def _used(self) -> list[str]:
        inside = [
            p.name for parts in self.env.values() for p in parts if isinstance(p, Ref)
        ]
        return sorted({*self.uses, *inside})

    def _value(self, context: Context, home: PurePath, reference: str) -> str:
        namespace, _, name = reference.partition(".")
        match namespace:
            case "params":
                return self.pipeline.param(context, name)
            case "matrix":
                return self.row[name]
            case "inputs":
                return self._bring(context, name, self.inputs[name], home / "in")
            case "outputs":
                return self._destination(context, name, home)
        return self._about_run(context, name)

    def _about_run(self, context: Context, name: str) -> str:
        ti, run = context["ti"], context["dag_run"]
        match name:
            case "id":
                return str(ti.run_id)
            case "date":
                when: datetime = run.logical_date or run.start_date or run.run_after
                return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            case "attempt":
                return str(ti.try_number)
            case "status":
                return run_status(context, self.ignore)
            case "store":
                return self.pipeline.store_address()
            case "actor":
                person = getattr(run, "triggering_user_name", None)
                return str(person or context["task"].owner)
            case "commit":
                bundle = getattr(ti, "bundle_instance", None)
                return str(getattr(bundle, "version", None) or "")
            case "approvals":
                return json.dumps(self._answers(context)) if self.asked else ""
        return str(ti.log_url).split("/tasks/")[0]

    def _answers(self, context: Context) -> list[dict[str, str]]:
        """Return what the approval tasks were answered: who, for which role, when."""
        tasks = list(self.asked)
        answers = context["ti"].xcom_pull(task_ids=tasks)
        found = []
        for task, answer in zip(tasks, answers, strict=True):
            person = answer.get("responded_by_user") or {}
            when = answer["responded_at"]
            if isinstance(when, datetime):
                when = when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            found.append(
                {
                    "subject": str(person.get("name") or person.get("id") or ""),
                    "issuer": "airflow",
                    "role": self.asked[task],
                    "decision": "approve",  # a reject failed the task, and this one is not run
                    "time": str(when),
                }
            )
        return found

    def _place(
        self, context: Context, step: str = "", row: Row | None = None
    ) -> tuple[str, ...]:
        """Return where an instance of a step (this one, without `step`) keeps its files."""
        ti = context["ti"]
        instance = (entry_name(row),) if row else ()
        folder = step_folder(step or ti.task_id)
        return (*self.pipeline.run_folder(ti.run_id), folder, *instance)

    # -------------------------------------------------------------- inputs

    def _bring(
        self, context: Context, name: str, asked: Input, folder: PurePath
    ) -> str:
        """Return the path (or address) of an input; empty when it is absent."""
        here = folder / name
        match asked:
            case Repo(path):
                found = self.pipeline.folder / path
                if not found.exists():
                    raise AirflowFailException(f"there is no {path} in the project")
                return self._from_project(context, found, path, here)
            case Data():
                return self._data(context, asked, here)
            case Partner(step, path, keys) if self._published(context, step):
                row = {key: self.row[key] for key in keys}
                place = (*self._place(context, step, row), *path.split("/"))
                return self._fetch(place, here)
            case FromStep(step, path) if self._published(context, step):
                place = (*self._place(context, step), *path.split("/"))
                return self._fetch(place, here)
            case Folder(step, path, rows) if self._published(context, step):
                known = (
                    context["ti"].xcom_pull(task_ids=rows)
                    if isinstance(rows, str)
                    else rows
                )
                return self._gather(
                    context, step, path, [_plain_row(row) for row in known], here
                )
        return ""

    def _published(self, context: Context, step: str) -> bool:
        return outcomes(context, [step]).get(step) in ("success", "failed")

    def _from_project(
        self, context: Context, found: Path, path: str, here: PurePath
    ) -> str:
        del context, path, here  # a worker reads it where it is
        return str(found)

    def _fetch(self, place: tuple[str, ...], folder: PurePath) -> str:
        return self._take(self.pipeline.files(), folder / place[-1], place)

    def _take(self, store: Store, here: PurePath, place: tuple[str, ...]) -> str:
        """Bring a file or folder from a store; return its path, empty if there is none."""
        Path(here).parent.mkdir(parents=True, exist_ok=True)
        return store.fetch(Path(here), *place)

    def _write(self, here: PurePath, text: str) -> None:
        """Write a text beside what was brought."""
        Path(here).write_text(text, encoding="utf-8")

    def _gather(
        self,
        context: Context,
        step: str,
        path: str,
        rows: Sequence[Row],
        folder: PurePath,
    ) -> str:
        folder = folder / Path(path).name
        found = {}
        for row in rows:
            name = entry_name(row)
            place = (*self._place(context, step, row), *path.split("/"))
            found[name] = self._take(self.pipeline.files(), folder / name, place)
        index = [
            {"entry": entry_name(row), "matrix": row}
            for row in rows
            if found[entry_name(row)]
        ]
        if not index:
            return ""
        text = json.dumps(index, ensure_ascii=False, indent=1) + "\n"
        self._write(folder / "index.json", text)
        return str(folder)

    def _data(self, context: Context, asked: Data, folder: PurePath) -> str:
        if asked.source is not None:
            store, last = self.pipeline.outside(asked.source)
            place: tuple[str, ...] = (last,)
            if asked.as_uri and isinstance(store, ObjectStore):
                return asked.source
        else:
            store = self.pipeline.files()
            place = self._pinned(context, asked.name, store)
        if asked.as_uri:
            return store.address(*place)
        if isinstance(store, LocalStore) and store.exists(*place):
            path = store.root.joinpath(*place)
            return self._from_project(
                context, path, f".data/{asked.name}/{path.name}", folder
            )
        found = self._take(store, folder / place[-1], place)
        if not found:
            raise AirflowFailException(f"data {asked.name} is not there")
        return found

    def _pinned(self, context: Context, data: str, store: Store) -> tuple[str, ...]:
        """Return the version that this run reads: the newest when a step first asks."""
        home = (self.pipeline.app, "data", data)
        pin = (*self.pipeline.run_folder(context["ti"].run_id), ".data", data)
        version = store.read(*pin)
        if version is None:
            version = store.read(*home, "latest")
            if version is None:
                raise AirflowFailException(f"data {data} has no version yet")
            store.write(version, *pin)
        return (*home, *version.strip().split("/"))

    # -------------------------------------------------------------- after

    def after(self, context: Context, result: object = None) -> None:
        """Fail if something declared was not written; publish everything otherwise."""
        del result
        workspace = Path(context["task"].cwd)
        missing = [path for path in self._paths() if not (workspace / path).exists()]
        if self.metrics and not (workspace / self.metrics).is_file():
            missing.append(self.metrics)
        for name, output in self.outputs.items():
            if _as_uri(output):
                store, place = self._target(context, name, output)
                missing += [] if store.exists(*place) else [store.address(*place)]
        if missing:
            failure = AirflowFailException if self.final else AirflowException
            raise failure("declared output was not written: " + ", ".join(missing))
        self._publish(context, workspace)
        self.clean(context)

    def _publish(self, context: Context, workspace: Path) -> None:
        files = {
            f"{name}/{Path(_path(output)).name}": workspace / _path(output)
            for name, output in self.outputs.items()
            if not _as_uri(output)
        }
        if self.metrics:
            files["metrics.json"] = workspace / self.metrics
        for path in self.report:
            if (workspace / path).exists():
                files[f".report/{path}"] = workspace / path
        if files:
            place = self._place(context, row=self.row)
            self.pipeline.files().publish(files, *place)
        for name, output in self.outputs.items():
            if isinstance(output, NewVersion):
                self._new_version(context, name, output, workspace)

    def _new_version(
        self, context: Context, name: str, output: NewVersion, workspace: Path
    ) -> None:
        if output.source is not None:
            if not output.as_uri:
                store, last = self.pipeline.outside(output.source)
                store.replace(workspace / output.path, last)
            return
        store = self.pipeline.files()
        home = (self.pipeline.app, "data", output.data)
        run = self.pipeline.run_folder(context["ti"].run_id)[-1]
        version = ("versions", run, Path(output.path).name)
        if output.as_uri:
            _, place = self._target(context, name, output)
            store.duplicate(place, (*home, *version))
        else:
            store.replace(workspace / output.path, *home, *version)
        store.write("/".join(version) + "\n", *home, "latest")

    def _target(
        self, context: Context, name: str, output: Output
    ) -> tuple[Store, tuple[str, ...]]:
        """Return where a step itself writes an output: the source, or the run's folder."""
        if isinstance(output, NewVersion) and output.source is not None:
            store, last = self.pipeline.outside(output.source)
            return store, (last,)
        place = self._place(context, row=self.row)
        return self.pipeline.files(), (*place, name, Path(_path(output)).name)

    def _destination(self, context: Context, name: str, home: PurePath) -> str:
        output = self.outputs[name]
        if not _as_uri(output):
            return str(self._written_at(name, output, home))
        store, place = self._target(context, name, output)
        return store.address(*place)

    def _written_at(self, name: str, output: Output, home: PurePath) -> PurePath:
        del name
        return home / "work" / _path(output)

    def clean(self, context: Context) -> None:
        """Remove the workspace."""
        made = getattr(context["task"], "cwd", None)
        if made:
            shutil.rmtree(Path(made).parent, ignore_errors=True)


def _copy_without(
    source: Path, target: Path, at: str, left_out: frozenset[str]
) -> None:
    """Copy a file or folder, except paths that steps write."""
    if at in left_out:
        return
    if source.is_symlink():
        target.symlink_to(source.resolve())
    elif source.is_dir():
        target.mkdir()
        for entry in sorted(source.iterdir()):
            _copy_without(entry, target / entry.name, f"{at}/{entry.name}", left_out)
    else:
        shutil.copy2(source, target)


def _path(output: Output) -> str:
    return output if isinstance(output, str) else output.path


def _as_uri(output: Output) -> bool:
    return isinstance(output, NewVersion) and output.as_uri


def step_folder(task_id: str) -> str:
    """Return the folder of a task's step: its id in the spec, which has dashes."""
    return task_id.rstrip("_").replace("_", "-")


def text_of(value: Any) -> str:
    """Return a run parameter as steps see it: `true`, `3`, `0.1`, or the text itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def secret(name: str) -> str:
    """Return the secret in a connection: `login:password`, or the password alone."""
    from airflow.sdk import Connection

    found = Connection.get(name)
    password = found.password or ""
    return f"{found.login}:{password}" if found.login else password


# ------------------------------------------------------------------ steps in pods

STAGE = """\
import json, os, sys
import fsspec

for item in json.loads(os.environ["MLSPEC_FILES"]):
    here = item["here"]
    os.makedirs(os.path.dirname(here), exist_ok=True)
    if "text" in item:
        with open(here, "w", encoding="utf-8") as file:
            file.write(item["text"])
    elif "from" in item:
        fs, there = fsspec.core.url_to_fs(item["from"])
        fs.get(there, here, recursive=fs.isdir(there))
    elif "to" in item:
        if not os.path.exists(here):
            sys.exit("declared output was not written: " + here)
        fs, there = fsspec.core.url_to_fs(item["to"])
        fs.makedirs(there.rpartition("/")[0], exist_ok=True)
        fs.put(here, there, recursive=os.path.isdir(here))
"""
"""What the containers that bring and take files run; their image has Python and fsspec."""

POD = PurePosixPath("/mlspec")


class PodStep(Step):
    """Runs a step in a pod: the same, with files in a volume at /mlspec.

    An init container brings the inputs. Where there are outputs, the step is a second init
    container, so that the pod's own container can take them to the store after it.

    Args:
        pipeline: the pipeline.
        staging_image: image of the containers that bring and take files.
        asked: further arguments of `Step`.
    """

    def __init__(
        self, pipeline: Pipeline, *, staging_image: str = "", **asked: Any
    ) -> None:
        super().__init__(pipeline, **asked)
        self.staging_image = staging_image
        self.brought: list[dict[str, str]] = []

    def before(self, context: Context) -> None:
        """Check, and complete the pod: variables, volume, containers for files."""
        Check.before(self, context)
        from kubernetes.client import models as k8s

        task = context["task"]
        given = {variable.name: variable for variable in task.env_vars}
        self.row = {key: given[f"{MATRIX}{key.upper()}"].value for key in self.matrix}
        self.brought = []
        if self.outputs or self.metrics:
            self.pipeline.files().remove(*self._place(context, row=self.row))
        task.env_vars = [
            variable for name, variable in given.items() if not name.startswith(MATRIX)
        ] + [
            k8s.V1EnvVar(name=name, value=_for_kubernetes(value))
            for name, value in self._environment(context, POD).items()
        ]
        if self.row:
            context["map_index_template"] = entry_name(self.row)
        self._arrange(task, self._taken(context))

    def _taken(self, context: Context) -> list[dict[str, str]]:
        """Return what is taken to the store once the step has succeeded."""
        store = self.pipeline.files() if self.outputs else None
        place = self._place(context, row=self.row)
        taken = []
        for name, output in self.outputs.items():
            if store is None or _as_uri(output):
                continue
            here = str(self._written_at(name, output, POD))
            to = store.address(*place, name, PurePosixPath(here).name)
            taken.append({"here": here, "to": to})
            if isinstance(output, NewVersion) and output.source is not None:
                outside, last = self.pipeline.outside(output.source)
                taken.append({"here": here, "to": outside.address(last)})
            if _path(output) == self.metrics:
                taken.append(
                    {"here": here, "to": store.address(*place, "metrics.json")}
                )
        return taken

    def _arrange(self, task: Any, taken: list[dict[str, str]]) -> None:
        from kubernetes.client import models as k8s

        if not self.brought and not taken:
            return
        mount = k8s.V1VolumeMount(name="mlspec", mount_path=str(POD))
        task.volumes = [
            *task.volumes,
            k8s.V1Volume(name="mlspec", empty_dir=k8s.V1EmptyDirVolumeSource()),
        ]
        folders = [{"here": item["here"]} for item in taken]
        bring = k8s.V1Container(
            name="bring-files",
            image=self.staging_image,
            command=["python", "-c", STAGE],
            env=[_files(self.brought + folders)],
            volume_mounts=[mount],
            security_context=task.container_security_context,
        )
        task.init_containers = [*task.init_containers, bring]
        task.volume_mounts = [*task.volume_mounts, mount]
        if not taken:
            return
        step = k8s.V1Container(
            name="step",
            image=task.image,
            command=task.cmds,
            args=task.arguments,
            env=[*task.env_vars, *(secret.to_env_secret() for secret in task.secrets)],
            resources=task.container_resources,
            volume_mounts=task.volume_mounts,
            security_context=task.container_security_context,
        )
        task.init_containers = [*task.init_containers, step]
        task.init_container_logs = ["step"]
        task.image, task.cmds = self.staging_image, ["python", "-c", STAGE]
        task.arguments, task.secrets, task.container_resources = [], [], None
        task.env_vars = [_files(taken)]

    def after(self, context: Context, result: object = None) -> None:
        """Make new versions of data from what the pod took to the store."""
        del result
        for name, output in self.outputs.items():
            if isinstance(output, NewVersion):
                self._new_version(context, name, output, Path())

    def _new_version(
        self, context: Context, name: str, output: NewVersion, workspace: Path
    ) -> None:
        if output.source is None:
            super()._new_version(context, name, replace(output, as_uri=True), workspace)

    def _written_at(self, name: str, output: Output, home: PurePath) -> PurePath:
        return home / "out" / name / PurePosixPath(_path(output)).name

    def _from_project(
        self, context: Context, found: Path, path: str, here: PurePath
    ) -> str:
        store = self.pipeline.files()
        run = self.pipeline.run_folder(context["ti"].run_id)
        place = (*run, ".project", *path.split("/"))
        if not store.exists(*place):
            store.replace(found, *place)
        return self._take(store, here / found.name, place)

    def _take(self, store: Store, here: PurePath, place: tuple[str, ...]) -> str:
        if not store.exists(*place):
            return ""
        self.brought.append({"here": str(here), "from": store.address(*place)})
        return str(here)

    def _write(self, here: PurePath, text: str) -> None:
        self.brought.append({"here": str(here), "text": text})


def _files(items: list[dict[str, str]]) -> Any:
    from kubernetes.client import models as k8s

    return k8s.V1EnvVar(name="MLSPEC_FILES", value=_for_kubernetes(json.dumps(items)))


def _for_kubernetes(text: str) -> str:
    """Return a value that Kubernetes expands to the text: it reads `$$` and `$(NAME)`."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


# ------------------------------------------------------------------ matrices known at run time

_SAFE_NAME = re.compile(r"[A-Za-z0-9._+=@,-]+\Z")


def entry_name(row: Mapping[str, str]) -> str:
    """Return the name of a combination: its values joined by `-`, unsafe characters as `_`."""
    return re.sub(r"[^A-Za-z0-9._+=@,-]", "_", "-".join(row.values()))


def _plain_row(row: Mapping[str, str]) -> Row:
    """Return a combination by its keys, also from the environment that it was mapped over."""
    inside = {
        name.removeprefix(MATRIX).lower(): value
        for name, value in row.items()
        if name.startswith(MATRIX)
    }
    return inside or dict(row)


class RunTimeMatrix(Check):
    """Makes the combinations of a matrix with values that a step wrote.

    Args:
        pipeline: the pipeline.
        key: the key whose values are known at run time only.
        step: the step that wrote them.
        path: where it published them: a JSON list of strings.
        rows: combinations of the other keys.
        keys: all keys, in order.
        most: how many values are allowed.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        key: str,
        step: str,
        path: str,
        keys: Sequence[str],
        rows: Sequence[Row],
        most: int,
    ) -> None:
        super().__init__(pipeline)
        self.key = key
        self.step = step
        self.path = path
        self.keys = keys
        self.rows = rows
        self.most = most

    def rows_of_run(self, **context: Any) -> list[dict[str, str]]:
        """Return the combinations as environments; an empty list skips the step."""
        values = self._values(context)
        made = [
            {key: {**row, self.key: value}[key] for key in self.keys}
            for value in values
            for row in self.rows
        ]
        names = [entry_name(row) for row in made]
        if len(set(names)) < len(names):
            raise AirflowFailException("two combinations have the same name")
        return as_env(made)

    def _values(self, context: Any) -> list[str]:
        run = self.pipeline.run_folder(context["ti"].run_id)
        succeeded = outcomes(context, [self.step]).get(self.step) == "success"
        text = self.pipeline.files().read(
            *run, step_folder(self.step), *self.path.split("/")
        )
        if not succeeded or text is None:
            return []
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(
            isinstance(one, str) for one in found
        ):
            raise AirflowFailException(
                f"{self.path} of {self.step} is no JSON list of strings"
            )
        if len(found) > self.most:
            raise AirflowFailException(
                f"{len(found)} values, at most {self.most} are allowed"
            )
        unsafe = [value for value in found if not _SAFE_NAME.match(value)]
        if unsafe or len(set(found)) < len(found):
            raise AirflowFailException(
                "values must be distinct and made of A-Z a-z 0-9 ._+=@,-"
            )
        return found


# ------------------------------------------------------------------ stores


class LocalStore:
    """A store in a folder that all workers share."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _at(self, place: tuple[str, ...]) -> Path:
        return self.root.joinpath(*place)

    def address(self, *place: str) -> str:
        """Return the address of a place; its folder exists."""
        self._at(place).parent.mkdir(parents=True, exist_ok=True)
        return self._at(place).as_uri()

    def exists(self, *place: str) -> bool:
        """Whether something is there."""
        return self._at(place).exists()

    def read(self, *place: str) -> str | None:
        """Return a text file, None when it is not there."""
        path = self._at(place)
        return (
            path.read_text(encoding="utf-8", errors="replace")
            if path.is_file()
            else None
        )

    def write(self, text: str, *place: str) -> None:
        """Write a text file, whole or not at all."""
        path = self._at(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)

    def remove(self, *place: str) -> None:
        """Remove a folder, if it is there."""
        shutil.rmtree(self._at(place), ignore_errors=True)

    def fetch(self, here: Path, *place: str) -> str:
        """Copy a file or folder to `here` and return that path, empty when it is not there."""
        if not self._at(place).exists():
            return ""
        _copy(self._at(place), here)
        return str(here)

    def publish(self, files: Mapping[str, Path], *place: str) -> None:
        """Put files and folders below a place, beside what the step put there itself."""
        target = self._at(place)
        fresh = self._beside(target)
        try:
            for name, source in files.items():
                _copy(source, fresh / name)
            for entry in target.iterdir() if target.is_dir() else ():
                if not (fresh / entry.name).exists():
                    entry.rename(fresh / entry.name)
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def replace(self, source: Path, *place: str) -> None:
        """Put a file or folder at a place, instead of what is there."""
        target = self._at(place)
        fresh = self._beside(target)
        try:
            _copy(source, fresh / target.name)
            if target.is_dir():
                shutil.rmtree(target)
            (fresh / target.name).replace(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def duplicate(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Copy what is at one place to another."""
        self.replace(self._at(source), *target)

    def fingerprint(self, *place: str) -> str | None:
        """Return a text that changes with the names, sizes and times of files."""
        root = self._at(place)
        if not root.exists():
            return None
        files = [root, *root.rglob("*")] if root.is_dir() else [root]
        facts = [
            [path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime_ns]
            for path in sorted(files)
            if path.is_file() and (stat := path.stat())
        ]
        return _digest(facts)

    def _beside(self, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
        made.chmod(0o755)
        return made


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


class ObjectStore:
    """A store behind any address that Airflow's object storage knows (`s3://`, `gs://`, …)."""

    def __init__(self, root: str) -> None:
        self.root = root

    def _at(self, place: tuple[str, ...]) -> ObjectStoragePath:
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(self.root).joinpath(*place)

    def address(self, *place: str) -> str:
        """Return the address of a place."""
        return str(self._at(place))

    def exists(self, *place: str) -> bool:
        """Whether something is there."""
        return bool(self._at(place).exists())

    def read(self, *place: str) -> str | None:
        """Return a text file, None when it is not there."""
        path = self._at(place)
        if not path.exists():
            return None
        with path.open("rb") as file:
            return bytes(file.read()).decode("utf-8", errors="replace")

    def write(self, text: str, *place: str) -> None:
        """Write a text file."""
        with self._at(place).open("wb") as file:
            file.write(text.encode("utf-8"))

    def remove(self, *place: str) -> None:
        """Remove a folder, if it is there."""
        path = self._at(place)
        if path.exists():
            path.fs.rm(path.path, recursive=True)

    def fetch(self, here: Path, *place: str) -> str:
        """Copy a file or folder to `here` and return that path, empty when it is not there."""
        path = self._at(place)
        if not path.exists():
            return ""
        path.fs.get(path.path, str(here), recursive=bool(path.is_dir()))
        return str(here)

    def publish(self, files: Mapping[str, Path], *place: str) -> None:
        """Put files and folders below a place, beside what the step put there itself."""
        for name, source in files.items():
            self.replace(source, *place, *name.split("/"))

    def replace(self, source: Path, *place: str) -> None:
        """Put a file or folder at a place, instead of what is there."""
        self.remove(*place)
        path = self._at(place)
        path.fs.makedirs(path.parent.path, exist_ok=True)
        path.fs.put(str(source), path.path, recursive=source.is_dir())

    def fingerprint(self, *place: str) -> str | None:
        """Return a text that changes with the names, sizes and tags (or times) of files."""
        path = self._at(place)
        if not path.exists():
            return None
        path.fs.invalidate_cache()
        facts = []
        for name, told in sorted(path.fs.find(path.path, detail=True).items()):
            keys = ("ETag", "etag", "md5Hash", "LastModified", "updated", "mtime")
            tag = next((str(told[key]) for key in keys if told.get(key)), "")
            facts.append([name, told.get("size"), tag])
        return _digest(facts)

    def duplicate(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Copy what is at one place to another."""
        path = self._at(source)
        self.remove(*target)
        path.fs.copy(path.path, self._at(target).path, recursive=bool(path.is_dir()))


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


Store = LocalStore | ObjectStore
