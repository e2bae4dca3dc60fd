"""Features of a key's past: the function gets all earlier rows of the key, oldest first.

Duty: a keyed feature at many points in time. In: the rows of its data, the keys and times of the
events. Out: the columns of the feature. Invariants: a row counts only if its time is strictly
before the event's; a column with `available_after` counts only if that has passed as well, and is
None before; rows of one time keep the order of the data; the same function and check serve online.

Rows are sorted once by key and time, and the list of a key grows from event to event: the time does
not depend on how many rows a key has. A function that changes the list is told so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import FeatureFacts
from mlspec.runtime.features.outputs import NameRow, collect
from mlspec.runtime.functions import fault, user_code
from mlspec.runtime.rows.data import Data
from mlspec.runtime.rows.types import plain_list, utc
from mlspec.runtime.steps.contract import StepError

Aggregate = Callable[[list[dict[str, Any]], datetime], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The points in time: a key and a time for each.

    Attributes:
        keys: text, shape (n,). times: microseconds in UTC, shape (n,).
    """

    keys: pa.ChunkedArray
    times: pa.ChunkedArray


def keyed_feature(
    feature: FeatureFacts,
    aggregate: Aggregate | None,
    data: Data,
    events: Events,
    name_row: NameRow,
    project: Path,
) -> list[pa.Array]:
    """Return the columns of a feature with a key, in the order of its outputs.

    Args:
        feature: the feature. aggregate: its function; None: the columns of the newest earlier row.
        data: where the earlier rows are. events: when, and for which keys.
        name_row: for messages. project: folder of the spec.

    Raises:
        StepError: a column is missing, the function raised, or returned what is not declared.
    """
    past = _Past.of(feature, data, events.keys)
    moments, stamps = plain_list(events.times), _microseconds(events.times)
    results: list[Any] = [None] * len(stamps)
    for place, rows in past.walk(stamps):
        count, last = len(rows), rows[-1] if rows else None
        try:
            results[place] = (
                aggregate(rows, moments[place])  # type: ignore[arg-type]  # no event lacks a time
                if aggregate
                else _newest(feature, rows)
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            where, what = name_row(place), feature.transform or feature.id
            raise fault(error, what, project, doing=where) from error
        if len(rows) != count or (rows and rows[-1] is not last):
            raise StepError(
                f"`{feature.transform}` changes the rows that it is given",
                help="work on a copy: `rows = list(rows)`",
            )
    return collect(feature, results, name_row)


def one_history(
    feature: FeatureFacts,
    aggregate: Aggregate | None,
    rows: Sequence[Mapping[str, Any]],
    at: datetime,
    project: Path,
) -> dict[str, Any]:
    """Return the outputs of a keyed feature for one key at one time: what the server calls.

    Args:
        rows: earlier rows of the key, oldest first, with the columns that the feature reads.
        at: the time of the request, aware.

    Raises:
        StepError: the function raised, or returned something that is not declared.
    """
    seen = [dict(row) for row in rows]
    with user_code(feature.transform or feature.id, project, doing="the request"):
        result = aggregate(seen, at.astimezone(UTC)) if aggregate else _newest(feature, seen)
    columns = collect(feature, [result], lambda _: "the request")
    return {
        output.name: plain_list(column)[0]
        for output, column in zip(feature.outputs, columns, strict=True)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """Rows by key and time.

    Attributes:
        rows, stamps: sorted by key, then time. first: where the rows of each key start.
        codes: the key of each event. delays: microseconds until a column is known.
    """

    rows: list[dict[str, Any]]
    stamps: list[int]
    first: list[int]
    codes: list[int]
    delays: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, feature: FeatureFacts, data: Data, keys: pa.ChunkedArray) -> _Past:
        """Sort the rows of the data; number its keys and those of the events alike."""
        reads = list(dict.fromkeys(name for one in feature.reads for name in one.columns))
        if len({one.data for one in feature.reads}) != 1:
            raise StepError(f"feature `{feature.id}` has a key and reads more than one data noun")
        time = feature.time or data.facts.time
        if time is None:
            raise StepError(f"feature `{feature.id}` has a key, but its data has no time")
        times = utc(data.column(time), f"`{data.id}.{time}`")
        if times.null_count:
            where = pc.index(times.is_null(), value=True).as_py()
            raise StepError(f"`{data.id}.{time}` is missing in row {where}")
        both = pa.chunked_array([*data.keys(feature.key).chunks, *keys.chunks], type=pa.string())
        codes = both.combine_chunks().dictionary_encode().indices.to_numpy()
        own, asked = codes[: data.table.num_rows], codes[data.table.num_rows :]
        stamps = np.asarray(_microseconds(times), dtype=np.int64)
        order = np.lexsort((stamps, own))  # stable: rows of one time keep their order
        lists = [plain_list(data.column(name).take(order)) for name in reads]
        rows = [dict(zip(reads, values, strict=True)) for values in zip(*lists, strict=True)]
        first = np.searchsorted(own[order], np.arange(codes.max(initial=-1) + 2))
        late = {
            one.name: round(one.available_after * 1e6)
            for one in data.facts.columns
            if one.available_after and one.name in reads
        }
        return cls(
            rows=rows,
            stamps=stamps[order].tolist(),
            first=first.tolist(),
            codes=asked.tolist(),
            delays=tuple(late.items()),
        )

    def walk(self, stamps: list[int]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Give each event's place and the rows strictly before it; what is not known yet is None.

        Events come key by key, oldest first, so that one list of each key grows: it is valid until
        the next event is asked for.
        """
        order = np.lexsort((np.asarray(stamps, dtype=np.int64), np.asarray(self.codes)))
        longest = max((delay for _, delay in self.delays), default=0)
        code, known = -1, 0
        rows: list[dict[str, Any]] = []
        for place in order.tolist():
            if self.codes[place] != code:
                code, rows = self.codes[place], []
                known = self.first[code]
            stamp, end = stamps[place], self.first[code + 1]
            ready = bisect_left(self.stamps, stamp - longest, known, end)
            rows.extend(self.rows[known:ready])
            known = ready
            if not self.delays:
                yield place, rows
                continue
            pending = self._pending(ready, stamp, end)
            yield place, rows + pending

    def _pending(self, ready: int, stamp: int, end: int) -> list[dict[str, Any]]:
        """Return the rows before a time of which some columns are not known yet."""
        stop = bisect_left(self.stamps, stamp, ready, end)
        rows = self.rows[ready:stop]
        for name, delay in self.delays:
            since = bisect_left(self.stamps, stamp - delay, ready, stop)
            for place in range(since - ready, stop - ready):
                rows[place] = {**rows[place], name: None}
        return rows


def _newest(feature: FeatureFacts, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    row = rows[-1] if rows else {}
    return {one.name: row.get(one.name) for one in feature.outputs}


def _microseconds(times: pa.ChunkedArray) -> list[int]:
    return times.cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]  # pyarrow has no types
