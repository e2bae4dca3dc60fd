"""The reference profile: what a monitor compares with, without a training row in it."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest

from mlspec.runtime.documents.profile import MOST_LEVELS, bins_of, reference_profile
from mlspec.runtime.metrics.shift import binned, psi


def test_profile__gives_the_distance_that_the_rows_would_give():
    random = np.random.default_rng(0)
    before, after = random.normal(0, 1, 5000), random.normal(0.5, 1, 5000)
    profile = reference_profile(pa.table({"x": before}), before)
    read = json.loads(json.dumps(profile))
    bins, counts = bins_of(read["columns"]["x"])
    assert counts.sum() == 5000
    assert psi(counts, binned(before, bins)) == 0
    assert psi(counts, binned(after, bins)) == pytest.approx(0.238, abs=0.03)  # 0.5 sigma


def test_profile__kinds_of_columns():
    table = pa.table(
        {
            "number": pa.array([1, 2, None, 4], pa.int64()),
            "level": pa.array(["a", "b", "a", None]),
            "flag": pa.array([True, False, None, True]),
            "when": pa.array([dt.datetime(2026, 1, day + 1, tzinfo=dt.UTC) for day in range(4)]),
            "dictionary": pa.array(["u", "v", "u", "u"]).dictionary_encode(),
            "list": pa.array([[1], [2], [3], None]),
            "empty": pa.array([None] * 4, pa.float64()),
            "infinite": pa.array([float("inf"), 1.0, 2.0, 3.0]),
        }
    )
    columns = reference_profile(table, np.arange(4.0))["columns"]
    assert set(columns) == {"number", "level", "flag", "when", "dictionary", "infinite"}
    assert columns["number"]["counts"][-1] == 1
    assert columns["level"]["levels"] == ["a", "b"]
    assert columns["level"]["counts"] == [2, 1, 0, 1]
    assert columns["flag"]["levels"] == ["False", "True"]
    assert columns["infinite"]["counts"][-1] == 1
    assert all(sum(one["counts"]) == 4 for one in columns.values())


def test_profile__keeps_no_value_of_a_person():
    names = [f"user {i}" for i in range(10_000)]
    profile = reference_profile(pa.table({"name": names}), np.zeros(10_000))
    assert "user" not in json.dumps(profile)
    few = pa.table({"n": [f"user {i}" for i in range(MOST_LEVELS + 1)]})
    assert "user" not in json.dumps(reference_profile(few, np.zeros(1)))
    one = pa.table({"n": ["user 1", "user 2", "user 1"]})
    profile = reference_profile(one, np.zeros(1), personal={"n"})
    assert profile["columns"]["n"] == {"kind": "level", "levels": [], "counts": [3, 0]}


def test_profile__predictions_of_classes():
    wide = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    table = pa.table({"x": [1.0, 2.0, 3.0]})
    found = reference_profile(table, wide, classes=("no", "yes"))["predictions"]
    assert set(found) == {"no", "yes"}
    said = reference_profile(table, np.array(["no", "yes", "no"]))["predictions"]
    assert said["prediction"]["levels"] == ["no", "yes"]
