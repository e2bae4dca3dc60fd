"""All features of a model, its label and what is kept beside them: the rows that are divided later.

Duty: data folders to `Rows`. In: the facts, the data, the functions of the project, the date of the
run. Out: one row for each event that has a label and is old enough to have it for good. Invariants:
the columns are the model's input in its order; nothing of a row is newer than its event except the
label; what was left out is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import FeatureFacts, ModelFacts
from mlspec.runtime.features.events import columns_for, events_of, given, matches
from mlspec.runtime.features.history import Events, keyed_feature
from mlspec.runtime.features.rowwise import row_feature
from mlspec.runtime.functions import load_function
from mlspec.runtime.rows.data import Data, joined
from mlspec.runtime.rows.folder import (
    CLUSTER,
    KEY,
    LABEL,
    QUERY,
    SLICE,
    SPLIT,
    TIMES,
    Rows,
    is_ours,
)
from mlspec.runtime.rows.types import typed
from mlspec.runtime.steps.contract import StepError

NO_LABEL = "without label"
TOO_YOUNG = "younger than the delay of the label"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    """The label of each event, and the data it is from."""

    column: pa.ChunkedArray
    data: Data
    places: pa.Array | None


def build_rows(
    model: ModelFacts,
    features: tuple[FeatureFacts, ...],
    data: Mapping[str, Data],
    *,
    project: Path,
    run_date: datetime,
) -> tuple[Rows, Mapping[str, list[pa.ChunkedArray]]]:
    """Return the rows of a model, and all outputs of each feature on them.

    Args:
        model: what is learned. features: those that it names, in its order. data: by id.
        project: folder of the spec. run_date: aware; decides which labels are complete.

    Raises:
        StepError: something does not fit; the message names the feature or the data.
    """
    events = events_of(model, features, data)
    columns = _identity(events)
    label = _label(model, events, data)
    keep, dropped = _usable(model, events, columns, label, run_date)
    if keep is not None:
        columns = {name: column.filter(keep) for name, column in columns.items()}
    if label is not None:
        kept = label.column if keep is None else label.column.filter(keep)
        columns[LABEL] = kept
    seen = _only(events, keep)
    outputs = {one.id: _outputs(one, seen, columns, data, project) for one in features}
    by_name = _by_name(features, outputs)
    columns |= _input(model, by_name)
    cluster = next((one.key for one in features if one.key), ())
    if cluster:
        keys = joined(
            [seen.column(name) for name in cluster], [f"{events.id}.{c}" for c in cluster]
        )
        columns[CLUSTER] = _numbers(keys)
    columns |= _beside(model, seen, by_name, label, keep)
    query = None if model.split is None or model.task != "ranking" else model.split.group
    if query is not None:  # rows of one group are ranked among each other
        columns[QUERY] = _numbers(columns[f"{SPLIT}{query}"])
    order = [name for name in (KEY, TIMES) if name in columns]
    order += [one.name for one in model.input]
    order += [name for name in columns if name not in order]
    rows = Rows(
        table=pa.table({name: columns[name] for name in order}),
        columns=tuple(one.name for one in model.input),
        label=model.label,
        dropped=dropped,
        snapshots={name: data[name].version for name in sorted(data)},
    )
    return rows, outputs


def _numbers(column: pa.ChunkedArray) -> pa.Array:
    """Return a number for each value: which rows belong together, and not who they are."""
    return column.combine_chunks().dictionary_encode().indices.cast(pa.int64())


def _identity(events: Data) -> dict[str, pa.ChunkedArray]:
    count = events.table.num_rows
    if events.facts.key:
        columns = {KEY: events.keys(events.facts.key)}
    else:  # a row is its place
        columns = {
            KEY: pa.chunked_array([[str(place) for place in range(count)]], type=pa.string())
        }
    if events.times is not None:
        columns[TIMES] = events.times
    return columns


def _only(events: Data, keep: pa.Array | None) -> Data:
    if keep is None:
        return events
    return Data(facts=events.facts, table=events.table.filter(keep), version=events.version)


def _label(model: ModelFacts, events: Data, data: Mapping[str, Data]) -> _Label | None:
    if model.label is None or model.label_data is None:
        return None
    source = given(model.label_data, data)
    places = None if source is events else matches(events, source, label=True)
    column = source.column(model.label)
    if model.label_type is not None:
        column = typed(column, model.label_type, f"the label `{source.id}.{model.label}`")
    return _Label(
        column=column if places is None else column.take(places), data=source, places=places
    )


def _usable(
    model: ModelFacts,
    events: Data,
    columns: Mapping[str, pa.ChunkedArray],
    label: _Label | None,
    run_date: datetime,
) -> tuple[pa.Array | None, dict[str, int]]:
    """Which events have a label for good: a mask (None: all), and how many were left out."""
    if label is None:
        return None, {}
    present = label.column.is_valid()
    if pa.types.is_floating(label.column.type):
        present = pc.and_(present, pc.fill_null(pc.invert(pc.is_nan(label.column)), False))  # noqa: FBT003  pyarrow's own order
    delay = model.split.delay if model.split else 0.0
    delay = delay or label.data.facts.delay or 0.0
    if not delay:
        return present, {NO_LABEL: _count(pc.invert(present))}
    if TIMES not in columns:
        raise StepError(
            f"data `{label.data.id}` has a delay, but the events of `{events.id}` have no `time`: "
            "how old a row is cannot be told",
            help=f"name the column of the event's time: `data.{events.id}.time`",
        )
    newest = run_date - timedelta(seconds=delay)
    old = pc.less_equal(columns[TIMES], pa.scalar(newest, columns[TIMES].type))
    unlabelled = pc.and_(old, pc.invert(present))
    return pc.and_(old, present), {TOO_YOUNG: _count(pc.invert(old)), NO_LABEL: _count(unlabelled)}


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _outputs(
    feature: FeatureFacts,
    events: Data,
    columns: Mapping[str, pa.ChunkedArray],
    data: Mapping[str, Data],
    project: Path,
) -> list[pa.ChunkedArray]:
    function = None if feature.transform is None else load_function(feature.transform, project)
    keys = columns[KEY]

    def name_row(row: int) -> str:
        return f"row {row} (key {keys[row].as_py()!r})"

    if not feature.key:
        everything = {**data, events.id: events}  # the events without those that were left out
        table = columns_for(events, feature, everything)
        return row_feature(feature, function, table, name_row, project)
    if TIMES not in columns:
        raise StepError(
            f"feature `{feature.id}` looks back in time, but data `{events.id}` has no `time`"
        )
    points = Events(keys=events.keys(feature.key), times=columns[TIMES])
    past = given(feature.reads[0].data, data)
    return keyed_feature(feature, function, past, points, name_row, project)


def _by_name(
    features: tuple[FeatureFacts, ...], outputs: Mapping[str, list[pa.ChunkedArray]]
) -> dict[str, pa.ChunkedArray]:
    found: dict[str, pa.ChunkedArray] = {}
    owner: dict[str, str] = {}
    for feature in features:
        for output, column in zip(feature.outputs, outputs[feature.id], strict=True):
            if output.name in found:
                raise StepError(
                    f"features `{owner[output.name]}` and `{feature.id}` both give `{output.name}`",
                    help="give the outputs different names",
                )
            found[output.name], owner[output.name] = column, feature.id
    return found


def _input(model: ModelFacts, by_name: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.ChunkedArray]:
    missing = [one.name for one in model.input if one.name not in by_name]
    if missing:
        raise StepError(f"no feature of model `{model.id}` gives its input `{missing[0]}`")
    taken = [one.name for one in model.input if is_ours(one.name)]
    if taken:
        raise StepError(
            f"model `{model.id}` has an input `{taken[0]}`: rows keep a column of ours under it",
            help="give the output of the feature a name that does not begin with `_`",
        )
    return {one.name: by_name[one.name] for one in model.input}


def _beside(
    model: ModelFacts,
    events: Data,
    by_name: Mapping[str, pa.ChunkedArray],
    label: _Label | None,
    keep: pa.Array | None,
) -> dict[str, pa.ChunkedArray]:
    """Return the columns of slices, and those that the split needs and the model does not see."""

    def column(name: str, why: str) -> pa.ChunkedArray:
        if name in events.table.column_names:
            return events.table[name]
        if name in by_name:
            return by_name[name]
        if label is not None and label.places is not None:
            found = label.data.column(name).take(label.places)
            return found if keep is None else found.filter(keep)
        raise StepError(f"data `{events.id}` has no column `{name}`, which {why}")

    found = {f"{SLICE}{name}": column(name, "checks name after `by`") for name in model.slices}
    split = model.split
    for name in (split.group, split.column, split.stratify) if split else ():
        if name is not None:
            found[f"{SPLIT}{name}"] = column(name, "the split names")
    return found
