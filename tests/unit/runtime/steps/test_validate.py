"""The step `validate`: verdicts, quarantine, and the profile that the next version meets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pytest

from mlspec.ir.facts import CheckFacts, DataFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.digests import digest_of_file, digest_of_folder
from mlspec.runtime.steps import snapshot, validate
from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.tables import Snapshot, read_data, read_rows, write_rows
from tests.support.data_steps import call, checks, columns

SCHEMA = json.loads(
    (Path(__file__).parents[4] / "schemas/output/verdict.v1.schema.json").read_text()
)
TRIPS = columns(
    id={"type": "string", "unique": True},
    at="timestamp",
    fare={"type": "float", "min": 0, "max": 500},
    zone={"type": "string", "enum": ("a", "b")},
    tip={"type": "float", "nullable": True},
)


def trips(rows=200, seed=1, **changes) -> pa.Table:
    random = np.random.default_rng(seed)
    found = {
        "id": [f"t{one:05d}" for one in range(rows)],
        "at": pa.array(1_772_000_000_000_000 + np.arange(rows) * 1_000_000).cast(
            pa.timestamp("us", tz="UTC")
        ),
        "fare": pa.array(np.round(np.exp(2 + 0.5 * random.standard_normal(rows)), 2)),
        "zone": [("a", "b")[one] for one in random.integers(0, 2, rows).tolist()],
        "tip": pa.array(random.random(rows), mask=random.random(rows) < 0.02),
    }
    return pa.table(found | changes)


def folder_of(tmp_path, table, name="snap") -> Path:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    write_rows(table, folder / "rows.parquet")
    digest = digest_of_file(folder / "rows.parquet")
    Snapshot(
        data="trips",
        source="t.csv",
        version=digest,
        sha256=digest.removeprefix("sha256:"),
        rows=table.num_rows,
        bytes=1,
        columns={},
    ).write(folder)
    return folder


def facts_of(*texts, **more) -> DataFacts:
    given = {"key": ("id",), "time": "at", "columns": TRIPS} | more
    return DataFacts(id="trips", checks=checks(*texts), **given)


class Validated:
    """A validation that ran; `error` is None when it let the data through."""

    def __init__(
        self,
        tmp_path,
        table,
        facts,
        *,
        run_id="r1",
        date="2026-03-01T03:41:10Z",
        store="file:store",
    ):
        self.folder = tmp_path / f"valid-{run_id}"
        source = table if isinstance(table, Path) else folder_of(tmp_path, table, f"snap-{run_id}")
        made = call(
            Kind.VALIDATE,
            facts,
            tmp_path,
            inputs={"data": source},
            outputs={"data": self.folder},
            date=date,
            store=store,
            run_id=run_id,
        )
        self.error = None
        try:
            assert validate.run(made) is StepExit.OK
        except StepError as error:
            self.error = error
        assert self.error is None or self.error.exit is StepExit.GATE_FAILED
        self.verdict = json.loads((self.folder / "verdict.json").read_text())
        jsonschema.validate(self.verdict, SCHEMA)
        self.report = (self.folder / "report.md").read_text()

    def check(self, text):
        return next(one for one in self.verdict["checks"] if one["check"] == text)

    def said(self):
        return {one["check"]: one["verdict"] for one in self.verdict["checks"]}


def test_good_data__pass_and_are_the_same_rows(tmp_path):
    found = Validated(
        tmp_path, trips(), facts_of("rows >= 100", "null_rate(tip) <= 10%", "duplicates(id) == 0")
    )
    assert found.error is None
    assert found.verdict["verdict"] == "pass"
    assert found.verdict["rows"] == {
        "arrived": 200,
        "valid": 200,
        "refused": 0,
        "reasons": {},
        "keys": [],
    }
    table, known = read_data(found.folder)
    assert table.equals(trips())
    assert "sha256:" + known.sha256 == digest_of_file(found.folder / "rows.parquet")
    assert not (found.folder / "quarantine.parquet").exists()
    assert "all checks pass; 200 of 200 rows are valid" in found.report


def test_validate__twice_is_the_same_bytes(tmp_path):
    facts = facts_of("rows >= 100", "psi <= 0.2", "mean(fare) <= 20")
    one = digest_of_folder(Validated(tmp_path, trips(), facts).folder)
    assert digest_of_folder(Validated(tmp_path, trips(), facts).folder) == one


@pytest.mark.parametrize(
    ("text", "standing"),
    [
        ("rows >= 201", "fail"),
        ("rows == 200", "pass"),
        ("freshness <= 5d", "pass"),
        ("freshness <= 1h", "fail"),
        ("null_rate(tip) <= 0.1%", "fail"),
        ("null_rate <= 10%", "pass"),
        ("null_rate <= 0.1%", "fail"),
        ("duplicates(zone) == 0", "fail"),
        ("mean(fare) <= 20", "pass"),
        ("mean(fare) >= 20", "fail"),
        ("mean(fare) >= 8.3", "inconclusive"),
        ("rows by zone >= 50", "pass"),
        ("rows by zone >= 105", "fail"),
        ("mean(fare) by zone <= 20", "pass"),
        ("psi(fare) <= 0.2", "inconclusive"),
        ("unseen(zone) <= 1%", "inconclusive"),
        ("rows >= 0.9 * previous", "inconclusive"),
    ],
)
def test_checks__on_a_first_version(tmp_path, text, standing):
    found = Validated(tmp_path, trips(), facts_of(text))
    assert found.check(text)["verdict"] == standing
    assert (found.error is not None) is (standing == "fail")
    if "previous" in text or "psi" in text:
        assert "no previous snapshot" in found.check(text)["sentence"]


def test_failed_check__names_check_column_and_numbers(tmp_path):
    found = Validated(tmp_path, trips(), facts_of("null_rate(tip) <= 0.1%", "rows >= 1000"))
    assert re.fullmatch(
        r"data `trips`: `null_rate\(tip\) <= 0.1%` fails: null_rate\(tip\) is [\d.]+ %; "
        r"at most 0.1 % is asked for \(and 1 more\)",
        found.error.message,
    )
    assert "`null_rate(tip) <= 0.1%` | **fail**" in found.report


def test_severity_warn__is_recorded_and_lets_the_data_through(tmp_path):
    warned = CheckFacts(text="rows >= 1000", severity="warn")
    found = Validated(tmp_path, trips(), facts_of(warned))
    assert found.error is None
    assert found.verdict["verdict"] == "pass"
    assert found.check("rows >= 1000") | {"sentence": ""} == {
        "check": "rows >= 1000",
        "verdict": "fail",
        "severity": "warn",
        "n": 200,
        "estimate": 200.0,
        "lower": 200.0,
        "upper": 200.0,
        "confidence": 1.0,
        "test": "exact",
        "limit": 1000.0,
        "sentence": "",
    }


def test_broken_rows__go_to_quarantine_with_reasons_and_keys_and_no_values(tmp_path):
    table = trips()
    fare = table["fare"].to_pylist()
    fare[3], fare[4], fare[5], fare[6] = -7.77, 987654.0, None, float("inf")
    zone = table["zone"].to_pylist()
    zone[3], zone[9] = "SECRET-ZONE", None
    keys = table["id"].to_pylist()
    keys[11] = keys[10]
    bad = trips(fare=pa.array(fare), zone=zone, id=keys)
    found = Validated(tmp_path, bad, facts_of("rows >= 194", "null_rate(zone) <= 1%"))
    assert found.error is None
    assert found.verdict["rows"] == {
        "arrived": 200,
        "valid": 194,
        "refused": 6,
        "reasons": {
            "id: not unique": 1,
            "fare: missing": 1,
            "fare: not finite": 1,
            "fare: below 0": 1,
            "fare: above 500": 2,
            "zone: missing": 1,
            "zone: not one of the 2 allowed values": 1,
        },
        "keys": ["t00003", "t00004", "t00005", "t00006", "t00009", "t00010"],
    }
    assert found.check("null_rate(zone) <= 1%")["estimate"] == 0.005
    kept, known = read_data(found.folder)
    assert (kept.num_rows, known.rows) == (194, 194)
    refused = read_rows(found.folder / "quarantine.parquet")
    assert refused["_reasons"].to_pylist()[0] == [
        "fare: below 0",
        "zone: not one of the 2 allowed values",
    ]
    written = found.report + json.dumps(found.verdict) + (found.folder / "profile.json").read_text()
    assert "SECRET-ZONE" not in written
    assert "7.77" not in written


def test_keys__that_are_personal_data_are_not_listed(tmp_path):
    secret = columns(id={"type": "string", "sensitivity": "pii"}, n={"type": "int", "min": 5})
    facts = facts_of("rows >= 1", columns=secret, time=None)
    found = Validated(tmp_path, pa.table({"id": ["anna@x.example", "b"], "n": [1, 7]}), facts)
    assert found.verdict["rows"]["refused"] == 1
    assert found.verdict["rows"]["keys"] == []
    everything = b"".join(
        path.read_bytes() for path in found.folder.iterdir() if path.suffix != ".parquet"
    )
    assert b"anna" not in everything


def test_rules__patterns_times_and_probabilities(tmp_path):
    declared = columns(
        mcc={"type": "string", "pattern": "^[0-9]{4}$"},
        plate={"type": "string", "pattern": r"^(?!X)[A-Z]+$"},
        at={"type": "timestamp", "min": "2026-01-01", "max": "2026-12-31T00:00:00Z"},
        p="probability",
        n={"type": "int", "min": 0.5, "enum": (1, 2)},
    )
    moment = [f"{year}-06-01" for year in (2026, 2025, 2027, 2026)]
    table = pa.table(
        {
            "mcc": ["1234", "12345", "123", "0001"],
            "plate": ["AB", "XA", "b", "Z"],
            "at": pa.array(moment).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC")),
            "p": [0.5, 1.5, -0.1, 1.0],
            "n": [1, 0, 3, 2],
        }
    )
    found = Validated(tmp_path, table, facts_of("rows >= 1", columns=declared, key=(), time="at"))
    assert found.verdict["rows"]["reasons"] == {
        "mcc: does not match `^[0-9]{4}$`": 2,
        "plate: does not match `^(?!X)[A-Z]+$`": 2,
        "at: below 2026-01-01": 1,
        "at: above 2026-12-31T00:00:00Z": 1,
        "p: not between 0 and 1": 2,
        "n: below 0.5": 1,
        "n: not one of the 2 allowed values": 2,
    }
    assert found.verdict["rows"]["valid"] == 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (trips().drop_columns(["fare"]), "data `trips`: the column `fare` is missing"),
        (trips(fare=["x"] * 200), "the column `fare` is string, not float"),
    ],
)
def test_schema_violations__stop(tmp_path, table, message):
    with pytest.raises(StepError, match=message) as caught:
        validate.run(
            call(
                Kind.VALIDATE,
                facts_of("rows >= 1"),
                tmp_path,
                inputs={"data": folder_of(tmp_path, table)},
                outputs={"data": tmp_path / "out"},
            )
        )
    assert caught.value.exit is StepExit.GATE_FAILED


def test_no_rows__stop_even_without_checks(tmp_path):
    found = Validated(tmp_path, trips().slice(0, 0), facts_of())
    assert found.error.message == "data `trips`: there are no rows"
    found = Validated(tmp_path, trips(fare=pa.array([-1.0] * 200)), facts_of(), run_id="r2")
    assert found.error.message == "data `trips`: no row is valid: fare: below 0 (200 rows)"


def test_second_version__is_compared_with_the_first(tmp_path):
    facts = facts_of(
        "psi <= 0.2",
        "js(fare) <= 0.2",
        "ks(fare) <= 0.2",
        "wasserstein(fare) <= 2",
        "unseen(zone) <= 5%",
        "rows >= 0.9 * previous",
        "mean(fare) <= 1.2 * previous",
        "null_rate(tip) <= previous + 10%",
    )
    first = Validated(tmp_path, trips(2000), facts, run_id="r1")
    assert first.error is None
    assert set(first.said().values()) == {"inconclusive"}
    second = Validated(tmp_path, trips(1900, seed=2), facts, run_id="r2")
    assert second.error is None
    assert set(second.said().values()) == {"pass"}, second.said()
    assert second.verdict["previous"] == {
        "version": first.verdict["subject"]["version"],
        "rows": 2000,
    }
    assert [one["column"] for one in second.check("psi <= 0.2")["slices"]] == [
        "fare",
        "zone",
        "tip",
    ]
    moved = trips(1500, seed=3)
    moved = moved.set_column(2, "fare", pa.array(moved["fare"].to_numpy() * 2.0))
    third = Validated(tmp_path, moved, facts, run_id="r3")
    assert third.said() == {
        "psi <= 0.2": "fail",
        "js(fare) <= 0.2": "fail",
        "ks(fare) <= 0.2": "fail",
        "wasserstein(fare) <= 2": "fail",
        "unseen(zone) <= 5%": "pass",
        "rows >= 0.9 * previous": "fail",
        "mean(fare) <= 1.2 * previous": "fail",
        "null_rate(tip) <= previous + 10%": "pass",
    }
    assert "1 of 3 columns fail: `fare`" in third.error.message
    again = Validated(tmp_path, trips(1900, seed=4), facts, run_id="r4")
    assert again.verdict["previous"]["rows"] == 1900, "a failed version is nobody's reference"


def test_the_same_run_again__meets_what_was_there_before_it(tmp_path):
    facts = facts_of("rows >= 0.5 * previous")
    Validated(tmp_path, trips(1000), facts, run_id="r1")
    for _ in range(3):
        found = Validated(tmp_path, trips(600), facts, run_id="r2")
        assert found.check("rows >= 0.5 * previous")["reference"]["estimate"] == 1000.0


def test_store__that_is_not_there(tmp_path):
    facts = facts_of("psi <= 0.2")
    found = Validated(tmp_path, trips(), facts, store="")
    assert found.verdict["previous"] == {"absent": "the run has no store to keep profiles in"}
    assert list(tmp_path.glob("store*")) == []


def test_run_ids__of_engines_are_no_paths(tmp_path):
    facts = facts_of("rows >= 0.5 * previous")
    odd = "manual__2026/../../x:00+00:00"
    source = folder_of(tmp_path, trips())
    for run_id in (odd, "r2"):
        made = call(
            Kind.VALIDATE,
            facts,
            tmp_path,
            inputs={"data": source},
            outputs={"data": tmp_path / "out"},
            run_id=run_id,
        )
        validate.run(made)
    kept = sorted((tmp_path / "store/shop/data/trips/profiles").iterdir())
    names = [one.name for one in kept]
    assert names[0] == "latest"
    assert re.fullmatch(r"manual__2026-x-00-00-00-[0-9a-f]{12}\.json", names[1])
    assert names[2:] == ["r2.json"]
    assert json.loads((tmp_path / "out/verdict.json").read_text())["previous"]["rows"] == 200


def test_broken_profile__is_said(tmp_path):
    facts = facts_of("psi <= 0.2")
    Validated(tmp_path, trips(), facts)
    (tmp_path / "store/shop/data/trips/profiles/r1.json").write_text("{")
    with pytest.raises(StepError, match=r"previous profile `r1\.json` is no JSON"):
        validate.run(
            call(
                Kind.VALIDATE,
                facts,
                tmp_path,
                inputs={"data": folder_of(tmp_path, trips())},
                outputs={"data": tmp_path / "out"},
                run_id="r2",
            )
        )


def test_thirty_columns__without_drift_do_not_alarm_and_one_that_drifts_does(tmp_path):
    declared = columns(**dict.fromkeys([f"c{one}" for one in range(30)], "float"))
    facts = facts_of("psi <= 0.05", columns=declared, key=(), time=None)

    def table(seed, shift=0.0):
        random = np.random.default_rng(seed)
        values = {one.name: random.standard_normal(300) for one in declared}
        values["c7"] = values["c7"] + shift
        return pa.table(values)

    assert Validated(tmp_path, table(1), facts, run_id="r1").error is None
    assert Validated(tmp_path, table(2), facts, run_id="r2").error is None
    found = Validated(tmp_path, table(3, 1.0), facts, run_id="r3")
    failing = [
        one["column"] for one in found.check("psi <= 0.05")["slices"] if one["verdict"] == "fail"
    ]
    assert failing == ["c7"]


def test_files__their_number_and_age(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.png").write_bytes(b"x")
    facts = DataFacts(
        id="scans", source="scans/", format="files", checks=checks("rows >= 1", "freshness <= 24h")
    )
    out = tmp_path / "snap"
    snapshot.run(call(Kind.SNAPSHOT, facts, tmp_path, outputs={"data": out}))
    found = Validated(tmp_path, out, facts, date="2200-01-01T00:00:00Z")
    assert found.said() == {"rows >= 1": "pass", "freshness <= 24h": "fail"}
    assert (found.folder / "files" / "a.png").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("psi(nothing) <= 0.2", "has no column `nothing`"),
        ("mean(zone) <= 1", "the column `zone` is string, not a number"),
        ("roc_auc >= 0.9", "`roc_auc` is no metric of data"),
        ("duplicates == 0", "needs a column"),
        ("rows above 5", "is no check"),
    ],
)
def test_checks__that_no_data_could_be_measured_by(tmp_path, text, message):
    with pytest.raises(StepError, match=re.escape(message)):
        validate.run(
            call(
                Kind.VALIDATE,
                facts_of(text),
                tmp_path,
                inputs={"data": folder_of(tmp_path, trips())},
                outputs={"data": tmp_path / "out"},
            )
        )


def test_without_a_run_id__the_date_and_the_version_say_which_run_it_is(tmp_path):
    facts = facts_of("rows >= 0.5 * previous")
    seen = []
    for rows, date in ((1000, "2026-03-01"), (600, "2026-03-02"), (600, "2026-03-02")):
        found = Validated(tmp_path, trips(rows), facts, run_id="", date=f"{date}T00:00:00Z")
        seen.append(found.verdict.get("previous", {}).get("rows"))
    assert seen == [None, 1000, 1000]


def test_wildcards__leave_out_personal_data_of_which_nothing_is_kept(tmp_path):
    declared = columns(
        rider={"type": "string", "sensitivity": "pii"},
        gender={"type": "string", "sensitivity": "pii", "enum": ("f", "m")},
        age={"type": "int", "sensitivity": "special"},
        n="float",
    )
    table = pa.table(
        {
            "rider": [f"anna{one}@x.example" for one in range(300)],
            "gender": ["f", "m"] * 150,
            "age": [20 + one % 50 for one in range(300)],
            "n": np.arange(300.0) % 100,
        }
    )
    facts = facts_of(
        "psi <= 0.2", "ks <= 0.2", "unseen(rider) <= 1%", columns=declared, key=(), time=None
    )
    Validated(tmp_path, table, facts, run_id="r1")
    found = Validated(tmp_path, table, facts, run_id="r2")
    assert [one["column"] for one in found.check("psi <= 0.2")["slices"]] == ["gender", "age", "n"]
    assert [one["column"] for one in found.check("ks <= 0.2")["slices"]] == ["n"]
    assert "are not kept: personal data" in found.check("unseen(rider) <= 1%")["sentence"]
    kept = (tmp_path / "store/shop/data/trips/profiles/r1.json").read_text()
    assert "anna" not in kept
    assert json.loads(kept)["columns"]["age"]["shape_edges"] == []


def test_limits__are_allowed_values_and_missing_ones_are_not_repeated(tmp_path):
    declared = columns(
        n={"type": "int", "min": 1, "max": 3, "nullable": True, "unique": True},
        x={"type": "float", "nullable": True},
    )
    table = pa.table({"n": [1, 3, None, None, 2], "x": [None, None, None, 1.0, 1.0]})
    found = Validated(tmp_path, table, facts_of(columns=declared, key=(), time=None))
    assert found.verdict["rows"]["reasons"] == {}


def test_unseen__counts_values_that_the_schema_refuses(tmp_path):
    facts = facts_of("unseen(zone) <= 5%")
    Validated(tmp_path, trips(400), facts, run_id="r1")
    zone = ["new"] * 100 + trips(400)["zone"].to_pylist()[100:]
    found = Validated(tmp_path, trips(400, zone=zone), facts, run_id="r2")
    assert found.verdict["rows"]["refused"] == 100
    assert found.check("unseen(zone) <= 5%")["estimate"] == 0.25
    assert found.error is not None


def test_many_columns__one_that_looks_odd_by_chance_does_not_stop_the_data(tmp_path):
    declared = columns(**dict.fromkeys([f"c{one}" for one in range(40)], "float"))
    facts = facts_of("psi <= 0.00001", columns=declared, key=(), time=None)

    def table(seed):
        random = np.random.default_rng(seed)
        return pa.table({one.name: random.standard_normal(1000) for one in declared})

    Validated(tmp_path, table(1), facts, run_id="r1")
    found = Validated(tmp_path, table(2), facts, run_id="r2")
    slices = found.check("psi <= 0.00001")["slices"]
    odd = [one for one in slices if one["lower"] > 0.00001]
    assert odd, "some column is beyond the limit on its own"
    assert all("this may be chance" in one["sentence"] for one in odd)
    assert found.error is None


def test_freshness__rows_of_the_future_do_not_hide_an_old_table(tmp_path):
    at = trips()["at"].cast(pa.int64()).to_pylist()
    at[7] += 400 * 86_400_000_000
    moved = pa.array(at).cast(pa.timestamp("us", tz="UTC"))
    found = Validated(tmp_path, trips(at=moved), facts_of("freshness <= 1h"))
    newest = 1_772_000_000 + 199  # seconds since 1970, of the last row that lies in the past
    run = 1_772_336_470  # 2026-03-01T03:41:10Z
    assert found.check("freshness <= 1h")["estimate"] == run - newest


def test_wildcards__leave_out_what_identifies_and_orders_rows(tmp_path):
    declared = columns(
        k="string", u={"type": "string", "unique": True}, t="timestamp", at="timestamp", v="string"
    )
    moment = pa.array([0] * 3, pa.timestamp("us", tz="UTC"))
    table = pa.table(
        {"k": ["a", "b", "c"], "u": ["a", "b", "c"], "t": moment, "at": moment, "v": ["x"] * 3}
    )
    facts = facts_of("psi <= 0.2", "null_rate <= 1%", columns=declared, key=("k",), time="t")
    found = Validated(tmp_path, table, facts)
    assert [one["column"] for one in found.check("psi <= 0.2")["slices"]] == ["v"]
    assert len(found.check("null_rate <= 1%")["slices"]) == 5
