"""What the schema says of single values: which rows break it, and why.

Duty: a table in declared types to a mask of refused rows with their reasons. A reason names the
column and the rule, never the value. Of values that must be unique the first row is kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import ColumnFacts
from mlspec.runtime.metrics.arrays import Bools
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import arrow_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A rule that rows break.

    Attributes:
        column: its column. reason: such as `amount: below 0`. rows: shape (n,), which ones.
    """

    column: str
    reason: str
    rows: Bools


def check_types(table: pa.Table, columns: Sequence[ColumnFacts], data: str) -> None:
    """Check that the declared columns are there, in their types.

    Raises:
        StepError: a column is missing or of another type.
    """
    for column in columns:
        if column.name not in table.column_names:
            raise StepError(f"data `{data}`: the column `{column.name}` is missing")
        found = table[column.name].type
        if found != arrow_type(column.type):
            raise StepError(
                f"data `{data}`: the column `{column.name}` is {found}, not {column.type}"
            )


def broken_rules(table: pa.Table, columns: Sequence[ColumnFacts]) -> list[Broken]:
    """Return the rules that some row breaks, in the order of the columns.

    Args:
        table: with the declared columns in declared types.

    Raises:
        StepError: a limit or pattern of the schema cannot be used.
    """
    found = []
    for column in columns:
        for rule, rows in _of_column(table[column.name], column):
            if rows.any():
                found.append(Broken(column=column.name, reason=f"{column.name}: {rule}", rows=rows))
    return found


def _of_column(values: pa.ChunkedArray, column: ColumnFacts) -> Iterator[tuple[str, Bools]]:
    if not column.nullable:
        yield "missing", _mask(pc.is_null(values))
    if pa.types.is_floating(values.type):
        yield "not finite", _mask(pc.is_inf(values))
    if column.type == "probability":
        outside = pc.or_kleene(pc.less(values, 0.0), pc.greater(values, 1.0))
        yield "not between 0 and 1", _mask(outside)
    if column.min is not None:
        yield (
            f"below {_limit(column.min)}",
            _mask(pc.less(values, _scalar(column, column.min, math.ceil))),
        )
    if column.max is not None:
        yield (
            f"above {_limit(column.max)}",
            _mask(pc.greater(values, _scalar(column, column.max, math.floor))),
        )
    if column.enum:
        known = pa.array([_cell(column, one) for one in column.enum], values.type)
        unknown = pc.and_(pc.invert(pc.is_in(values, known)), pc.is_valid(values))
        yield f"not one of the {len(column.enum)} allowed values", _mask(unknown)
    if column.pattern is not None:
        yield f"does not match `{column.pattern}`", _mismatch(values, column.pattern)
    if column.unique:
        yield "not unique", _repeated(values)


def _mask(values: pa.ChunkedArray) -> Bools:
    return np.asarray(pc.fill_null(values, fill_value=False).to_numpy(), dtype=np.bool_)


def _limit(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def _scalar(column: ColumnFacts, limit: float | str, rounded: Callable[[float], int]) -> pa.Scalar:
    """Return a limit to compare with; of whole numbers the whole number that says the same.

    Whole numbers are compared as such: not all of them have an exact double.
    """
    found = _cell(column, limit)
    if column.type == "int" and isinstance(found, (int, float)) and math.isfinite(found):
        found = min(max(rounded(found), -(2**63)), 2**63 - 1)
        return pa.scalar(found, pa.int64())
    return pa.scalar(found, pa.float64() if column.type == "int" else arrow_type(column.type))


def _cell(column: ColumnFacts, value: object) -> object:
    """Return a limit or an allowed value in the column's type."""
    problem = StepError(f"`{value}` of the schema is no {column.type} (column `{column.name}`)")
    match column.type:
        case "timestamp":
            try:
                moment = datetime.fromisoformat(str(value))
            except ValueError:
                raise problem from None
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        case "string" | "text" | "class":
            return str(value)
        case "int" | "float" | "probability" | "score" if not isinstance(value, (int, float)):
            raise problem
        case "float" | "probability" | "score":
            return float(str(value))
        case _:
            return value


def _mismatch(values: pa.ChunkedArray, pattern: str) -> Bools:
    """Return which present texts a pattern does not match anywhere."""
    try:
        return _mask(pc.invert(pc.match_substring_regex(values, pattern)))
    except pa.ArrowInvalid:
        pass  # RE2 has no look-around and no back-references: Python's engine has
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise StepError(f"the pattern `{pattern}` cannot be read: {error}") from None
    texts = values.to_pylist()
    return np.array([one is not None and not wanted.search(one) for one in texts], dtype=np.bool_)


def _repeated(values: pa.ChunkedArray) -> Bools:
    """Return which present values occurred in an earlier row."""
    codes = values.combine_chunks().dictionary_encode()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.unify_dictionaries().combine_chunks()
    index = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    first = np.zeros(index.size, dtype=np.bool_)
    first[np.unique(index, return_index=True)[1]] = True
    return np.asarray(~first & (index >= 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The rows that broke the contract.

    Attributes:
        rows: shape (n,), which ones. counts: rows by reason, in the order of the columns.
    """

    rows: Bools
    counts: dict[str, int]


def refuse(table: pa.Table, broken: Sequence[Broken]) -> tuple[Refused, pa.Table | None]:
    """Return what is refused, and those rows with a column `_reasons`; None when there are none."""
    rows = np.zeros(table.num_rows, dtype=np.bool_)
    for one in broken:
        rows |= one.rows
    refused = Refused(rows=rows, counts={one.reason: int(one.rows.sum()) for one in broken})
    if not rows.any():
        return refused, None
    place = np.flatnonzero(rows)
    reasons: list[list[str]] = [[] for _ in place]
    number = {int(row): index for index, row in enumerate(place)}
    for one in broken:
        for row in np.flatnonzero(one.rows).tolist():
            reasons[number[row]].append(one.reason)
    bad = table.take(pa.array(place))
    return refused, bad.append_column("_reasons", pa.array(reasons, pa.list_(pa.string())))


def is_number(column: ColumnFacts) -> bool:
    """Return whether a column holds numbers that can be averaged."""
    return column.type in {"int", "float", "probability", "score"}


def finite(value: float) -> float | None:
    """Return a number that JSON can write, or None."""
    return value if math.isfinite(value) else None
