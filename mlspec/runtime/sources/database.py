"""What all databases share: the statement, and rows of DB-API cursors as tables.

A `query` is a file with one statement that returns rows; without it the address names a table. The
statement is the user's own text and runs in a transaction that only reads; nothing is ever put
into it. Rows have no order: they are sorted by the key. The version is the digest of the rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa

from mlspec.runtime.cells import Place, fit
from mlspec.runtime.sources.model import Found, Wanted
from mlspec.runtime.steps.contract import StepError


def statement_of(wanted: Wanted, table: str | None) -> str:
    """Return the statement to run: the content of `query`, or all declared columns of a table.

    Args:
        table: name, with a schema before a dot if there is one; None: the address names none.

    Raises:
        StepError: neither is given, or the file cannot be read.
    """
    facts = wanted.facts
    if facts.query is not None:
        path = wanted.project / facts.query
        try:
            text = path.read_text(encoding="utf-8").strip().rstrip(";").strip()
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or "it is not UTF-8"
            raise StepError(f"{wanted.name}: `{facts.query}` cannot be read: {said}") from None
        if not text:
            raise StepError(f"{wanted.name}: `{facts.query}` holds no statement")
        return text
    if not table:
        raise StepError(
            f"{wanted.name}: the address names no table",
            help="write `query: file.sql`, or the table's name at the end of the address",
        )
    columns = ", ".join(quoted(one.name) for one in facts.columns) or "*"
    return f"SELECT {columns} FROM {'.'.join(quoted(one) for one in table.split('.'))}"  # noqa: S608 - quoted names of the spec


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def found_of(wanted: Wanted, cursor: Any, *, parse: bool) -> Found:
    """Return the rows of a cursor that ran a statement.

    Args:
        parse: whether the database's values have no reliable types and are read as texts.

    Raises:
        StepError: the statement returns no rows, or they do not fit.
    """
    if cursor.description is None:
        raise StepError(f"{wanted.name}: the statement returns no rows: it must be a SELECT")
    names = [str(one[0]) for one in cursor.description]
    rows = cursor.fetchall()
    declared = {one.name: one for one in wanted.facts.columns}
    arrays = []
    for index, name in enumerate(names):
        values = [row[index] for row in rows]
        type_ = declared[name].type if name in declared else ""
        is_text = parse and type_ not in {"", "bytes"}
        arrays.append(_texts(values) if is_text else _typed(wanted, name, values, type_))
    table = pa.Table.from_arrays(arrays, names=names)
    fitted = fit(table, wanted.facts.columns, Place(data=wanted.facts.id), parse=parse)
    undeclared = tuple(name for name in names if declared and name not in declared)
    return Found(table=fitted, undeclared=undeclared, is_ordered=False)


def _texts(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if one is None else _text(one) for one in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return repr(value) if isinstance(value, float) else str(value)


def _typed(wanted: Wanted, name: str, values: Sequence[Any], type_: str) -> pa.Array:
    if type_ == "json":
        values = [one if one is None or isinstance(one, str) else json.dumps(one) for one in values]
    values = [str(one) if isinstance(one, UUID) else one for one in values]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise StepError(f"{wanted.name}: the column `{name}` has values of several types") from None
