"""Plain tables for programs of the user's, and the predictions that they write.

Duty: rows to a CSV, TSV, JSON Lines or Parquet file with the features and the label under the
names that the spec gives them, nothing else, in the order of the rows; and back, a file with a
column `prediction` for each of the rows. Invariants: same rows, same bytes; a reader never sees
half a file.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.rows.folder import LABEL, Rows, to_numpy
from mlspec.runtime.steps.contract import StepError, whole_file

PREDICTION = "prediction"


def write_plain(rows: Rows, path: Path, table: str) -> None:
    """Write the features and the label of rows.

    Args:
        rows: what is written. path: the file. table: `csv`, `tsv`, `jsonl` or `parquet`.

    Raises:
        OSError: the disk refuses. StepError: no such format, or the label is named like a feature.
    """
    found = rows.features
    if LABEL in rows.table.column_names:
        name = rows.label or "label"
        if name in found.column_names:
            raise StepError(f"the label `{name}` has the name of a feature")
        found = found.append_column(name, rows.table[LABEL])
    write_table(found, path, table)


def write_table(found: pa.Table, path: Path, table: str) -> None:
    """Write a table as it is.

    Args:
        found: the table. path: the file. table: `csv`, `tsv`, `jsonl` or `parquet`.

    Raises:
        OSError: the disk refuses. StepError: no such format.
    """
    with whole_file(path) as draft:
        match table:
            case "csv" | "tsv":
                mark = "," if table == "csv" else "\t"
                options = pc.WriteOptions(delimiter=mark, quoting_style="needed")
                pc.write_csv(_texts(found), draft, options)
            case "jsonl":
                lines = (json.dumps(one, default=str) for one in found.to_pylist())
                draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            case "parquet":
                pq.write_table(found, draft)
            case _:
                raise StepError(f"`{table}` is no format of a plain table")


def _texts(table: pa.Table) -> pa.Table:
    """Return the table with what CSV cannot hold as JSON text."""
    for place, column in enumerate(table.schema):
        if pa.types.is_nested(column.type):
            texts = [None if one is None else json.dumps(one) for one in table[place].to_pylist()]
            table = table.set_column(place, column.name, pa.array(texts, pa.string()))
    return table


def read_predictions(path: Path, rows: int, table: str) -> AnyArray:
    """Return the predictions that a program wrote, shape (rows,).

    Args:
        path: the file: with a column `prediction`, or with one column only.
        rows: how many there must be. table: the format, unless the file's name says another.

    Raises:
        StepError: there is no such file, it cannot be read, or it has other rows.
    """
    if not path.is_file():
        raise StepError("the program of `evaluate` wrote no scores to ${outputs.scores}")
    try:
        found = _read(path, table)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StepError(f"the scores that the program wrote cannot be read: {error}") from error
    names = found.column_names
    name = PREDICTION if PREDICTION in names else names[0] if len(names) == 1 else None
    if name is None:
        listed = ", ".join(f"`{one}`" for one in names)
        raise StepError(
            f"the scores have no column `{PREDICTION}`", help=f"they have {listed or 'no column'}"
        )
    if found.num_rows != rows:
        raise StepError(
            f"the program wrote {found.num_rows:,} predictions for {rows:,} rows",
            help="write one line for each row of ${inputs.data}, in its order",
        )
    return to_numpy(found[name])


def _read(path: Path, table: str) -> pa.Table:
    match table:
        case "parquet":
            return pq.read_table(path)
        case "jsonl":
            lines = path.read_text(encoding="utf-8").splitlines()
            return pa.Table.from_pylist([json.loads(line) for line in lines if line.strip()])
        case _:
            mark = "\t" if table == "tsv" else ","
            return pc.read_csv(path, parse_options=pc.ParseOptions(delimiter=mark))
