"""The typed model of what is emitted for Airflow: DAG files, their tasks, pools.

Built by `lower`, printed by `emit`. Everything is in Airflow's words (task, trigger rule, pool,
asset); nothing here knows the spec. Texts of users are still plain: quoting is `emit`'s duty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mlspec.ir.model import Argv, Condition, Json, ParamType, Script
from mlspec.ir.values import Duration, Text

# ------------------------------------------------------------------ inputs and outputs of a step


@dataclass(frozen=True, slots=True)
class Repo:
    """A path of the project."""

    path: str


@dataclass(frozen=True, slots=True)
class FromStep:
    """What a step published, at `<output>/<base name>`."""

    step: str
    path: str


@dataclass(frozen=True, slots=True)
class Partner:
    """What the instance with the same combination published; `keys` of the producer."""

    step: str
    path: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with one entry for each combination of a mapped task."""

    step: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The current version of a data noun."""

    name: str
    source: str | None
    as_uri: bool


Input: TypeAlias = Repo | FromStep | Partner | Folder | Data


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A declared output; `data` makes it a new version of a data noun, kept at `source`."""

    name: str
    path: str
    data: str | None = None
    source: str | None = None
    as_uri: bool = False


# ------------------------------------------------------------------ tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What is looked at before a task goes on, besides its trigger rule.

    Attributes:
        join: the join, where no trigger rule says it.
        needs: the steps that the join looks at.
        approvals: approval tasks that different people must have answered.
        admitted: tasks that must have succeeded or nothing may run: the environment's approvals.
    """

    admitted: tuple[str, ...] = ()
    join: str | None = None
    needs: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()
    approvals: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look at."""
        return self.join is None and not (self.when or self.admitted) and len(self.approvals) < 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Further attempts, in Airflow's words."""

    count: int
    delay: Duration
    factor: float
    max_delay: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The combinations that a task is mapped over.

    Attributes:
        keys: all keys, in order.
        rows: the combinations, key and value; of the static keys only if there is a `task`.
        task: id of the task that makes the combinations at run time.
    """

    keys: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]
    task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What a step with an image asks of Kubernetes.

    Attributes:
        requests: resource name and quantity.
        limits: the same.
        patch: the pod template that `native.airflow.pod` gives.
        staging_image: image of the containers that bring and take files.
    """

    image: str
    namespace: str | None = None
    service_account: str | None = None
    requests: tuple[tuple[str, str], ...] = ()
    limits: tuple[tuple[str, str], ...] = ()
    patch: Mapping[str, Json] | None = None
    staging_image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTask:
    """A step: a `BashOperator`, or with a pod a `KubernetesPodOperator`.

    Attributes:
        retry_exit: the only exit code after which it is tried again; None: any.
        asked: approval tasks whose answers the step reads, and the roles they asked.
        is_ours: whether the command is `mlspec` itself.
    """

    id: str
    action: Script | Argv
    trigger_rule: str = "all_success"
    upstream: tuple[str, ...] = ()
    guard: Guard = Guard()
    description: str = ""
    uses: tuple[str, ...] = ()
    inputs: tuple[tuple[str, Input], ...] = ()
    outputs: tuple[Output, ...] = ()
    metrics: str | None = None
    report: tuple[str, ...] = ()
    env: tuple[tuple[str, Text], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    rows: Rows | None = None
    parallel: int | None = None
    ignore: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    retries: Retries | None = None
    retry_exit: int | None = None
    asked: tuple[tuple[str, str], ...] = ()
    is_ours: bool = False
    timeout: Duration | None = None
    settings: tuple[tuple[str, str | int], ...] = ()
    pod: Pod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTask:
    """Checks and does nothing else: a join that may block, or that different people approved."""

    id: str
    upstream: tuple[str, ...]
    guard: Guard
    trigger_rule: str = "all_done"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTask:
    """A human says yes or no: an `ApprovalOperator`."""

    id: str
    subject: str
    body: str
    within: Duration
    role: str = ""
    people: tuple[str, ...] = ()
    trigger_rule: str = "all_success"
    upstream: tuple[str, ...] = ()
    guard: Guard = Guard()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixTask:
    """Reads the values of a run-time matrix and returns the combinations."""

    id: str
    key: str
    step: str
    path: str
    most: int
    rows: Rows
    trigger_rule: str = "all_success"
    upstream: tuple[str, ...] = ()
    guard: Guard = Guard()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTask:
    """The one leaf: fails if and only if the run failed."""

    id: str
    upstream: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    trigger_rule: str = "all_done"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTask:
    """Looks at data that no DAG writes; succeeds, which is an asset event, if it is new."""

    id: str
    data: str
    source: str
    asset: str
    upstream: tuple[str, ...] = ()
    trigger_rule: str = "all_success"


Task: TypeAlias = StepTask | GateTask | ApprovalTask | MatrixTask | VerdictTask | WatchTask

# ------------------------------------------------------------------ files


@dataclass(frozen=True, slots=True, kw_only=True)
class DagParam:
    """A run parameter."""

    name: str
    type: ParamType
    enum: tuple[str, ...] = ()
    default: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What starts a run: a cron expression, assets that must all be new, either, or nothing.

    Attributes:
        every: a fixed interval, for DAGs that look for data.
    """

    cron: str | None = None
    every: Duration | None = None
    timezone: str = "UTC"
    assets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """One DAG file.

    Attributes:
        path: below the output folder.
        support: name of the module with run-time support.
        project: path from the file's folder to the project.
        spec: path of the spec from the output folder, for the header.
        pools: pools of one slot that must exist, and the file that creates them.
        connections: connections that hold secrets.
        secrets: Secrets of Kubernetes that pods read, each with the key `value`.
    """

    path: str
    pipeline: str
    environment: str | None
    dag_id: str
    app: str
    support: str
    owner: str
    description: str
    schedule: When
    params: tuple[DagParam, ...]
    store: str
    project: str
    spec: str
    pools: tuple[str, ...]
    pools_file: str
    connections: tuple[str, ...]
    secrets: tuple[str, ...]
    settings: tuple[tuple[str, int], ...]
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """A file for `airflow pools import`: names of pools of one slot, and what each is for."""

    path: str
    pools: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Everything that is emitted.

    Attributes:
        support: paths of the module with run-time support.
    """

    dags: tuple[Dag, ...]
    pools: tuple[Pools, ...] = ()
    support: tuple[str, ...] = ()
