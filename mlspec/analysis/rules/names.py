"""Names of nouns and columns that nothing has (ML042, ML047, ML048, ML050, ML055 to ML058)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlspec.analysis.catalogue import BUILT_IN_BASELINES, Catalogue
from mlspec.diagnostics.codes import names as codes
from mlspec.diagnostics.codes.shape import EXACTLY_ONE
from mlspec.diagnostics.model import Code, Diagnostic, Label
from mlspec.diagnostics.suggest import nearest
from mlspec.expr.metrics import METRICS
from mlspec.spec.model import Located, TriggerSpec
from mlspec.spec.nouns import (
    ColumnSpec,
    DataNoun,
    FeatureSpec,
    ModelSpec,
    MonitorSpec,
    ServiceSpec,
)

RESERVED_MODELS = frozenset(
    {
        "champion",
        "challenger",
        "candidate",
        "previous",
        "baseline",
        "uncompressed",
        "latest",
        "default",
        *BUILT_IN_BASELINES,
    }
)
"""Words that cannot be ids of models (decision B2)."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield references that name nothing."""
    nouns = catalogue.nouns
    for data in nouns.data:
        yield from _data(catalogue, data)
    for feature in nouns.features:
        yield from _feature(catalogue, feature)
    for model in nouns.models:
        yield from _model(catalogue, model)
    for service in nouns.services:
        yield from _service(catalogue, service)
    for monitor in nouns.monitors:
        yield from _monitor(catalogue, monitor)
    for kpi in nouns.kpis:
        if kpi.watch is not None:
            yield from _of(catalogue.services, codes.UNKNOWN_SERVICE, "service", kpi.watch)
    for metric in nouns.metrics:
        if metric.name in METRICS:
            yield Diagnostic(
                code=codes.RESERVED_NAME,
                message=f"`{metric.name}` is a metric already",
                at=metric.at.key(),
                help=("choose another name: what a metric of the registry means is fixed",),
            )


def _of(
    known: Iterable[str], code: Code, noun: str, *names: Located, help_: str = ""
) -> Iterator[Diagnostic]:
    names_here = tuple(known)
    for name in names:
        if name.text in names_here:
            continue
        guess = nearest(name.text, names_here)
        yield Diagnostic(
            code=code,
            message=f"there is no {noun} `{name.text}`",
            at=name.at,
            label=f"did you mean `{guess}`?" if guess else "",
            help=(help_,) if help_ and not guess else (),
        )


def _columns(
    columns: Iterable[ColumnSpec], holder: str, *names: Located | None
) -> Iterator[Diagnostic]:
    """Yield names that are no columns; nothing when the columns are not declared."""
    known = tuple(column.name for column in columns)
    for name in names:
        if name is None or name.text in known or not known:
            continue
        guess = nearest(name.text, known)
        listed = ", ".join(f"`{column}`" for column in known[:12])
        yield Diagnostic(
            code=codes.UNKNOWN_COLUMN,
            message=f"`{holder}` has no column `{name.text}`",
            at=name.at,
            label=f"did you mean `{guess}`?" if guess else "",
            notes=() if guess else (f"its columns: {listed}",),
        )


def _data(catalogue: Catalogue, data: DataNoun) -> Iterator[Diagnostic]:
    yield from _columns(catalogue.columns(data.id), data.id, *data.key, data.time)


def _feature(catalogue: Catalogue, feature: FeatureSpec) -> Iterator[Diagnostic]:
    readable: list[ColumnSpec] = []
    complete = True
    for read in feature.reads:
        yield from _of(catalogue.data, codes.UNKNOWN_DATA, "data noun", read.data)
        columns = catalogue.columns(read.data.text)
        complete = complete and bool(columns)
        readable += columns
        yield from _columns(columns, read.data.text, *(read.columns or ()))
    yield from _of(catalogue.data, codes.UNKNOWN_DATA, "data noun", *feature.trigger.data)
    if not complete or not feature.reads:
        return
    holder = feature.reads[0].data.text if len(feature.reads) == 1 else feature.id
    yield from _columns(readable, holder, *feature.key, feature.time)
    if feature.transform is not None:
        return
    known = {column.name for column in readable}
    for output in feature.outputs:
        if output.name not in known:
            guess = nearest(output.name, known)
            yield Diagnostic(
                code=codes.UNKNOWN_COLUMN,
                message=f"`{feature.id}` has no `transform`, and reads no column `{output.name}`",
                at=output.at.key(),
                label=f"did you mean `{guess}`?" if guess else "",
                help=("without `transform: module:function` a feature is columns as they are",),
            )


def _model(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    if model.id in RESERVED_MODELS:
        yield Diagnostic(
            code=codes.RESERVED_NAME,
            message=f"a model cannot be called `{model.id}`",
            at=model.at.key(),
            label="has a meaning in checks and in the registry",
            help=("choose another id",),
        )
    yield from _of(catalogue.features, codes.UNKNOWN_FEATURE, "feature", *model.features)
    yield from _models_of(catalogue, model)
    for name in (model.label_data, model.evaluate.data if model.evaluate is not None else None):
        if name is not None:
            yield from _of(catalogue.data, codes.UNKNOWN_DATA, "data noun", name)
    if model.label_data is not None:
        of_label = catalogue.columns(model.label_data.text)
        yield from _columns(of_label, model.label_data.text, model.label_column)
        names = (Located(field.name, field.at.key()) for field in model.fields)
        yield from _columns(of_label, model.label_data.text, *names)
    if model.split is not None:
        rows = catalogue.slice_columns(model)
        split = model.split
        yield from _columns(rows.values(), model.id, split.group, split.column, split.stratify)
    if model.retrain is not None:
        yield from _of(catalogue.data, codes.UNKNOWN_DATA, "data noun", *model.retrain.trigger.data)
        yield from _of(
            catalogue.models, codes.UNKNOWN_MODEL, "model", *model.retrain.trigger.models
        )
    yield from _steps(catalogue, model)
    yield from _twice(catalogue, model)


def _models_of(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield models that a model names and that do not exist."""
    names: list[Located] = []
    if model.ensemble is not None:
        names += model.ensemble.members
        members = {member.text for member in model.ensemble.members}
        weights = (
            Located(name, (model.ensemble.at / "weights" / name).key())
            for name, _ in model.ensemble.weights
        )
        yield from _of(members, codes.UNKNOWN_MODEL, "member", *weights)
    if model.train is not None and model.train.base is not None:
        names.append(model.train.base)
    yield from _of(catalogue.models, codes.UNKNOWN_MODEL, "model", *names)
    if model.baseline is not None:
        known = (*BUILT_IN_BASELINES, *catalogue.models)
        yield from _of(
            known,
            codes.UNKNOWN_MODEL,
            "model",
            model.baseline,
            help_="built in are `prior`, `majority`, `mean` and `last`",
        )


def _steps(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield pipelines, steps and outputs that a model names and that do not exist."""
    pipelines = {pipeline.id: pipeline for pipeline in catalogue.spec.pipelines}
    train, evaluate = model.train, model.evaluate
    if train is not None and train.pipeline is not None:
        yield from _two_triggers(model, train.pipeline)
        yield from _of(pipelines, codes.UNKNOWN_PIPELINE, "pipeline", train.pipeline)
        pipeline = pipelines.get(train.pipeline.text)
        if pipeline is not None and train.output is not None:
            step_id, _, name = train.output.text.partition(".")
            steps = {step.id: step for step in pipeline.steps}
            yield from _of(steps, codes.UNKNOWN_STEP, "step", Located(step_id, train.output.at))
            if step_id in steps:
                outputs = tuple(output.name for output in steps[step_id].outputs)
                yield from _of(
                    outputs,
                    codes.UNKNOWN_OUTPUT,
                    f"output of `{step_id}` called",
                    Located(name, train.output.at),
                )
    if evaluate is not None and evaluate.metrics is not None:
        name, _, step_id = evaluate.metrics.text.partition(".")
        at = evaluate.metrics.at
        yield from _of(pipelines, codes.UNKNOWN_PIPELINE, "pipeline", Located(name, at))
        if name in pipelines:
            ids = (step.id for step in pipelines[name].steps)
            yield from _of(ids, codes.UNKNOWN_STEP, "step", Located(step_id, at))


def _two_triggers(model: ModelSpec, pipeline: Located) -> Iterator[Diagnostic]:
    """Yield a trigger of a model that a pipeline trains: the pipeline has one (decision B11)."""
    trigger = model.retrain.trigger if model.retrain is not None else None
    if trigger is None:
        return
    plain = TriggerSpec(at=trigger.at)
    if trigger != plain:
        yield Diagnostic(
            code=EXACTLY_ONE,
            message=f"`{model.id}` has a trigger of its own, and `{pipeline.text}`, which trains"
            " it, decides when",
            at=trigger.at.key(),
            labels=(Label(pipeline.at, "trained by this pipeline"),),
            help=("keep `cooldown` and `limit` here, and write the trigger at the pipeline",),
        )


def _twice(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield features of one model that put out the same name."""
    seen: dict[str, tuple[str, ColumnSpec]] = {}
    for name in model.features:
        feature = catalogue.features.get(name.text)
        for output in feature.outputs if feature is not None else ():
            first = seen.setdefault(output.name, (name.text, output))
            if first[0] != name.text:
                yield Diagnostic(
                    code=codes.COLUMN_TWICE,
                    message=f"`{first[0]}` and `{name.text}` both put out `{output.name}`",
                    at=name.at,
                    label=f"inputs of `{model.id}`",
                    labels=(
                        Label(first[1].at.key(), "here"),
                        Label(output.at.key(), "and here"),
                    ),
                    help=("rename one of the outputs",),
                )


def _service(catalogue: Catalogue, service: ServiceSpec) -> Iterator[Diagnostic]:
    names = [service.model, *(variant.model for variant in service.variants)]
    if service.fallback is not None:
        names.append(service.fallback)
    yield from _of(catalogue.models, codes.UNKNOWN_MODEL, "model", *names)
    yield from _of(catalogue.models, codes.UNKNOWN_MODEL, "model", *service.trigger.models)
    yield from _of(catalogue.features, codes.UNKNOWN_FEATURE, "feature", *service.input)
    read = (service.data,) if service.data is not None else ()
    yield from _of(catalogue.data, codes.UNKNOWN_DATA, "data noun", *read, *service.trigger.data)
    for variant in service.variants:
        if variant.id in catalogue.models and variant.model.text != variant.id:
            yield Diagnostic(
                code=codes.RESERVED_NAME,
                message=f"the variant `{variant.id}` is another model than the model of that name",
                at=variant.at.key(),
                labels=(Label(catalogue.models[variant.id].at.key(), "the model"),),
                help=("a check could mean either: give the variant another id",),
            )


def _monitor(catalogue: Catalogue, monitor: MonitorSpec) -> Iterator[Diagnostic]:
    watched = (*catalogue.services, *catalogue.data)
    yield from _of(watched, codes.UNKNOWN_SERVICE, "service or data noun", monitor.watch)
    yield from _of(catalogue.models, codes.UNKNOWN_MODEL, "model", *monitor.retrain)
    yield from _of(catalogue.services, codes.UNKNOWN_SERVICE, "service", *monitor.rollback)
