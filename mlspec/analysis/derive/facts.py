"""Facts about nouns: the records of the spec, resolved, as derived steps are told them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlspec.analysis.catalogue import Catalogue
from mlspec.expr.check import Check
from mlspec.expr.check_parser import parse_check
from mlspec.ir.facts import (
    AppFacts,
    ApprovalFacts,
    CheckFacts,
    CompressFacts,
    DataFacts,
    EnsembleFacts,
    FeatureFacts,
    MetricFacts,
    ModelFacts,
    PolicyFacts,
    Reads,
    RegistryFacts,
    SplitFacts,
    TrainFacts,
    TuneFacts,
)
from mlspec.ir.model import Approval, Resources, TargetChoice
from mlspec.ir.node import to_json
from mlspec.spec.model import RoleSpec
from mlspec.spec.nouns import CheckSpec, FeatureSpec, MetricSpec, ModelSpec

INPUT = "input"
"""Id of the feature that stands for a model's own fields: its columns as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactContext:
    """What facts are made from.

    Attributes:
        sources: addresses of data nouns and of source models, references resolved.
    """

    catalogue: Catalogue
    roles: Mapping[str, RoleSpec]
    targets: Mapping[str, TargetChoice]
    sources: Mapping[str, str | None]
    model_sources: Mapping[str, str | None]


def secret_variable(noun: str) -> str:
    """Return the environment variable that carries the secret of a noun's source."""
    return f"MLSPEC_SECRET_{noun.replace('-', '_').upper()}"


def check_facts(checks: Iterable[CheckSpec]) -> tuple[CheckFacts, ...]:
    """Return checks in canonical text; those that cannot be read were reported and are left out."""
    made = []
    for check in checks:
        parsed = parse_check(check.text)
        if isinstance(parsed, Check):
            made.append(
                CheckFacts(
                    text=str(parsed),
                    severity=check.severity,
                    confidence=check.confidence,
                    test=check.test,
                    min_samples=check.min_samples,
                )
            )
    return tuple(made)


def app_facts(context: FactContext) -> AppFacts:
    """Return the application's facts."""
    app, nouns = context.catalogue.spec.app, context.catalogue.nouns
    owner = app.owner.text if app.owner is not None else ""
    role = context.roles.get(owner)
    return AppFacts(
        name=app.name,
        owner=owner,
        owner_members=role.members if role is not None else (),
        description=app.description,
        intended_use=nouns.intended_use.text if nouns.intended_use is not None else "",
        limitations=nouns.limitations.text if nouns.limitations is not None else "",
    )


def registry_facts(context: FactContext) -> RegistryFacts:
    """Return where versions are kept: in the store, unless a target says otherwise."""
    return registry_of(context.targets.get("registry"))


def registry_of(choice: TargetChoice | None) -> RegistryFacts:
    """Return the facts of a choice of registry."""
    if choice is None:
        return RegistryFacts()
    settings = dict(choice.settings)
    uri, people = settings.pop("uri", None), settings.pop("people", None)
    secret = settings.pop("secret", None)
    return RegistryFacts(
        kind=choice.kind,
        uri=str(uri) if uri is not None else None,
        secret_variable=secret_variable("registry") if secret is not None else None,
        people=str(people) if people is not None else None,
        settings=MappingProxyType(settings),
    )


def policy_facts(context: FactContext) -> PolicyFacts:
    """Return what governs."""
    policy = context.catalogue.nouns.policy
    if policy is None:
        return PolicyFacts()
    return PolicyFacts(
        profile=context.catalogue.profile,
        regulations=tuple(one.text for one in policy.regulations),
        audit_to=policy.audit_to.text if policy.audit_to is not None else None,
        sign=policy.sign,
    )


def data_facts(data_id: str, context: FactContext) -> DataFacts:
    """Return the facts of a data noun, through `like`."""
    catalogue = context.catalogue
    noun = catalogue.data[data_id]
    plain = next(item for item in catalogue.spec.data if item.id == data_id)
    owner = noun.owner or catalogue.spec.app.owner
    return DataFacts(
        id=data_id,
        source=context.sources.get(data_id),
        format=plain.format,
        query=plain.query.text if plain.query is not None else None,
        secret_variable=secret_variable(data_id) if plain.secret is not None else None,
        key=catalogue.key(data_id),
        time=catalogue.time(data_id),
        delay=noun.delay.seconds if noun.delay is not None else None,
        columns=tuple(column.facts for column in catalogue.columns(data_id)),
        checks=check_facts(noun.checks),
        retain=noun.retain.seconds if noun.retain is not None else None,
        owner=owner.text if owner is not None else "",
    )


def feature_facts(feature: FeatureSpec, label: str | None, catalogue: Catalogue) -> FeatureFacts:
    """Return the facts of a feature; `label` is the label column, which `from` leaves out."""
    return FeatureFacts(
        id=feature.id,
        reads=tuple(
            Reads(data=one.data.text, columns=tuple(c.text for c in one.columns or ()))
            for one in catalogue.reads(feature, label)
        ),
        transform=feature.transform.text if feature.transform is not None else None,
        outputs=tuple(column.facts for column in feature.outputs),
        key=tuple(one.text for one in feature.key),
        time=feature.time.text if feature.time is not None else None,
        checks=check_facts(feature.checks),
    )


def features_of(
    model: ModelSpec, context: FactContext, rows: str | None = None
) -> tuple[FeatureFacts, ...]:
    """Return the features that a model's rows are made with.

    Args:
        model: the model. context: the nouns.
        rows: data noun to read its own fields from, instead of that of its label.
    """
    catalogue = context.catalogue
    label = catalogue.label(model)
    column = label[1] if label is not None else None
    made = [feature_facts(one, column, catalogue) for one in catalogue.model_features(model)]
    fields = tuple(field.facts for one in catalogue.lineage(model) for field in one.fields)
    source = rows or (label[0] if label is not None else None)
    if fields and source is not None:
        names = tuple(dict.fromkeys(field.name for field in fields))
        made.append(
            FeatureFacts(
                id=INPUT,
                reads=(Reads(data=source, columns=names),),
                outputs=tuple({field.name: field for field in fields}.values()),
            )
        )
    return tuple(made)


def _references(checks: Iterable[CheckFacts]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for check in checks:
        parsed = parse_check(check.text)
        if isinstance(parsed, Check) and parsed.reference is not None:
            found[parsed.reference] = None
    return tuple(found)


def _slices(checks: Iterable[CheckFacts]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for check in checks:
        parsed = parse_check(check.text)
        if isinstance(parsed, Check) and parsed.by is not None:
            found[parsed.by] = None
    return tuple(found)


def metric_facts(checks: Iterable[CheckFacts], catalogue: Catalogue) -> tuple[MetricFacts, ...]:
    """Return the user's own metrics that checks name."""
    found: dict[str, MetricFacts] = {}
    for check in checks:
        parsed = parse_check(check.text)
        metric = catalogue.metric(parsed.metric) if isinstance(parsed, Check) else None
        if isinstance(metric, MetricSpec):
            found[metric.name] = MetricFacts(
                name=metric.name,
                function=metric.function.text if metric.function is not None else None,
                better=metric.better,
                unit=metric.unit,
            )
    return tuple(found.values())


def model_facts(
    model: ModelSpec, context: FactContext, approvals: tuple[Approval, ...], resources: Resources
) -> ModelFacts:
    """Return the facts of a model.

    Args:
        model: as written. context: the nouns.
        approvals: that its versions need, with the people of the roles.
        resources: of its training.
    """
    catalogue, promote = context.catalogue, model.promote
    label, rows = catalogue.label(model), catalogue.rows_from(model)
    compress = _compress(model)
    checks = check_facts(promote.checks) if promote is not None else ()
    judged = (*checks, *(compress.checks if compress is not None else ()))
    label_column = catalogue.column(*label) if label is not None else None
    explain = promote.explain if promote is not None else None
    owner = model.owner or catalogue.spec.app.owner
    return ModelFacts(
        id=model.id,
        task=catalogue.task(model) or "other",
        features=tuple(one.id for one in features_of(model, context)),
        input=tuple(column.facts for column in catalogue.input(model)),
        output=tuple(column.facts for column in catalogue.output(model)),
        label_data=label[0] if label is not None else None,
        label=label[1] if label is not None else None,
        label_type=label_column.facts.type if label_column is not None else None,
        source=context.model_sources.get(model.id),
        secret_variable=secret_variable(model.id) if model.secret is not None else None,
        format=model.format.text if model.format is not None else None,
        train=_train(model, resources),
        tune=_tune(model),
        ensemble=_ensemble(model),
        compress=compress,
        calibrate=model.calibrate.text if model.calibrate is not None else None,
        threshold=model.threshold,
        threshold_metric=model.threshold_metric.text if model.threshold_metric else None,
        prompt=model.prompt.text if model.prompt is not None else None,
        baseline=model.baseline.text if model.baseline is not None else None,
        split=_split(model, context, rows, label[0] if label is not None else None),
        checks=judged,
        inconclusive=promote.inconclusive.text if promote and promote.inconclusive else "fail",
        slices=_slices(judged),
        references=_references(judged),
        explain_method=explain.method if explain is not None else None,
        explain_top=explain.top or 20 if explain is not None else 20,
        approvals=tuple(
            ApprovalFacts(
                role=one.role, members=one.members, count=one.count, within=one.within.seconds
            )
            for one in approvals
        ),
        card=model.card.text if model.card is not None else None,
        owner=owner.text if owner is not None else "",
        description=model.description,
    )


def _train(model: ModelSpec, resources: Resources) -> TrainFacts | None:
    train = model.train
    if train is None:
        return None
    cores = resources.cpu.milli // 1000 if resources.cpu is not None else 1
    return TrainFacts(
        engine=train.engine.text if train.engine is not None else None,
        entrypoint=train.entrypoint.text if train.entrypoint is not None else None,
        params=train.params,
        seed=train.seed or 0,
        workers=resources.workers or 1,
        threads=max(1, cores),
        gpu=resources.gpu or 0,
        base=train.base.text if train.base is not None else None,
        method=train.method,
    )


def _tune(model: ModelSpec) -> TuneFacts | None:
    tune = model.tune
    if tune is None:
        return None
    return TuneFacts(
        method=tune.method or "random",
        trials=tune.trials or 20,
        parallel=tune.parallel or 1,
        objective=tune.objective.text if tune.objective is not None else "",
        space=tune.space,
        seed=tune.seed or 0,
    )


def _ensemble(model: ModelSpec) -> EnsembleFacts | None:
    ensemble = model.ensemble
    if ensemble is None:
        return None
    return EnsembleFacts(
        members=tuple(one.text for one in ensemble.members),
        combine=ensemble.combine.text,
        weights=MappingProxyType(dict(ensemble.weights)),
        meta=ensemble.meta.text if ensemble.meta is not None else None,
    )


def _compress(model: ModelSpec) -> CompressFacts | None:
    compress = model.compress
    if compress is None:
        return None
    return CompressFacts(
        method=compress.method, params=compress.params, checks=check_facts(compress.checks)
    )


def _split(
    model: ModelSpec, context: FactContext, rows: str | None, label: str | None
) -> SplitFacts | None:
    """Return the split; the gap is the label's delay unless it is written (rule ML213)."""
    split = context.catalogue.split(model)
    if split is None:
        return None
    noun = context.catalogue.data.get(label or rows or "")
    delay = noun.delay.seconds if noun is not None and noun.delay is not None else 0.0
    return SplitFacts(
        by=split.by,
        train=split.train,
        validation=split.validation,
        test=split.test,
        gap=split.gap.seconds if split.gap is not None else None,
        delay=delay,
        group=split.group.text if split.group is not None else None,
        column=split.column.text if split.column is not None else None,
        stratify=split.stratify.text if split.stratify is not None else None,
        seed=split.seed or 0,
    )


def digest_of_facts(*facts: object) -> str:
    """Return `sha256:…` of what the spec says about something."""
    text = json.dumps(to_json(facts), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
