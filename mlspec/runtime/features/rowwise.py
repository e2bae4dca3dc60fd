"""Features of one row: the function is called once for each, with the columns that it reads.

Duty: a table to the columns of a feature. Invariants: the function sees nothing but `reads`;
without a function the columns themselves are the feature. `one_row` is the server's half: the same
function and the same check of what it returned, so that training and serving cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlspec.ir.facts import FeatureFacts
from mlspec.runtime.features.outputs import NameRow, collect, given
from mlspec.runtime.functions import fault, user_code
from mlspec.runtime.rows.types import plain_list
from mlspec.runtime.steps.contract import StepError

Transform = Callable[[dict[str, Any]], Mapping[str, Any]]

CHUNK = 65_536
"""Rows that are Python objects at one time."""


def row_feature(
    feature: FeatureFacts,
    transform: Transform | None,
    table: pa.Table,
    name_row: NameRow,
    project: Path,
) -> list[pa.ChunkedArray]:
    """Return the columns of a feature without key, in the order of its outputs.

    Args:
        feature: the feature. transform: its function; None: the columns are taken as they are.
        table: the columns that it reads, in order. name_row: for messages.
        project: folder of the spec.

    Raises:
        StepError: the function raised, or returned something that is not declared.
    """
    if transform is None:
        return given(feature, table, name_row)
    parts = []
    for start in range(0, max(table.num_rows, 1), CHUNK):
        part = table.slice(start, CHUNK)

        def name(row: int, start: int = start) -> str:
            return name_row(start + row)

        results = _results(feature, transform, part, name, project)
        parts.append(collect(feature, results, name))
    kinds = [part.type for part in parts[0]]
    return [
        pa.chunked_array([part[place] for part in parts], type=kind)
        for place, kind in enumerate(kinds)
    ]


def one_row(
    feature: FeatureFacts, transform: Transform | None, row: Mapping[str, Any], project: Path
) -> dict[str, Any]:
    """Return the outputs of a feature without key for one row: what the server calls.

    Args:
        row: the columns that the feature reads, as plain Python values; times are aware.

    Raises:
        StepError: a column is missing, the function raised, or returned what is not declared.
    """
    reads = [name for one in feature.reads for name in one.columns]
    missing = [name for name in reads if name not in row]
    if missing:
        raise StepError(f"feature `{feature.id}` reads `{missing[0]}`, which is missing")
    seen = {name: row[name] for name in reads}
    if transform is None:
        result: Any = {one.name: seen[one.name] for one in feature.outputs if one.name in seen}
    else:
        with user_code(feature.transform or feature.id, project, doing="the request"):
            result = transform(seen)
    columns = collect(feature, [result], lambda _: "the request")
    return {
        output.name: plain_list(column)[0]
        for output, column in zip(feature.outputs, columns, strict=True)
    }


def _results(
    feature: FeatureFacts,
    transform: Transform,
    table: pa.Table,
    name_row: NameRow,
    project: Path,
) -> list[Any]:
    names = table.column_names
    lists = [plain_list(column) for column in table.columns]
    results: list[Any] = []
    append = results.append
    try:
        for values in zip(*lists, strict=True) if lists else ((),) * table.num_rows:
            append(transform(dict(zip(names, values))))  # noqa: B905  `strict` costs a third more
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        where = name_row(len(results))
        raise fault(error, feature.transform or feature.id, project, doing=where) from error
    return results
