"""The data folder as the steps behind it read it: columns in their declared types, keys, version.

Duty: `rows.parquet` and `snapshot.json` of a data noun to a table. In: the folder, the facts.
Out: `Data`. Invariants: every declared column is there and has its declared type; the row order is
the folder's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import DataFacts
from mlspec.runtime import tables
from mlspec.runtime.rows.types import typed, utc
from mlspec.runtime.steps.contract import StepError


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A version of a data noun."""

    facts: DataFacts
    table: pa.Table
    version: str

    @property
    def id(self) -> str:
        """Its id."""
        return self.facts.id

    @property
    def times(self) -> pa.ChunkedArray | None:
        """The time of each row, microseconds in UTC; None when the noun has no `time`."""
        if self.facts.time is None:
            return None
        times = utc(self.column(self.facts.time), f"`{self.id}.{self.facts.time}`")
        if times.null_count:
            where = pc.index(times.is_null(), value=True).as_py()
            raise StepError(f"`{self.id}.{self.facts.time}` is missing in row {where}")
        return times

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column.

        Raises:
            StepError: there is none of that name.
        """
        if name not in self.table.column_names:
            raise StepError(
                f"data `{self.id}` has no column `{name}`",
                help=f"it has {', '.join(f'`{one}`' for one in self.table.column_names)}",
            )
        return self.table[name]

    def keys(self, columns: tuple[str, ...]) -> pa.ChunkedArray:
        """Return the joined key of each row, text.

        Raises:
            StepError: a column is not there, or a value is missing.
        """
        return joined([self.column(name) for name in columns], [f"{self.id}.{c}" for c in columns])


def joined(columns: list[pa.ChunkedArray], names: list[str]) -> pa.ChunkedArray:
    """Return columns as one text column, joined with `|`.

    Raises:
        StepError: a value is missing, or cannot be a key.
    """
    texts = []
    for column, name in zip(columns, names, strict=True):
        if column.null_count:
            where = pc.index(column.is_null(), value=True).as_py()
            raise StepError(f"`{name}` is a key, but missing in row {where}")
        try:
            texts.append(column.cast(pa.string()))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise StepError(f"`{name}` is {column.type} and cannot be a key") from error
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "|")


def read_data(folder: Path, facts: DataFacts) -> Data:
    """Return the rows of a data folder.

    Raises:
        StepError: it has no table, it cannot be read, or a declared column is missing or of
            another type.
    """
    if not (folder / tables.ROWS).is_file():
        of_files = "data of `format: files` cannot be read by features"
        raise StepError(
            f"data `{facts.id}` has no rows", help=of_files if facts.format == "files" else ""
        )
    table = tables.read_rows(folder / tables.ROWS)
    told = tables.read_json(folder / tables.SNAPSHOT)
    tables.check_digest(folder / tables.ROWS, told.get("sha256"))
    version = str(told.get("version", ""))
    data = Data(facts=facts, table=table, version=version)
    for column in facts.columns:
        found = typed(data.column(column.name), column.type, f"`{facts.id}.{column.name}`")
        if found.type != table[column.name].type:
            place = table.column_names.index(column.name)
            table = table.set_column(place, column.name, found)
    return Data(facts=facts, table=table, version=version)
