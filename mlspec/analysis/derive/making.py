"""Steps that make a model: tuning, training, fetching, combining, compressing, calibrating."""

from __future__ import annotations

from mlspec.analysis.derive.blocks import asks, block_action, block_settings, table_format
from mlspec.analysis.derive.facts import (
    secret_variable,
)
from mlspec.analysis.derive.line import Line, Made, Rows, registry_secrets, rows_inputs, word
from mlspec.analysis.derive.needed import needed
from mlspec.analysis.derive.steps import (
    input_of,
    theirs,
)
from mlspec.analysis.derive.versions import has_pipeline
from mlspec.analysis.settings import merge_settings
from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Secret,
)
from mlspec.spec.nouns import ModelSpec, TrainSpec


def make(line: Line, model: ModelSpec, rows: Rows) -> Made:
    """Add the steps that make a model and return where it is."""
    if model.ensemble is not None:
        return _combine(line, model, rows)
    if model.source is not None or model.train is None or model.train.pipeline is not None:
        return _fetch(line, model)
    return _train(line, model, rows)


def _fetch(line: Line, model: ModelSpec) -> Made:
    spec_secret = () if model.secret is None else (Secret(secret_variable(model.id), model.secret),)
    at = model.source.at if model.source is not None else model.at
    step = line.add(
        Kind.FETCH,
        at,
        f"Brings {model.id}.",
        of=model,
        outputs=("model",),
        secrets=(*spec_secret, *registry_secrets(line)),
    )
    return step, "model"


def _train(line: Line, model: ModelSpec, rows: Rows) -> Made:
    train = model.train
    assert train is not None  # noqa: S101  the caller looked
    given = tuple(rows_inputs(rows, train.at, "train", "validation"))
    if model.tune is not None:
        step = line.add(
            Kind.TUNE,
            model.tune.at.key(),
            f"Searches for parameters of {model.id}.",
            of=model,
            inputs=given,
            outputs=("params",),
            paths={"params": "mlspec-out/params.json"},
            settings=merge_settings(train.block.settings, model.tune.settings),
        )
        given = (*given, input_of("params", step, "params", model.tune.at))
    if train.base is not None and (base := line.ctx.facts.catalogue.models.get(train.base.text)):
        given = (*given, input_of("base", *base_of(line, base, rows), train.base.at))
    if train.block.is_own:
        return _own_training(line, model, train, rows)
    step = line.add(
        Kind.TRAIN,
        train.at.key(),
        f"Trains {model.id}.",
        of=model,
        inputs=given,
        outputs=("model",),
        settings=train.block.settings,
    )
    return step, "model"


def _own_training(line: Line, model: ModelSpec, train: TrainSpec, rows: Rows) -> Made:
    """Add training by a program: rows as a plain table, the program, and what it made."""
    label = line.ctx.facts.catalogue.label(model)
    table = table_format(label[0] if label is not None else None, line.ctx)
    given = []
    for name in ("train", "validation"):
        found: Made | None = getattr(rows, name)
        if found is None or (name == "validation" and not asks(train.block, name, line.ctx)):
            continue
        exported = line.add(
            Kind.EXPORT,
            train.at.key(),
            f"Writes the {name} rows as a plain table.",
            of=model,
            name=f"export-{name}" if model.id == line.model.id else f"export-{name}-{model.id}",
            inputs=(input_of("rows", *found, train.at),),
            outputs=("data",),
            paths={"data": f"mlspec-out/data.{table}"},
            table=table,
        )
        place = "data" if name == "train" else name
        given.append(input_of(place, exported, "data", train.at))
    step = line.add(
        Kind.TRAIN,
        train.at.key(),
        f"Trains {model.id}.",
        of=model,
        inputs=tuple(given),
        outputs=("model",),
        settings=block_settings(train.block, line.ctx),
    )
    action = block_action(train.block, "train", line.ctx, line.found)
    if action is not None:
        line.steps[-1] = theirs(line.steps[-1], action)
    fetched = line.add(
        Kind.FETCH,
        train.at.key(),
        f"Takes what `{step}` made as the model.",
        of=model,
        inputs=(input_of("file", step, "model", train.at),),
        outputs=("model",),
        opaque=model.evaluate is not None and model.evaluate.block.is_own,
    )
    return fetched, "model"


def base_of(line: Line, base: ModelSpec, rows: Rows) -> Made:
    """Return where a model is that another one starts from or is compared with.

    A model with versions of its own is the champion of the registry; one without is made here.
    """
    known = known_member(line, base)
    if known is not None:
        return known
    if base.train is not None and not has_pipeline(base, line.ctx.facts.catalogue):
        return make(line, base, rows)
    return _fetch(line, base)


def _combine(line: Line, model: ModelSpec, rows: Rows) -> Made:
    ensemble, catalogue = model.ensemble, line.ctx.facts.catalogue
    assert ensemble is not None  # noqa: S101  the caller looked
    members = catalogue.members(model)
    made = []
    for member in members:
        found = known_member(line, member) or make(line, member, rows)
        made.append(input_of(f"m_{word(member.id)}", *found, ensemble.at))
    step = line.add(
        Kind.COMBINE,
        ensemble.at.key(),
        f"Makes {model.id} of its members.",
        of=model,
        inputs=(*made, *rows_inputs(rows, ensemble.at, "train", "validation")),
        outputs=("model",),
        models=tuple(needed(Kind.COMBINE, line.facts(member)) for member in members),
    )
    return step, "model"


def known_member(line: Line, member: ModelSpec) -> Made | None:
    """Return where a member is when another ensemble of this pipeline made it already."""
    names = {f"{kind.value}-{member.id}" for kind in (Kind.TRAIN, Kind.FETCH, Kind.COMBINE)}
    return next(((step.id, "model") for step in line.steps if step.id in names), None)


def compress_model(line: Line, made: Made, rows: Rows) -> Made:
    """Add compression, if it is asked for, and return where the model is then."""
    compress = line.model.compress
    if compress is None:
        return made
    step = line.add(
        Kind.COMPRESS,
        compress.at.key(),
        f"Makes {line.model.id} smaller.",
        inputs=(
            input_of("model", *made, compress.at),
            *rows_inputs(rows, compress.at, "validation"),
        ),
        outputs=("model",),
        settings=compress.settings,
    )
    return step, "model"


def calibrate_model(line: Line, made: Made, rows: Rows) -> Made:
    """Add calibration or the choice of a threshold and return where the model is then."""
    model = line.model
    chosen = model.calibrate or model.threshold_metric
    if chosen is None or rows.validation is None:
        return made
    step = line.add(
        Kind.CALIBRATE,
        chosen.at,
        "Makes probabilities true and chooses the threshold, on validation rows.",
        inputs=(
            input_of("model", *made, chosen.at),
            *rows_inputs(rows, chosen.at, "validation"),
        ),
        outputs=("model",),
    )
    return step, "model"
