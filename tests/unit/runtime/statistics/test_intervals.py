"""Intervals against published examples and against scipy."""

import math

import numpy as np
import pytest
import scipy.stats

from mlspec.runtime.metrics import ranks
from mlspec.runtime.metrics.arrays import MetricError
from mlspec.runtime.statistics import auc, drift, means, proportions, quantiles
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, exact

TWO_SIDED_95 = 0.975


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson__newcombe_1998_table_1(hits, n, low, high):
    interval = proportions.wilson(hits, n, TWO_SIDED_95)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("hits", "n", "confidence"), [(0, 1, 0.95), (1, 1, 0.95), (3, 10, 0.9), (999, 1000, 0.99)]
)
def test_wilson__agrees_with_scipy(hits, n, confidence):
    interval = proportions.wilson(hits, n, confidence)
    theirs = scipy.stats.binomtest(hits, n).proportion_ci(2 * confidence - 1, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_newcombe_paired__newcombe_1998_method_10():
    interval = proportions.newcombe_paired(36, 12, 2, 0, TWO_SIDED_95)
    assert interval.estimate == pytest.approx(0.2)
    assert (interval.low, interval.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert interval.scale is Scale.DIFFERENCE


@pytest.mark.parametrize(
    "counts",
    [(50, 0, 0, 0), (0, 10, 0, 0), (0, 0, 7, 0), (0, 0, 0, 9), (5, 5, 5, 5), (90, 1, 2, 7)],
)
def test_newcombe_paired__stays_in_range_and_turns_with_the_sides(counts):
    one = proportions.newcombe_paired(*counts)
    both, first, second, neither = counts
    other = proportions.newcombe_paired(both, second, first, neither)
    assert -1 <= one.low <= one.estimate <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 0), (0, 12), (10, 3), (7, 7), (86, 150)])
def test_mcnemar__is_the_exact_binomial_test(first, second):
    expected = scipy.stats.binomtest(first, first + second).pvalue if first + second else 1
    assert proportions.mcnemar(first, second) == pytest.approx(expected)


def test_relative_risk__agrees_with_scipy_on_the_half_counts():
    ours = proportions.relative_risk(2700, 122000, 4400, 487000, TWO_SIDED_95)
    theirs = scipy.stats.contingency.relative_risk(2700, 122000, 4400, 487000)
    bounds = theirs.confidence_interval(0.95)
    assert ours.estimate == pytest.approx(theirs.relative_risk, rel=2e-4)
    assert (ours.low, ours.high) == pytest.approx((bounds.low, bounds.high), rel=5e-4)


def test_relative_risk__by_hand():
    ours = proportions.relative_risk(1, 10, 4, 20, 0.95)
    ratio = (1.5 / 10.5) / (4.5 / 20.5)
    error = math.sqrt(1 / 1.5 - 1 / 10.5 + 1 / 4.5 - 1 / 20.5)
    assert ours.low == pytest.approx(ratio * math.exp(-1.6448536 * error))
    assert ours.high == pytest.approx(ratio * math.exp(1.6448536 * error))
    assert proportions.relative_risk(0, 10, 0, 10).estimate == 1
    assert proportions.relative_risk(10, 10, 20, 20).estimate == 1


def test_paired_t__student_1908_sleep():
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    interval = means.paired_t(second, first, TWO_SIDED_95)
    assert interval.estimate == pytest.approx(1.58)
    assert (interval.low, interval.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)
    assert interval.p_value == pytest.approx(scipy.stats.ttest_rel(second, first).pvalue)


def test_paired_t__a_factor_moves_the_reference():
    assert means.paired_t([2.0, 4.0], [1.0, 2.0], factor=2.0).estimate == 0


def test_mean_interval__agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=40)
    theirs = scipy.stats.t.interval(0.9, 39, values.mean(), scipy.stats.sem(values))
    ours = means.mean_interval(values, 0.95)
    assert (ours.low, ours.high) == pytest.approx(theirs)


def test_mean_interval__constant_values_have_no_width():
    ours = means.mean_interval([2.0, 2.0, 2.0])
    assert (ours.low, ours.high, ours.p_value) == (2, 2, 0)


@pytest.mark.parametrize("n", [5, 59, 298, 299, 1000])
@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_quantile_interval__agrees_with_scipy(n, quantile, confidence):
    values = np.random.default_rng(n).exponential(size=n)
    ours = quantiles.quantile_interval(values, quantile, confidence)
    low = (
        scipy.stats.quantile_test(values, p=quantile, alternative="greater")
        .confidence_interval(confidence)
        .low
    )
    high = (
        scipy.stats.quantile_test(values, p=quantile, alternative="less")
        .confidence_interval(confidence)
        .high
    )
    assert ours.low == (-math.inf if math.isnan(low) else low)
    assert ours.high == (math.inf if math.isnan(high) else high)


def test_quantile_interval__the_99_percent_quantile_needs_299_values():
    assert math.isinf(quantiles.quantile_interval(np.arange(298), 0.99).high)
    assert quantiles.quantile_interval(np.arange(299), 0.99).high == 298


def _slow_delong(labels, *scores):
    """The definition of 1988, with a kernel for every pair of rows."""
    labels = np.asarray(labels, dtype=bool)
    tens, ones = [], []
    for score in scores:
        gap = score[labels][:, None] - score[~labels][None, :]
        kernel = (gap > 0) + 0.5 * (gap == 0)
        tens.append(kernel.mean(axis=1))
        ones.append(kernel.mean(axis=0))
    return np.cov(tens) / labels.sum() + np.cov(ones) / (~labels).sum()


@pytest.mark.parametrize("digits", [0, 8])
def test_delong__agrees_with_the_definition_with_and_without_ties(digits):
    rng = np.random.default_rng(7)
    labels = rng.random(120) < 0.3
    one = np.round(labels + rng.normal(size=120), digits)
    other = np.round(one + rng.normal(size=120), digits)
    result = auc.delong(labels, one, other)
    assert result.covariance == pytest.approx(_slow_delong(labels, one, other))
    assert result.areas == pytest.approx([ranks.roc_auc(labels, one), ranks.roc_auc(labels, other)])
    difference = auc.auc_difference(labels, one, other)
    assert difference.estimate == pytest.approx(result.areas[0] - result.areas[1])
    error = math.sqrt(np.array([1, -1]) @ result.covariance @ np.array([1, -1]))
    assert difference.low == pytest.approx(difference.estimate - 1.6448536 * error)


def test_delong__equal_scores_differ_by_exactly_nothing():
    labels, scores = [0, 1, 0, 1, 1], [0.1, 0.4, 0.5, 0.6, 0.9]
    difference = auc.auc_difference(labels, scores, scores)
    assert (difference.low, difference.high, difference.p_value) == (0, 0, 1)


def test_auc_interval__a_perfect_order_stays_in_range():
    interval = auc.auc_interval([0, 0, 1, 1], [1, 2, 3, 4])
    assert (interval.low, interval.estimate, interval.high) == (1, 1, 1)


@pytest.mark.parametrize(("m", "expected"), [(200, 0.1105), (1000, 0.0238)])
def test_psi_interval__the_null_quantile_of_the_design(m, expected):
    # PSI at the 99 % point of the central chi-square: the lower 99 % bound just leaves 0 there.
    scale = m * 10_000 / (m + 10_000)
    statistic = scipy.stats.chi2.ppf(0.99, 9)
    assert statistic / scale == pytest.approx(expected, abs=5e-5)
    assert drift.noncentrality(statistic * 0.999, 9, 0.99) == 0
    assert drift.noncentrality(statistic * 1.001, 9, 0.99) > 0


@pytest.mark.parametrize("statistic", [0.5, 9.0, 60.0, 900.0, 25_000.0, 400_000.0])
@pytest.mark.parametrize("level", [0.05, 0.95])
def test_psi_interval__turns_the_distribution_of_scipy_around(statistic, level):
    found = drift.noncentrality(statistic, 9, level)
    if found:
        assert scipy.stats.ncx2.cdf(statistic, 9, found) == pytest.approx(level, abs=2e-4)
    else:
        assert scipy.stats.chi2.cdf(statistic, 9) <= level


def test_psi_interval__equal_counts_have_no_index():
    interval = drift.psi_interval([100, 100], [50, 50])
    assert (interval.low, interval.estimate) == (0, 0)
    assert interval.p_value == 1
    assert interval.n == 100


def test_benjamini_hochberg__their_example_rejects_four():
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    shuffled = np.random.default_rng(0).permutation(published)
    adjusted = drift.benjamini_hochberg(shuffled)
    assert sorted(shuffled[adjusted <= 0.05]) == published[:4]
    assert adjusted == pytest.approx(scipy.stats.false_discovery_control(shuffled))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: proportions.wilson(3, 2), "3 of 2 rows is no share"),
        (lambda: proportions.wilson(0, 0), "0 of 0 rows is no share"),
        (lambda: proportions.wilson(1, 2, 95), "confidence lies between 0.5 and 1, not 95"),
        (
            lambda: proportions.newcombe_paired(0, 0, 0, 0),
            "paired counts are 0 or more, and not all 0",
        ),
        (lambda: proportions.mcnemar(-1, 0), "counts of a test are 0 or more"),
        (lambda: proportions.relative_risk(1, 0, 1, 2), "1 of 0 rows is no share"),
        (lambda: means.mean_interval([1.0]), "t interval needs at least two rows"),
        (
            lambda: auc.auc_interval([0, 0, 1], [1, 2, 3]),
            "DeLong needs at least two rows of each class",
        ),
        (
            lambda: drift.psi_interval([5, 0], [4, 0]),
            "all rows are in one bin: psi has no sampling error",
        ),
        (lambda: drift.benjamini_hochberg([2.0]), "p-values are from 0 to 1"),
    ],
)
def test_statistics__say_why_there_is_no_interval(call, words):
    with pytest.raises(StatisticsError) as caught:
        call()
    assert str(caught.value) == words


def test_statistics__missing_rows_are_an_error():
    with pytest.raises(MetricError, match="1 of 3 values are missing"):
        means.mean_interval([1.0, math.nan, 2.0])
    with pytest.raises(
        MetricError, match="values and those of the reference differ in length: 2, 3"
    ):
        means.paired_t([1, 2, 3], [1, 2])


def test_interval__is_never_upside_down():
    with pytest.raises(StatisticsError):
        Interval(estimate=1.0, low=2.0, high=1.0, n=1, confidence=0.95, test="x")
    assert exact(3, 10).low == exact(3, 10).high == 3
