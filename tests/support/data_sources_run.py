"""Reads real tables and stores; runs inside the `data` environment of tests/engines/install.sh.

Usage: data_sources_run.py CASE FOLDER. Prints JSON: what the step `snapshot` made of the source.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mlspec.ir.facts import DataFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.steps import snapshot
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import read_data
from tests.support.data_steps import call, columns

COLUMNS = columns(id="string", n="int", at="timestamp", fare={"type": "float", "nullable": True})


def rows(first: int, count: int = 3) -> pa.Table:
    at = datetime(2026, 1, 31, 4, tzinfo=UTC)
    numbers = range(first + count - 1, first - 1, -1)
    return pa.table(
        {
            "id": [f"{one}.10" for one in numbers],
            "n": pa.array(list(numbers), pa.int32()),
            "at": pa.array([at] * count, pa.timestamp("us", tz="UTC")),
            "fare": [1.5, None, 2.5][:count],
            "extra": ["x"] * count,
        }
    )


def take(folder: Path, source: str, **facts: object) -> dict[str, object]:
    data = DataFacts(id="trips", source=source, **({"key": ("id",), "columns": COLUMNS} | facts))
    out = folder / "out" / "data"
    out.parent.mkdir(exist_ok=True)
    try:
        snapshot.run(
            call(Kind.SNAPSHOT, data, folder, outputs={"data": out}, environ=dict(os.environ))
        )
    except StepError as error:
        return {"error": error.message, "exit": int(error.exit), "help": error.help}
    table, found = read_data(out)
    return {
        "version": found.version,
        "ids": table["id"].to_pylist(),
        "types": [str(one) for one in table.schema.types],
        "undeclared": list(found.undeclared),
        "sha256": found.sha256,
    }


def delta(folder: Path) -> list[dict[str, object]]:
    from deltalake import write_deltalake

    place = folder / "lake" / "trips"
    write_deltalake(str(place), rows(1))
    first = take(folder, "lake/trips", format="delta")
    write_deltalake(str(place), rows(4), mode="append")
    os.environ["MLSPEC_DELTA_ROOT"] = str(folder / "lake")
    return [
        first,
        take(folder, "delta:lake/trips"),
        take(folder, "delta://trips"),
        take(folder, "lake/trips?version=0", format="delta"),
        take(folder, "lake/trips?version=9", format="delta"),
        take(folder, "lake", format="delta"),
    ]


def iceberg(folder: Path) -> list[dict[str, object]]:
    lake = folder / "lake"
    lake.mkdir()
    os.environ["PYICEBERG_CATALOG__DEFAULT__URI"] = f"sqlite:///{folder}/catalog.db"
    os.environ["PYICEBERG_CATALOG__DEFAULT__WAREHOUSE"] = lake.as_uri()
    os.environ["PYICEBERG_CATALOG__DEFAULT__TYPE"] = "sql"
    from pyiceberg.catalog import load_catalog  # reads its variables when it is imported

    catalog = load_catalog("default")
    catalog.create_namespace("db")
    table = catalog.create_table("db.trips", rows(1).schema)
    empty = take(folder, "iceberg:db.trips")
    table.append(rows(1))
    first = take(folder, "iceberg:db.trips")
    table.append(rows(4))
    place = Path(table.metadata_location.removeprefix("file://")).parents[1]
    return [
        empty,
        first,
        take(folder, "iceberg://default/db.trips"),
        take(folder, place.relative_to(folder).as_posix(), format="iceberg"),
        take(folder, f"iceberg:db.trips?snapshot={first['version'].removeprefix('iceberg:')}"),
        take(folder, "iceberg:db.nothing"),
        {"version": f"iceberg:{table.current_snapshot().snapshot_id}"},
    ]


def avro(folder: Path) -> list[dict[str, object]]:
    import fastavro

    names = ("id", "n", "at", "fare", "extra")
    kinds = (
        "string",
        "int",
        {"type": "long", "logicalType": "timestamp-micros"},
        ["null", "double"],
        "string",
    )
    fields = [{"name": one, "type": kind} for one, kind in zip(names, kinds, strict=True)]
    schema = {"type": "record", "name": "trip", "fields": fields}
    with (folder / "t.avro").open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(schema), rows(1).to_pylist())
    (folder / "cut.avro").write_bytes((folder / "t.avro").read_bytes()[:100])
    return [take(folder, "t.avro"), take(folder, "cut.avro")]


def s3(folder: Path) -> list[dict[str, object]]:
    import boto3
    import pyarrow.parquet as pq

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("moto_server")
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ.update(
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=place,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_ALLOW_HTTP="true",
    )
    try:
        for _ in range(200):
            try:
                urlopen(f"{place}/moto-api/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        for name, first in (("b", 4), ("a", 1)):
            pq.write_table(rows(first), folder / "x.parquet")
            client.upload_file(str(folder / "x.parquet"), "lake", f"trips/day=1/{name}.parquet")
        client.put_object(Bucket="lake", Key="trips/_SUCCESS", Body=b"")
        made = [
            take(folder, "s3://lake/trips/", format="parquet"),
            take(folder, "s3://lake/trips/day=1/a.parquet"),
            take(folder, "s3://lake/trips/*/b.parquet"),
            take(folder, "s3://lake/nothing/"),
            take(folder, "s3://nobucket/x/"),
        ]
    finally:
        server.terminate()
        server.wait(20)
    return [*made, take(folder, "s3://lake/trips/", format="parquet")]


def memory(folder: Path) -> list[dict[str, object]]:
    import fsspec

    with fsspec.open("memory://lake/trips/a.csv", "wt") as file:
        file.write("id,n,at,fare\n1.10,1,2026-01-31,\n")
    return [take(folder, "memory://lake/trips"), take(folder, "memory://lake/none")]


def postgresql(folder: Path) -> list[dict[str, object]]:
    import pgserver
    import psycopg

    server = pgserver.get_server(folder / "pg", cleanup_mode="stop")
    uri = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
    with psycopg.connect(uri.replace("/postgres?", "/shop?"), autocommit=True) as connection:
        connection.execute("CREATE TABLE trips (id text, n bigint, at timestamptz, fare numeric)")
        connection.execute(
            "INSERT INTO trips VALUES ('2.10', 2, '2026-01-31 05:00+01', 1.25), ('1.10', 1, '2026-01-31', NULL)"
        )
    os.environ["PGHOST"], os.environ["PGUSER"] = str(folder / "pg"), "postgres"
    (folder / "q.sql").write_text("SELECT * FROM trips WHERE n > 1;")
    (folder / "w.sql").write_text("DELETE FROM trips RETURNING *")
    made = [
        take(folder, "postgresql:///shop.trips"),
        take(folder, "postgresql:///shop", query="q.sql"),
        take(folder, "postgresql:///shop", query="w.sql"),
        take(folder, "postgresql:///shop.nothing"),
        take(folder, "postgresql:///shop.public.trips"),
    ]
    server.cleanup()
    os.environ["PGHOST"] = "127.0.0.1"
    return [*made, take(folder, "postgresql://127.0.0.1:9/shop.trips")]


CASES = {
    "delta": delta,
    "iceberg": iceberg,
    "avro": avro,
    "s3": s3,
    "memory": memory,
    "postgresql": postgresql,
}

if __name__ == "__main__":
    found = CASES[sys.argv[1]](Path(sys.argv[2]).resolve())
    Path(sys.argv[2], "found.json").write_text(json.dumps(found), encoding="utf-8")
