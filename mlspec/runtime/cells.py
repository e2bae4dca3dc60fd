"""Columns as they come in, made what the schema declares; or who is to blame.

Duty: an Arrow table of any source to one with exactly the declared columns and types. In: the
table, the declaration, whether its texts are to be parsed (a CSV file) or are texts (a Parquet
file). Out: the table, or a `StepError` with column and row. Values of columns with personal data
are never shown. NaN is a missing value. Nothing is guessed: a text stays the text it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mlspec.diagnostics.suggest import did_you_mean
from mlspec.ir.facts import ColumnFacts
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import TIME, arrow_type, embedding_length, language_type

SECRET = frozenset({"pii", "special", "confidential"})
"""Sensitivities whose values are never shown."""

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_TRUE = ("true", "t", "1", "yes")
_FALSE = ("false", "f", "0", "no")
_TEXTS = frozenset({"string", "text", "class"})

Change = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a table is from, for messages.

    Attributes:
        data: the noun. file: name of the file, or empty. before: rows that stand before the table.
    """

    data: str
    file: str = ""
    before: int = 0

    def __str__(self) -> str:
        return f"data `{self.data}`" + (f", `{self.file}`" if self.file else "")


def fit(table: pa.Table, columns: Sequence[ColumnFacts], place: Place, *, parse: bool) -> pa.Table:
    """Return the table with exactly the declared columns, in their order and types.

    Without declared columns the table is returned as it is, in the nearest types of the language.

    Args:
        table: what a source gave. columns: the declaration.
        place: for messages. parse: whether texts are to be read as values.

    Raises:
        StepError: a column is missing or twice, or a value is not of its type.
    """
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise StepError(f"{place}: the column `{twice[0]}` is there twice")
    if not columns:
        columns = [_guess(field, place) for field in table.schema]
    made = {}
    for column in columns:
        if column.name not in table.column_names:
            near = did_you_mean(column.name, table.column_names)
            listed = ", ".join(f"`{name}`" for name in table.column_names[:20]) or "none"
            raise StepError(
                f"{place}: the column `{column.name}` is missing",
                help="; ".join((*near, f"its columns are {listed}")),
            )
        made[column.name] = fit_column(table[column.name], column, place, parse=parse)
    return pa.table(made)


def _guess(field: pa.Field, place: Place) -> ColumnFacts:
    found = ColumnFacts(name=field.name, type=language_type(field.type))
    try:
        arrow_type(found.type)
    except StepError:
        raise StepError(
            f"{place}: the column `{field.name}` is {field.type}: the language has no such type"
        ) from None
    return found


def fit_column(
    values: pa.ChunkedArray, column: ColumnFacts, place: Place, *, parse: bool
) -> pa.Array:
    """Return one column in its declared type; see `fit`."""
    array = values.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # empty, or too large for one chunk
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return array.cast(arrow_type(column.type))
    is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    if is_text and array.type != pa.string():
        array = array.cast(pa.string())
    change = _parser(column.type) if parse and is_text else _caster(column.type, array.type)
    if change is None:
        raise StepError(
            f"{place}: the column `{column.name}` is {language_type(array.type)}, "
            f"not {column.type}",
            help="change the schema, or write the column in the declared type",
        )
    try:
        found = change(array)
    except (pa.ArrowInvalid, ValueError, RecursionError):
        raise _blame(array, change, column, place) from None
    return _finished(found, column, place)


def _finished(array: pa.Array, column: ColumnFacts, place: Place) -> pa.Array:
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    length = embedding_length(column.type)
    if length is not None:
        lengths = pc.list_value_length(array)
        wrong = pc.fill_null(pc.not_equal(lengths, length), fill_value=False)
        if pc.any(wrong).as_py():
            row = pc.index(wrong, True).as_py()
            raise StepError(
                f"{place}, column `{column.name}`, row {place.before + row + 1}: "
                f"{len(array[row])} numbers, not {length}"
            )
    return array


def _blame(array: pa.Array, change: Change, column: ColumnFacts, place: Place) -> StepError:
    """Return the error of the first value that cannot be changed, found by halving."""
    low, high = 0, len(array)  # the first `low` rows are fine, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        try:
            change(array.slice(low, middle - low))
        except (pa.ArrowInvalid, ValueError, RecursionError):
            high = middle
        else:
            low = middle
    where = f"{place}, column `{column.name}`, row {place.before + low + 1}"
    if column.sensitivity in SECRET:
        return StepError(f"{where}: the value is no {column.type}")
    shown = str(array[low].as_py())
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    return StepError(f"{where}: `{shown}` is no {column.type}")


# ------------------------------------------------------------------ values of a typed source


def _caster(type_: str, given: pa.DataType) -> Change | None:
    """Return how values of an Arrow type become those of a declared one; None: they are others."""
    target = arrow_type(type_)
    is_number = pa.types.is_integer(given) or pa.types.is_floating(given)
    match type_:
        case "int" if is_number or pa.types.is_decimal(given):
            return _whole
        case "float" | "probability" | "score" if is_number or pa.types.is_decimal(given):
            return lambda array: array.cast(pa.float64())
        case "class" if pa.types.is_integer(given) or pa.types.is_boolean(given):
            return lambda array: array.cast(pa.string())
        case "timestamp" if pa.types.is_timestamp(given) or pa.types.is_date(given):
            return _instant
        case "json" if pa.types.is_nested(given):
            return lambda array: pa.array(
                [None if one is None else _json(one) for one in array.to_pylist()], pa.string()
            )
        case "bytes" if pa.types.is_large_binary(given) or pa.types.is_fixed_size_binary(given):
            return lambda array: array.cast(pa.binary())
    if pa.types.is_list(target) and (
        pa.types.is_list(given)
        or pa.types.is_large_list(given)
        or pa.types.is_fixed_size_list(given)
    ):
        inner = pa.types.is_floating(target.value_type) and (
            pa.types.is_floating(given.value_type) or pa.types.is_integer(given.value_type)
        )
        if inner or language_type(given.value_type) == language_type(target.value_type):
            return lambda array: array.cast(target, safe=False)
        return None
    return (lambda array: array) if given == target else None


def _whole(array: pa.Array) -> pa.Array:
    """Return whole numbers; a float that is whole counts as one, NaN is missing."""
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array.cast(pa.int64())


def _instant(array: pa.Array) -> pa.Array:
    """Return instants in UTC; a time without zone is UTC, nanoseconds are cut off."""
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us"))
    if array.type.tz is None:
        return array.cast(pa.timestamp("us"), safe=False).cast(TIME)
    return array.cast(TIME, safe=False)


# ------------------------------------------------------------------ texts that are to be read


def _parser(type_: str) -> Change | None:
    match type_:
        case _ if type_ in _TEXTS:
            return lambda array: array
        case "int":
            return lambda array: _plain(array).cast(pa.int64())
        case "float" | "probability" | "score":
            return lambda array: _plain(array).cast(pa.float64())
        case "bool":
            return _truths
        case "timestamp":
            return _instants
        case "json":
            return _documents
        case "bytes":
            return _base64
        case _:
            return lambda array: _lists(array, type_)


def _plain(array: pa.Array) -> pa.Array:
    """Return texts without the spaces around them; words for "missing" are missing."""
    trimmed = pc.utf8_trim_whitespace(array)
    gone = pc.is_in(trimmed, pa.array(_MISSING))
    found = pc.if_else(gone, pa.scalar(None, pa.string()), trimmed)
    odd = pc.match_substring_regex(found, r"^[+-]?0[xX]|[^0-9eE.+\-a-zA-Z]|_")
    if pc.any(odd).as_py():
        raise ValueError("no number")
    return pc.replace_substring_regex(found, r"^\+", "")


def _truths(array: pa.Array) -> pa.Array:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(array))
    gone = pc.is_in(words, pa.array([one.lower() for one in _MISSING]))
    words = pc.if_else(gone, pa.scalar(None, pa.string()), words)
    yes = pc.is_in(words, pa.array(_TRUE))
    known = pc.or_(yes, pc.is_in(words, pa.array(_FALSE)))
    if not pc.all(pc.or_(known, pc.is_null(words)), min_count=0).as_py():
        raise ValueError("no truth value")
    return pc.if_else(pc.is_null(words), pa.scalar(None, pa.bool_()), yes)


def _instants(array: pa.Array) -> pa.Array:
    """Return the instants of ISO 8601 texts; without a zone they are UTC."""
    words = pc.utf8_trim_whitespace(array)
    gone = pc.is_in(words, pa.array(_MISSING))
    words = pc.if_else(gone, pa.scalar(None, pa.string()), words)
    words = pc.replace_substring_regex(words, r"(\.[0-9]{6})[0-9]+", r"\1")
    zoned = pc.match_substring_regex(words, r"[0-9](Z|[+-][0-9]{2}:?[0-9]{2})$")
    zoned = pc.fill_null(zoned, fill_value=False)
    date = pc.match_substring_regex(words, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}")
    if not pc.all(pc.fill_null(date, fill_value=True), min_count=0).as_py():
        raise ValueError("no date")
    none = pa.scalar(None, pa.string())
    with_zone = pc.if_else(zoned, words, none).cast(TIME)
    without = pc.if_else(zoned, none, words).cast(pa.timestamp("us")).cast(TIME)
    return pc.coalesce(with_zone, without)


def _documents(array: pa.Array) -> pa.Array:
    """Return the texts of JSON documents, as they were written."""
    for one in array.to_pylist():
        if one:
            json.loads(one)
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def _base64(array: pa.Array) -> pa.Array:
    from base64 import b64decode

    return pa.array(
        [None if not one else b64decode(one, validate=True) for one in array.to_pylist()],
        pa.binary(),
    )


def _lists(array: pa.Array, type_: str) -> pa.Array:
    found = [None if not one else json.loads(one) for one in array.to_pylist()]
    if not all(one is None or isinstance(one, list) for one in found):
        raise ValueError("no list")
    try:
        return pa.array(found, arrow_type(type_))
    except pa.ArrowTypeError as error:
        raise ValueError(str(error)) from error


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
