"""The step `snapshot`: what it writes, and what it says of bad input."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlspec.ir.facts import DataFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.digests import digest_of_file, digest_of_folder
from mlspec.runtime.steps import snapshot
from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.tables import read_data, read_snapshot
from tests.support.data_steps import call, columns

TRIPS = columns(id="string", at="timestamp", fare={"type": "float", "nullable": True}, n="int")
CSV = "id,at,fare,n,extra\n007,2026-01-31T04:00:00Z,1.10,3,x\n1.10,2026-01-31 05:00,,4,y\n"


def take(tmp_path, facts, *, raw=None, environ=None, date="2026-03-01T03:41:10Z"):
    out = tmp_path / "out" / "data"
    out.parent.mkdir(exist_ok=True)
    inputs = {} if raw is None else {"raw": raw}
    made = call(
        Kind.SNAPSHOT,
        facts,
        tmp_path,
        inputs=inputs,
        outputs={"data": out},
        environ=environ,
        date=date,
    )
    assert snapshot.run(made) is StepExit.OK
    return out


def wrong(tmp_path, facts, message, *, help_="", raw=None, exit_=StepExit.ERROR):
    with pytest.raises(StepError, match=re.escape(message)) as caught:
        take(tmp_path, facts, raw=raw)
    assert help_ in caught.value.help
    assert caught.value.exit is exit_
    assert not (tmp_path / "out" / "data").exists()


def test_csv__texts_stay_texts_and_the_folder_says_what_it_is(tmp_path):
    (tmp_path / "trips.csv").write_text(CSV)
    facts = DataFacts(id="trips", source="trips.csv", columns=TRIPS)
    out = take(tmp_path, facts)
    table, found = read_data(out)
    assert table["id"].to_pylist() == ["007", "1.10"]
    assert table["fare"].to_pylist() == [1.1, None]
    assert [one.isoformat() for one in table["at"].to_pylist()] == [
        "2026-01-31T04:00:00+00:00",
        "2026-01-31T05:00:00+00:00",
    ]
    assert found.version == digest_of_file(tmp_path / "trips.csv")
    assert "sha256:" + found.sha256 == digest_of_file(out / "rows.parquet")
    assert found.columns == {"id": "string", "at": "timestamp", "fare": "float", "n": "int"}
    assert (found.rows, found.undeclared, found.source) == (2, ("extra",), "trips.csv")
    assert list(json.loads((out / "snapshot.json").read_text()))[:3] == [
        "data",
        "source",
        "version",
    ]


def test_snapshot__twice_is_the_same_bytes(tmp_path):
    (tmp_path / "trips.csv").write_text(CSV)
    facts = DataFacts(id="trips", source="file:trips.csv", columns=TRIPS)
    first = digest_of_folder(take(tmp_path, facts))
    assert digest_of_folder(take(tmp_path, facts)) == first


def test_json__numbers_of_a_string_column_keep_their_text(tmp_path):
    (tmp_path / "t.jsonl").write_text(
        '{"id": 1.10, "v": 3, "tags": ["a", 1.50], "doc": {"x": 2.0}}\n\n{"id": "b", "v": null}\n'
    )
    facts = DataFacts(
        id="t",
        source="t.jsonl",
        columns=columns(id="string", v="int", tags="list[string]", doc="json"),
    )
    with pytest.raises(StepError, match=r"column `tags`, row 1"):
        take(tmp_path, facts)
    facts = DataFacts(id="t", source="t.jsonl", columns=columns(id="string", v="int", doc="json"))
    table, _ = read_data(take(tmp_path, facts))
    assert table.to_pylist() == [
        {"id": "1.10", "v": 3, "doc": '{"x":2.0}'},
        {"id": "b", "v": None, "doc": None},
    ]
    (tmp_path / "t.json").write_text('[{"id": "x", "v": [1, 2.5]}]')
    facts = DataFacts(id="t", source="t.json", columns=columns(id="string", v="embedding[2]"))
    table, _ = read_data(take(tmp_path, facts))
    assert table["v"].to_pylist() == [[1.0, 2.5]]


@pytest.mark.parametrize("format_", ["parquet", "orc", "tsv", "csv.gz"])
def test_formats__give_the_same_rows(tmp_path, format_):
    import gzip

    from pyarrow import orc

    rows = pa.table({"id": ["a", "b"], "n": pa.array([1, 2], pa.int32())})
    path = tmp_path / f"x.{format_}"
    if format_ == "parquet":
        pq.write_table(rows.append_column("f", pa.array([1.0, float("nan")])), path)
    elif format_ == "orc":
        orc.write_table(rows.append_column("f", pa.array([1.0, None])), path)
    elif format_ == "tsv":
        path.write_text("id\tn\tf\na\t1\t1\nb\t+2\tNaN\n")
    else:
        path.write_bytes(gzip.compress(b"\xef\xbb\xbfid,n,f\r\na,1,1\r\nb, 2,\r\n"))
    facts = DataFacts(id="x", source=path.name, columns=columns(id="string", n="int", f="float"))
    table, _ = read_data(take(tmp_path, facts))
    assert table.to_pylist() == [{"id": "a", "n": 1, "f": 1.0}, {"id": "b", "n": 2, "f": None}]


def test_folder__its_files_in_order_with_the_columns_of_its_folders(tmp_path):
    for day, name in (("2026-01-02", "b"), ("2026-01-01", "a")):
        (tmp_path / "in" / f"day={day}").mkdir(parents=True)
        pq.write_table(pa.table({"id": [name]}), tmp_path / "in" / f"day={day}" / "p.parquet")
    (tmp_path / "in" / "_SUCCESS").write_text("")
    facts = DataFacts(id="x", source="in/", columns=columns(id="string", day="timestamp"))
    table, found = read_data(take(tmp_path, facts))
    assert table["id"].to_pylist() == ["a", "b"]
    assert str(table["day"][0].as_py().date()) == "2026-01-01"
    before = found.version
    pq.write_table(pa.table({"id": ["c"]}), tmp_path / "in" / "day=2026-01-02" / "q.parquet")
    assert read_snapshot(take(tmp_path, facts)).version != before


def test_glob__and_managed_data(tmp_path):
    for name in ("a1.csv", "a2.csv", "b.csv"):
        (tmp_path / name).write_text(f"id\n{name}\n")
    facts = DataFacts(id="x", source="a*.csv", columns=columns(id="string"))
    table, _ = read_data(take(tmp_path, facts))
    assert table["id"].to_pylist() == ["a1.csv", "a2.csv"]
    managed = DataFacts(id="x", columns=columns(id="string"))
    table, found = read_data(take(tmp_path, managed, raw=tmp_path / "b.csv"))
    assert table["id"].to_pylist() == ["b.csv"]
    assert found.source is None


def test_files__are_copied_as_they_are(tmp_path):
    (tmp_path / "scans" / "a").mkdir(parents=True)
    (tmp_path / "scans" / "a" / "1.png").write_bytes(b"\x89PNG")
    facts = DataFacts(id="scans", source="scans/", format="files")
    out = take(tmp_path, facts)
    assert (out / "files" / "a" / "1.png").read_bytes() == b"\x89PNG"
    found = read_snapshot(out)
    assert (found.rows, found.bytes) == (None, 4)
    assert "sha256:" + found.sha256 == digest_of_folder(out / "files")


def test_sample__is_pinned_by_its_rows(tmp_path):
    facts = DataFacts(
        id="labels",
        source="sample:fraud-labels?rows=500&seed=7",
        columns=columns(txn_id="string", reported_at="timestamp", is_fraud="bool"),
    )
    one = read_snapshot(take(tmp_path, facts))
    assert one == read_snapshot(take(tmp_path, facts, date="2027-01-01T00:00:00Z"))
    assert one.version == f"sha256:{one.sha256}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,at,n\n1,2026-01-01,1\n", "data `t`, `t.csv`: the column `fare` is missing"),
        ("id,at,fare,n\n1,2026-01-01,abc,1\n", "column `fare`, row 1: `abc` is no float"),
        (
            "id,at,fare,n\n1,2026-01-01,1,1\n2,2026-13-01,1,1\n",
            "column `at`, row 2: `2026-13-01` is no timestamp",
        ),
        ("id,at,fare,n\n1,2026-01-01,1,1.5\n", "column `n`, row 1: `1.5` is no int"),
        ("id,at,fare,n\n1,2026-01-01,1,0x10\n", "column `n`, row 1: `0x10` is no int"),
        ("id,at,fare,n\n1,2026-01-01,1,99999999999999999999\n", "is no int"),
        ("id,at,fare,n\n1,1767225600,1,1\n", "`1767225600` is no timestamp"),
        (
            "id,at,fare,n\n1,2026-01-01,1,1\n2,2026-01-01,1\n",
            "row 2 of `t.csv` has 3 fields, not 4",
        ),
        ("id,at,fare,fare\n", "`t.csv` has the column `fare` twice"),
        ("", "`t.csv` has no header"),
    ],
)
def test_csv__says_where_it_is_wrong(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    wrong(tmp_path, DataFacts(id="t", source="t.csv", columns=TRIPS), message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"v": 1, "v": 2}\n', "`t.jsonl`, line 1, has the key `v` twice"),
        ("[" * 100_000, "`t.jsonl` is nested too deeply"),
        ('{"v": "\\ud800"}\n', "column `v`: a text cannot be written in UTF-8"),
        ("[1]\n", "row 1 of `t.jsonl` is no object"),
        ('{"v": 1.5}\n', "column `v`, row 1: `1.5` is no int"),
    ],
)
def test_json__says_where_it_is_wrong(tmp_path, text, message):
    (tmp_path / "t.jsonl").write_text(text)
    wrong(tmp_path, DataFacts(id="t", source="t.jsonl", columns=columns(v="int")), message)


def test_json__a_document_keeps_its_text(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"v": {"b": 1.10, "a": [1e5]}}\n')
    facts = DataFacts(id="t", source="t.jsonl", columns=columns(v="json"))
    table, _ = read_data(take(tmp_path, facts))
    assert table["v"].to_pylist() == ['{"b":1.10,"a":[1e5]}']


def test_csv__long_rows_and_quotes(tmp_path):
    long = "x" * 3_000_000
    (tmp_path / "t.csv").write_text(
        f'id,v\r\n"a\n""b""",1\r\n"",2\r\n,NA\r\nNA,\r\n{long},3\r\n', newline=""
    )
    facts = DataFacts(id="t", source="t.csv", columns=columns(id="string", v="int"))
    table, _ = read_data(take(tmp_path, facts))
    assert table["id"].to_pylist() == ['a\n"b"', "", None, "NA", long]
    assert table["v"].to_pylist() == [1, 2, None, None, 3]


def test_missing_column__names_the_nearest(tmp_path):
    (tmp_path / "t.csv").write_text("idd\n1\n")
    facts = DataFacts(id="t", source="t.csv", columns=columns(id="string"))
    wrong(tmp_path, facts, "`id` is missing", help_="did you mean `idd`?")


def test_personal_data__are_not_shown(tmp_path):
    (tmp_path / "t.csv").write_text("age\nforty\n")
    facts = DataFacts(
        id="t", source="t.csv", columns=columns(age={"type": "int", "sensitivity": "pii"})
    )
    with pytest.raises(StepError) as caught:
        take(tmp_path, facts)
    assert caught.value.message.endswith("row 1: the value is no int")
    assert "forty" not in caught.value.message + caught.value.help


def test_parquet__a_column_of_another_type_is_refused_not_parsed(tmp_path):
    pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "t.parquet")
    facts = DataFacts(id="t", source="t.parquet", columns=columns(id="string"))
    wrong(tmp_path, facts, "the column `id` is int, not string")
    pq.write_table(pa.table({"id": [1.0, 2.5]}), tmp_path / "t.parquet")
    facts = DataFacts(id="t", source="t.parquet", columns=columns(id="int"))
    wrong(tmp_path, facts, "column `id`, row 2: `2.5` is no int")


def test_broken_files__are_named(tmp_path):
    facts = DataFacts(id="t", source="t.parquet", columns=columns(id="string"))
    wrong(tmp_path, facts, "data `t`: `t.parquet` does not exist", help_="relative to the spec")
    pq.write_table(pa.table({"id": ["a"] * 100}), tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[: len(whole) // 2])
    wrong(tmp_path, facts, "`t.parquet` is no readable Parquet file", help_="cut off")
    (tmp_path / "t.parquet").write_bytes(b"")
    wrong(tmp_path, facts, "`t.parquet` is empty")
    (tmp_path / "t.csv").write_bytes("id\nMüller\n".encode("latin-1"))
    facts = DataFacts(id="t", source="t.csv", columns=columns(id="string"))
    wrong(tmp_path, facts, "`t.csv` is not UTF-8")
    (tmp_path / "t.jsonl").write_text('{"id": "a"}\n{"id": \n')
    facts = DataFacts(id="t", source="t.jsonl", columns=columns(id="string"))
    wrong(tmp_path, facts, "`t.jsonl`, line 2 is no JSON")
    (tmp_path / "d").mkdir()
    wrong(tmp_path, DataFacts(id="t", source="d/"), "the folder `d` holds no files")
    wrong(tmp_path, DataFacts(id="t", source="x*.csv"), "no file matches `x*.csv`")
    (tmp_path / "data.bin").write_text("x")
    wrong(tmp_path, DataFacts(id="t", source="data.bin"), "the format of `data.bin` is not known")


def test_addresses__that_nothing_reads(tmp_path):
    wrong(tmp_path, DataFacts(id="t"), "data `t` has no version yet", help_="run the pipeline")
    wrong(tmp_path, DataFacts(id="t", source="kafka://x"), "`kafka:` is a stream")
    wrong(
        tmp_path, DataFacts(id="t", source="sqlit:x.db"), "nothing reads `sqlit:`", help_="`sqlite`"
    )


def test_disk_full__leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "trips.csv").write_text(CSV)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        take(tmp_path, DataFacts(id="trips", source="trips.csv", columns=TRIPS))
    assert list((tmp_path / "out").iterdir()) == []


def test_database__rows_are_sorted_by_the_key_so_that_the_version_is_theirs(tmp_path):
    import sqlite3

    versions = []
    for order in ("ab", "ba"):
        place = tmp_path / f"{order}.db"
        with sqlite3.connect(place) as connection:
            connection.execute("CREATE TABLE t (id TEXT, n INTEGER)")
            connection.executemany(
                "INSERT INTO t VALUES (?, ?)", [(one, ord(one)) for one in order]
            )
        connection.close()
        facts = DataFacts(
            id="t",
            source=f"sqlite:{place.name}#t",
            key=("id",),
            columns=columns(id="string", n="int"),
        )
        table, found = read_data(take(tmp_path, facts))
        assert table["id"].to_pylist() == ["a", "b"]
        versions.append(found.version)
    assert versions[0] == versions[1]


def test_files__that_were_staged_have_an_unknown_age(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "1.png").write_bytes(b"x")
    facts = DataFacts(id="scans", source="file:scans/", format="files")
    assert read_snapshot(take(tmp_path, facts)).modified is not None
    assert read_snapshot(take(tmp_path, facts, raw=tmp_path / "scans")).modified is None
