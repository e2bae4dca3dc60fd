"""ML212 to ML215 and ML217: what training sees is known in time, and is not the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes import models as codes
from mlspec.diagnostics.model import Diagnostic, Label, Severity
from mlspec.ir.values import Duration
from mlspec.source import NOWHERE
from mlspec.spec.nouns import ColumnSpec, FeatureSpec, ModelSpec, SplitSpec


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield what training must not see, and splits that hide it."""
    for feature in catalogue.nouns.features:
        yield from _late(catalogue, feature)
    seen: set[tuple[str, str, str]] = set()
    for model in catalogue.nouns.models:
        for leak in _labels_read(catalogue, model):
            if leak[0] not in seen:
                seen.add(leak[0])
                yield leak[1]
        yield from _own_fields(model)
        yield from _gap(catalogue, model)
        yield from _test_rows(catalogue, model)
        yield from _random(catalogue, model)
        yield from _contract(catalogue, model)


# ------------------------------------------------------------------ ML212


def _labels_read(
    catalogue: Catalogue, model: ModelSpec
) -> Iterator[tuple[tuple[str, str, str], Diagnostic]]:
    """Yield features that read the label, each with a key: models share features."""
    label = catalogue.label(model)
    if label is None:
        return
    data_id, column = label
    declared = next(
        (one.label_column for one in catalogue.lineage(model) if one.label_column), None
    )
    labels = (Label(declared.at, f"the label of `{model.id}`"),) if declared is not None else ()
    for feature in catalogue.model_features(model):
        reads = [one for one in feature.reads if one.data.text == data_id]
        if not reads:
            continue
        names = [(name.at, name.text) for read in reads for name in read.columns or ()]
        if feature.transform is None:
            names += [(output.at.key(), output.name) for output in feature.outputs]
        # Rows that are grouped by the label tell the label of the row itself, not of earlier ones.
        grouped = next((one.at for one in feature.key if one.text == column), None)
        at = grouped or next((at for at, name in names if name == column), None)
        if at is None:
            continue
        is_history = grouped is None and bool(feature.key) and feature.time is not None
        yield (
            (feature.id, data_id, column),
            Diagnostic(
                code=codes.LEAKAGE,
                message=f"`{feature.id}` reads `{column}`, which `{model.id}` has to predict",
                at=at,
                labels=labels,
                notes=("earlier labels of the same key: mind that a label is known late",)
                if is_history
                else ("the model would copy the answer, and fail on rows without it",),
                help=("read other columns",),
                severity_override=Severity.WARNING if is_history else None,
            ),
        )


def _own_fields(model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield an input field that is the label."""
    if model.label_column is None:
        return
    for field in model.fields:
        if field.name == model.label_column.text:
            yield Diagnostic(
                code=codes.LEAKAGE,
                message=f"the input of `{model.id}` has `{field.name}`, which it has to predict",
                at=field.at.key(),
                labels=(Label(model.label_column.at, "the label"),),
                help=("remove it from `input`",),
            )


def _late(catalogue: Catalogue, feature: FeatureSpec) -> Iterator[Diagnostic]:
    """Yield columns that are named although they are unknown, or unwanted, at prediction time."""
    seen: set[str] = set()
    for read in feature.reads:
        names = [(name.at, name.text, False) for name in read.columns or ()]
        if read.columns is None and feature.transform is None:
            names += [(one.at.key(), one.name, False) for one in feature.outputs]
        for at, name, is_key in (*((one.at, one.text, True) for one in feature.key), *names):
            column = catalogue.column(read.data.text, name)
            reason = _why_not(column) if column is not None else ""
            if column is None or not reason or name in seen:
                continue
            seen.add(name)
            is_history = not is_key and _is_history(feature, column)
            does = "is grouped by" if is_key else "reads"
            yield Diagnostic(
                code=codes.LEAKAGE,
                message=f"`{feature.id}` {does} `{name}`, {reason}",
                at=at,
                labels=(Label(column.at.key(), "declared here"),),
                help=("read other columns",),
                severity_override=Severity.WARNING if is_history else None,
            )


def _is_history(feature: FeatureSpec, column: ColumnSpec) -> bool:
    """Return whether a late column is read of earlier rows only: it may be known by then."""
    return bool(feature.key) and feature.time is not None and not column.facts.protected


def _why_not(column: ColumnSpec) -> str:
    after = column.facts.available_after
    if after:
        return f"which is known {Duration(round(after * 1000))} after the event"
    if column.facts.protected:
        return "which is protected: checks cut by it, models do not see it"
    return ""


# ------------------------------------------------------------------ ML213


def _gap(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    split = model.split
    label = catalogue.label(model)
    if split is None or split.gap is None or label is None or split.by != "time":
        return
    noun = catalogue.data.get(label[0])
    if noun is None or noun.delay is None or split.gap >= noun.delay:
        return
    yield Diagnostic(
        code=codes.SHORT_GAP,
        message=f"the gap of {split.gap} is shorter than the {noun.delay} until a label of"
        f" `{noun.id}` is known",
        at=split.at / "gap",
        label=f"split of `{model.id}`",
        labels=(Label(noun.at / "delay", "the delay"),),
        notes=("training would use labels that nobody knew when the test period began",),
        help=(f"write `gap: {noun.delay}`, or leave it out: the delay is the default",),
    )


# ------------------------------------------------------------------ ML215


def _test_rows(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield tests on rows that training, or a member's training, has seen."""
    given = model.evaluate.data if model.evaluate is not None else None
    if given is not None and _is_among(catalogue, given.text, _trained_on(catalogue, model)):
        yield Diagnostic(
            code=codes.TEST_SEEN,
            message=f"`{model.id}` is tested on `{given.text}`, which it was trained on",
            at=given.at,
            help=("name rows that nothing is trained on, or write `split` instead",),
        )
    if model.ensemble is None or given is not None:
        return
    first: tuple[str, SplitSpec] | None = None
    for name, member in zip(model.ensemble.members, catalogue.members(model), strict=False):
        split = catalogue.split(member)
        if split is None:
            continue
        if first is None:
            first = (member.id, split)
        elif _plain(split) != _plain(first[1]):
            yield Diagnostic(
                code=codes.TEST_SEEN,
                message=f"`{first[0]}` and `{member.id}` split their rows differently: test rows"
                " of one are training rows of the other",
                at=name.at,
                labels=(Label(first[1].at.key(), first[0]), Label(split.at.key(), member.id)),
                help=("members of an ensemble share one split, as `extends` does",),
            )


def _is_among(catalogue: Catalogue, one: str, others: set[str]) -> bool:
    """Return whether a data noun is one of others, or has the rows of one under another name."""
    rows = {
        data.id: (data.source.text, data.query.text if data.query is not None else "")
        for data in catalogue.spec.data
        if data.source is not None
    }
    return one in others or (one in rows and any(rows.get(other) == rows[one] for other in others))


def _plain(split: SplitSpec) -> SplitSpec:
    return replace(split, at=NOWHERE)


def _trained_on(catalogue: Catalogue, model: ModelSpec) -> set[str]:
    """Return the data nouns that a training reads without dividing them."""
    if model.train is None or model.train.pipeline is not None or model.split is not None:
        return set()
    return set(catalogue.event_data(model))


# ------------------------------------------------------------------ ML217


def _random(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield random splits of rows that are ordered, or belong together (ML217)."""
    split = model.split
    rows = catalogue.rows_from(model)
    if split is None or split.by != "random" or rows is None:
        return
    keyed = next((one for one in catalogue.model_features(model) if one.key), None)
    time = catalogue.time(rows)
    if time is not None:
        message = f"rows of `{rows}` have a time, and a random split trains on the future"
        help_ = "write `by: time`"
    elif keyed is not None:
        column = keyed.key[0].text
        message = f"rows with the same `{column}` fall on both sides of a random split"
        help_ = f"write `by: group` and `group: {column}`"
    else:
        return
    yield Diagnostic(code=codes.RANDOM_SPLIT, message=message, at=split.at / "by", help=(help_,))


# ------------------------------------------------------------------ ML214


def _contract(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield data that training reads before, or without, anything is held against it (ML214)."""
    train = model.train
    if train is None:
        return
    if train.pipeline is not None:
        yield from _explicit(catalogue, model)
        return
    for data_id in catalogue.event_data(model):
        noun = catalogue.data.get(data_id)
        if noun is not None and not noun.checks and not catalogue.columns(data_id):
            yield Diagnostic(
                code=codes.NO_DATA_GATE,
                message=f"`{model.id}` is trained on `{data_id}`, which has no contract",
                at=noun.at.key(),
                help=("write `schema` and `checks`: training then waits for them",),
            )


def _explicit(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield data with checks that a pipeline of the user's reads and nothing has checked."""
    assert model.train is not None  # noqa: S101  asked by the caller; for the type checker
    name = model.train.pipeline.text if model.train.pipeline is not None else ""
    pipelines = {pipeline.id: pipeline for pipeline in catalogue.spec.pipelines}
    made = {
        output.text
        for pipeline in pipelines.values()
        for step in pipeline.steps
        for output in step.outputs
    }
    for step in pipelines[name].steps if name in pipelines else ():
        for item in step.inputs:
            noun = catalogue.data.get(item.text)
            if noun is not None and noun.checks and noun.id not in made:
                yield Diagnostic(
                    code=codes.NO_DATA_GATE,
                    message=f"`{step.id}` reads `{noun.id}` before its checks have passed",
                    at=item.at,
                    labels=(Label(noun.at.key(), "checked when a step makes a version of it"),),
                    help=("let `train.entrypoint` train: its data is checked first",),
                )
