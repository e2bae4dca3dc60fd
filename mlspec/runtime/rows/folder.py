"""The rows folder: what `features` and `split` write and the steps behind them read.

Duty: `rows.parquet` and `rows.json` of one set of rows, there and back. Columns of the table:

- `_key` text; several key columns are joined with `|`. `_time` microseconds in UTC, if there is one
- the features by plain name, in the order of the model's input
- `_label`, if the rows have one
- `_cluster` integer: rows of one entity share it (the key of the first keyed feature)
- `_query` integer: rows that are ranked among each other, for `task: ranking` (`split.group`)
- `_slice.<column>`, `_split.<column>`: kept beside the rows, never input of a model

Invariants: same rows, same bytes; a reader never sees half a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from mlspec.runtime import tables
from mlspec.runtime.digests import PREFIX, digest_of_file
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.steps.contract import StepError, whole_folder

KEY, TIMES, LABEL, CLUSTER, QUERY = "_key", "_time", "_label", "_cluster", "_query"
SLICE, SPLIT = "_slice.", "_split."
TABLE, FACTS = tables.ROWS, "rows.json"


def is_ours(name: str) -> bool:
    """Whether a column of the table is one of those that stand beside the features."""
    return name in {KEY, TIMES, LABEL, CLUSTER, QUERY} or name.startswith((SLICE, SPLIT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A set of rows.

    Attributes:
        table: all columns (see the module). columns: the features, in input order.
        label: name of the label's column in the data; None without label.
        dropped: rows that were left out, by reason.
        snapshots: version of each data noun they were made from.
        notes: what people should know of them, such as a check that was not made.
    """

    table: pa.Table
    columns: tuple[str, ...]
    label: str | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    snapshots: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    @property
    def features(self) -> pa.Table:
        """What a model is given: the features, in input order."""
        return self.table.select(list(self.columns))

    @property
    def keys(self) -> list[str]:
        """The key of each row."""
        return self.table[KEY].to_pylist()  # type: ignore[no-any-return]  # no types in pyarrow

    @property
    def labels(self) -> AnyArray:
        """The label of each row, shape (n,): numbers, booleans, text, or lists as objects.

        Raises:
            StepError: the rows have none.
        """
        if LABEL not in self.table.column_names:
            raise StepError("the rows have no label")
        return to_numpy(self.table[LABEL])

    def take(self, chosen: AnyArray) -> Rows:
        """Return some of the rows: positions, or a mask of shape (n,)."""
        taken = (
            self.table.filter(pa.array(chosen)) if chosen.dtype == bool else self.table.take(chosen)
        )
        return replace(self, table=taken)

    def noted(self, notes: tuple[str, ...]) -> Rows:
        """Return the rows with further notes."""
        return replace(self, notes=(*self.notes, *notes))


def to_numpy(column: pa.ChunkedArray) -> AnyArray:
    """Return a column as an array, shape (n,): text as `str`, missing numbers as NaN."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        values = column.to_pylist()
        return np.array(values, dtype=object if None in values else np.str_)
    return np.asarray(column.to_numpy())


def write_rows(place: Path, rows: Rows) -> None:
    """Write a rows folder.

    Raises:
        OSError: the disk refuses; nothing half-written is left.
    """
    with whole_folder(place) as draft:
        tables.write_rows(rows.table, draft / TABLE)
        facts = {
            "rows": len(rows),
            "columns": list(rows.columns),
            "label": rows.label,
            "dropped": dict(rows.dropped),
            "sha256": digest_of_file(draft / TABLE).removeprefix(PREFIX),
            "snapshots": dict(rows.snapshots),
            "notes": list(rows.notes),
        }
        tables.write_json(facts, draft / FACTS)


def read_rows(folder: Path) -> Rows:
    """Return the rows of a folder.

    Raises:
        StepError: it is no rows folder.
    """
    if not (folder / FACTS).is_file():
        raise StepError(f"`{folder.name}` is no folder of rows: no {FACTS}")
    facts, table = tables.read_json(folder / FACTS), tables.read_rows(folder / TABLE)
    tables.check_digest(folder / TABLE, facts.get("sha256"))
    try:
        rows = Rows(
            table=table,
            columns=tuple(facts["columns"]),
            label=facts["label"],
            dropped=facts["dropped"],
            snapshots=facts["snapshots"],
            notes=tuple(facts.get("notes", ())),
        )
    except (KeyError, TypeError) as error:
        raise StepError(f"`{FACTS}` in `{folder.name}` cannot be read: {error}") from error
    missing = [name for name in (KEY, *rows.columns) if name not in table.column_names]
    if missing:
        raise StepError(f"the rows in `{folder.name}` have no column `{missing[0]}`")
    return rows
