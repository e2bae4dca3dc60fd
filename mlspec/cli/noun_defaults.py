"""What the nouns assume where nothing is written, and what their checks ask in words.

Duty: the records of a spec in; for `mlspec explain --effective`, values that no key holds (the gap
of a split, the task of an ensemble, the profile) and sentences about values that one does. The
defaults are those that `mlspec.analysis.derive.facts` tells the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.places import places
from mlspec.cli.check_words import in_words
from mlspec.schema.validator import check_shape
from mlspec.source import Route
from mlspec.spec.bind import bind
from mlspec.spec.nouns import ColumnSpec, ModelSpec, SplitSpec
from mlspec.yamlio.nodes import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is assumed, and what is said of what is written.

    Attributes:
        values: by place, the value in flow style and why it is so.
        words: by place, what a written value means.
        without: places whose default of the schema does not apply to the noun.
    """

    values: Mapping[Route, tuple[str, str]] = field(default_factory=dict)
    words: Mapping[Route, str] = field(default_factory=dict)
    without: frozenset[Route] = frozenset()


def assumed(document: Document, environment: str | None) -> Assumed:
    """Return what the nouns of an effective document assume; nothing when its shape is wrong."""
    shape = check_shape(document)
    if shape.value is None:
        return Assumed()
    catalogue = Catalogue(bind(document, shape.value), environment)
    words = {
        one.at.route: said
        for place in places(catalogue)
        for one in place.checks
        if (said := in_words(one, place, catalogue))
    }
    values = dict(_policy(catalogue))
    for data in catalogue.nouns.data:
        values.update(_owner(catalogue, ("data", data.id)))
    for model in catalogue.nouns.models:
        values.update(_model(catalogue, model))
    words.update(_columns_read(catalogue))
    return Assumed(values=values, words=words, without=frozenset(_unfit(catalogue)))


_Values = Iterator[tuple[Route, tuple[str, str]]]


def _policy(catalogue: Catalogue) -> _Values:
    yield ("policy", "profile"), (catalogue.profile, "")


def _owner(catalogue: Catalogue, at: Route) -> _Values:
    """Yield who owns data and models that name nobody."""
    owner = catalogue.spec.app.owner
    if owner is not None:
        yield (*at, "owner"), (owner.text, "the owner of the application")


def _model(catalogue: Catalogue, model: ModelSpec) -> _Values:
    at: Route = ("models", model.id)
    if model.ensemble is not None:
        yield from _of_members(catalogue, model, at)
    yield from _split(catalogue, model, at)
    if model.train is not None and model.train.entrypoint is not None:
        yield (*at, "train", "seed"), ("0", "")
    if model.tune is not None:
        for key, value in (("method", "random"), ("trials", "20"), ("parallel", "1")):
            yield (*at, "tune", key), (value, "")
        yield (*at, "tune", "seed"), ("0", "")
    if model.promote is not None:
        if model.promote.explain is not None and model.promote.explain.top is None:
            yield (*at, "promote", "explain", "top"), ("20", "")
        yield (*at, "baseline"), ("(none)", "checks with a number judge the first version")
    yield from _owner(catalogue, at)


def _of_members(catalogue: Catalogue, model: ModelSpec, at: Route) -> _Values:
    """Yield what an ensemble takes from its members."""
    why = "from its members"
    task, label = catalogue.task(model), catalogue.label(model)
    features = catalogue.model_features(model)
    if task is not None:
        yield (*at, "task"), (task, why)
    if features:
        yield (*at, "input"), (_list(one.id for one in features), why)
    if label is not None:
        yield (*at, "label"), (f"{{data: {label[0]}, column: {label[1]}}}", why)
    output = catalogue.output(model)
    if output:
        yield (*at, "output"), (_types(output), why)
    split = catalogue.split(model)
    if split is not None:
        parts = {"by": split.by, "test": split.test, "validation": split.validation}
        shown = ", ".join(
            f"{key}: {_amount(value)}" for key, value in parts.items() if value is not None
        )
        gap = _gap(catalogue, model, split)
        yield (*at, "split"), ("{" + shown + (f", gap: {gap[0]}" if gap else "") + "}", why)


def _split(catalogue: Catalogue, model: ModelSpec, at: Route) -> _Values:
    split = model.split
    if split is None:
        return
    gap = _gap(catalogue, model, split)
    if gap is not None:
        yield (*at, "split", "gap"), gap
    if split.by in {"random", "group"}:
        yield (*at, "split", "seed"), ("0", "")


def _gap(catalogue: Catalogue, model: ModelSpec, split: SplitSpec) -> tuple[str, str] | None:
    """Return the gap of a split by time, and why: the delay of the label's data."""
    if split.by != "time":
        return None
    if split.gap is not None:
        return str(split.gap), ""
    label = catalogue.label(model)
    noun = catalogue.data.get(label[0] if label is not None else catalogue.rows_from(model) or "")
    if noun is None or noun.delay is None:
        return "0s", "the label has no `delay`"
    return str(noun.delay), f"the delay of `{noun.id}`"


def _columns_read(catalogue: Catalogue) -> Iterator[tuple[Route, str]]:
    """Yield the columns that a feature reads where it names none (decision B14)."""
    for feature in catalogue.nouns.features:
        if all(read.columns is not None for read in feature.reads):
            continue
        labels = {
            known[1]
            for model in catalogue.nouns.models
            if feature in catalogue.model_features(model)
            and (known := catalogue.label(model)) is not None
        }
        label = next(iter(labels)) if len(labels) == 1 else None
        without = " (each model without its label)" if len(labels) > 1 else ""
        for read in catalogue.reads(feature, label):
            names = ", ".join(one.text for one in read.columns or ())
            yield read.data.at.route, f"columns: {names}{without}"


def _unfit(catalogue: Catalogue) -> Iterator[Route]:
    """Yield thresholds of models that decide nothing by one."""
    for model in catalogue.nouns.models:
        if catalogue.task(model) != "binary" or model.threshold_metric is not None:
            yield ("models", model.id, "threshold")


def _amount(value: object) -> str:
    """Return a part of a split as it is written."""
    share, seconds = getattr(value, "share", None), getattr(value, "seconds", None)
    if share is not None:
        return f"{share * 100:g}%"
    if seconds is not None:
        return f"{seconds / 86_400:g}d" if seconds % 86_400 == 0 else f"{seconds / 3600:g}h"
    return str(value)


def _types(columns: tuple[ColumnSpec, ...]) -> str:
    return "{" + ", ".join(f"{one.name}: {one.facts.type}" for one in columns) + "}"


def _list(items: Iterator[str] | tuple[str, ...]) -> str:
    return "[" + ", ".join(items) + "]"
