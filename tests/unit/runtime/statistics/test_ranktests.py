"""Rank tests and corrected t tests: published examples, scipy as oracle, and coverage."""

import numpy as np
import pytest
from scipy import stats

from mlspec.runtime.metrics.arrays import MetricError
from mlspec.runtime.statistics.interval import StatisticsError
from mlspec.runtime.statistics.means import corrected_t, diebold_mariano, paired_t
from mlspec.runtime.statistics.quantiles import quantile_difference
from mlspec.runtime.statistics.ranktests import mann_whitney, wilcoxon

# Hollander, Wolfe and Chicken, table 3.1: Hamilton depression scores of nine patients.
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
# The same book, example 4.1: permeability of the human chorioamnion, at term and earlier.
TERM = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
EARLY = np.array([1.15, 0.88, 0.90, 0.74, 1.21])


def walsh(apart):
    first, second = np.triu_indices(apart.size)
    return np.sort((apart[first] + apart[second]) / 2)


def test_wilcoxon__example_of_the_book():
    found = wilcoxon(AFTER, BEFORE, confidence=0.98)
    assert found.estimate == pytest.approx(-0.46)  # example 3.3
    # The book's two-sided 96 % interval (-0.786, -0.010) has 0.9805 on each side.
    assert (found.low, found.high) == pytest.approx((-0.786, -0.010))
    assert found.p_value == pytest.approx(2 * 0.0195, abs=1e-4)


def test_mann_whitney__example_of_the_book():
    found = mann_whitney(EARLY, TERM)
    assert found.estimate == pytest.approx(-0.305)  # example 4.3
    assert found.p_value == pytest.approx(2 * 0.1272, abs=1e-4)


@pytest.mark.parametrize("n", [2, 5, 20, 50, 51, 400])
def test_wilcoxon__bounds_are_walsh_averages_and_p_is_scipys(n):
    random = np.random.default_rng(n)
    one, other = random.normal(0.2, 1, n), random.normal(0, 1, n)
    found = wilcoxon(one, other)
    means = walsh(one - other)
    assert found.estimate == pytest.approx(np.median(means))
    assert found.p_value == pytest.approx(
        stats.wilcoxon(one, other, method="exact" if n <= 50 else "asymptotic").pvalue
    )
    if n >= 5:
        assert np.abs(means - found.low).min() == pytest.approx(0, abs=1e-12)
        # By symmetry as many means lie at or below the low bound as at or above the high one.
        assert (means <= found.low + 1e-12).sum() == (means >= found.high - 1e-12).sum()
    else:
        assert (found.low, found.high) == (-np.inf, np.inf)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (6, 9), (50, 30), (60, 51), (300, 200)])
def test_mann_whitney__bounds_are_differences_and_p_is_scipys(n, m):
    random = np.random.default_rng(n)
    one, other = random.normal(0.2, 1, n), random.normal(0, 1, m)
    found = mann_whitney(one, other)
    apart = np.sort((one[:, None] - other).ravel())
    assert found.estimate == pytest.approx(np.median(apart))
    method = "exact" if max(n, m) <= 50 else "asymptotic"
    assert found.p_value == pytest.approx(stats.mannwhitneyu(one, other, method=method).pvalue)
    if n > 2:
        assert np.abs(apart - found.low).min() == pytest.approx(0, abs=1e-12)
        assert (apart <= found.low + 1e-12).sum() == (apart >= found.high - 1e-12).sum()


def test_rank_tests__ties_like_scipy():
    random = np.random.default_rng(0)
    one, other = random.integers(0, 5, 80).astype(float), random.integers(0, 4, 80).astype(float)
    assert mann_whitney(one, other).p_value == pytest.approx(
        stats.mannwhitneyu(one, other, method="asymptotic").pvalue
    )
    assert wilcoxon(one, other).p_value == pytest.approx(
        stats.wilcoxon(one, other, method="asymptotic").pvalue
    )
    assert wilcoxon(one, one).p_value == 1
    assert mann_whitney([1, 1], [1, 1]).p_value == 1


@pytest.mark.parametrize(("n", "repetitions"), [(12, 500), (80, 250)])
def test_rank_tests__cover(n, repetitions):
    random = np.random.default_rng(n)
    misses = np.zeros(4)
    for _ in range(repetitions):
        noise = random.laplace(0, 1, (2, n))
        signed, two = wilcoxon(noise[0] + 0.5, np.zeros(n)), mann_whitney(noise[0] + 0.5, noise[1])
        misses += [signed.low > 0.5, signed.high < 0.5, two.low > 0.5, two.high < 0.5]
    assert (misses / repetitions).max() <= 0.05 + 3 * (0.05 * 0.95 / repetitions) ** 0.5


def test_rank_tests__many_rows_without_storing_pairs():
    random = np.random.default_rng(3)
    found = wilcoxon(random.normal(0.01, 1, 20_000), np.zeros(20_000))
    assert found.low < 0.01 < found.high
    assert found.high - found.low == pytest.approx(2 * 1.645 * 1.023 / 20_000**0.5, rel=0.02)


def test_corrected_t__is_the_formula_and_wider_than_plain():
    apart = np.array([0.01, 0.03, -0.01, 0.02, 0.02, 0.00, 0.01, 0.04, 0.01, 0.02])
    found = corrected_t(apart, 0.1)
    error = apart.std(ddof=1) * np.sqrt(1 / 10 + 1 / 9)
    assert found.low == pytest.approx(apart.mean() - stats.t.ppf(0.95, 9) * error)
    assert found.p_value == pytest.approx(2 * stats.t.sf(apart.mean() / error, 9))
    assert found.low < paired_t(apart, np.zeros(10)).low


def test_corrected_t__covers_where_the_plain_t_does_not():
    """Repeated random splits of the same rows: the mean of the rows is what is estimated."""
    random = np.random.default_rng(5)
    misses = {"corrected": 0, "plain": 0}
    for _ in range(400):
        rows = random.normal(0, 1, 100)
        # The error of a fold: that of its training rows and of its test rows.
        folds = []
        for _ in range(15):
            order = random.permutation(100)
            folds.append(rows[order[:20]].mean())
        misses["corrected"] += corrected_t(folds, 0.2).low > 0
        misses["plain"] += paired_t(folds, np.zeros(15)).low > 0
    assert misses["corrected"] / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert misses["plain"] / 400 > 0.12


def test_diebold_mariano__one_step_is_nearly_the_paired_t():
    random = np.random.default_rng(1)
    one, other = random.gamma(2, 1, (2, 200))
    found, plain = diebold_mariano(one, other), paired_t(one, other)
    assert found.estimate == plain.estimate
    assert found.low == pytest.approx(plain.low, rel=1e-9)
    assert found.p_value == pytest.approx(plain.p_value)


def test_diebold_mariano__covers_correlated_errors():
    random = np.random.default_rng(2)
    misses = {"dm": 0, "t": 0}
    for _ in range(500):
        noise = random.normal(0, 1, 203)
        apart = np.convolve(noise, np.ones(4) / 2, mode="valid")  # four steps: lags 1 to 3
        zeros = np.zeros(200)
        misses["dm"] += diebold_mariano(apart, zeros, horizon=4).low > 0
        misses["t"] += paired_t(apart, zeros).low > 0
    assert misses["dm"] / 500 <= 0.05 + 3 * (0.05 * 0.95 / 500) ** 0.5 + 0.02  # few rows, 3 lags
    assert misses["t"] / 500 > 0.15


def test_quantile_difference__covers_and_agrees_with_scipy():
    random = np.random.default_rng(4)
    truth = np.exp(0.3 * stats.norm.ppf(0.95)) * (1.2 - 1.0)
    misses = np.zeros(2)
    for _ in range(300):
        one, other = 1.2 * random.lognormal(0, 0.3, 800), random.lognormal(0, 0.3, 800)
        found = quantile_difference(one, other, 0.95, seed=1, resamples=400)
        misses += [found.low > truth, found.high < truth]
    assert (misses / 300).max() <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5 + 0.01
    oracle = stats.bootstrap(
        (one, other),
        lambda a, b, axis: (
            np.quantile(a, 0.95, axis=axis, method="inverted_cdf")
            - np.quantile(b, 0.95, axis=axis, method="inverted_cdf")
        ),
        confidence_level=0.9,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = quantile_difference(one, other, 0.95, seed=1, resamples=2000)
    width = oracle.high - oracle.low
    assert found.low == pytest.approx(oracle.low, abs=0.1 * width)
    assert found.high == pytest.approx(oracle.high, abs=0.1 * width)


@pytest.mark.parametrize(("n", "level"), [(300, 0.99), (400, 0.99), (60, 0.95)])
def test_quantile_difference__covers_with_few_values_beyond(n, level):
    random = np.random.default_rng(n)
    truth = np.exp(0.5 * stats.norm.ppf(level)) * 0.2
    misses = np.zeros(2)
    for _ in range(300):
        one, other = 1.2 * random.lognormal(0, 0.5, n), random.lognormal(0, 0.5, n)
        found = quantile_difference(one, other, level, seed=1, resamples=300)
        misses += [found.low > truth, found.high < truth]
    assert (misses / 300).max() <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5


def test_small_samples__are_refused_in_words():
    for call in (
        lambda: wilcoxon([1.0], [0.0]),
        lambda: mann_whitney([1.0], [0.0, 1.0]),
        lambda: corrected_t([0.1], 0.1),
        lambda: corrected_t([0.1, 0.2], 1.0),
        lambda: diebold_mariano([1.0, 2.0], [0.0, 0.0], horizon=3),
        lambda: quantile_difference(np.ones(299), np.ones(1100), 0.99, seed=0),
    ):
        with pytest.raises(StatisticsError):
            call()
    with pytest.raises(MetricError):
        wilcoxon([1.0, np.nan], [0.0, 0.0])
