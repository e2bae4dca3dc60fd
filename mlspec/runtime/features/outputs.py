"""What a feature returned, held against what it declares.

Duty: the mappings that a function returned to columns. In: the feature's facts, one mapping for
each row. Out: Arrow columns in the order of the outputs. Invariants: every declared output is there
and no other; a value has its declared type, exactly (a float is no int, 1 is no bool), lies in its
declared bounds, and is missing only where the spec allows it: `nullable: true`, or a check
`null_rate` that says how often. A message names the feature, the output, the row and the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import ColumnFacts, FeatureFacts
from mlspec.runtime.rows.types import moment, typed
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import TIME, arrow_type, embedding_length

NameRow = Callable[[int], str]
"""From a row's number to how people find it."""

_NUMBER = (float, int, np.floating, np.integer)
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "int": (int, np.integer),
    "float": _NUMBER,
    "probability": _NUMBER,
    "score": _NUMBER,
    "bool": (bool, np.bool_),
    "string": (str,),
    "text": (str,),
    "class": (str,),
    "bytes": (bytes,),
    "timestamp": (datetime,),
}
_SEQUENCES = (list, tuple, np.ndarray)


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A value that does not fit: the number of its row, and what is wrong with it."""

    row: int
    why: str


def collect(feature: FeatureFacts, results: Sequence[Any], name_row: NameRow) -> list[pa.Array]:
    """Return the columns of a feature, in the order of its outputs.

    Args:
        feature: its outputs are what is expected.
        results: what the function returned, one for each row.
        name_row: from the place in `results` to the row's name in messages.

    Raises:
        StepError: a result does not fit the declaration.
    """
    if set(map(type, results)) - {dict}:
        for row, result in enumerate(results):
            if not isinstance(result, Mapping):
                raise _error(feature, name_row(row), f"it returned {_kind(result)}, not a dict")
    names = [one.name for one in feature.outputs]
    _same_names(feature, results, names, name_row)
    may_miss = _nullable(feature)
    columns = []
    for output in feature.outputs:
        values = [result[output.name] for result in results]
        column = _to_column(output, values, nullable=output.nullable or output.name in may_miss)
        if isinstance(column, _Wrong):
            where = f"output `{output.name}`, {name_row(column.row)}"
            raise _error(feature, where, column.why, _help(column, output))
        columns.append(column)
    return columns


def given(feature: FeatureFacts, table: pa.Table, name_row: NameRow) -> list[pa.ChunkedArray]:
    """Return the outputs of a feature without a function: columns of the data, as they are.

    Args:
        feature: each output is a column. table: has them. name_row: as for `collect`.

    Raises:
        StepError: a column is not there, or does not fit the declaration.
    """
    may_miss = _nullable(feature)
    columns = []
    for output in feature.outputs:
        if output.name not in table.column_names:
            raise _error(
                feature,
                f"output `{output.name}`",
                "it is no column that the feature reads",
                "a feature without `transform` is the columns themselves",
            )
        column = typed(table[output.name], output.type, f"`{feature.id}.{output.name}`")
        wrong = _broken(output, column, nullable=output.nullable or output.name in may_miss)
        if wrong is not None:
            where = f"output `{output.name}`, {name_row(wrong.row)}"
            raise _error(feature, where, wrong.why, _help(wrong, output))
        columns.append(column)
    return columns


def _to_column(output: ColumnFacts, values: list[Any], *, nullable: bool) -> pa.Array | _Wrong:
    """Return values as a column of their declared type, or the first that does not fit."""
    wrong = _first_of_other_type(output.type, values)
    if wrong is not None:
        return wrong
    kind = arrow_type(output.type)
    if output.type == "json":
        found = _json_texts(values)
        if isinstance(found, _Wrong):
            return found
        values = found
    try:
        column = pa.array(values, type=kind)
    except (pa.ArrowException, OverflowError, ValueError):
        return _first_refused(values, kind)
    return _broken(output, column, nullable=nullable) or column


def _broken(
    output: ColumnFacts, column: pa.Array | pa.ChunkedArray, *, nullable: bool
) -> _Wrong | None:
    """Return the first value that is missing or out of bounds."""
    if not nullable:
        row = _first_true(column.is_null())
        if row is not None:
            return _Wrong(row, "is None")
        row = _first_true(pc.is_nan(column)) if pa.types.is_floating(column.type) else None
        if row is not None:
            return _Wrong(row, "is NaN")
    length = embedding_length(output.type)
    if length is not None:
        lengths = pc.list_value_length(column)
        row = _first_true(pc.not_equal(lengths, length))
        if row is not None:
            return _Wrong(row, f"holds {lengths[row].as_py()} numbers, not {length}")
    return _out_of_bounds(output, column)


def _same_names(
    feature: FeatureFacts, results: Sequence[Any], names: list[str], name_row: NameRow
) -> None:
    wanted = set(names)
    if set(map(len, results)) <= {len(wanted)} and all(map(wanted.issuperset, results)):
        return
    for row, result in enumerate(results):
        missing = [name for name in names if name not in result]
        if missing:
            raise _error(
                feature,
                name_row(row),
                f"it did not return `{missing[0]}`",
                f"it returned {', '.join(f'`{one}`' for one in result) or 'nothing'}",
            )
        extra = [str(name) for name in result if name not in wanted]
        if extra:
            raise _error(
                feature,
                name_row(row),
                f"it returned `{extra[0]}`, which is not declared",
                f"declared under `output` are {', '.join(f'`{one}`' for one in names)}",
            )


def _nullable(feature: FeatureFacts) -> set[str]:
    """Outputs whose missing values a check counts: `null_rate <= 1%` says that some may miss."""
    found: set[str] = set()
    for check in feature.checks:
        head = re.match(r"null_rate(?:\(([^)]*)\))?\s", check.text)
        if head:
            found |= {head[1]} if head[1] else {one.name for one in feature.outputs}
    return found


def _first_of_other_type(declared: str, values: list[Any]) -> _Wrong | None:
    if declared == "json":
        return None
    if declared not in _ACCEPTED:  # a list or an embedding
        return _first_odd_list(declared, values)
    accepted = _ACCEPTED[declared]
    odd = {kind for kind in set(map(type, values)) if not _fits(kind, accepted)}
    if odd:
        for row, value in enumerate(values):
            if type(value) in odd:
                return _Wrong(row, f"is {_kind(value)}, not {declared}")
    return None


def _fits(kind: type, accepted: tuple[type, ...]) -> bool:
    if kind is type(None):
        return True
    if issubclass(kind, (bool, np.bool_)):
        return bool in accepted
    return issubclass(kind, accepted)


def _first_odd_list(declared: str, values: list[Any]) -> _Wrong | None:
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, _SEQUENCES):
            return _Wrong(row, f"is {_kind(value)}, not {declared}")
    inner = "float" if declared.startswith("embedding") else declared[5:-1]
    present = [value for value in values if value is not None]
    if inner in _ACCEPTED:
        kinds = set(map(type, chain.from_iterable(present)))
        if all(_fits(kind, _ACCEPTED[inner]) and kind is not type(None) for kind in kinds):
            return None
    for row, value in enumerate(values):
        found = None if value is None else _first_of_other_type(inner, list(value))
        if found is None and value is not None and any(one is None for one in value):
            found = _Wrong(row, "holds None")
        if found is not None:
            return _Wrong(row, f"holds a value that {found.why}")
    return None


def _first_refused(values: list[Any], kind: pa.DataType) -> _Wrong:
    for row, value in enumerate(values):
        try:
            pa.array([value], type=kind)
        except (pa.ArrowException, OverflowError, ValueError) as error:
            reason = str(error).splitlines()[0]
            return _Wrong(row, f"is {_kind(value)}, which does not fit {kind}: {reason}")
    raise AssertionError("each value fits alone, but not all of them")


def _json_texts(values: list[Any]) -> list[str | None] | _Wrong:
    texts: list[str | None] = []
    for row, value in enumerate(values):
        try:
            texts.append(
                None if value is None else json.dumps(value, sort_keys=True, allow_nan=False)
            )
        except (TypeError, ValueError) as error:
            return _Wrong(row, f"cannot be written as JSON: {error}")
    return texts


def _out_of_bounds(output: ColumnFacts, column: pa.Array | pa.ChunkedArray) -> _Wrong | None:
    rules = (
        (output.min, pc.less, "is below the declared minimum"),
        (output.max, pc.greater, "is above the declared maximum"),
    )
    for limit, worse, words in rules:
        if limit is None or pa.types.is_nested(column.type):
            continue
        bound = pa.scalar(moment(limit), TIME) if isinstance(limit, str) else pa.scalar(limit)
        row = _first_true(worse(column, bound))
        if row is not None:
            return _Wrong(row, f"{words} {limit}: {column[row].as_py()!r}")
    unknown: pa.Array | None = None
    words = ""
    if output.enum:
        allowed = pa.array(list(output.enum)).cast(column.type)
        unknown = pc.and_(pc.invert(pc.is_in(column, allowed)), column.is_valid())
        words = f"not one of {', '.join(map(str, output.enum))}"
    elif output.pattern is not None:
        pattern = re.compile(output.pattern)
        odd = [one for one in column.unique().to_pylist() if one and not pattern.search(one)]
        unknown = pc.is_in(column, pa.array(odd, type=column.type))
        words = f"which does not match `{output.pattern}`"
    row = None if unknown is None else _first_true(unknown)
    return None if row is None else _Wrong(row, f"is {column[row].as_py()!r}, {words}")


def _first_true(mask: pa.Array | pa.ChunkedArray) -> int | None:
    place = pc.index(mask, value=True).as_py()
    return None if place < 0 else int(place)


def _kind(value: object) -> str:
    if value is None:
        return "None"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def _error(feature: FeatureFacts, where: str, why: str, help: str = "") -> StepError:  # noqa: A002  as StepError
    return StepError(f"feature `{feature.id}`, {where}: {why}", help=help)


def _help(wrong: _Wrong, output: ColumnFacts) -> str:
    if wrong.why in {"is None", "is NaN"}:
        return f"return a value, or declare `{output.name}` with `nullable: true`"
    return ""
