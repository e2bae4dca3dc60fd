"""Data folders, rows folders and step calls for tests of derived steps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mlspec.ir.facts import AppFacts, ColumnFacts, DataFacts, ModelFacts, Node
from mlspec.ir.kinds import Kind
from mlspec.runtime.rows.data import Data
from mlspec.runtime.rows.folder import Rows, write_rows
from mlspec.runtime.steps.contract import StepCall

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def columns(**types: str) -> tuple[ColumnFacts, ...]:
    return tuple(ColumnFacts(name=name, type=kind) for name, kind in types.items())


def data_of(facts: DataFacts, table: pa.Table | dict, version: str = "sha256:1") -> Data:
    made = table if isinstance(table, pa.Table) else pa.table(table)
    return Data(facts=facts, table=made, version=version)


def write_data(folder: Path, table: pa.Table | dict, version: str = "sha256:1") -> Path:
    folder.mkdir(parents=True)
    made = table if isinstance(table, pa.Table) else pa.table(table)
    pq.write_table(made, folder / "rows.parquet")
    (folder / "snapshot.json").write_text(json.dumps({"version": version}), encoding="utf-8")
    return folder


def rows_of(features: dict, label=None, *, keys=None, times=None, **more) -> Rows:
    count = len(next(iter(features.values())))
    table = {"_key": pa.array([str(one) for one in (range(count) if keys is None else keys)])}
    if times is not None:
        table["_time"] = pa.array(times, type=pa.timestamp("us", tz="UTC"))
    table |= {name: pa.array(values) for name, values in features.items()}
    if label is not None:
        table["_label"] = pa.array(label)
    table |= {name: pa.array(values) for name, values in more.items()}
    return Rows(
        table=pa.table(table), columns=tuple(features), label=None if label is None else "label"
    )


def rows_folder(folder: Path, rows: Rows) -> Path:
    write_rows(folder, rows)
    return folder


def call_of(
    kind: Kind,
    project: Path,
    model: ModelFacts | None,
    inputs: dict[str, Path | None],
    outputs: dict[str, Path],
    *,
    run_date: str = "2026-06-01T00:00:00Z",
    **node,
) -> StepCall:
    return StepCall(
        node=Node(
            kind=kind,
            step=kind.value,
            pipeline="train",
            subject="models.m",
            environment="dev",
            app=AppFacts(name="shop"),
            model=model,
            **node,
        ),
        inputs=inputs,
        outputs=outputs,
        store=(project / "store").as_uri(),
        project=project,
        run_id="r1",
        run_date=run_date,
        environ={},
    )
