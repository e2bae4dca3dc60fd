"""Features of a model's events: what a function sees, what is kept, dropped and refused."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.ir.facts import (
    CheckFacts,
    ColumnFacts,
    DataFacts,
    FeatureFacts,
    ModelFacts,
    Reads,
    SplitFacts,
)
from mlspec.ir.kinds import Kind
from mlspec.runtime.features.build import build_rows
from mlspec.runtime.features.history import one_history
from mlspec.runtime.features.rowwise import one_row
from mlspec.runtime.functions import load_function
from mlspec.runtime.rows.folder import read_rows
from mlspec.runtime.rows.types import moment
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.steps.features import run
from tests.support.rows import START, at, call_of, columns, data_of, write_data

CLICKS = DataFacts(
    id="clicks",
    key=("id",),
    time="at",
    columns=(
        *columns(id="string", at="timestamp", card="string", bid="float", clicked="bool"),
        ColumnFacts(name="country", type="string", nullable=True),
    ),
)
FEATURES = """
import math

def bid(row):
    assert set(row) == {"bid", "at"}, row
    return {"bid_log": math.log1p(row["bid"]), "hour": row["at"].hour}

def past(rows, at):
    assert all(set(row) == {"bid", "at"} for row in rows)
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    return {"count": len(rows), "total": sum(row["bid"] for row in rows)}
"""


def clicks(count: int = 6) -> dict:
    return {
        "id": [f"i{n}" for n in range(count)],
        "at": pa.array([at(n) for n in range(count)], type=pa.timestamp("us", tz="UTC")),
        "card": ["a" if n % 2 else "b" for n in range(count)],
        "bid": [float(n) for n in range(count)],
        "clicked": pa.array([None if n == 2 else n % 3 == 0 for n in range(count)]),
        "country": ["NO"] * count,
    }


def row_feature(**more) -> FeatureFacts:
    facts = {
        "id": "impression",
        "reads": (Reads(data="clicks", columns=("bid", "at")),),
        "transform": "feats:bid",
        "outputs": columns(bid_log="float", hour="int"),
    }
    return FeatureFacts(**{**facts, **more})


def past_feature(**more) -> FeatureFacts:
    facts = {
        "id": "activity",
        "reads": (Reads(data="clicks", columns=("bid", "at")),),
        "transform": "feats:past",
        "key": ("card",),
        "time": "at",
        "outputs": columns(count="int", total="float"),
    }
    return FeatureFacts(**{**facts, **more})


def model(*features: FeatureFacts, **more) -> ModelFacts:
    facts = {
        "id": "ctr",
        "task": "binary",
        "features": tuple(one.id for one in features),
        "input": tuple(output for one in features for output in one.outputs),
        "label_data": "clicks",
        "label": "clicked",
        "label_type": "bool",
    }
    return ModelFacts(**{**facts, **more})


@pytest.fixture
def project(tmp_path):
    (tmp_path / "feats.py").write_text(FEATURES, encoding="utf-8")
    return tmp_path


def build(project, *features, data=None, facts=None, date="2026-06-01T00:00:00Z"):
    found = data or {"clicks": data_of(CLICKS, clicks())}
    return build_rows(
        facts or model(*features), features, found, project=project, run_date=moment(date)
    )[0]


def test_rows__of_a_function_of_one_row(project):
    rows = build(project, row_feature())
    assert rows.table.column_names == ["_key", "_time", "bid_log", "hour", "_label"]
    assert rows.keys == ["i0", "i1", "i3", "i4", "i5"]
    assert rows.table["bid_log"].to_pylist() == [math.log1p(n) for n in (0, 1, 3, 4, 5)]
    assert rows.table["hour"].to_pylist() == [0, 1, 3, 4, 5]
    assert rows.labels.tolist() == [True, False, True, False, False]
    assert rows.dropped == {"without label": 1}
    assert rows.snapshots == {"clicks": "sha256:1"}


def test_rows__keyed_features_see_earlier_rows_of_the_key_only(project):
    rows = build(project, row_feature(), past_feature())
    assert rows.columns == ("bid_log", "hour", "count", "total")
    assert rows.table["count"].to_pylist() == [0, 0, 1, 2, 2]
    assert rows.table["total"].to_pylist() == [
        0.0,
        0.0,
        1.0,
        2.0,
        4.0,
    ]  # i2 has no label, but it happened
    assert rows.table["_cluster"].to_pylist() == [0, 1, 1, 0, 1]


def test_rows__without_a_function_are_the_columns(project):
    plain = row_feature(
        transform=None,
        reads=(Reads(data="clicks", columns=("bid",)),),
        outputs=columns(bid="float"),
    )
    assert build(project, plain).table["bid"].to_pylist() == [0, 1, 3, 4, 5]


def test_rows__keyed_without_a_function_are_the_newest_earlier_row(project):
    last = past_feature(
        transform=None, outputs=(ColumnFacts(name="bid", type="float", nullable=True),)
    )
    assert build(project, last).table["bid"].to_pylist() == [None, None, 1, 2, 3]


def test_rows__input_order_is_the_models(project):
    one = row_feature()
    facts = model(one, input=one.outputs[::-1])
    assert build(project, one, facts=facts).columns == ("hour", "bid_log")


def test_rows__slices_are_beside_and_not_among_the_features(project):
    one = row_feature()
    rows = build(project, one, facts=model(one, slices=("country", "hour")))
    assert rows.table["_slice.country"].to_pylist() == ["NO"] * 5
    assert rows.table["_slice.hour"].to_pylist() == [0, 1, 3, 4, 5]
    assert rows.features.column_names == ["bid_log", "hour"]


def test_rows__young_ones_are_dropped_and_counted(project):
    one = row_feature()
    facts = model(one, split=SplitFacts(by="time", delay=3600.0))
    rows = build(project, one, facts=facts, date="2026-01-01T05:00:00Z")
    assert rows.keys == ["i0", "i1", "i3", "i4"]
    assert rows.dropped == {"younger than the delay of the label": 1, "without label": 1}


LABELS = DataFacts(
    id="chargebacks",
    key=("id",),
    time="reported",
    delay=7200.0,
    columns=columns(id="string", reported="timestamp", fraud="bool"),
)


def label_table(ids, fraud):
    times = pa.array([at(1000)] * len(ids), type=pa.timestamp("us", tz="UTC"))
    return {"id": ids, "reported": times, "fraud": fraud}


def labelled(project, table):
    one = row_feature()
    facts = model(one, label_data="chargebacks", label="fraud")
    data = {"clicks": data_of(CLICKS, clicks()), "chargebacks": data_of(LABELS, table, "v2")}
    return build(project, one, facts=facts, data=data, date="2026-01-01T06:00:00Z")


def test_rows__label_of_another_data_noun(project):
    rows = labelled(project, label_table(["i3", "i0", "i5", "x"], [True, False, True, True]))
    assert rows.keys == ["i0", "i3"]
    assert rows.labels.tolist() == [False, True]
    assert rows.dropped == {"younger than the delay of the label": 1, "without label": 3}
    assert rows.snapshots == {"chargebacks": "v2", "clicks": "sha256:1"}


def test_rows__a_label_that_stands_twice_is_refused(project):
    with pytest.raises(StepError, match="'i3' stands in 2 rows of data `chargebacks`"):
        labelled(project, label_table(["i3", "i3"], [True, False]))


def test_rows__a_delay_without_time_is_refused(project):
    plain = DataFacts(id="clicks", key=("id",), delay=60.0, columns=CLICKS.columns)
    with pytest.raises(StepError, match="how old a row is cannot be told"):
        build(project, row_feature(), data={"clicks": data_of(plain, clicks())})


CUSTOMERS = DataFacts(
    id="cards",
    key=("card",),
    time="since",
    columns=columns(card="string", since="timestamp", level="int"),
)


def test_rows__a_second_data_noun_gives_what_was_known_before_the_event(project):
    (project / "feats.py").write_text("def f(row):\n    return {'level': row['level']}\n")
    one = FeatureFacts(
        id="f",
        reads=(Reads(data="clicks", columns=("bid",)), Reads(data="cards", columns=("level",))),
        transform="feats:f",
        outputs=(ColumnFacts(name="level", type="int", nullable=True),),
    )
    since = pa.array([at(1), at(3), at(4)], type=pa.timestamp("us", tz="UTC"))
    cards = data_of(CUSTOMERS, {"card": ["a", "a", "b"], "since": since, "level": [1, 2, 3]})
    rows = build(project, one, data={"clicks": data_of(CLICKS, clicks()), "cards": cards})
    assert rows.keys == ["i0", "i1", "i3", "i4", "i5"]
    # i1 happens when its card's first row is written, i3 when the second is: neither counts yet.
    assert rows.table["level"].to_pylist() == [None, None, 1, None, 2]


def test_rows__columns_that_are_known_later_are_none_until_then(project):
    (project / "feats.py").write_text(
        "def f(rows, at):\n    return {'known': [r['clicked'] for r in rows if r['clicked'] is not None].__len__(),"
        " 'seen': len(rows)}\n"
    )
    late = tuple(
        ColumnFacts(name="clicked", type="bool", available_after=2 * 3600.0)
        if one.name == "clicked"
        else one
        for one in CLICKS.columns
    )
    facts = DataFacts(id="clicks", key=("id",), time="at", columns=late)
    table = {**clicks(), "card": ["a"] * 6, "clicked": [True] * 6}
    one = past_feature(
        transform="feats:f",
        reads=(Reads(data="clicks", columns=("clicked",)),),
        outputs=columns(known="int", seen="int"),
    )
    rows = build(project, one, data={"clicks": data_of(facts, table)})
    assert rows.table["seen"].to_pylist() == [0, 1, 2, 3, 4, 5]
    # At hour n, rows of hours < n - 2 are known: exactly two hours ago is not strictly before.
    assert rows.table["known"].to_pylist() == [0, 0, 0, 1, 2, 3]


EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8)), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, late=st.sampled_from([None, 1.0, 3.0]))
def test_leakage__nothing_newer_than_or_equal_to_an_event_is_ever_used(
    tmp_path_factory, events, late
):
    folder = tmp_path_factory.getbasetemp() / "leakage"
    folder.mkdir(exist_ok=True)
    (folder / "leak.py").write_text(
        "def f(rows, at):\n"
        "    return {'used': [r['n'] for r in rows], 'late': [r['late'] for r in rows if r['late'] is not None]}\n"
    )
    hours = [hour for _, hour in events]
    table = {
        "id": [f"i{n}" for n in range(len(events))],
        "at": pa.array([at(hour) for hour in hours], type=pa.timestamp("us", tz="UTC")),
        "card": [card for card, _ in events],
        "n": list(range(len(events))),
        "late": list(range(len(events))),
        "y": [True] * len(events),
    }
    facts = DataFacts(
        id="clicks",
        key=("id",),
        time="at",
        columns=(
            *columns(id="string", at="timestamp", card="string", n="int", y="bool"),
            ColumnFacts(
                name="late", type="int", available_after=None if late is None else late * 3600
            ),
        ),
    )
    feature = past_feature(
        transform="leak:f",
        reads=(Reads(data="clicks", columns=("n", "late")),),
        outputs=columns(used="list[int]", late="list[int]"),
    )
    rows = build_rows(
        model(feature, label="y"),
        (feature,),
        {"clicks": data_of(facts, table)},
        project=folder,
        run_date=at(24 * 150),
    )[0]
    for n, (card, hour) in enumerate(events):
        before = [m for m, (c, h) in enumerate(events) if c == card and h < hour]
        oldest_first = sorted(before, key=lambda m: (events[m][1], m))
        assert rows.table["used"][n].as_py() == oldest_first
        known = [m for m in oldest_first if events[m][1] + (late or 0) < hour]
        assert rows.table["late"][n].as_py() == known


def test_serving__gives_what_training_saw(project):
    """The server's half of each feature gives the very values of the training rows."""
    row, past = row_feature(), past_feature()
    rows = build(project, row, past)
    table = clicks()
    stored = [
        {"id": table["id"][n], "at": at(n), "bid": table["bid"][n], "card": table["card"][n]}
        for n in range(6)
    ]
    functions = {one.id: load_function(one.transform, project) for one in (row, past)}
    for place, key in enumerate(rows.keys):
        event = next(one for one in stored if one["id"] == key)
        earlier = [
            {"bid": one["bid"], "at": one["at"]}
            for one in stored
            if one["card"] == event["card"] and one["at"] < event["at"]
        ]
        served = one_row(row, functions["impression"], event, project)
        served |= one_history(past, functions["activity"], earlier, event["at"], project)
        assert served == {name: rows.table[name][place].as_py() for name in rows.columns}


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("{'bid_log': 1.0, 'hour': 1.5}", "output `hour`, row 0 (key 'i0'): is float 1.5, not int"),
        (
            "{'bid_log': 1.0, 'hour': True}",
            "output `hour`, row 0 (key 'i0'): is bool True, not int",
        ),
        (
            "{'bid_log': '1', 'hour': 1}",
            "output `bid_log`, row 0 (key 'i0'): is str '1', not float",
        ),
        (
            "{'bid_log': True, 'hour': 1}",
            "output `bid_log`, row 0 (key 'i0'): is bool True, not float",
        ),
        ("{'bid_log': 1, 'hour': None}", "output `hour`, row 0 (key 'i0'): is None"),
        ("{'bid_log': float('nan'), 'hour': 1}", "output `bid_log`, row 0 (key 'i0'): is NaN"),
        ("{'bid_log': 1, 'hour': 2**70}", "output `hour`, row 0 (key 'i0'): is int 1180"),
        ("{'bid_log': 1.0}", "row 0 (key 'i0'): it did not return `hour`"),
        (
            "{'bid_log': 1.0, 'hour': 1, 'x': 2}",
            "row 0 (key 'i0'): it returned `x`, which is not declared",
        ),
        ("{'bid_log': 1.0, 'x': 2}", "row 0 (key 'i0'): it did not return `hour`"),
        ("[1.0, 2]", "row 0 (key 'i0'): it returned list [1.0, 2], not a dict"),
        ("None", "row 0 (key 'i0'): it returned None, not a dict"),
    ],
)
def test_output__that_is_not_declared_is_refused_with_its_place(project, returned, words):
    (project / "feats.py").write_text(f"def bid(row):\n    return {returned}\n", encoding="utf-8")
    with pytest.raises(StepError) as caught:
        build(project, row_feature())
    assert caught.value.message.startswith(f"feature `impression`, {words}")


def test_output__the_row_in_the_middle_is_named(project):
    (project / "feats.py").write_text(
        "def bid(row):\n    return {'bid_log': 1.0, 'hour': 'x' if row['bid'] == 4 else 1}\n"
    )
    with pytest.raises(StepError, match=r"row 3 \(key 'i4'\): is str 'x', not int"):
        build(project, row_feature())


def test_output__numbers_of_numpy_are_numbers(project):
    (project / "feats.py").write_text(
        "import numpy as np\ndef bid(row):\n    return {'bid_log': np.float32(1), 'hour': np.int8(2)}\n"
    )
    assert build(project, row_feature()).table["hour"].to_pylist() == [2] * 5


@pytest.mark.parametrize(
    ("facts", "values", "words"),
    [
        ({"type": "float", "min": 0.0}, "-0.5", "is below the declared minimum 0.0: -0.5"),
        ({"type": "int", "max": 3}, "4", "is above the declared maximum 3: 4"),
        ({"type": "string", "enum": ("a", "b")}, "'c'", "is 'c', not one of a, b"),
        (
            {"type": "string", "pattern": "^[0-9]+$"},
            "'1x'",
            "is '1x', which does not match `^[0-9]+$`",
        ),
        (
            {"type": "embedding[2]"},
            "[1.0, 2.0, 3.0]",
            "holds 3 numbers, not 2",
        ),
        ({"type": "embedding[2]"}, "[1.0, 'a']", "holds a value that is str 'a', not float"),
        ({"type": "embedding[2]"}, "[1.0, None]", "holds a value that holds None"),
        ({"type": "list[int]"}, "[1.5]", "holds a value that is float 1.5, not int"),
        ({"type": "list[int]"}, "3", "is int 3, not list[int]"),
        ({"type": "timestamp"}, "'2026-01-01'", "is str '2026-01-01', not timestamp"),
        ({"type": "json"}, "object", "cannot be written as JSON"),
    ],
)
def test_output__out_of_its_type_is_refused(project, facts, values, words):
    (project / "feats.py").write_text(f"def bid(row):\n    return {{'x': {values}}}\n")
    feature = row_feature(outputs=(ColumnFacts(name="x", **facts),))
    with pytest.raises(StepError) as caught:
        build(project, feature)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("embedding[2]", "(1, 2.5)", [1.0, 2.5]),
        ("embedding[2]", "__import__('numpy').array([1, 2.5])", [1.0, 2.5]),
        ("list[string]", "['a']", ["a"]),
        ("json", "{'b': 1, 'a': None}", '{"a": null, "b": 1}'),
        ("timestamp", "row['at']", START),
        ("bytes", "b'x'", b"x"),
        ("bool", "row['bid'] == 0", True),
    ],
)
def test_output__of_each_type_is_kept(project, kind, value, stored):
    (project / "feats.py").write_text(f"def bid(row):\n    return {{'x': {value}}}\n")
    rows = build(project, row_feature(outputs=columns(x=kind)))
    assert rows.table["x"][0].as_py() == stored


def test_function__that_raises_shows_its_line_and_the_row(project):
    (project / "feats.py").write_text("def bid(row):\n    return {'x': 1 / (row['bid'] - 3)}\n")
    with pytest.raises(StepError) as caught:
        build(project, row_feature(outputs=columns(x="float")))
    assert caught.value.message.splitlines() == [
        "`feats:bid` failed at row 2 (key 'i3'): ZeroDivisionError: float division by zero",
        "  feats.py:2 in bid: return {'x': 1 / (row['bid'] - 3)}",
    ]


def test_columns__that_are_not_there_are_named(project):
    feature = row_feature(reads=(Reads(data="clicks", columns=("nope",)),))
    with pytest.raises(StepError, match="data `clicks` has no column `nope`"):
        build(project, feature)


def test_outputs__of_one_name_in_two_features_are_refused(project):
    one, two = row_feature(), row_feature(id="other")
    with pytest.raises(StepError, match="features `impression` and `other` both give `bid_log`"):
        build(project, one, two, facts=model(one))


def step(project, features, *, table=None, **more):
    folder = write_data(project / "in", table or clicks())
    return call_of(
        Kind.FEATURES,
        project,
        model(*features, **more),
        {"clicks": folder},
        {"rows": project / "out" / "rows"},
        data=(CLICKS,),
        features=features,
    )


def test_step__writes_the_folder_and_the_same_bytes_again(project):
    call = step(project, (row_feature(), past_feature()))
    assert run(call) == 0
    first = (project / "out/rows/rows.parquet").read_bytes()
    facts = (project / "out/rows/rows.json").read_bytes()
    assert run(call) == 0
    assert (project / "out/rows/rows.parquet").read_bytes() == first
    assert (project / "out/rows/rows.json").read_bytes() == facts
    rows = read_rows(project / "out/rows")
    assert rows.columns == ("bid_log", "hour", "count", "total")
    assert rows.label == "clicked"


def test_step__times_without_zone_and_whole_bids_are_brought_to_their_type(project):
    table = clicks() | {
        "at": pa.array([START.replace(tzinfo=None) + timedelta(hours=n) for n in range(6)]),
        "bid": list(range(6)),
    }
    assert run(step(project, (row_feature(),), table=table)) == 0
    assert read_rows(project / "out/rows").table["hour"].to_pylist() == [0, 1, 3, 4, 5]


def test_step__no_row_left_says_why(project):
    table = clicks() | {"clicked": pa.array([None] * 6, type=pa.bool_())}
    with pytest.raises(StepError, match="has no row left: 6 without label"):
        run(step(project, (row_feature(),), table=table))


def nullable(*checks: CheckFacts) -> FeatureFacts:
    return row_feature(checks=checks)


def test_check__null_rate_lets_values_miss_and_stops_when_too_many_do(project):
    (project / "feats.py").write_text(
        "def bid(row):\n    return {'bid_log': None if row['bid'] == 4 else 1.0, 'hour': 1}\n"
    )
    assert run(step(project, (nullable(CheckFacts(text="null_rate(bid_log) <= 25%")),))) == 0
    strict = nullable(CheckFacts(text="null_rate(bid_log) <= 10%"))
    with pytest.raises(
        StepError,
        match=r"feature `impression`: `null_rate\(bid_log\) <= 10%`: fail: null_rate.* is 20 %",
    ):
        run(call_of_again(project, strict))


def call_of_again(project, feature):
    return call_of(
        Kind.FEATURES,
        project,
        model(feature),
        {"clicks": project / "in"},
        {"rows": project / "out" / "rows"},
        data=(CLICKS,),
        features=(feature,),
    )


def test_check__a_warning_and_one_for_the_server_are_notes(project):
    feature = nullable(
        CheckFacts(text="rows >= 100", severity="warn"),
        CheckFacts(text="staleness <= 5m"),
        CheckFacts(text="psi(hour) <= 0.2"),
    )
    assert run(step(project, (feature,))) == 0
    notes = read_rows(project / "out/rows").notes
    assert notes[0].startswith("feature `impression`: `rows >= 100`: fail: ")
    assert notes[1].startswith("feature `impression`: `staleness <= 5m` is about served values")
    assert notes[2].startswith("feature `impression`: `psi(hour) <= 0.2`: inconclusive: ")


def test_speed__a_hundred_thousand_rows(project):
    import time

    table = clicks(100_000) | {"clicked": [True] * 100_000}
    start = time.perf_counter()
    rows = build(project, row_feature(), data={"clicks": data_of(CLICKS, table)})
    assert len(rows) == 100_000
    assert time.perf_counter() - start < 20  # about 1 s on one core; never minutes


def test_step__features_read_the_test_rows_that_are_named(project):
    """With `evaluate.data` the step gets those rows only, as the data of the label."""
    exam = replace(CLICKS, id="exam")
    facts = model(row_feature(), past_feature(), label_data="exam")
    call = call_of(
        Kind.FEATURES,
        project,
        facts,
        {"exam": write_data(project / "exam", clicks())},
        {"rows": project / "out" / "rows"},
        data=(exam,),
        features=(row_feature(), past_feature()),
    )
    assert run(call) == 0
    assert read_rows(project / "out/rows").table["count"].to_pylist() == [0, 0, 1, 2, 2]


def test_step__data_that_is_not_given_is_named(project):
    call = step(project, (row_feature(reads=(Reads(data="views", columns=("bid",)),)),))
    with pytest.raises(StepError, match=r"no column `views`|`views` is needed"):
        run(replace(call, node=replace(call.node, model=replace(call.node.model, label_data=None))))


@pytest.mark.parametrize(
    "change", ["rows.pop()", "rows.append({})", "rows.reverse()", "rows.clear()"]
)
def test_function__that_changes_the_rows_it_is_given_is_refused(project, change):
    (project / "feats.py").write_text(
        f"def past(rows, at):\n    if len(rows) > 1:\n        {change}\n    return {{'count': 1, 'total': 1.0}}\n"
    )
    with pytest.raises(StepError, match="`feats:past` changes the rows that it is given"):
        build(project, past_feature())


def test_function__of_a_key_that_raises_names_the_row(project):
    (project / "feats.py").write_text(
        "def past(rows, at):\n    return {'count': 1, 'total': 1 / (2 - len(rows))}\n"
    )
    with pytest.raises(StepError, match=r"failed at row \d \(key 'i[45]'\): ZeroDivisionError"):
        build(project, past_feature())


def test_rows__of_a_ranking_know_their_query(project):
    one = row_feature()
    split = SplitFacts(by="group", group="card")
    rows = build(project, one, facts=model(one, task="ranking", split=split))
    assert rows.table["_query"].to_pylist() == [0, 1, 1, 0, 1]
    assert rows.table["_split.card"].to_pylist() == ["b", "a", "a", "b", "a"]


def test_step__without_a_date_is_told(project):
    call = step(project, (row_feature(),))
    with pytest.raises(StepError, match="the date of the run is not RFC 3339"):
        run(replace(call, run_date=""))
