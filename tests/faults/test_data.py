"""Bad data: each fault ends the step that meets it, with its place and the right exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.faults import SPEC, Bench, csv_of, rows_of
from tests.support.faults import bench as make

Row = dict[str, Any]


def cell(column: str, value: str, row: int = 17) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        rows[row][column] = value

    return change


def column(name: str, value: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        for row in rows:
            row[name] = value

    return change


def without(name: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        for row in rows:
            del row[name]

    return change


def ended(bench: Bench, last: str = "split") -> tuple[str, int, str]:
    """Return the first step that does not end well, up to one; its code and what it said."""
    for name in bench.steps():
        end = bench.run(name)
        if end.code or name == last:
            return name, end.code, end.said
    raise AssertionError(last)


def given(tmp_path, change, spec: str = SPEC, count: int = 40) -> Bench:
    bench = make(tmp_path / "bench", spec)
    rows = rows_of(count)
    changed = change(rows)
    text = changed if isinstance(changed, (bytes, str)) else csv_of(rows)
    bench.write("data/sales.csv", text)
    return bench


@pytest.mark.parametrize(
    ("change", "step", "code", "says"),
    [
        (without("amount"), "snapshot-sales", 1, "the column `amount` is missing"),
        (without("left"), "snapshot-sales", 1, "the column `left` is missing"),
        (
            cell("amount", "much"),
            "snapshot-sales",
            1,
            "column `amount`, row 18: `much` is no float",
        ),
        (cell("visits", "3.5"), "snapshot-sales", 1, "column `visits`, row 18: `3.5` is no int"),
        (cell("visits", "9" * 30), "snapshot-sales", 1, "is no int"),
        (cell("left", "maybe"), "snapshot-sales", 1, "column `left`, row 18: `maybe` is no bool"),
        (cell("at", "yesterday"), "snapshot-sales", 1, "column `at`, row 18"),
        (lambda _: b"", "snapshot-sales", 1, "`sales.csv` has no header"),
        (lambda _: bytes(range(256)) * 9, "snapshot-sales", 1, "`sales.csv` is not UTF-8 text"),
        (lambda rows: csv_of(rows)[:1500], "snapshot-sales", 1, "fields, not 6"),
        (
            lambda rows: csv_of(rows).replace("visits", "amount", 1),
            "snapshot-sales",
            1,
            "has the column `amount` twice",
        ),
        (lambda rows: csv_of(rows[:1]).splitlines()[0] + "\n", "validate-sales", 10, "rows is 0"),
        (column("left", ""), "validate-sales", 10, "no row is valid: left: missing (40 rows)"),
        (column("amount", "nan"), "validate-sales", 10, "no row is valid: amount: missing"),
        (column("amount", "inf"), "validate-sales", 10, "amount: not finite"),
        (column("amount", "1e308"), "validate-sales", 10, "amount: above 100"),
        (lambda rows: csv_of(rows[:1]), "split", 1, "the split leaves no row for test: of 1 rows"),
    ],
)
def test_data__that_cannot_be_used(tmp_path, change, step, code, says):
    bench = given(tmp_path, change)
    found = ended(bench)
    assert found[:2] == (step, code)
    assert says in found[2]
    assert "error: " in found[2]
    assert not bench.made("split", "train").exists()


@pytest.mark.parametrize(
    "change",
    [
        cell("amount", ""),
        cell("amount", "nan"),
        cell("left", ""),
        cell("id", "k0000"),
        cell("region", ""),
        cell("region", "a\0b"),
    ],
)
def test_data__of_which_a_row_is_refused(tmp_path, change):
    bench = given(tmp_path, change)
    assert ended(bench)[1] == 0
    told = json.loads((bench.made("validate-sales", "data") / "verdict.json").read_text())
    refused = told["rows"]["refused"]
    assert refused in (0, 1)
    rows = json.loads((bench.made("features", "rows") / "rows.json").read_text())
    assert rows["rows"] == 40 - refused


@pytest.mark.parametrize(
    "change",
    [
        cell("visits", str(2**63 - 1)),
        column("visits", str(2**53 + 1)),
        cell("at", "2026-01-04T00:00:00"),
        cell("at", "9999-12-31T23:59:59Z"),
        cell("at", "0001-01-01T00:00:00Z"),
        column("region", "north"),
        cell("region", "\x1b[31m|<img src=x onerror=1>\n::error::x ${{ secrets.X }}"),
    ],
)
def test_data__odd_but_right(tmp_path, change):
    assert ended(given(tmp_path, change))[:2] == ("split", 0)


def test_data__whole_numbers_without_a_double_are_compared_exactly(tmp_path):
    limited = SPEC.replace("visits: int\n", f"visits: {{type: int, max: {2**53}}}\n", 1)
    bench = given(tmp_path, cell("visits", str(2**53 + 1)), limited)
    assert ended(bench)[1] == 0
    told = json.loads((bench.made("validate-sales", "data") / "verdict.json").read_text())
    assert told["rows"]["refused"] == 1


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (column("left", "true"), "bool", "all 24 training rows have the label `True`"),
        (column("left", "2"), "int", "is true or false (or 1 and 0), not `2`"),
        (column("left", "yes"), "string", "is true or false (or 1 and 0), not `yes`"),
    ],
)
def test_labels__that_nothing_can_be_learned_from(tmp_path, change, kind, says):
    bench = given(tmp_path, change, SPEC.replace("left:   bool", f"left:   {kind}"))
    step, code, said = ended(bench, "train")
    assert (step, code) == ("train", 1)
    assert says in said
    assert not bench.made("train", "model").exists()


def test_labels__none_at_all(tmp_path):
    spec = SPEC.replace("left:   bool", "left:   {type: bool, nullable: true}")
    step, code, said = ended(given(tmp_path, column("left", ""), spec))
    assert (step, code) == ("features", 1)
    assert "model `churn` has no row left: 40 without label" in said


def test_data__too_few_rows_to_judge(tmp_path):
    bench = given(tmp_path, lambda rows: csv_of(rows[:8]))
    step, code, said = ended(bench, "promote")
    assert (step, code) == ("gate", 11)
    assert "too few" in said
    assert bench.actions() == ["register", "gate"]


@pytest.mark.parametrize("name", ["_key", "_label", "_time", "_slice.region"])
def test_feature__named_like_a_column_of_ours(tmp_path, name):
    bench = make(tmp_path / "bench", SPEC.replace("visits: int}", f'"{name}": int}}'), 40)
    bench.write("own/features.py", f"def basics(row): return {{'amount': 1.0, {name!r}: 1}}\n")
    step, code, said = ended(bench)
    assert (step, code) == ("features", 1)
    assert f"has an input `{name}`" in said


@pytest.mark.parametrize("name", ["_key", "_label", "größe", "名前", "a'b\"c`d|e", "::error::x"])
def test_column__of_any_name(tmp_path, name):
    spec = SPEC.replace("visits: int\n", f"{json.dumps(name)}: int\n", 1)
    bench = make(tmp_path / "bench", spec, 40)
    text = csv_of(rows_of(40)).splitlines(keepends=True)
    quoted = '"' + name.replace('"', '""') + '"'
    bench.write("data/sales.csv", text[0].replace("visits", quoted) + "".join(text[1:]))
    bench.write(
        "own/features.py",
        f"def basics(row): return {{'amount': row['amount'], 'visits': row[{name!r}]}}\n",
    )
    assert ended(bench)[:2] == ("split", 0)


def test_feature__named_like_the_label(tmp_path):
    bench = make(tmp_path / "bench", SPEC.replace("visits: int}", "left: int}"), 40)
    bench.write("own/features.py", "def basics(row): return {'amount': 1.0, 'left': 7}\n")
    assert ended(bench)[:2] == ("split", 0)
    rows = json.loads((bench.made("features", "rows") / "rows.json").read_text())
    assert rows["columns"] == ["amount", "left"]


@pytest.mark.slow
def test_data__three_hundred_columns(tmp_path):
    names = [f"c{place}" for place in range(300)]
    declared = "".join(f"      {name}: float\n" for name in names)
    outputs = ", ".join(f"{name}: float" for name in names)
    spec = SPEC.replace("      left:", f"{declared}      left:").replace(
        "{amount: float, visits: int}", f"{{{outputs}}}"
    )
    bench = make(tmp_path / "bench", spec)
    rows = [{**row, **dict.fromkeys(names, "1.5")} for row in rows_of(40)]
    bench.write("data/sales.csv", csv_of(rows))
    bench.write(
        "own/features.py", "def basics(row): return {f'c{i}': row[f'c{i}'] for i in range(300)}\n"
    )
    assert ended(bench)[:2] == ("split", 0)
