"""Sides of a split: disjoint, never empty, the same again, with a gap where time counts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlspec.ir.facts import Amount, ModelFacts, SplitFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.rows.division import Division, divide
from mlspec.runtime.rows.folder import read_rows
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.steps.split import run
from tests.support.rows import at, call_of, rows_folder, rows_of

DAY = 86_400.0
SHARE = Amount(share=0.2)


def days(count: int):
    return rows_of(
        {"x": list(range(count))},
        [0, 1] * (count // 2) + [0] * (count % 2),
        times=[at(24 * n) for n in range(count)],
    )


def sides(rows, split) -> dict[str, list[int]]:
    found = divide(rows, split).sides
    return {
        name: np.flatnonzero(found == place).tolist() for place, name in enumerate(Division.SIDES)
    }


def test_time__the_newest_are_the_test():
    found = sides(
        days(10),
        SplitFacts(by="time", test=Amount(seconds=2 * DAY), validation=Amount(seconds=DAY)),
    )
    assert found == {"train": [0, 1, 2, 3, 4, 5, 6], "validation": [7], "test": [8, 9]}


def test_time__shares_are_of_all_rows():
    found = sides(
        days(10),
        SplitFacts(by="time", test=SHARE, validation=Amount(share=0.3), train=Amount(share=0.4)),
    )
    assert found == {"train": [1, 2, 3, 4], "validation": [5, 6, 7], "test": [8, 9]}


def test_time__gap_before_validation_and_before_test():
    split = SplitFacts(by="time", test=SHARE, validation=SHARE, gap=DAY)
    division = divide(days(10), split)
    assert sides(days(10), split) == {"train": [0, 1, 2, 3], "validation": [5, 6], "test": [8, 9]}
    assert division.dropped == {"in a gap of the split": 2, "older than the training rows": 0}


def test_time__gap_is_the_delay_unless_said():
    assert sides(days(10), SplitFacts(by="time", test=SHARE, delay=2 * DAY))["train"] == [
        0,
        1,
        2,
        3,
        4,
        5,
    ]


def test_time__length_of_the_training_period():
    split = SplitFacts(by="time", test=SHARE, train=Amount(seconds=3 * DAY))
    division = divide(days(10), split)
    assert sides(days(10), split)["train"] == [5, 6, 7]
    assert division.dropped == {"in a gap of the split": 0, "older than the training rows": 5}


def test_time__rows_of_one_moment_are_on_one_side():
    rows = rows_of({"x": list(range(10))}, times=[at(n // 4) for n in range(10)])
    found = sides(rows, SplitFacts(by="time", test=SHARE))
    assert found["test"] == [8, 9]
    assert sides(rows, SplitFacts(by="time", test=Amount(share=0.3)))["test"] == [4, 5, 6, 7, 8, 9]


def unless_empty(function, rows, split):
    """What a function gives; examples that leave a side empty say nothing here."""
    try:
        return function(rows, split)
    except StepError as error:
        assume("leaves no row" not in error.message)
        raise


HOURS = st.lists(st.integers(0, 40), min_size=5, max_size=40)


@settings(max_examples=100, deadline=None)
@given(hours=HOURS, gap=st.integers(0, 6), share=st.sampled_from([0.2, 0.4]), seconds=st.booleans())
def test_time__no_earlier_side_reaches_into_the_gap(hours, gap, share, seconds):
    rows = rows_of({"x": hours}, times=[at(hour) for hour in hours])
    amount = Amount(seconds=5 * 3600.0) if seconds else Amount(share=share)
    split = SplitFacts(by="time", test=amount, validation=amount, gap=gap * 3600.0)
    found = unless_empty(sides, rows, split)
    of = {name: [hours[n] for n in places] for name, places in found.items()}
    assert max(hours) in of["test"]
    for earlier, later in (("train", "validation"), ("validation", "test")):
        assert max(of[earlier]) < min(of[later])
        assert max(of[earlier]) < min(of[later]) - gap or not gap


def test_random__shares_seed_and_order():
    rows = rows_of({"x": list(range(1000))}, [n % 10 == 0 for n in range(1000)])
    split = SplitFacts(by="random", test=SHARE, validation=Amount(share=0.1), seed=3)
    first = sides(rows, split)
    assert {name: len(places) for name, places in first.items()} == {
        "train": 700,
        "validation": 100,
        "test": 200,
    }
    assert sides(rows, split) == first
    assert (
        sides(rows, SplitFacts(by="random", test=SHARE, validation=Amount(share=0.1), seed=4))
        != first
    )
    turned = rows.take(np.arange(1000)[::-1])
    keys = {turned.keys[n] for n in sides(turned, split)["test"]}
    assert keys == {rows.keys[n] for n in first["test"]}


def test_random__stratified_sides_have_the_same_share_of_each_label():
    label = [n % 10 == 0 for n in range(1000)]
    rows = rows_of({"x": list(range(1000))}, label)
    found = sides(
        rows, SplitFacts(by="random", test=SHARE, validation=SHARE, stratify="label", seed=1)
    )
    assert {name: sum(label[n] for n in places) for name, places in found.items()} == {
        "train": 60,
        "validation": 20,
        "test": 20,
    }


@settings(max_examples=50, deadline=None)
@given(
    groups=st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=60), seed=st.integers(0, 5)
)
def test_group__is_on_one_side(groups, seed):
    rows = rows_of({"x": list(range(len(groups)))}, **{"_split.shop": groups})
    split = SplitFacts(
        by="group", group="shop", test=Amount(share=0.4), validation=Amount(share=0.2), seed=seed
    )
    division = unless_empty(divide, rows, split)
    found = division.sides
    for name in set(groups):
        assert len({int(found[n]) for n, group in enumerate(groups) if group == name}) == 1


def test_column__says_the_side():
    rows = rows_of({"x": [1, 2, 3, 4]}, **{"_split.part": ["test", "train", None, "validation"]})
    found = divide(rows, SplitFacts(by="column", column="part"))
    assert found.sides.tolist() == [2, 0, -1, 1]
    assert found.dropped == {"on no side": 1}


def test_column__of_other_words_is_refused():
    rows = rows_of({"x": [1, 2]}, **{"_split.part": ["TRAIN", "TEST"]})
    with pytest.raises(StepError, match="no row says `train`, `validation` or `test`") as caught:
        divide(rows, SplitFacts(by="column", column="part"))
    assert "'TRAIN'" in caught.value.help


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (
            SplitFacts(by="time", test=Amount(seconds=30 * DAY)),
            "leaves no row for train: of 10 rows",
        ),
        (SplitFacts(by="time", test=SHARE, delay=60 * DAY), "leaves no row for train"),
        (SplitFacts(by="random", test=Amount(share=0.01)), "leaves no row for test"),
        (
            SplitFacts(by="random", test=SHARE, validation=Amount(share=0.01)),
            "leaves no row for validation",
        ),
        (SplitFacts(by="random", test=Amount(seconds=DAY)), "takes shares, not durations"),
        (SplitFacts(by="group"), "needs the column `group`"),
        (SplitFacts(by="group", group="shop"), "have no column `shop`"),
        (SplitFacts(by="moon"), "cannot be split by `moon`"),
    ],
)
def test_split__that_does_not_fit_is_refused(split, words):
    with pytest.raises(StepError, match=words):
        divide(days(10), split)


def test_split__without_time_is_refused():
    with pytest.raises(StepError, match="without time"):
        divide(rows_of({"x": [1, 2]}), SplitFacts(by="time"))


def test_split__a_key_on_two_sides_is_refused():
    rows = rows_of({"x": [1, 2, 3]}, keys=["a", "b", "a"], times=[at(n) for n in range(3)])
    with pytest.raises(StepError, match="1 keys are on two sides of the split, such as 'a'"):
        divide(rows, SplitFacts(by="time", test=Amount(share=0.34)))


def test_split__of_no_rows_is_refused():
    with pytest.raises(StepError, match="leaves no row for train and test"):
        divide(days(10).take(np.zeros(10, dtype=bool)), SplitFacts(by="time"))


def call(tmp_path, rows, split):
    folder = rows_folder(tmp_path / "rows", rows)
    model = ModelFacts(id="m", task="binary", split=split)
    outputs = {side: tmp_path / side for side in Division.SIDES}
    return call_of(Kind.SPLIT, tmp_path, model, {"rows": folder}, outputs)


def test_step__writes_three_folders_and_drops_columns_of_the_split(tmp_path):
    rows = rows_of(
        {"x": list(range(50))}, [0, 1] * 25, **{"_split.shop": [n % 9 for n in range(50)]}
    )
    split = SplitFacts(by="group", group="shop", test=Amount(share=0.3))
    assert run(call(tmp_path, rows, split)) == 0
    parts = {side: read_rows(tmp_path / side) for side in Division.SIDES}
    assert len(parts["validation"]) == 0
    assert parts["validation"].table.schema == parts["train"].table.schema
    assert parts["train"].table.column_names == ["_key", "x", "_label"]
    everything = sorted(int(key) for part in parts.values() for key in part.keys)
    assert everything == list(range(50))


def test_step__without_split_is_refused(tmp_path):
    with pytest.raises(StepError, match="needs a model with a split"):
        run(call(tmp_path, days(10), None))


def test_folder__that_is_damaged_is_refused(tmp_path):
    folder = rows_folder(tmp_path / "rows", days(4))
    (folder / "rows.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(StepError, match="no readable Parquet file"):
        read_rows(folder)
    (folder / "rows.parquet").unlink()
    with pytest.raises(StepError, match=r"there is no file `rows\.parquet`"):
        read_rows(folder)


def test_folder__gives_back_what_was_written(tmp_path):
    rows = rows_of(
        {"x": [1.0, float("nan")], "s": ["a", None]}, ["yes", "no"], times=[at(0), at(1)]
    )
    again = read_rows(rows_folder(tmp_path / "rows", rows))
    assert again.table.equals(rows.table) or pa.types.is_floating(again.table["x"].type)
    assert again.keys == ["0", "1"]
    assert again.labels.tolist() == ["yes", "no"]
    assert again.columns == ("x", "s")
