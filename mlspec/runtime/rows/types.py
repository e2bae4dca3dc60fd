"""Columns brought to their declared types, and to plain Python values.

Duty: one meaning of `int`, `timestamp`… for every step and for the server. In: a declared type, a
column. Out: the column in the Arrow type of `mlspec.runtime.tables`. Invariants: time is
microseconds in UTC (a time without a zone is taken as UTC); a cast never loses anything silently.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import TIME, arrow_type


def typed(column: pa.ChunkedArray, declared: str, where: str) -> pa.ChunkedArray:
    """Return a column in its declared type.

    Args:
        column: any length.
        declared: a type of the language. where: names the column in messages.

    Raises:
        StepError: a value does not fit; the message names the column and both types.
    """
    if declared == "timestamp":
        return utc(column, where)
    wanted = arrow_type(declared)
    if column.type == wanted:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if declared == "class" and not pa.types.is_null(column.type):
        return column  # a class is a string or an integer: the data decides
    try:
        return column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise StepError(f"{where} is {column.type}, not {declared}: {reason}") from error


def utc(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Return a column of times: timestamps, dates or texts of RFC 3339, as microseconds in UTC.

    Raises:
        StepError: it holds something else; numbers are refused, for their unit is not known.
    """
    kind = column.type
    if kind == TIME:
        return column
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return column.cast(TIME)
    try:
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            plain = column if pa.types.is_timestamp(kind) else column.cast(pa.timestamp("us"))
            if plain.type.tz is None:
                return pc.assume_timezone(plain.cast(pa.timestamp("us"), safe=False), "UTC")
            return plain.cast(TIME, safe=False)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return _parsed(column)
    except (pa.ArrowInvalid, ValueError) as error:
        raise StepError(f"{where} is no time: {str(error).splitlines()[0]}") from error
    raise StepError(
        f"{where} is {kind}, not a timestamp", help="declare and load it as `timestamp`"
    )


def _parsed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts with and without a zone may stand in one column."""
    try:
        return pc.assume_timezone(column.cast(pa.timestamp("us")), "UTC")
    except pa.ArrowInvalid:
        return pa.chunked_array([[_moment(text) for text in column.to_pylist()]], type=TIME)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def moment(text: str) -> datetime:
    """Return the time of an RFC 3339 text, in UTC; without a zone it is taken as UTC.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def plain_list(column: pa.ChunkedArray | pa.Array) -> list[object]:
    """Return the values as plain Python ones; times are aware, in UTC.

    Several times faster than `to_pylist` for times, which looks a zone up for each of them.
    """
    if column.type != TIME:
        return column.to_pylist()  # type: ignore[no-any-return]  # pyarrow ships no types
    plain = column.cast(pa.timestamp("us"))
    if isinstance(plain, pa.ChunkedArray):
        plain = plain.combine_chunks()
    values = plain.to_numpy(zero_copy_only=False).astype(object)
    return [None if one is None else one.replace(tzinfo=UTC) for one in values]
