"""The profile of a version of data: what later versions are compared with.

Counts, not rows: for numbers the moments, ten bins by quantiles (psi, js) and up to 512 with their
means (ks, wasserstein); for categories the levels above 0.5 %. Of values that are personal data
nothing is kept but counts: no levels unless the schema lists them, no values, no extremes. The
JSON has a version; a profile that is not ours is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import ColumnFacts
from mlspec.runtime.contracts.constraints import is_number
from mlspec.runtime.metrics.arrays import Floats
from mlspec.runtime.metrics.shift import (
    SMALLEST_LEVEL,
    LevelBins,
    NumberBins,
    binned,
    number_bins,
)
from mlspec.runtime.statistics.distances import SHAPE_BINS
from mlspec.runtime.steps.contract import StepError

FORMAT = "mlspec-profile/1"
MOST_VALUES = 10_000
"""Different values that are remembered of a column, for `unseen`."""
SECRET = frozenset({"pii", "special"})
_LEVELS = frozenset({"string", "class", "bool"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What is kept of a column.

    Attributes:
        type: of the language. rows, nulls: counts.
        mean, deviation: of the present numbers; None for other types.
        edges, counts: inner edges of quantile bins, counts with the missing values last.
        shape_edges, shape_counts, shape_means: up to 512 bins, without missing values.
        levels: texts with a bin of their own; their counts, others' and missing ones' in `counts`.
        values: all present values as texts; None when there are too many, when they are personal,
            and for numbers that are not whole.
    """

    type: str
    rows: int
    nulls: int
    mean: float | None = None
    deviation: float | None = None
    edges: tuple[float, ...] | None = None
    counts: tuple[int, ...] = ()
    shape_edges: tuple[float, ...] = ()
    shape_counts: tuple[int, ...] = ()
    shape_means: tuple[float, ...] = ()
    levels: tuple[str, ...] | None = None
    values: tuple[str, ...] | None = None

    @property
    def bins(self) -> NumberBins | LevelBins | None:
        """The bins of `counts`, None when there are none."""
        if self.edges is not None:
            return NumberBins(np.array(self.edges, dtype=np.float64))
        return None if self.levels is None else LevelBins(self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is kept of a version of data.

    Attributes:
        data: the noun. version: that it is of. rows: valid ones. run: that validated it.
        duplicates, null_rates: by column, of all rows that arrived. freshness: seconds, or None.
        columns: profiles of the valid rows by column.
        before: file of the profile that was the newest one until then; may be empty.
    """

    data: str
    version: str
    rows: int
    run: str
    columns: Mapping[str, ColumnProfile]
    duplicates: Mapping[str, int]
    null_rates: Mapping[str, float]
    freshness: float | None = None
    before: str = ""


def level_counts(values: pa.ChunkedArray, least: float = 0.0) -> dict[str, int]:
    """Return how often present values occur, by their texts; truth values: `true`, `false`.

    Args:
        least: values that do not occur more often than this are left out.
    """
    found = pc.value_counts(values.drop_null())
    found = found.filter(pc.greater(found.field(1), least))
    names = found.field(0).cast(pa.string()).to_pylist()
    return dict(zip(names, found.field(1).to_pylist(), strict=True))


def count_levels(values: pa.ChunkedArray, bins: LevelBins) -> Floats:
    """Return the count of each level, of all others, and of missing values.

    The same as `mlspec.runtime.metrics.shift.binned`, without a Python object for each row.
    """
    texts = values.cast(pa.string())
    known = pc.is_in(texts, pa.array(bins.levels, pa.string()))
    found = level_counts(texts.filter(known))
    counts = [found.get(level, 0) for level in bins.levels]
    others = len(values) - values.null_count - sum(counts)
    return np.array([*counts, others, values.null_count], dtype=np.float64)


def number_array(values: pa.ChunkedArray) -> Floats:
    """Return numbers as doubles, NaN for missing ones."""
    # Whole numbers above 2**53 become the nearest double.
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def profile_columns(table: pa.Table, columns: Sequence[ColumnFacts]) -> dict[str, ColumnProfile]:
    """Return the profiles of declared columns."""
    return {column.name: profile_of(table[column.name], column) for column in columns}


def profile_of(values: pa.ChunkedArray, column: ColumnFacts) -> ColumnProfile:
    """Return the profile of a column."""
    rows, nulls = len(values), values.null_count
    if is_number(column):
        return _of_numbers(values, column, rows, nulls)
    if column.type in _LEVELS:
        return _of_levels(values, column, rows, nulls)
    return ColumnProfile(type=column.type, rows=rows, nulls=nulls)


def _of_numbers(
    values: pa.ChunkedArray, column: ColumnFacts, rows: int, nulls: int
) -> ColumnProfile:
    if rows == nulls:
        return ColumnProfile(type=column.type, rows=rows, nulls=nulls)
    array = number_array(values)
    present = array[~np.isnan(array)]
    bins, shape = number_bins(present), number_bins(present, SHAPE_BINS)
    counts, means = shape_of(present, shape)
    is_secret = column.sensitivity in SECRET
    return ColumnProfile(
        type=column.type,
        rows=rows,
        nulls=nulls,
        mean=float(present.mean()),
        deviation=float(present.std(ddof=1)) if present.size > 1 else 0.0,
        edges=tuple(bins.edges.tolist()),
        counts=_whole(binned(array, bins)),
        shape_edges=() if is_secret else tuple(shape.edges.tolist()),
        shape_counts=() if is_secret else _whole(counts),
        shape_means=() if is_secret else tuple(means.tolist()),
        values=_values(values) if column.type == "int" and not is_secret else None,
    )


def shape_of(present: Floats, bins: NumberBins) -> tuple[Floats, Floats]:
    """Return the count and the mean of the values in each bin; 0 for the mean of an empty one."""
    size = bins.edges.size + 1
    place = np.searchsorted(bins.edges, present, side="left")
    counts = np.bincount(place, minlength=size).astype(np.float64)
    total = np.bincount(place, present, minlength=size)
    return counts, np.divide(total, counts, out=np.zeros(size), where=counts > 0)


def _of_levels(
    values: pa.ChunkedArray, column: ColumnFacts, rows: int, nulls: int
) -> ColumnProfile:
    is_secret = column.sensitivity in SECRET
    if is_secret and not column.enum:
        return ColumnProfile(type=column.type, rows=rows, nulls=nulls)
    if column.enum:
        bins = LevelBins(tuple(sorted(str(one) for one in column.enum)))
    elif rows == nulls:
        return ColumnProfile(type=column.type, rows=rows, nulls=nulls)
    else:
        bins = LevelBins(tuple(sorted(level_counts(values, SMALLEST_LEVEL * rows))))
    return ColumnProfile(
        type=column.type,
        rows=rows,
        nulls=nulls,
        levels=bins.levels,
        counts=_whole(count_levels(values, bins)),
        values=None if is_secret else _values(values),
    )


def _values(values: pa.ChunkedArray) -> tuple[str, ...] | None:
    known = pc.unique(values.drop_null())
    if len(known) > MOST_VALUES:
        return None
    return tuple(sorted(known.cast(pa.string()).to_pylist()))


def _whole(counts: Floats) -> tuple[int, ...]:
    return tuple(int(one) for one in counts.tolist())


def to_json(profile: Profile) -> dict[str, Any]:
    """Return the JSON data of a profile; what does not exist is left out."""
    columns = {}
    for name, column in profile.columns.items():
        found = {key: getattr(column, key) for key in ColumnProfile.__slots__}
        columns[name] = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in found.items()
            if value is not None
        }
    return {
        "format": FORMAT,
        "data": profile.data,
        "version": profile.version,
        "run": profile.run,
        "rows": profile.rows,
        "freshness": profile.freshness,
        "before": profile.before,
        "duplicates": dict(profile.duplicates),
        "null_rates": dict(profile.null_rates),
        "columns": columns,
    }


def from_json(found: Mapping[str, Any]) -> Profile:
    """Return the profile of JSON data.

    Raises:
        StepError: it is not ours.
    """
    try:
        if found["format"] != FORMAT:
            raise StepError(f"the profile has the format `{found['format']}`, not `{FORMAT}`")
        return Profile(
            data=str(found["data"]),
            version=str(found["version"]),
            run=str(found["run"]),
            rows=int(found["rows"]),
            freshness=found["freshness"],
            before=str(found["before"]),
            duplicates=dict(found["duplicates"]),
            null_rates=dict(found["null_rates"]),
            columns={name: _column(column) for name, column in found["columns"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StepError(f"the previous profile cannot be read: {error}") from None


def _column(found: Mapping[str, Any]) -> ColumnProfile:
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in found.items()
    }
    return ColumnProfile(**given)
