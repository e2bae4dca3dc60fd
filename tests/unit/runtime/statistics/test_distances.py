"""Distances with sampling error: coverage by simulation, and the same numbers every time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from mlspec.runtime.metrics.shift import binned, ks, number_bins, psi, wasserstein
from mlspec.runtime.statistics import distances
from mlspec.runtime.statistics.drift import psi_interval
from mlspec.runtime.statistics.interval import StatisticsError


def means(values, bins):
    place = np.searchsorted(bins.edges, values, side="left")
    count = np.bincount(place, minlength=bins.edges.size + 1)
    total = np.bincount(place, values, minlength=bins.edges.size + 1)
    return np.where(count > 0, total / np.maximum(count, 1), 0.0)


def pair(seed, shift, n=800, m=400):
    random = np.random.default_rng(seed)
    return random.standard_normal(n), random.standard_normal(m) + shift


def measured(name, one, other, confidence=0.95):
    if name in {"psi", "js"}:
        bins = number_bins(one)
        counts = binned(one, bins), binned(other, bins)
        return getattr(distances, f"{name}_distance")(*counts, confidence)
    bins = number_bins(one, 64)
    p, q = binned(one, bins)[:-1], binned(other, bins)[:-1]
    if name == "ks":
        return distances.ks_distance(p, q, confidence, 200)
    return distances.wasserstein_distance(
        p, means(one, bins), q, means(other, bins), confidence, 200
    )


def truth(name, shift):
    if name == "ks":
        return 2 * norm.cdf(shift / 2) - 1
    if name == "wasserstein":
        return shift
    edges = norm.ppf(np.arange(1, 10) / 10)
    p = np.full(10, 0.1)
    q = np.diff(np.concatenate(([0], norm.cdf(edges - shift), [1])))
    middle = (p + q) / 2
    return np.sqrt(((p * np.log2(p / middle)).sum() + (q * np.log2(q / middle)).sum()) / 2)


@pytest.mark.parametrize("name", ["js", "ks", "wasserstein"])
@pytest.mark.parametrize("shift", [0.3, 0.6])
def test_bounds__cover_the_truth(name, shift):
    held = np.zeros(2)
    for seed in range(100):
        found = measured(name, *pair(seed, shift)).interval
        held += [found.low <= truth(name, shift), found.high >= truth(name, shift)]
    assert (held >= 85).all(), held


@pytest.mark.parametrize("name", ["psi", "js", "ks", "wasserstein"])
def test_without_drift__an_everyday_limit_is_never_broken_but_with_drift_it_is(name):
    limit = {"psi": 0.2, "js": 0.15, "ks": 0.15, "wasserstein": 0.3}[name]
    lows = [measured(name, *pair(seed, 0.0)).interval.low for seed in range(60)]
    assert max(lows) < limit
    assert measured(name, *pair(1, 1.0)).interval.low > limit


@pytest.mark.parametrize("name", ["psi", "js", "ks", "wasserstein"])
def test_chance__falls_below_the_level_where_the_lower_bound_is(name):
    found = measured(name, *pair(3, 0.5))
    low = found.interval.low
    assert found.chance(low * 0.98) < 0.051
    assert found.chance(low * 1.05) > 0.049
    assert found.chance(found.interval.estimate * 2) > 0.9


def test_estimates__are_those_of_the_metrics():
    one, other = pair(5, 0.4)
    bins = number_bins(one)
    counts = binned(one, bins), binned(other, bins)
    assert distances.psi_distance(*counts).interval == psi_interval(*counts)
    assert distances.psi_distance(*counts).interval.estimate == psi(*counts)
    assert measured("ks", one, other).interval.estimate == pytest.approx(ks(one, other), abs=0.02)
    assert measured("wasserstein", one, other).interval.estimate == pytest.approx(
        wasserstein(one, other), rel=0.02
    )


def test_wasserstein__sees_values_far_outside_of_the_reference():
    one, _ = pair(5, 0.0)
    assert measured("wasserstein", one, one + 50).interval.estimate == pytest.approx(50, rel=1e-6)


def test_resampling__is_the_same_twice():
    one, other = pair(7, 0.2)
    assert measured("ks", one, other).interval == measured("ks", one, other).interval


def test_distances__need_rows_and_bins():
    with pytest.raises(StatisticsError, match="two rows"):
        distances.ks_distance([1, 0], [3, 4])
    with pytest.raises(StatisticsError, match="one bin"):
        distances.js_distance([5, 0], [9, 0])
