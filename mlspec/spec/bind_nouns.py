"""Binding of the nouns (see `mlspec.spec.bind`): plain data to the records of `spec.nouns`."""

from __future__ import annotations

from mlspec.expr.quantity import parse_cpu, parse_memory, parse_rate, parse_share
from mlspec.spec.bind_models import bind_model
from mlspec.spec.bind_parts import (
    bind_block,
    bind_checks,
    bind_columns,
    bind_explain,
)
from mlspec.spec.bind_steps import all_located, bind_approvals, bind_settings, duration, located
from mlspec.spec.bind_triggers import bind_trigger
from mlspec.spec.cursor import Cursor
from mlspec.spec.model import Located
from mlspec.spec.nouns import (
    DataNoun,
    FeatureSpec,
    KpiSpec,
    MetricSpec,
    MonitorSpec,
    Nouns,
    OnlineSpec,
    PolicySpec,
    QuotaSpec,
    ReadSpec,
    RolloutSpec,
    ServiceSpec,
    VariantSpec,
    WaiverSpec,
)


def bind_nouns(root: Cursor) -> Nouns:
    """Return the nouns of a document."""
    app, policy = root.get("app"), root.get("policy")
    environments = tuple(root.entries("environments"))
    return Nouns(
        data=tuple(_data(name, item) for name, item in root.entries("data")),
        features=tuple(_feature(name, item) for name, item in root.entries("features")),
        models=tuple(bind_model(name, item) for name, item in root.entries("models")),
        services=tuple(_service(name, item) for name, item in root.entries("serving")),
        monitors=tuple(_monitor(name, item) for name, item in root.entries("monitors")),
        kpis=tuple(
            KpiSpec(id=name, owner=located(item, "owner"), watch=located(item, "watch"), at=item.at)
            for name, item in root.entries("kpis")
        ),
        metrics=tuple(_metric(name, item) for name, item in root.entries("metrics")),
        policy=_policy(policy) if policy is not None else None,
        quotas=tuple(
            _quota(name, quota)
            for name, item in environments
            if (quota := item.get("quota")) is not None
        ),
        intended_use=located(app, "intended_use") if app is not None else None,
        limitations=located(app, "limitations") if app is not None else None,
        maturity=app.optional_int("maturity") if app is not None else None,
        deliver=tuple((name, item.text_of("deliver", "models")) for name, item in environments),
    )


def _data(name: str, data: Cursor) -> DataNoun:
    validate = data.get("validate")
    return DataNoun(
        id=name,
        owner=located(data, "owner"),
        key=all_located(data, "key"),
        time=located(data, "time"),
        delay=duration(data, "delay"),
        columns=bind_columns(data, "schema"),
        like=located(data, "like"),
        checks=bind_checks(data, "checks"),
        validate=bind_block(validate) if validate is not None else None,
        retain=duration(data, "retain"),
        at=data.at,
    )


def _feature(name: str, feature: Cursor) -> FeatureSpec:
    online = feature.get("online")
    return FeatureSpec(
        id=name,
        owner=located(feature, "owner"),
        reads=_reads(feature),
        transform=located(feature, "transform"),
        outputs=bind_columns(feature, "output"),
        key=all_located(feature, "key"),
        time=located(feature, "time"),
        online=None
        if online is None
        else OnlineSpec(
            refresh=online.optional_text("refresh"), ttl=duration(online, "ttl"), at=online.at
        ),
        checks=bind_checks(feature, "checks"),
        trigger=bind_trigger(feature),
        engine=located(feature, "engine"),
        settings=bind_settings(feature),
        at=feature.at,
    )


def _reads(feature: Cursor) -> tuple[ReadSpec, ...]:
    source = feature.get("from")
    if source is None:
        return ()
    if isinstance(source.value, str):
        return (ReadSpec(data=Located(source.value, source.at)),)
    return tuple(
        ReadSpec(
            data=Located(name, columns.at.key()),
            columns=tuple(Located(item.text, item.at) for item in columns.items()),
        )
        for name, columns in source.entries()
    )


def _service(name: str, service: Cursor) -> ServiceSpec:
    decision, log, rollout = service.get("decision"), service.get("log"), service.get("rollout")
    load, explain, given = service.get("load"), service.get("explain"), service.get("input")
    plain = given is not None and not isinstance(given.value, dict)
    return ServiceSpec(
        id=name,
        mode=service.text_of("mode"),
        model=_required(service, "model"),
        owner=located(service, "owner"),
        expose=service.optional_text("expose"),
        input=all_located(service, "input") if plain else (),
        data=located(service, "from"),
        to=located(service, "to"),
        fallback=located(service, "fallback"),
        slo=bind_checks(service, "slo"),
        explain=bind_explain(explain) if explain is not None else None,
        effect=located(decision, "effect") if decision is not None else None,
        review=located(decision, "review") if decision is not None else None,
        log_to=located(log, "to") if log is not None else None,
        log_retain=duration(log, "retain") if log is not None else None,
        load=parse_rate(load.text) if load is not None else None,
        engine=located(service, "engine"),
        variants=tuple(_variant(key, item) for key, item in service.entries("variants")),
        rollout=_rollout(rollout) if rollout is not None else None,
        trigger=bind_trigger(service),
        settings=bind_settings(service),
        at=service.at,
    )


def _required(holder: Cursor, key: str) -> Located:
    found = located(holder, key)
    if found is None:
        raise holder.bug(f"`{key}`")
    return found


def _variant(name: str, variant: Cursor) -> VariantSpec:
    traffic = variant.optional_text("traffic")
    share = None if traffic is None or traffic == "mirror" else parse_share(traffic)
    if traffic is None:
        share = 0.0
    return VariantSpec(id=name, model=_required(variant, "model"), share=share, at=variant.at)


def _rollout(rollout: Cursor) -> RolloutSpec:
    back = rollout.get("rollback")
    return RolloutSpec(
        shadow=duration(rollout, "shadow"),
        canary=tuple((parse_share(item.text) or 0.0, item.at) for item in rollout.items("canary")),
        hold=duration(rollout, "hold"),
        max_hold=duration(rollout, "max_hold"),
        checks=bind_checks(rollout, "checks"),
        approvals=bind_approvals(rollout),
        rollback=None if back is None else (back.optional_text("to"), duration(back, "within")),
        at=rollout.at,
    )


def _monitor(name: str, monitor: Cursor) -> MonitorSpec:
    then = monitor.get("then")
    return MonitorSpec(
        id=name,
        watch=_required(monitor, "watch"),
        owner=located(monitor, "owner"),
        every=duration(monitor, "every"),
        window=duration(monitor, "window"),
        windows=monitor.optional_int("for"),
        checks=bind_checks(monitor, "checks"),
        alert=all_located(then, "alert") if then is not None else (),
        retrain=all_located(then, "retrain") if then is not None else (),
        rollback=all_located(then, "rollback") if then is not None else (),
        at=monitor.at,
    )


def _metric(name: str, metric: Cursor) -> MetricSpec:
    return MetricSpec(
        name=name,
        function=located(metric, "function"),
        prometheus=located(metric, "prometheus"),
        better=metric.text_of("better", "none"),
        unit=metric.text_of("unit"),
        at=metric.at,
    )


def _policy(policy: Cursor) -> PolicySpec:
    audit = policy.get("audit")
    return PolicySpec(
        profile=located(policy, "profile"),
        regulations=all_located(policy, "regulations"),
        audit_to=located(audit, "to") if audit is not None else None,
        audit_retain=duration(audit, "retain") if audit is not None else None,
        sign=audit.optional_text("sign") if audit is not None else None,
        waivers=tuple(
            WaiverSpec(
                rule=_required(item, "rule"),
                what=located(item, "what"),
                why=item.text_of("why"),
                by=located(item, "by"),
                until=located(item, "until"),
                at=item.at,
            )
            for item in policy.items("waive")
        ),
        at=policy.at,
    )


def _quota(name: str, quota: Cursor) -> QuotaSpec:
    cpu, memory = quota.get("cpu"), quota.get("memory")
    cores = parse_cpu(cpu.written) if cpu is not None else None
    size = parse_memory(memory.written) if memory is not None else None
    return QuotaSpec(
        environment=name,
        cpu=cores.milli if cores is not None else None,
        memory=size.bytes if size is not None else None,
        gpu=quota.optional_int("gpu"),
        at=quota.at,
    )
