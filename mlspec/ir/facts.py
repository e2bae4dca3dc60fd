"""What a derived step is told: facts about the nouns it serves, resolved and with defaults.

The compiler writes a `Node` into the environment variable `MLSPEC_NODE` of each derived step
(`mlspec.ir.node` is the JSON form), the run-time half reads it. Durations are seconds, shares are
fractions, checks are canonical text of `mlspec.expr.check`. None and empty mean "not asked for".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.ir.kinds import Kind
from mlspec.ir.model import EMPTY, Json

NODE_VARIABLE = "MLSPEC_NODE"
"""Environment variable that carries a derived step's node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """A column, an output of a feature, or a field of a model.

    Attributes:
        type: `int float bool string timestamp text bytes json probability class score`,
            `embedding[n]` or `list[t]`.
        available_after: seconds after the event until the value is known.
        sensitivity: `public internal confidential pii special`, or empty.
    """

    name: str
    type: str
    min: float | str | None = None
    max: float | str | None = None
    enum: tuple[str | int | float | bool, ...] = ()
    pattern: str | None = None
    unit: str | None = None
    nullable: bool = False
    unique: bool = False
    sensitivity: str = ""
    protected: bool = False
    available_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFacts:
    """A check: its canonical text, and what the long form adds.

    Attributes:
        severity: `error` or `warn`.
        test: overrides the statistical test of the metric.
    """

    text: str
    severity: str = "error"
    confidence: float = 0.95
    test: str | None = None
    min_samples: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFacts:
    """A metric of the user's own (`metrics` noun).

    Attributes:
        function: `module:function`: gets the score table, returns a number; None: a step writes it.
        better: `higher`, `lower` or `none`.
    """

    name: str
    function: str | None = None
    better: str = "none"
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """A data noun.

    Attributes:
        source: its address with references resolved; None: managed, in the store.
        secret_variable: environment variable that holds the secret of the source.
        key: columns that identify a row. time: column of the event's time.
        delay: seconds after the event until a row is complete.
        previous: whether checks compare with the previous version.
    """

    id: str
    source: str | None = None
    format: str | None = None
    query: str | None = None
    secret_variable: str | None = None
    key: tuple[str, ...] = ()
    time: str | None = None
    delay: float | None = None
    columns: tuple[ColumnFacts, ...] = ()
    checks: tuple[CheckFacts, ...] = ()
    retain: float | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """Columns of a data noun that a feature reads."""

    data: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFacts:
    """A feature: a pure function, or without `transform` the columns themselves.

    Attributes:
        transform: `module:function`.
        key: with it the feature is an aggregate over the key's earlier rows.
        time: the column by which "earlier" is decided.
    """

    id: str
    reads: tuple[Reads, ...]
    transform: str | None = None
    outputs: tuple[ColumnFacts, ...] = ()
    key: tuple[str, ...] = ()
    time: str | None = None
    checks: tuple[CheckFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of the rows: so many seconds of them, or a share."""

    seconds: float | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """How rows are divided.

    Attributes:
        by: `time`, `random`, `group` or `column`.
        gap: seconds left out before the test rows (and before validation rows); None: `delay`.
        delay: seconds until a label is complete: younger rows are dropped.
    """

    by: str
    train: Amount | None = None
    validation: Amount | None = None
    test: Amount | None = None
    gap: float | None = None
    delay: float = 0.0
    group: str | None = None
    column: str | None = None
    stratify: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainFacts:
    """How a model is trained by a function.

    Attributes:
        engine: library, such as `scikit-learn`. entrypoint: `module:function`.
        workers: processes that train together. threads: for numeric libraries.
        base: model that training starts from. method: `lora` or `full`.
    """

    engine: str | None = None
    entrypoint: str | None = None
    params: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    seed: int = 0
    workers: int = 1
    threads: int = 1
    gpu: int = 0
    base: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a search may choose for one parameter.

    Attributes:
        kind: `uniform`, `loguniform`, `int`, `logint` (two numbers) or `choice` (any scalars).
    """

    name: str
    kind: str
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneFacts:
    """A search; the objective is measured on the validation rows."""

    method: str = "random"
    trials: int = 20
    parallel: int = 1
    objective: str = ""
    space: tuple[Range, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleFacts:
    """A model that is made of models.

    Attributes:
        combine: `mean`, `vote`, `weighted`, `stack` or `module:function`.
        weights: for `weighted`, of each member. meta: for `stack`.
    """

    members: tuple[str, ...]
    combine: str
    weights: Mapping[str, float] = field(default_factory=dict)
    meta: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressFacts:
    """A smaller model that is judged and served instead."""

    method: str
    params: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    checks: tuple[CheckFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFacts:
    """An approval that a version needs.

    Attributes:
        members: of the role, as the spec names them: persons or `@teams`.
        within: seconds after which the request has expired.
    """

    role: str
    members: tuple[str, ...] = ()
    count: int = 1
    within: float = 259_200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model noun.

    Attributes:
        features: ids of its features, in spec order. input: its input columns.
        label: column that it learns, of data noun `label_data`; `label_type` its declared type.
        source: address of finished model bytes.
        threshold: a number, or `threshold_metric` names what is maximised on validation rows.
        baseline: `prior majority mean last`, or the id of a model.
        slices: columns that checks name after `by`: kept beside the rows.
        references: what checks compare with, in order of first use.
    """

    id: str
    task: str
    features: tuple[str, ...] = ()
    input: tuple[ColumnFacts, ...] = ()
    output: tuple[ColumnFacts, ...] = ()
    label_data: str | None = None
    label: str | None = None
    label_type: str | None = None
    source: str | None = None
    secret_variable: str | None = None
    format: str | None = None
    train: TrainFacts | None = None
    tune: TuneFacts | None = None
    ensemble: EnsembleFacts | None = None
    compress: CompressFacts | None = None
    calibrate: str | None = None
    threshold: float | None = None
    threshold_metric: str | None = None
    prompt: str | None = None
    baseline: str | None = None
    split: SplitFacts | None = None
    checks: tuple[CheckFacts, ...] = ()
    inconclusive: str = "fail"
    slices: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    explain_method: str | None = None
    explain_top: int = 20
    approvals: tuple[ApprovalFacts, ...] = ()
    card: str | None = None
    owner: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFacts:
    """Where versions are kept.

    Attributes:
        kind: `file` (in the store) or `mlflow`. settings: those of that kind.
        people: file that says who belongs to a team, relative to the spec's folder.
    """

    kind: str = "file"
    uri: str | None = None
    secret_variable: str | None = None
    people: str | None = None
    settings: Mapping[str, Json] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierFacts:
    """The environment that comes before, whose champions are delivered to this one.

    Attributes:
        store: its address; None: the same store as here.
    """

    environment: str
    registry: RegistryFacts = RegistryFacts()
    store: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFacts:
    """What governs: the profile, and how records are signed."""

    profile: str = "standard"
    regulations: tuple[str, ...] = ()
    audit_to: str | None = None
    sign: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """The application, for cards and statements."""

    name: str
    owner: str = ""
    owner_members: tuple[str, ...] = ()
    description: str = ""
    intended_use: str = ""
    limitations: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Everything one derived step is told.

    Attributes:
        kind: what to do. subject: the noun it serves, such as `models.ctr`.
        spec: digest of what the spec says about the subject (`sha256:…`).
        model: the model that is made here; `models` further ones by id (members, baseline).
        data, features: those that the step needs, by id in order.
        metrics: the user's own metrics that checks name.
        written: metrics of a user's step to believe (`evaluate.metrics`), name of the input.
        script, words: a program of the user's that the step calls: for each model
            (`evaluate.run`), or with what arrived (`validate.run`). A Bash script that reads
            `MLSPEC_INPUTS_DATA` and so on, or words in which `${inputs.data}` is replaced.
        opaque: the bytes of the model are read by programs of the user's only, never by us.
        earlier: where a `deliver` step takes the champion from.
        table: format of plain tables for the user's programs: `csv`, `parquet`, …
    """

    kind: Kind
    step: str
    pipeline: str
    subject: str
    environment: str
    app: AppFacts
    spec: str = ""
    model: ModelFacts | None = None
    models: tuple[ModelFacts, ...] = ()
    data: tuple[DataFacts, ...] = ()
    features: tuple[FeatureFacts, ...] = ()
    metrics: tuple[MetricFacts, ...] = ()
    written: str | None = None
    registry: RegistryFacts = RegistryFacts()
    policy: PolicyFacts = PolicyFacts()
    image: str | None = None
    script: str | None = None
    words: tuple[str, ...] = ()
    table: str = "csv"
    opaque: bool = False
    earlier: EarlierFacts | None = None
