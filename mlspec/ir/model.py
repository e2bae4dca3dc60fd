"""The data of the IR: one application for one environment.

Invariants (stated in code by `mlspec.ir.verify`):

* every reference resolves: steps, outputs, params, matrix keys, data;
* `Step.needs` holds every direct need, by data, order or `when`, once, in spec order;
* steps stand in a topological order that is deterministic (Kahn, ties by spec order);
* values are parsed: durations in milliseconds, memory in bytes, texts as literals and references;
* empty means an empty tuple; `None` means "not asked for", never "default unknown".

`at` fields never take part in equality, hashing or fingerprints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from mlspec.ir.kinds import Kind
from mlspec.ir.values import Cpu, Duration, Memory, Ref, Text, refs_of
from mlspec.source import NOWHERE, Origin

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

EMPTY: Mapping[str, Json] = MappingProxyType({})


class Join(Enum):
    """When a step starts, given how its needs ended (`mlspec.ir.joins`)."""

    ALL_SUCCESS = "all_success"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    ALL_DONE = "all_done"
    ONE_FAILED = "one_failed"
    ONE_SUCCESS = "one_success"
    ALL_FAILED = "all_failed"


class ParamType(Enum):
    """Types of run parameters."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"


class Op(Enum):
    """Comparison operators of conditions."""

    GE = ">="
    GT = ">"
    LE = "<="
    LT = "<"
    EQ = "=="
    NE = "!="


class StageMode(Enum):
    """How a data noun reaches a step: as a local path, or as the address of its version."""

    PATH = "path"
    URI = "uri"


class Compute(Enum):
    """Where steps run."""

    PROCESS = "process"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


# ------------------------------------------------------------------ actions


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A Bash script, run with `set -euo pipefail`.

    Attributes:
        text: the script; references are already environment variables in it, quoted as needed.
        refs: the references whose variables the text reads, sorted by variable name.
    """

    text: str
    refs: tuple[Ref, ...] = ()
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argv:
    """An argument vector, run without a shell.

    Attributes:
        reads: references whose variables the program reads by itself, sorted by variable name.
    """

    words: tuple[Text, ...]
    reads: tuple[Ref, ...] = ()
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


Action = Script | Argv

# ------------------------------------------------------------------ inputs and outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoInput:
    """A file or folder of the repository, relative to the spec's folder, forward slashes."""

    name: str
    path: str
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


class Pairing(Enum):
    """Which instances of a producer an input reads."""

    PLAIN = "plain"
    """The producer has no matrix: its one output."""
    PARTNER = "partner"
    """Same matrix keys: the instance with the same combination."""
    FOLDER = "folder"
    """The producer has a matrix, the consumer has none: a folder with one entry for each
    combination, named `Combination.name`, and `index.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInput:
    """Another step's output. Absent (the empty string) when that step produced nothing."""

    name: str
    step: str
    output: str
    pairing: Pairing = Pairing.PLAIN
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInput:
    """The current version of a data noun (made outside of this pipeline)."""

    name: str
    data: str
    mode: StageMode = StageMode.PATH
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


Input = RepoInput | StepInput | DataInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Something a step leaves behind: a file or a folder.

    Attributes:
        path: relative to the step's working directory, normalised, forward slashes.
        data: the data noun of which this is a new version, if any.
        mode: `uri` when the step writes to an address that it is given.
    """

    name: str
    path: str
    data: str | None = None
    mode: StageMode = StageMode.PATH
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


# ------------------------------------------------------------------ parts of a step


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCondition:
    """`step.metric op number`: over the metrics file of a needed step."""

    step: str
    metric: str
    op: Op
    value: float
    at: Origin = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        """As a user would write it."""
        return f"{self.step}.{self.metric} {self.op.value} {self.value!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamCondition:
    """`params.name == value` (or `!=`), compared as text after `scalar_text`."""

    param: str
    op: Op
    value: str
    at: Origin = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        """As a user would write it."""
        return f"params.{self.param} {self.op.value} {self.value}"


Condition = MetricCondition | ParamCondition


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A human says yes before the step runs. A reject or a timeout fails the step."""

    role: str
    members: tuple[str, ...] = ()
    count: int = 1
    within: Duration = Duration(72 * 3_600_000)
    notify: tuple[str, ...] = ()
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Combination:
    """One assignment of a matrix: key and text value, in the matrix's key order."""

    values: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Entry name `<v1>-<v2>`, safe as a file name (see `combination_name`)."""
        return combination_name(value for _, value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicAxis:
    """A matrix key whose values a step writes at run time: a JSON list of strings."""

    key: str
    step: str
    output: str
    max: int
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The instances of a step.

    Attributes:
        keys: all keys in spec order, a dynamic one included.
        rows: static combinations over the static keys; one empty row when all keys are dynamic.
        dynamic: the run-time axis, if any; instances are then its values times `rows`, outermost.
    """

    keys: tuple[str, ...]
    rows: tuple[Combination, ...]
    dynamic: DynamicAxis | None = None
    parallel: int | None = None
    at: Origin = field(default=NOWHERE, compare=False, repr=False)

    def combinations(self, values: tuple[str, ...] = ()) -> tuple[Combination, ...]:
        """Return all combinations; `values` are the run-time values of the dynamic axis."""
        if self.dynamic is None:
            return self.rows
        made = []
        for value in values:
            for row in self.rows:
                known = {**dict(row.values), self.dynamic.key: value}
                made.append(Combination(tuple((key, known[key]) for key in self.keys)))
        return tuple(made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Up to `max` further attempts; the nth of them waits min(delay * factor^(n-1), max_delay)."""

    max: int
    delay: Duration = Duration(0)
    factor: float = 1.0
    max_delay: Duration | None = None
    at: Origin = field(default=NOWHERE, compare=False, repr=False)

    def delay_before(self, retry: int) -> Duration:
        """Return the pause before retry number `retry` (from 1)."""
        ceiling = self.max_delay.milliseconds if self.max_delay is not None else 86_400_000
        wanted = self.delay.milliseconds * self.factor ** min(retry - 1, 64)
        return Duration(int(min(wanted, ceiling)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one instance of a step asks for; None: not asked for."""

    cpu: Cpu | None = None
    memory: Memory | None = None
    gpu: int | None = None
    accelerator: str | None = None
    workers: int | None = None
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How `mlspec build` makes an image."""

    dockerfile: str | None = None
    python: str | None = None
    requirements: str | None = None
    conda: str | None = None
    system: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A container image: a reference, and the build that makes it, if it is ours."""

    reference: str
    build: Build | None = None
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, order=True)
class Secret:
    """An environment variable that carries a secret, and the secret's logical name."""

    variable: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node of the graph; with a matrix, a group of instances that joins treat as one.

    A matrix step's outcome is failed if any instance failed, succeeded if all did, and skipped
    when a run-time matrix is empty; its join, `when` and approvals are evaluated once.

    Attributes:
        kind: why the step exists, when the compiler derived it from a noun.
        subject: that noun, such as `models.ctr`; empty for a step that a user wrote.
        engine: library that a derived step trains with, such as `pytorch`; empty: none.
        retry_exit: the only exit code after which `retry` tries again; None: after any failure.
    """

    id: str
    action: Action
    kind: Kind = Kind.STEP
    subject: str = ""
    engine: str = ""
    description: str = ""
    needs: tuple[str, ...] = ()
    join: Join = Join.ALL_SUCCESS
    when: tuple[Condition, ...] = ()
    approvals: tuple[Approval, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    metrics: str | None = None
    report: tuple[str, ...] = ()
    matrix: Matrix | None = None
    image: Image | None = None
    env: tuple[tuple[str, Text], ...] = ()
    secrets: tuple[Secret, ...] = ()
    resources: Resources = Resources()
    timeout: Duration | None = None
    retry: Retry | None = None
    retry_exit: int | None = None
    lock: str | None = None
    allow_failure: bool = False
    cache: bool = False
    native: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    at: Origin = field(default=NOWHERE, compare=False, repr=False)

    @property
    def refs(self) -> tuple[Ref, ...]:
        """All references of the action and of `env`, each once, sorted by variable name."""
        found = set(self.action.refs) if isinstance(self.action, Script) else set()
        if isinstance(self.action, Argv):
            found.update(self.action.reads)
            for word in self.action.words:
                found.update(refs_of(word))
        for _, text in self.env:
            found.update(refs_of(text))
        return tuple(sorted(found, key=lambda ref: ref.variable))

    def input(self, name: str) -> Input | None:
        """Return an input by name."""
        return next((item for item in self.inputs if item.name == name), None)

    def output(self, name: str) -> Output | None:
        """Return an output by name."""
        return next((item for item in self.outputs if item.name == name), None)


# ------------------------------------------------------------------ pipelines


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A run parameter; `default` is its text form, None when it must be given."""

    name: str
    type: ParamType = ParamType.STRING
    enum: tuple[str, ...] = ()
    default: str | None = None
    description: str = ""
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Five-field cron in an IANA time zone; no catch-up."""

    cron: str
    timezone: str = "UTC"
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """What starts a run; nothing set: a person does.

    Attributes:
        data: data nouns that must all have a new version since the last run.
        every: how often to look for data that no pipeline here writes.
        models: models whose new champion starts a run.
        pull_request: path prefixes (empty: every pull request), None: not triggered.
        push: whether a push to the default branch starts a run.
    """

    schedule: Schedule | None = None
    every: Duration | None = None
    data: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    pull_request: tuple[str, ...] | None = None
    push: bool = False
    at: Origin = field(default=NOWHERE, compare=False, repr=False)

    @property
    def by_hand_only(self) -> bool:
        """Whether nothing but a person starts a run."""
        return self == Triggers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A graph of steps with what starts it. `final` is the `finally` step (its id is `finally`)."""

    id: str
    owner: str = ""
    description: str = ""
    params: tuple[Param, ...] = ()
    triggers: Triggers = Triggers()
    steps: tuple[Step, ...] = ()
    final: Step | None = None
    notify: tuple[str, ...] = ()
    native: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    at: Origin = field(default=NOWHERE, compare=False, repr=False)
    _by_id: Mapping[str, Step] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Index the steps: a pipeline may have 10,000, and back ends ask for each many times."""
        object.__setattr__(self, "_by_id", {step.id: step for step in self.steps})

    def step(self, step_id: str) -> Step:
        """Return a step by id; raises KeyError."""
        return self._by_id[step_id]

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps, and `finally` last."""
        return (*self.steps, self.final) if self.final else self.steps


# ------------------------------------------------------------------ the application


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data noun as pipelines see it.

    Attributes:
        source: address with references resolved; None: managed, kept in the store.
        query: SQL file beside a database source, relative to the spec's folder.
    """

    id: str
    source: str | None = None
    format: str | None = None
    query: str | None = None
    secret: str | None = None
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChoice:
    """The tool that plays a part (`pipelines`, `ci`, …) and its settings."""

    part: str
    kind: str
    settings: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where an application goes."""

    name: str = "default"
    after: str | None = None
    store: str | None = None
    namespace: str | None = None
    identity: tuple[tuple[str, str], ...] = ()
    approvals: tuple[Approval, ...] = ()
    native: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    at: Origin = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Everything, for one environment: overlays applied, defaults explicit."""

    name: str
    owner: str = ""
    description: str = ""
    environment: Environment = Environment()
    targets: tuple[TargetChoice, ...] = ()
    compute: Compute | None = None
    data: tuple[DataSet, ...] = ()
    pipelines: tuple[Pipeline, ...] = ()
    at: Origin = field(default=NOWHERE, compare=False, repr=False)

    def target(self, part: str) -> TargetChoice | None:
        """Return the choice for a part, if the spec made one."""
        return next((choice for choice in self.targets if choice.part == part), None)

    def pipeline(self, pipeline_id: str) -> Pipeline:
        """Return a pipeline by id; raises KeyError."""
        for pipeline in self.pipelines:
            if pipeline.id == pipeline_id:
                return pipeline
        raise KeyError(pipeline_id)

    def dataset(self, data_id: str) -> DataSet:
        """Return a data noun by id; raises KeyError."""
        for dataset in self.data:
            if dataset.id == data_id:
                return dataset
        raise KeyError(data_id)


_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=@,-")


def combination_name(values: object) -> str:
    """Return the entry name of a combination: values joined by `-`, unsafe characters as `_`.

    Static matrices whose names collide are refused at compile time; run-time values must consist
    of `[A-Za-z0-9._+=@,-]` and give distinct names, or the step fails.
    """
    joined = "-".join(str(value) for value in values)  # type: ignore[attr-defined]
    return "".join(c if c in _SAFE else "_" for c in joined)
