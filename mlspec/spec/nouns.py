"""The nouns as written: data, features, models, services, monitors, KPIs, metrics, policy.

One record for each noun, nothing resolved, with the origin of everything that a message may point
at. `mlspec.spec.bind_nouns` makes them; `extends`, overlays and includes are applied already.
Empty means an empty tuple, None means "not written".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.ir.facts import Amount, ColumnFacts, Range
from mlspec.ir.model import EMPTY, Json
from mlspec.ir.values import Duration
from mlspec.source import Origin
from mlspec.spec.model import ApprovalSpec, Located, SettingsSpec, TriggerSpec, UsesSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """A column, output or field. `declassify` is (class, why, role)."""

    facts: ColumnFacts
    declassify: tuple[str, str, Located] | None = None
    at: Origin

    @property
    def name(self) -> str:
        """Its name."""
        return self.facts.name


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """A check as written: one text, or the long form spelled as that text.

    Attributes:
        text: what `mlspec.expr.check_parser` reads.
        is_long: whether the long form was written; then parts of `text` have no place of their own.
        windows: `for`: consecutive windows that must agree.
    """

    text: str
    is_long: bool = False
    severity: str = "error"
    confidence: float = 0.95
    test: str | None = None
    min_samples: int | None = None
    windows: int | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec:
    """A derived step's own implementation (C7): `run` or `uses`, and its run settings."""

    run: str | tuple[str, ...] | None = None
    uses: UsesSpec | None = None
    settings: SettingsSpec = SettingsSpec()
    source: str = ""
    at: Origin

    @property
    def is_own(self) -> bool:
        """Whether the user replaces the implementation."""
        return self.run is not None or self.uses is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataNoun:
    """What a data noun says beyond its source (`DataSpec`)."""

    id: str
    owner: Located | None = None
    key: tuple[Located, ...] = ()
    time: Located | None = None
    delay: Duration | None = None
    columns: tuple[ColumnSpec, ...] = ()
    like: Located | None = None
    checks: tuple[CheckSpec, ...] = ()
    validate: BlockSpec | None = None
    retain: Duration | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSpec:
    """A data noun that a feature reads; `columns` None: all that are fit (decision B14)."""

    data: Located
    columns: tuple[Located, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineSpec:
    """Where a service looks a feature up."""

    refresh: str | None
    ttl: Duration | None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpec:
    """A feature."""

    id: str
    owner: Located | None = None
    reads: tuple[ReadSpec, ...]
    transform: Located | None = None
    outputs: tuple[ColumnSpec, ...]
    key: tuple[Located, ...] = ()
    time: Located | None = None
    online: OnlineSpec | None = None
    checks: tuple[CheckSpec, ...] = ()
    trigger: TriggerSpec
    engine: Located | None = None
    settings: SettingsSpec = SettingsSpec()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSpec:
    """How rows are divided."""

    by: str
    train: Amount | None = None
    validation: Amount | None = None
    test: Amount | None = None
    gap: Duration | None = None
    group: Located | None = None
    column: Located | None = None
    stratify: Located | None = None
    seed: int | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSpec:
    """How a model is trained: a function, a block of the user's, or an explicit pipeline."""

    engine: Located | None = None
    entrypoint: Located | None = None
    params: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    seed: int | None = None
    base: Located | None = None
    method: str | None = None
    pipeline: Located | None = None
    output: Located | None = None
    block: BlockSpec
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSpec:
    """A search."""

    method: str | None = None
    trials: int | None = None
    parallel: int | None = None
    objective: Located | None = None
    space: tuple[Range, ...] = ()
    seed: int | None = None
    settings: SettingsSpec = SettingsSpec()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleSpec:
    """A model that is made of models."""

    members: tuple[Located, ...]
    combine: Located
    weights: tuple[tuple[str, float], ...] = ()
    meta: Located | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressSpec:
    """A smaller model."""

    method: str
    params: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    checks: tuple[CheckSpec, ...] = ()
    settings: SettingsSpec = SettingsSpec()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSpec:
    """How a model is judged.

    Attributes:
        data: data noun with the test rows. metrics: `pipeline.step` whose numbers are believed.
        judge: source of the judging model; `agreement` its calibration check.
    """

    data: Located | None = None
    metrics: Located | None = None
    judge: Located | None = None
    agreement: CheckSpec | None = None
    block: BlockSpec
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSpec:
    """An explanation."""

    method: str
    top: int | None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteSpec:
    """A promotion gate."""

    checks: tuple[CheckSpec, ...] = ()
    approvals: tuple[ApprovalSpec, ...] = ()
    inconclusive: Located | None = None
    explain: ExplainSpec | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSpec:
    """When a model is trained again. `limit` is (count, per)."""

    trigger: TriggerSpec
    cooldown: Duration | None = None
    limit: tuple[int, Duration] | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model: exactly one of `source`, `train`, `ensemble`.

    Attributes:
        features: ids of features, or None when `fields` are written instead.
        threshold: a number; `threshold_metric` is maximised instead.
    """

    id: str
    description: str = ""
    owner: Located | None = None
    task: Located | None = None
    source: Located | None = None
    secret: str | None = None
    format: Located | None = None
    train: TrainSpec | None = None
    ensemble: EnsembleSpec | None = None
    features: tuple[Located, ...] = ()
    fields: tuple[ColumnSpec, ...] = ()
    label_data: Located | None = None
    label_column: Located | None = None
    output: tuple[ColumnSpec, ...] = ()
    split: SplitSpec | None = None
    tune: TuneSpec | None = None
    compress: CompressSpec | None = None
    calibrate: Located | None = None
    threshold: float | None = None
    threshold_metric: Located | None = None
    prompt: Located | None = None
    baseline: Located | None = None
    evaluate: EvaluateSpec | None = None
    promote: PromoteSpec | None = None
    retrain: RetrainSpec | None = None
    card: Located | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSpec:
    """A model beside the champion; `share` None: it mirrors."""

    id: str
    model: Located
    share: float | None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSpec:
    """How a new champion takes over; the rollback is (to, within)."""

    shadow: Duration | None = None
    canary: tuple[tuple[float, Origin], ...] = ()
    hold: Duration | None = None
    max_hold: Duration | None = None
    checks: tuple[CheckSpec, ...] = ()
    approvals: tuple[ApprovalSpec, ...] = ()
    rollback: tuple[str | None, Duration | None] | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """A service.

    Attributes:
        review: role that reviews decisions; `effect` what a decision does to a person.
        log_to, log_retain: of the prediction log.
    """

    id: str
    mode: str
    model: Located
    owner: Located | None = None
    expose: str | None = None
    input: tuple[Located, ...] = ()
    data: Located | None = None
    to: Located | None = None
    fallback: Located | None = None
    slo: tuple[CheckSpec, ...] = ()
    explain: ExplainSpec | None = None
    effect: Located | None = None
    review: Located | None = None
    log_to: Located | None = None
    log_retain: Duration | None = None
    load: float | None = None
    engine: Located | None = None
    variants: tuple[VariantSpec, ...] = ()
    rollout: RolloutSpec | None = None
    trigger: TriggerSpec
    settings: SettingsSpec = SettingsSpec()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSpec:
    """A monitor; `then` as role and noun references."""

    id: str
    watch: Located
    owner: Located | None = None
    every: Duration | None = None
    window: Duration | None = None
    windows: int | None = None
    checks: tuple[CheckSpec, ...] = ()
    alert: tuple[Located, ...] = ()
    retrain: tuple[Located, ...] = ()
    rollback: tuple[Located, ...] = ()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiSpec:
    """A KPI."""

    id: str
    owner: Located | None = None
    watch: Located | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """A metric of the user's own."""

    name: str
    function: Located | None = None
    prometheus: Located | None = None
    better: str = "none"
    unit: str = ""
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverSpec:
    """A rule that is not applied. `until` is an ISO date."""

    rule: Located
    what: Located | None = None
    why: str = ""
    by: Located | None = None
    until: Located | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """Which governance rules are errors."""

    profile: Located | None = None
    regulations: tuple[Located, ...] = ()
    audit_to: Located | None = None
    audit_retain: Duration | None = None
    sign: str | None = None
    waivers: tuple[WaiverSpec, ...] = ()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSpec:
    """The most an environment may be asked for: thousandths of cores, bytes, devices."""

    environment: str
    cpu: int | None = None
    memory: int | None = None
    gpu: int | None = None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Nouns:
    """All nouns of a spec, each kind in spec order."""

    data: tuple[DataNoun, ...] = ()
    features: tuple[FeatureSpec, ...] = ()
    models: tuple[ModelSpec, ...] = ()
    services: tuple[ServiceSpec, ...] = ()
    monitors: tuple[MonitorSpec, ...] = ()
    kpis: tuple[KpiSpec, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    policy: PolicySpec | None = None
    quotas: tuple[QuotaSpec, ...] = ()
    intended_use: Located | None = None
    limitations: Located | None = None
    maturity: int | None = None
    deliver: tuple[tuple[str, str], ...] = ()

    def model(self, model_id: str) -> ModelSpec | None:
        """Return a model by id."""
        return next((model for model in self.models if model.id == model_id), None)

    def dataset(self, data_id: str) -> DataNoun | None:
        """Return a data noun by id."""
        return next((data for data in self.data if data.id == data_id), None)

    def feature(self, feature_id: str) -> FeatureSpec | None:
        """Return a feature by id."""
        return next((feature for feature in self.features if feature.id == feature_id), None)

    def service(self, service_id: str) -> ServiceSpec | None:
        """Return a service by id."""
        return next((service for service in self.services if service.id == service_id), None)

    @property
    def profile(self) -> str:
        """`open`, `standard` or `regulated`; `standard` unless the policy says otherwise."""
        if self.policy is None or self.policy.profile is None:
            return "standard"
        return self.policy.profile.text
