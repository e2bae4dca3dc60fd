"""The metrics of data: what a check's left side is on these rows, with its bounds.

`null_rate`, `duplicates` and `unseen` are measured on all rows that arrived, everything else on the
valid ones: otherwise a check could never see what the schema refuses. Distances and `unseen`
compare with the profile of the previous version. In: rows and profile. Out: an estimate with its
interval, or `Absent` with the reason in words; `StepError` for a check that can never be measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import stdtrit

from mlspec.expr.check import Check, Word
from mlspec.ir.facts import ColumnFacts, DataFacts
from mlspec.runtime.contracts.constraints import is_number
from mlspec.runtime.contracts.profile import (
    SECRET,
    ColumnProfile,
    Profile,
    count_levels,
    number_array,
    shape_of,
)
from mlspec.runtime.metrics.arrays import MetricError
from mlspec.runtime.metrics.shift import NumberBins, binned
from mlspec.runtime.statistics import distances
from mlspec.runtime.statistics.distances import Measured
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, exact
from mlspec.runtime.statistics.means import mean_interval
from mlspec.runtime.statistics.proportions import wilson
from mlspec.runtime.statistics.verdict import Estimate
from mlspec.runtime.steps.contract import StepError

DISTANCES = frozenset({"psi", "js", "ks", "wasserstein"})
WILDCARDS = DISTANCES | {"null_rate"}
"""Metrics that without a column are about every column."""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - differences only


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a version of data.

    Attributes:
        facts: the noun. arrived, valid: all rows and those that keep the schema.
        previous: profile of the version before; None: there is none, `why` says why.
        now: the date of the run. changed: when files changed last, for data without rows.
    """

    facts: DataFacts
    arrived: pa.Table
    valid: pa.Table
    previous: Profile | None
    why: str
    now: datetime
    changed: datetime | None = None

    def column(self, name: str) -> ColumnFacts:
        """Return a declared column.

        Raises:
            StepError: there is none of that name.
        """
        for column in self.facts.columns:
            if column.name == name:
                return column
        raise StepError(f"data `{self.facts.id}` has no column `{name}` to check")


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Why there is no number.

    Attributes:
        reason: for people. n: rows that were there.
    """

    reason: str
    n: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """What was measured.

    Attributes:
        estimate, interval: as `mlspec.runtime.statistics.verdict.judge` wants them.
        chance: see `mlspec.runtime.statistics.distances.Measured`; None where L = U.
    """

    estimate: Estimate
    interval: Interval
    chance: Callable[[float], float] | None = None


def wildcard_columns(check: Check, facts: DataFacts) -> tuple[ColumnFacts, ...]:
    """Return the columns that a check without a column is about.

    Distances leave out what identifies or orders rows (keys, unique columns, times) and what has
    no bins, and personal data of which no bins are kept; `ks` and `wasserstein` are about numbers.
    """
    if check.metric == "null_rate":
        return facts.columns
    numbers_only = check.metric in {"ks", "wasserstein"}
    return tuple(
        column
        for column in facts.columns
        if column.name not in facts.key
        and column.name != facts.time
        and not column.unique
        and (is_number(column) or (not numbers_only and column.type in {"string", "class", "bool"}))
        and not _is_not_kept(column, numbers_only=numbers_only)
    )


def _is_not_kept(column: ColumnFacts, *, numbers_only: bool) -> bool:
    """Whether a profile says nothing of a column, because its values are personal data."""
    if column.sensitivity not in SECRET:
        return False
    return numbers_only or not (is_number(column) or column.enum)


def measure(check: Check, rows: Rows, column: str | None, confidence: float) -> Number | Absent:
    """Return what the left side of a check is.

    Args:
        check: what is asked; its reference is `previous` or a number.
        column: the column it is about, None for metrics of rows.
        confidence: of each bound alone.

    Raises:
        StepError: the metric is not one of data, or the column is not one it can be computed on.
    """
    if check.reference not in {None, "previous"}:
        return Absent(reason=f"data have no {check.reference} to compare with")
    name = check.metric
    if name in DISTANCES or name == "unseen":
        return _against_previous(check, rows, _named(check, column), confidence)
    if name == "mean":
        return _mean(check, rows, _named(check, column), confidence)
    found = _exact(check, rows, column)
    if isinstance(found, Absent):
        return found
    value, n, before = found
    if check.reference is None:
        return Number(estimate=Estimate(value=value, n=n), interval=exact(value, n))
    if rows.previous is None or before is None:
        return Absent(reason=_why(rows), n=n)
    return Number(
        estimate=Estimate(value=value, n=n, reference=before),
        interval=_compared(check, value, before, n),
    )


def _named(check: Check, column: str | None) -> str:
    if column is None:
        raise StepError(f"`{check}`: `{check.metric}` needs a column in brackets")
    return column


def column_of(check: Check) -> str | None:
    """Return the column in the brackets of a check."""
    return check.argument.text if isinstance(check.argument, Word) else None


def _why(rows: Rows) -> str:
    return f"there is no previous snapshot to compare with{rows.why and ': '}{rows.why}"


def _compared(check: Check, value: float, before: float, n: int) -> Interval:
    """Return value - factor x before; exact, so that a ratio of 0 rows needs no special case."""
    margin = exact(value - float(check.factor) * before, n)
    return Interval(
        scale=Scale.DIFFERENCE,
        estimate=margin.estimate,
        low=margin.low,
        high=margin.high,
        n=n,
        confidence=1.0,
        test="exact",
    )


def _exact(
    check: Check, rows: Rows, column: str | None
) -> tuple[float, int, float | None] | Absent:
    """Return the value, the rows it is of, and the value of the previous version."""
    before = rows.previous
    match check.metric:
        case "rows":
            n = rows.valid.num_rows
            return float(n), n, None if before is None else float(before.rows)
        case "freshness":
            return _freshness(rows)
        case "null_rate":
            values = rows.arrived[rows.column(_named(check, column)).name]
            if not len(values):
                return Absent(reason="there are no rows")
            rate = values.null_count / len(values)
            return rate, len(values), None if before is None else before.null_rates.get(str(column))
        case "duplicates":
            name = rows.column(_named(check, column)).name
            return (
                float(repeated(rows.arrived[name])),
                rows.arrived.num_rows,
                None if before is None else before.duplicates.get(name),
            )
        case name:
            raise StepError(f"`{check}`: `{name}` is no metric of data")


def repeated(values: pa.ChunkedArray) -> int:
    """Return how many present values occurred before."""
    present = values.drop_null()
    if pa.types.is_nested(present.type):
        present = pa.chunked_array([pa.array([str(one) for one in present.to_pylist()])])
    return len(present) - len(pc.unique(present))


def freshness_of(rows: Rows) -> float | None:
    """Return the seconds between the newest event and the run; None when there is no time."""
    name = rows.facts.time
    if name is None and rows.changed is not None:
        return (rows.now - rows.changed).total_seconds()
    if name is None or name not in rows.valid.column_names:
        return None
    times = rows.valid[name]
    if not pa.types.is_timestamp(times.type):
        return None
    # Whole microseconds: a time zone as an object would need a database of time zones.
    moments = times.cast(pa.timestamp("us", tz=times.type.tz), safe=False).cast(pa.int64())
    now = (rows.now.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // timedelta(microseconds=1)
    past = moments.filter(pc.less_equal(moments, now))
    newest = pc.max(past).as_py() if len(past) else pc.min(moments).as_py()
    return None if newest is None else (now - newest) / 1e6


def _freshness(rows: Rows) -> tuple[float, int, float | None] | Absent:
    age = freshness_of(rows)
    if age is None:
        said = "has no rows" if rows.facts.time else "names no `time` column"
        return Absent(reason=f"data `{rows.facts.id}` {said}: its age is not known")
    before = None if rows.previous is None else rows.previous.freshness
    return age, rows.valid.num_rows, before


# ------------------------------------------------------------------ with sampling error


def _against_previous(check: Check, rows: Rows, name: str, confidence: float) -> Number | Absent:
    column = rows.column(name)
    source = rows.arrived if check.metric == "unseen" else rows.valid
    values = source[name]
    n = len(values)
    if rows.previous is None:
        return Absent(reason=_why(rows), n=n)
    old = rows.previous.columns.get(name)
    if old is None or old.type != column.type:
        return Absent(reason=f"the previous snapshot has no column `{name}` of this type", n=n)
    try:
        if check.metric == "unseen":
            return _unseen(values, column, old, confidence)
        found = _distance(check, values, column, old, confidence)
    except (MetricError, StatisticsError) as error:
        return Absent(reason=str(error), n=n)
    if isinstance(found, Absent):
        return found
    return Number(
        estimate=Estimate(value=found.interval.estimate, n=found.interval.n),
        interval=found.interval,
        chance=found.chance,
    )


def _unseen(
    values: pa.ChunkedArray, column: ColumnFacts, old: ColumnProfile, confidence: float
) -> Number | Absent:
    present = values.drop_null()
    if not len(present):
        return Absent(reason=f"all values of `{column.name}` are missing")
    if old.values is None:
        is_secret = column.sensitivity in SECRET
        said = "personal data" if is_secret else "too many different ones, or no names"
        return Absent(reason=f"the values of `{column.name}` are not kept: {said}", n=len(present))
    known = pc.is_in(present.cast(pa.string()), pa.array(old.values, pa.string()))
    new = len(present) - int(pc.sum(known).as_py() or 0)
    interval = wilson(new, len(present), confidence)
    return Number(estimate=Estimate(value=new / len(present), n=len(present)), interval=interval)


def _distance(
    check: Check,
    values: pa.ChunkedArray,
    column: ColumnFacts,
    old: ColumnProfile,
    confidence: float,
) -> Measured | Absent:
    name = column.name
    if check.metric in {"ks", "wasserstein"}:
        if not is_number(column):
            raise StepError(f"`{check}`: the column `{name}` is {column.type}, not a number")
        if not old.shape_counts:
            return Absent(reason=f"of `{name}` no distribution is kept", n=len(values))
        array = number_array(values)
        present = array[~np.isnan(array)]
        bins = NumberBins(np.array(old.shape_edges, dtype=np.float64))
        counts, means = shape_of(present, bins)
        if check.metric == "ks":
            return distances.ks_distance(old.shape_counts, counts, confidence)
        return distances.wasserstein_distance(
            old.shape_counts, old.shape_means, counts, means, confidence
        )
    levels = old.bins
    if levels is None:
        return Absent(reason=f"of `{name}` no distribution is kept", n=len(values))
    if isinstance(levels, NumberBins):
        now = binned(number_array(values), levels)
    else:
        now = count_levels(values, levels)
    if check.metric == "psi":
        return distances.psi_distance(old.counts, now, confidence)
    return distances.js_distance(old.counts, now, confidence)


def _mean(check: Check, rows: Rows, name: str, confidence: float) -> Number | Absent:
    column = rows.column(name)
    if not is_number(column):
        raise StepError(f"`{check}`: the column `{name}` is {column.type}, not a number")
    array = number_array(rows.valid[name])
    present = array[~np.isnan(array)]
    n = int(present.size)
    if n < 2:
        return Absent(reason=f"`{name}` has fewer than two values", n=n)
    value = float(present.mean())
    if check.reference is None:
        return Number(
            estimate=Estimate(value=value, n=n), interval=mean_interval(present, confidence)
        )
    old = None if rows.previous is None else rows.previous.columns.get(name)
    if old is None or old.mean is None or old.deviation is None:
        return Absent(reason=_why(rows), n=n)
    return Number(
        estimate=Estimate(value=value, n=n, reference=old.mean),
        interval=_welch(
            (value, float(present.std(ddof=1)), n),
            (old.mean, old.deviation, old.rows - old.nulls),
            float(check.factor),
            confidence,
        ),
    )


def _welch(
    one: tuple[float, float, int],
    other: tuple[float, float, int],
    factor: float,
    confidence: float,
) -> Interval:
    """Return the interval of mean - factor x other mean (Welch, Biometrika 34, 1947).

    Args:
        one, other: mean, standard deviation and rows of each side.
    """
    first = one[1] ** 2 / one[2]
    second = (factor * other[1]) ** 2 / max(1, other[2])
    error = (first + second) ** 0.5
    freedom = (
        (first + second) ** 2 / (first**2 / (one[2] - 1) + second**2 / max(1, other[2] - 1))
        if error
        else 1.0
    )
    estimate = one[0] - factor * other[0]
    reach = float(stdtrit(freedom, confidence)) * error
    return Interval(
        scale=Scale.DIFFERENCE,
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        n=one[2],
        confidence=confidence,
        test="Welch t",
    )
