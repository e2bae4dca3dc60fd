"""The events that a model learns from, and what is joined to them by key.

Duty: which data noun gives the rows, and columns of other data nouns for them. Invariants: there is
one row for each event, in the order of its data, whatever is joined; a joined row that carries a
time is used only if it is older than the event (of the same key columns: not newer); a key that
occurs twice where it must identify a row is an error, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import FeatureFacts, ModelFacts
from mlspec.runtime.rows.data import Data
from mlspec.runtime.steps.contract import StepError


def events_of(
    model: ModelFacts, features: tuple[FeatureFacts, ...], data: Mapping[str, Data]
) -> Data:
    """Return the data noun whose rows are the events of a model.

    It is the first that a feature without key reads; if all have a key, the label's; then the
    first that any feature reads.

    Raises:
        StepError: nothing is read.
    """
    wanted = [one.reads[0].data for one in features if not one.key and one.reads]
    if model.label_data is not None:
        wanted.append(model.label_data)
    wanted += [one.reads[0].data for one in features if one.reads]
    wanted += list(data)[:1]
    if not wanted:
        raise StepError(f"model `{model.id}` reads no data")
    return given(wanted[0], data)


def given(name: str, data: Mapping[str, Data]) -> Data:
    """Return a data noun.

    Raises:
        StepError: it was not handed to the step.
    """
    if name not in data:
        raise StepError(f"data `{name}` is needed, but was not given")
    return data[name]


def columns_for(events: Data, feature: FeatureFacts, data: Mapping[str, Data]) -> pa.Table:
    """Return the columns that a feature without key reads, one row for each event.

    Raises:
        StepError: a column is missing; two nouns give a column of one name; a noun cannot be
            joined to the events.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    for one in feature.reads:
        source = given(one.data, data)
        places = None if source is events else matches(events, source)
        for name in one.columns:
            if name in columns:
                raise StepError(
                    f"feature `{feature.id}` reads `{name}` from two data nouns",
                    help="read it from one of them",
                )
            found = source.column(name)
            columns[name] = found if places is None else found.take(places)
    return pa.table(columns) if columns else _empty(events)


def _empty(events: Data) -> pa.Table:
    return events.table.select([])


def matches(events: Data, other: Data, *, label: bool = False) -> pa.Array:
    """Return for each event the row of another data noun with its key; null where there is none.

    Args:
        events: what is asked for. other: has a `key` whose columns the events have, too.
        label: the future is allowed: a label is what becomes known later.

    Raises:
        StepError: there is no key, the events lack a column of it, or a key occurs twice.
    """
    key = other.facts.key
    if not key:
        raise StepError(
            f"data `{other.id}` has no `key`, by which its rows belong to those of `{events.id}`"
        )
    missing = [name for name in key if name not in events.table.column_names]
    if missing:
        raise StepError(
            f"data `{events.id}` has no column `{missing[0]}`, the key of data `{other.id}`",
            help="join by a column that both have",
        )
    asked, own = events.keys(key), other.keys(key)
    if label or other.facts.time is None or events.facts.time is None:
        _unique(other, own)
        return _array(pc.index_in(asked, own))
    return _newest(events, other, asked, own)


def _unique(other: Data, keys: pa.ChunkedArray) -> None:
    counts = keys.value_counts()
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        found = twice[0]
        raise StepError(
            f"the key {found['values'].as_py()!r} stands in {found['counts'].as_py()} rows of data "
            f"`{other.id}`: which of them belongs to an event cannot be told",
            help=f"add the check `duplicates({other.facts.key[0]}) == 0`, or give it a `time`",
        )


def _newest(events: Data, other: Data, asked: pa.ChunkedArray, own: pa.ChunkedArray) -> pa.Array:
    """Match the newest row of the key that is older than the event."""
    both = pa.chunked_array([*own.chunks, *asked.chunks], type=pa.string()).combine_chunks()
    codes = both.dictionary_encode().indices.to_numpy().astype(np.int64)
    codes_own, codes_asked = codes[: len(own)], codes[len(own) :]
    stamps_own, stamps_asked = _stamps(other), _stamps(events)
    same_event = other.facts.key == events.facts.key  # further columns of the event itself
    order = np.lexsort((stamps_own, codes_own))
    # One search for all: rank the times of both, and sort by key and rank.
    ranks = np.unique(np.concatenate([stamps_own, stamps_asked]), return_inverse=True)[1]
    width = int(ranks.max(initial=0)) + 2
    sorted_own = (codes_own * width + ranks[: len(own)])[order]
    wanted = codes_asked * width + ranks[len(own) :]
    place = np.searchsorted(sorted_own, wanted, side="right" if same_event else "left") - 1
    found = (place >= 0) & (
        codes_own[order][np.maximum(place, 0)] == codes_asked if len(own) else False
    )
    rows = order[np.maximum(place, 0)] if len(own) else np.zeros(len(asked), dtype=np.int64)
    return pa.array(rows, mask=~found)


def _stamps(data: Data) -> npt.NDArray[np.int64]:
    times = data.times
    assert times is not None  # noqa: S101  asked for by the caller
    stamps: npt.NDArray[np.int64] = times.cast(pa.int64()).to_numpy()
    return stamps


def _array(found: pa.Array | pa.ChunkedArray) -> pa.Array:
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
