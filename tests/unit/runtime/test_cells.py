"""Columns of typed sources in the declared types: every widening that loses nothing, no other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.ir.facts import ColumnFacts
from mlspec.runtime.cells import Place, fit
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import arrow_type

MOMENT = datetime(2026, 1, 31, 4, 0, 0, 5, tzinfo=UTC)
NAIVE = MOMENT.replace(tzinfo=None)


def fitted(values, type_, *, parse=False):
    table = pa.table({"v": values})
    found = fit(table, [ColumnFacts(name="v", type=type_)], Place(data="d"), parse=parse)["v"]
    assert found.type == arrow_type(type_)
    return found.to_pylist()


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        (pa.array([NAIVE], pa.timestamp("ns")), "timestamp", [MOMENT]),
        (pa.array([MOMENT], pa.timestamp("us", tz="America/New_York")), "timestamp", [MOMENT]),
        (pa.array([NAIVE], pa.timestamp("s")), "timestamp", [MOMENT.replace(microsecond=0)]),
        (pa.array([date(2026, 1, 31)]), "timestamp", [datetime(2026, 1, 31, tzinfo=UTC)]),
        (pa.array([3], pa.uint8()), "int", [3]),
        (pa.array([3.0, float("nan")]), "int", [3, None]),
        (pa.array([3], pa.int16()), "float", [3.0]),
        (pa.array([1.5, float("nan")], pa.float32()), "float", [1.5, None]),
        (pa.array([Decimal("1.25")]), "float", [1.25]),
        (pa.array([Decimal(7)]), "int", [7]),
        (pa.array(["a", None]).dictionary_encode(), "string", ["a", None]),
        (pa.array(["a"], pa.large_string()), "text", ["a"]),
        (pa.array([1, 2]), "class", ["1", "2"]),
        (pa.array([True]), "class", ["true"]),
        (pa.array([b"x"], pa.large_binary()), "bytes", [b"x"]),
        (pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2)), "embedding[2]", [[1.0, 2.0]]),
        (pa.array([[1, 2]]), "list[int]", [[1, 2]]),
        (pa.array([{"a": 1}]), "json", ['{"a":1}']),
        (pa.nulls(2), "bool", [None, None]),
        (pa.array([], pa.int32()), "float", []),
    ],
)
def test_fit__widens(values, type_, expected):
    assert fitted(values, type_) == expected


@pytest.mark.parametrize(
    ("values", "type_", "message"),
    [
        (pa.array(["1"]), "int", "the column `v` is string, not int"),
        (pa.array([1]), "string", "is int, not string"),
        (pa.array([1]), "bool", "is int, not bool"),
        (pa.array([1]), "timestamp", "is int, not timestamp"),
        (pa.array([1.0, 1.5]), "int", "row 2: `1.5` is no int"),
        (pa.array([0, 2**53 + 1]), "float", "row 2: `9007199254740993` is no float"),
        (pa.array([[1.0], [1.0, 2.0]]), "embedding[2]", "row 1: 1 numbers, not 2"),
        (pa.array([["a"]]), "list[int]", "not list[int]"),
    ],
)
def test_fit__refuses_what_would_lose_something(values, type_, message):
    with pytest.raises(StepError) as caught:
        fitted(values, type_)
    assert message in caught.value.message


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20))
@settings(max_examples=60, deadline=None)
def test_parse__reads_back_every_whole_number(values):
    texts = pa.array([None if one is None else str(one) for one in values], pa.string())
    assert fitted(texts, "int", parse=True) == values


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_parse__reads_back_every_number(values):
    assert fitted(pa.array([repr(one) for one in values]), "float", parse=True) == values


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=20))
@settings(max_examples=60, deadline=None)
def test_parse__leaves_every_text_as_it_is(values):
    assert fitted(pa.array(values, pa.string()), "string", parse=True) == values


@given(st.datetimes(NAIVE.replace(year=1700), NAIVE.replace(year=2200)))
@settings(max_examples=60, deadline=None)
def test_parse__reads_back_every_moment(moment):
    expected = [moment.replace(tzinfo=UTC)]
    assert fitted(pa.array([moment.isoformat()]), "timestamp", parse=True) == expected
    assert fitted(pa.array([moment.isoformat(" ") + "Z"]), "timestamp", parse=True) == expected


@given(
    st.lists(st.text(max_size=8), min_size=1, max_size=6),
    st.sampled_from(["int", "float", "bool", "timestamp", "json", "bytes", "list[int]"]),
)
@settings(max_examples=200, deadline=None)
def test_parse__of_anything_is_a_value_or_an_error_for_people(values, type_):
    clean = [one.encode("utf-8", "replace").decode() for one in values]
    said = "column `v`, row "
    try:
        fitted(pa.array(clean, pa.string()), type_, parse=True)
    except StepError as error:
        said = error.message
    assert "column `v`, row " in said
