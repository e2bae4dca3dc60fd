"""Binding of models (see `mlspec.spec.bind_nouns`)."""

from __future__ import annotations

from mlspec.ir.facts import Range
from mlspec.spec.bind_parts import (
    amount,
    bind_block,
    bind_check,
    bind_checks,
    bind_columns,
    bind_explain,
    free,
)
from mlspec.spec.bind_steps import all_located, bind_approvals, bind_settings, duration, located
from mlspec.spec.bind_triggers import bind_trigger_keys
from mlspec.spec.cursor import Cursor
from mlspec.spec.nouns import (
    CompressSpec,
    EnsembleSpec,
    EvaluateSpec,
    ModelSpec,
    PromoteSpec,
    RetrainSpec,
    SplitSpec,
    TrainSpec,
    TuneSpec,
)


def bind_model(name: str, model: Cursor) -> ModelSpec:
    """Bind a model."""
    given, label = model.get("input"), model.get("label")
    has_fields = given is not None and isinstance(given.value, dict)
    threshold = model.get("threshold")
    by_metric = threshold is not None and isinstance(threshold.value, dict)
    return ModelSpec(
        id=name,
        description=model.text_of("description"),
        owner=located(model, "owner"),
        task=located(model, "task"),
        source=located(model, "source"),
        secret=model.optional_text("secret"),
        format=located(model, "format"),
        train=_train(found) if (found := model.get("train")) is not None else None,
        ensemble=_ensemble(found) if (found := model.get("ensemble")) is not None else None,
        features=() if has_fields else all_located(model, "input"),
        fields=bind_columns(model, "input") if has_fields else (),
        label_data=located(label, "data") if label is not None else None,
        label_column=located(label, "column") if label is not None else None,
        output=bind_columns(model, "output"),
        split=_split(found) if (found := model.get("split")) is not None else None,
        tune=_tune(found) if (found := model.get("tune")) is not None else None,
        compress=_compress(found) if (found := model.get("compress")) is not None else None,
        calibrate=located(model, "calibrate"),
        threshold=None if threshold is None or by_metric else _plain(threshold),
        threshold_metric=located(threshold, "maximize") if threshold and by_metric else None,
        prompt=located(model, "prompt"),
        baseline=located(model, "baseline"),
        evaluate=_evaluate(found) if (found := model.get("evaluate")) is not None else None,
        promote=_promote(found) if (found := model.get("promote")) is not None else None,
        retrain=_retrain(found) if (found := model.get("retrain")) is not None else None,
        card=located(model, "card"),
        at=model.at,
    )


def _plain(cursor: Cursor) -> float:
    if isinstance(cursor.value, bool) or not isinstance(cursor.value, (int, float)):
        raise cursor.bug("a number")
    return float(cursor.value)


def _train(train: Cursor) -> TrainSpec:
    return TrainSpec(
        engine=located(train, "engine"),
        entrypoint=located(train, "entrypoint"),
        params=free(train, "params"),
        seed=train.optional_int("seed"),
        base=located(train, "base"),
        method=train.optional_text("method"),
        pipeline=located(train, "pipeline"),
        output=located(train, "output"),
        block=bind_block(train),
        at=train.at,
    )


def _ensemble(ensemble: Cursor) -> EnsembleSpec:
    combine = located(ensemble, "combine")
    assert combine is not None  # noqa: S101  required by the schema; for the type checker
    return EnsembleSpec(
        members=all_located(ensemble, "members"),
        combine=combine,
        weights=tuple((name, _plain(item)) for name, item in ensemble.entries("weights")),
        meta=located(ensemble, "meta"),
        at=ensemble.at,
    )


def _split(split: Cursor) -> SplitSpec:
    return SplitSpec(
        by=split.text_of("by"),
        train=amount(split, "train"),
        validation=amount(split, "validation"),
        test=amount(split, "test"),
        gap=duration(split, "gap"),
        group=located(split, "group"),
        column=located(split, "column"),
        stratify=located(split, "stratify"),
        seed=split.optional_int("seed"),
        at=split.at,
    )


def _tune(tune: Cursor) -> TuneSpec:
    return TuneSpec(
        method=tune.optional_text("method"),
        trials=tune.optional_int("trials"),
        parallel=tune.optional_int("parallel"),
        objective=located(tune, "objective"),
        space=tuple(_range(name, item) for name, item in tune.entries("space")),
        seed=tune.optional_int("seed"),
        settings=bind_settings(tune),
        at=tune.at,
    )


def _range(name: str, item: Cursor) -> Range:
    kind, values = next(iter(item.entries()))
    found: list[str | int | float | bool] = []
    for value in values.items():
        if not isinstance(value.value, (str, int, float, bool)):
            raise value.bug("a scalar")
        found.append(value.value)
    return Range(name=name, kind=kind, values=tuple(found))


def _compress(compress: Cursor) -> CompressSpec:
    return CompressSpec(
        method=compress.text_of("method"),
        params=free(compress, "params"),
        checks=bind_checks(compress, "checks"),
        settings=bind_settings(compress),
        at=compress.at,
    )


def _evaluate(evaluate: Cursor) -> EvaluateSpec:
    judge = evaluate.get("judge")
    agreement = judge.get("agreement") if judge is not None else None
    return EvaluateSpec(
        data=located(evaluate, "data"),
        metrics=located(evaluate, "metrics"),
        judge=located(judge, "source") if judge is not None else None,
        agreement=bind_check(agreement) if agreement is not None else None,
        block=bind_block(evaluate),
        at=evaluate.at,
    )


def _promote(promote: Cursor) -> PromoteSpec:
    explain = promote.get("explain")
    return PromoteSpec(
        checks=bind_checks(promote, "checks"),
        approvals=bind_approvals(promote),
        inconclusive=located(promote, "inconclusive"),
        explain=bind_explain(explain) if explain is not None else None,
        at=promote.at,
    )


def _retrain(retrain: Cursor) -> RetrainSpec:
    limit = retrain.get("limit")
    per = duration(limit, "per") if limit is not None else None
    count = limit.optional_int("count") if limit is not None else None
    return RetrainSpec(
        trigger=bind_trigger_keys(retrain),
        cooldown=duration(retrain, "cooldown"),
        limit=(count, per) if count is not None and per is not None else None,
        at=retrain.at,
    )
