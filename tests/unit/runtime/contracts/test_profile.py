"""Profiles: the same bins as the metrics make, and JSON that reads back."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from mlspec.ir.facts import ColumnFacts
from mlspec.runtime.contracts.profile import (
    Profile,
    count_levels,
    from_json,
    profile_of,
    to_json,
)
from mlspec.runtime.metrics.shift import LevelBins, NumberBins, binned, level_bins, number_bins
from mlspec.runtime.steps.contract import StepError

RANDOM = np.random.default_rng(1)


def words(rows: int = 3000) -> pa.ChunkedArray:
    weight = 1.0 / np.arange(1, 301)
    drawn = RANDOM.choice(300, rows, p=weight / weight.sum()).tolist()
    return pa.chunked_array([[None if one == 7 else f"w{one}" for one in drawn]])


def test_levels__are_those_of_the_metrics():
    values = words()
    objects = np.array(values.to_pylist(), dtype=object)
    found = profile_of(values, ColumnFacts(name="w", type="string"))
    bins = level_bins(objects)
    assert found.bins == bins
    assert found.counts == tuple(binned(objects, bins).astype(int).tolist())
    other = words(500)
    assert (
        count_levels(other, bins) == binned(np.array(other.to_pylist(), dtype=object), bins)
    ).all()


def test_numbers__bins_are_those_of_the_metrics_and_shapes_add_up():
    array = np.round(RANDOM.exponential(5, 4000), 1)
    array[::50] = np.nan
    values = pa.chunked_array([pa.array(array, from_pandas=True)])
    found = profile_of(values, ColumnFacts(name="x", type="float"))
    bins = found.bins
    assert isinstance(bins, NumberBins)
    assert (bins.edges == number_bins(array).edges).all()
    assert found.counts == tuple(binned(array, bins).astype(int).tolist())
    assert (sum(found.shape_counts), found.nulls) == (3920, 80)
    means, counts = np.array(found.shape_means), np.array(found.shape_counts)
    assert (means * counts).sum() / 3920 == pytest.approx(np.nanmean(array))
    assert found.deviation == pytest.approx(np.nanstd(array, ddof=1))


def test_truth_values__and_constants_and_nothing():
    flags = profile_of(
        pa.chunked_array([[True, False, None, True]]), ColumnFacts(name="b", type="bool")
    )
    assert (flags.bins, flags.counts) == (LevelBins(("false", "true")), (1, 2, 0, 1))
    constant = profile_of(pa.chunked_array([[5, 5, 5]]), ColumnFacts(name="n", type="int"))
    assert (constant.edges, constant.counts, constant.values) == ((), (3, 0), ("5",))
    gone = pa.chunked_array([pa.array([None, None], pa.float64())])
    assert profile_of(gone, ColumnFacts(name="n", type="float")).bins is None


def test_json__reads_back():
    columns = {
        "w": profile_of(words(), ColumnFacts(name="w", type="string")),
        "n": profile_of(pa.chunked_array([[1, 2, None]]), ColumnFacts(name="n", type="int")),
        "t": profile_of(pa.chunked_array([["x"]]), ColumnFacts(name="t", type="text")),
    }
    made = Profile(
        data="d",
        version="delta:3",
        rows=3,
        run="r",
        columns=columns,
        duplicates={"w": 4},
        null_rates={"w": 0.25},
        freshness=3.5,
        before="q.json",
    )
    assert from_json(json.loads(json.dumps(to_json(made)))) == made


@pytest.mark.parametrize(
    "change", [{"format": "mlspec-profile/9"}, {"columns": {"a": {"odd": 1}}}, {"rows": None}]
)
def test_json__of_others_is_refused(change):
    made = Profile(data="d", version="v", rows=1, run="r", columns={}, duplicates={}, null_rates={})
    with pytest.raises(StepError, match="profile"):
        from_json(to_json(made) | change)
