"""Sources without a foreign library: databases, DVC's files, and what is said when one is missing."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import sys
import types
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from mlspec.ir.facts import DataFacts
from mlspec.runtime.sources.find import read_source, scheme_of
from mlspec.runtime.sources.model import Wanted, failure
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.data_steps import columns

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def wanted(tmp_path: Path, source: str, environ=None, raw=None, **facts) -> Wanted:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return Wanted(
        facts=DataFacts(id="d", source=source, **facts),
        raw=raw,
        project=tmp_path,
        now=NOW,
        environ=environ or {},
        scratch=scratch,
    )


def refused(asked: Wanted, message: str, exit_=StepExit.ERROR) -> StepError:
    with pytest.raises(StepError, match=re.escape(message)) as caught:
        read_source(asked)
    assert caught.value.exit is exit_
    return caught.value


@pytest.mark.parametrize(
    ("source", "scheme"),
    [
        (None, "file"),
        ("data/x.csv", "file"),
        ("file:x", "file"),
        ("S3://b/x", "s3"),
        ("sample:fraud?rows=1", "sample"),
        ("C/x:y", "file"),
    ],
)
def test_scheme__of_an_address(source, scheme):
    assert scheme_of(source) == scheme


# ------------------------------------------------------------------ SQLite


@pytest.fixture
def database(tmp_path):
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute(
            "CREATE TABLE trips (id TEXT, n INTEGER, fare REAL, at TEXT, ok INTEGER)"
        )
        connection.executemany(
            "INSERT INTO trips VALUES (?, ?, ?, ?, ?)",
            [("b", 2, 1.5, "2026-01-31 04:00:00", 1), ("a", None, 2, "2026-01-31T04:00:00Z", 0)],
        )
    connection.close()
    return tmp_path


TRIPS = columns(id="string", n="int", fare="float", at="timestamp", ok="bool")


@pytest.mark.parametrize("source", ["sqlite:app.db#trips", "sqlite:query"])
def test_sqlite__a_table_or_a_query(database, source):
    given = {}
    if source == "sqlite:query":
        (database / "q.sql").write_text("SELECT * FROM trips WHERE n IS NULL OR n > 1;\n")
        source, given = "sqlite:app.db", {"query": "q.sql"}
    found = read_source(wanted(database, source, columns=TRIPS, **given))
    rows = found.table.to_pylist()
    assert [(one["id"], one["n"], one["fare"], one["ok"]) for one in rows] == [
        ("b", 2, 1.5, True),
        ("a", None, 2.0, False),
    ]
    assert rows[0]["at"] == rows[1]["at"]
    assert (found.version, found.is_ordered) == (None, False)


def test_sqlite__says_what_is_wrong_and_writes_nothing(database):
    refused(wanted(database, "sqlite:none.db#x"), "there is no database `none.db`")
    refused(wanted(database, "sqlite:app.db"), "the address names no table")
    refused(wanted(database, "sqlite:app.db#tripz"), "no such table")
    (database / "q.sql").write_text("DELETE FROM trips")
    refused(wanted(database, "sqlite:app.db", query="q.sql"), "readonly database")
    (database / "q.sql").write_text("SELECT 1; DROP TABLE trips")
    refused(wanted(database, "sqlite:app.db", query="q.sql"), "one statement")
    (database / "q.sql").write_text("  ;\n")
    refused(wanted(database, "sqlite:app.db", query="q.sql"), "holds no statement")
    refused(wanted(database, "sqlite:app.db", query="r.sql"), "`r.sql` cannot be read")
    bad = columns(id="int")
    refused(wanted(database, "sqlite:app.db#trips", columns=bad), "row 1: `b` is no int")
    name = columns(**{'x" FROM trips; --': "int"})
    refused(wanted(database, "sqlite:app.db#trips", columns=name), "is missing")
    assert sqlite3.connect(database / "app.db").execute(
        "SELECT count(*) FROM trips"
    ).fetchone() == (2,)


# ------------------------------------------------------------------ PostgreSQL, with a driver of ours


class _Cursor:
    def __init__(self, log, rows):
        self._log, self._rows, self.description = log, rows, None

    def execute(self, statement):
        self._log.append(statement)
        if statement.upper().startswith("SELECT"):
            self.description = [(name,) for name in ("id", "fare", "at", "doc")]

    def fetchall(self):
        return self._rows


@pytest.fixture
def driver(monkeypatch):
    import importlib.machinery

    log: list[object] = []
    rows = [
        (
            UUID(int=1),
            Decimal("1.50"),
            datetime(2026, 1, 31, 6, 0, tzinfo=timezone(timedelta(hours=2))),
            {"a": 1},
        )
    ]
    module = types.ModuleType("psycopg")
    module.__spec__ = importlib.machinery.ModuleSpec("psycopg", None)
    module.Error = type("Error", (Exception,), {})
    module.problem = None

    class Connection:
        def cursor(self):
            return _Cursor(log, rows)

        def close(self):
            log.append("closed")

    def connect(**settings):
        if module.problem is not None:
            raise module.Error(module.problem)
        log.append(settings)
        return Connection()

    module.connect, module.log = connect, log
    monkeypatch.setitem(sys.modules, "psycopg", module)
    return module


ROWS = columns(id="string", fare="float", at="timestamp", doc="json")


def test_postgresql__reads_a_table_with_the_secret(tmp_path, driver):
    asked = wanted(
        tmp_path,
        "postgresql://dwh:5433/fraud.public.chargebacks",
        {"DWH": "reader:s3cret"},
        columns=ROWS,
        secret_variable="DWH",
    )
    found = read_source(asked)
    assert driver.log == [
        {"host": "dwh", "port": 5433, "user": "reader", "password": "s3cret", "dbname": "fraud"},
        "SET TRANSACTION READ ONLY",
        'SELECT "id", "fare", "at", "doc" FROM "public"."chargebacks"',
        "closed",
    ]
    assert found.table.to_pylist() == [
        {
            "id": str(UUID(int=1)),
            "fare": 1.5,
            "at": datetime(2026, 1, 31, 4, 0, tzinfo=UTC),
            "doc": '{"a": 1}',
        }
    ]


def test_postgresql__a_query_and_a_password_alone(tmp_path, driver):
    (tmp_path / "q.sql").write_text("select 1")
    environ = {"DWH": "s3cret", "PGUSER": "me"}
    asked = wanted(
        tmp_path,
        "postgresql://dwh/pricing",
        environ,
        query="q.sql",
        columns=ROWS,
        secret_variable="DWH",
    )
    read_source(asked)
    assert driver.log[0]["dbname"] == "pricing"
    assert (driver.log[0]["user"], driver.log[0]["password"]) == ("me", "s3cret")
    assert driver.log[2] == "select 1"


def test_postgresql__trouble_of_the_network_is_temporary_and_secrets_stay_secret(tmp_path, driver):
    asked = wanted(
        tmp_path, "postgresql://dwh/a.b", {"DWH": "me:s3cret"}, secret_variable="DWH", columns=ROWS
    )
    driver.problem = 'connection to "dwh" failed: Connection refused (password s3cret)'
    error = refused(asked, "Connection refused", StepExit.TEMPORARY)
    assert "s3cret" not in error.message
    driver.problem = 'relation "b" does not exist'
    refused(asked, 'relation "b" does not exist')
    asked = wanted(tmp_path, "postgresql://dwh/a.b", {}, secret_variable="DWH", columns=ROWS)
    refused(asked, "its secret has no value: DWH is not set")
    refused(wanted(tmp_path, "postgresql://dwh/", {}), "names no database")
    refused(wanted(tmp_path, "postgresql://dwh/db", {}), "names no table")


# ------------------------------------------------------------------ libraries that are not there


@pytest.mark.parametrize(
    ("source", "facts", "package"),
    [
        ("postgresql://dwh/a.b", {"columns": ROWS}, "psycopg"),
        ("s3://bucket/x/", {"format": "delta"}, "deltalake"),
        ("iceberg:db.trips", {}, "pyiceberg"),
        ("hdfs://host/x", {}, "fsspec"),
        ("x.avro", {}, "fastavro"),
    ],
)
def test_library__that_is_missing_is_named(tmp_path, monkeypatch, source, facts, package):
    import importlib.util

    real = importlib.util.find_spec
    gone = {"psycopg", "psycopg2", "pg8000", "fsspec"}
    for name in (*gone, "deltalake", "pyiceberg", "fastavro"):
        monkeypatch.setitem(sys.modules, name, None)
    for module in ("postgresql", "remote"):
        monkeypatch.setattr(
            f"mlspec.runtime.sources.{module}.find_spec",
            lambda name, *rest: None if name in gone else real(name, *rest),
        )
    (tmp_path / "x.avro").write_bytes(b"Obj\x01")
    error = refused(wanted(tmp_path, source, **facts), f"`{package}`, which is not installed")
    assert error.help.startswith("pip install ")
    assert package in error.help


# ------------------------------------------------------------------ DVC


def track(tmp_path, content=b"id\na\n", name="t.csv"):
    known = hashlib.md5(content).hexdigest()
    (tmp_path / f"{name}.dvc").write_text(
        f"outs:\n- md5: {known}\n  size: {len(content)}\n  hash: md5\n  path: {name}\n"
    )
    (tmp_path / name).write_bytes(content)
    return known


def test_dvc__the_version_is_that_of_its_file(tmp_path):
    known = track(tmp_path)
    found = read_source(wanted(tmp_path, "dvc:t.csv", columns=columns(id="string")))
    assert found.version == f"dvc:md5:{known}"
    assert found.table["id"].to_pylist() == ["a"]


def test_dvc__an_output_of_a_stage(tmp_path):
    known = hashlib.md5(b"id\na\n").hexdigest()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "t.csv").write_bytes(b"id\na\n")
    (tmp_path / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  make:\n    cmd: x\n    outs:\n"
        f"    - path: out/t.csv\n      hash: md5\n      md5: {known}\n      size: 5\n"
    )
    found = read_source(wanted(tmp_path, "dvc:out/t.csv", columns=columns(id="string")))
    assert found.version == f"dvc:md5:{known}"


def test_dvc__says_what_is_wrong(tmp_path):
    track(tmp_path)
    (tmp_path / "t.csv").write_bytes(b"id\nb\n")
    error = refused(wanted(tmp_path, "dvc:t.csv"), "`t.csv` is not what DVC tracks")
    assert "dvc add t.csv" in error.help
    refused(wanted(tmp_path, "dvc:u.csv"), "DVC does not track `u.csv`")
    (tmp_path / "t.csv").unlink()
    error = refused(wanted(tmp_path, "t.csv"), "`t.csv` does not exist")
    assert error.help == "DVC tracks it: write `source: dvc:t.csv`"
    refused(wanted(tmp_path, "dvc:https://x.example/r.git"), "another repository needs `?path=`")


@pytest.mark.parametrize(
    ("said", "exit_"),
    [
        ("ERROR: unable to connect to the remote", StepExit.TEMPORARY),
        ("ERROR: failed to pull data: checkout failed for t.csv", StepExit.ERROR),
    ],
)
def test_dvc__a_pull_that_fails(tmp_path, said, exit_):
    track(tmp_path)
    (tmp_path / "t.csv").unlink()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "dvc"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    asked = wanted(tmp_path, "dvc:t.csv", {"PATH": str(tmp_path / "bin")})
    refused(asked, said.removeprefix("ERROR: "), exit_)


def test_dvc__that_is_not_installed(tmp_path, monkeypatch):
    track(tmp_path)
    (tmp_path / "t.csv").unlink()
    monkeypatch.setattr("mlspec.runtime.sources.dvc.find_spec", lambda _: None)
    error = refused(wanted(tmp_path, "dvc:t.csv", {"PATH": str(tmp_path)}), "needs `dvc`")
    assert "pip install dvc" in error.help


# ------------------------------------------------------------------ words of libraries


@pytest.mark.parametrize(
    ("error", "exit_"),
    [
        (TimeoutError("x"), StepExit.TEMPORARY),
        (
            OSError("When reading: AWS Error NETWORK_CONNECTION during HeadObject"),
            StepExit.TEMPORARY,
        ),
        (OSError("curlCode: 6, Could not resolve hostname"), StepExit.TEMPORARY),
        (OSError("AWS Error ACCESS_DENIED during HeadObject"), StepExit.ERROR),
        (ValueError("no such column"), StepExit.ERROR),
    ],
)
def test_failure__of_the_network_is_temporary(tmp_path, error, exit_):
    assert failure(wanted(tmp_path, "s3://x"), "it", error).exit is exit_


def test_delta_addresses__that_are_not_complete(tmp_path, monkeypatch):
    exceptions = types.ModuleType("deltalake.exceptions")
    monkeypatch.setitem(sys.modules, "deltalake", types.ModuleType("deltalake"))
    monkeypatch.setitem(sys.modules, "deltalake.exceptions", exceptions)
    error = refused(wanted(tmp_path, "delta://prod/trips"), "where `delta://prod/trips` lies")
    assert "MLSPEC_DELTA_ROOT" in error.help
    refused(wanted(tmp_path, "delta:lake?version=x"), "`x` is no version")
    refused(wanted(tmp_path, "delta:lake?v=1"), "takes only `?version=`")
    refused(wanted(tmp_path, "delta:lake"), "there is no Delta table at `lake`")
