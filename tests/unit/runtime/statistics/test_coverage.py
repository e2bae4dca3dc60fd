"""Do the bounds hold as often as they say? Seeded simulations, a few hundred repetitions each.

Each bound alone may miss the truth in 5 % of the repetitions. Allowed is that plus three standard
errors of the simulation, plus what the design itself measured for approximations (stated there).
"""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from mlspec.expr.check_parser import parse_check
from mlspec.expr.metrics import METRICS
from mlspec.runtime.metrics.shift import psi
from mlspec.runtime.statistics import auc, drift, means, proportions, quantiles, weighted
from mlspec.runtime.statistics.bootstrap import bootstrap
from mlspec.runtime.statistics.interval import Scale
from mlspec.runtime.statistics.verdict import Estimate, judge


def misses(intervals, truth):
    """Return how often the low and the high bound miss."""
    low = np.mean([interval.low > truth for interval in intervals])
    high = np.mean([interval.high < truth for interval in intervals])
    return low, high


def allowed(repetitions, extra=0.0):
    return 0.05 + extra + 3 * (0.05 * 0.95 / repetitions) ** 0.5


@pytest.mark.parametrize(("n", "share"), [(100, 0.1), (100, 0.5), (1000, 0.02)])
def test_wilson__covers(n, share):
    hits = np.random.default_rng(1).binomial(n, share, 1500)
    found = misses([proportions.wilson(int(k), n) for k in hits], share)
    assert max(found) <= allowed(1500, extra=0.015)  # the count is discrete


@pytest.mark.parametrize("shares", [(0.80, 0.06, 0.04, 0.10), (0.05, 0.10, 0.05, 0.80)])
def test_newcombe_paired__covers(shares):
    tables = np.random.default_rng(2).multinomial(200, shares, 1000)
    found = misses(
        [proportions.newcombe_paired(*map(int, row)) for row in tables], shares[1] - shares[2]
    )
    assert max(found) <= allowed(1000, extra=0.01)


@pytest.mark.parametrize(("base", "ratio"), [(0.01, 1.2), (0.05, 1.0), (0.2, 2.0)])
def test_relative_risk__covers(base, ratio):
    rng = np.random.default_rng(3)
    hits, reference = rng.binomial(2000, base * ratio, 1000), rng.binomial(2000, base, 1000)
    found = misses(
        [
            proportions.relative_risk(int(a), 2000, int(b), 2000)
            for a, b in zip(hits, reference, strict=True)
        ],
        ratio,
    )
    assert max(found) <= allowed(1000, extra=0.01)


def test_mcnemar__is_at_most_at_its_level():
    rng = np.random.default_rng(4)
    tables = rng.multinomial(200, (0.8, 0.06, 0.06, 0.08), 1000)
    assert np.mean(
        [proportions.mcnemar(int(b), int(c)) <= 0.05 for _, b, c, _ in tables]
    ) <= allowed(1000)


def test_paired_t__covers():
    rng = np.random.default_rng(5)
    one = rng.normal(0.3, 1, (800, 25))
    other = rng.normal(0.1, 2, (800, 25)) + one
    found = misses([means.paired_t(b, a) for a, b in zip(one, other, strict=True)], 0.1)
    assert max(found) <= allowed(800)
    assert min(found) >= 0.02


@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_quantile_interval__covers(quantile):
    rows = np.random.default_rng(6).exponential(size=(600, 300))
    found = misses(
        [quantiles.quantile_interval(row, quantile) for row in rows], -np.log(1 - quantile)
    )
    assert max(found) <= allowed(600)


def _scores(rng, n, shift):
    """Two scores with correlation 0.9 within each class; the first has the larger shift."""
    labels = np.arange(n) < n // 4
    common = rng.normal(size=n) * 0.9**0.5
    one, other = (common + rng.normal(size=n) * 0.1**0.5 for _ in range(2))
    return labels, one + shift[0] * labels, other + shift[1] * labels


def test_delong__covers_the_area_and_the_paired_difference():
    rng = np.random.default_rng(7)
    shift = (1.3, 1.2)
    truth = [float(ndtr(way / 2**0.5)) for way in shift]
    drawn = [_scores(rng, 400, shift) for _ in range(400)]
    single = misses([auc.auc_interval(labels, one) for labels, one, _ in drawn], truth[0])
    paired = misses([auc.auc_difference(*row) for row in drawn], truth[0] - truth[1])
    assert max(*single, *paired) <= allowed(400)
    assert min(*paired) >= 0.01


def test_bootstrap__covers_a_paired_difference_of_areas():
    rng = np.random.default_rng(8)
    shift = (1.3, 1.2)
    truth = float(ndtr(shift[0] / 2**0.5) - ndtr(shift[1] / 2**0.5))
    intervals = []
    for seed in range(200):
        labels, one, other = _scores(rng, 200, shift)
        statistic = weighted.difference(
            weighted.roc_auc(labels, one), weighted.roc_auc(labels, other)
        )
        intervals.append(
            bootstrap(
                statistic, 200, seed=seed, strata=labels, resamples=200, scale=Scale.DIFFERENCE
            )
        )
    assert max(misses(intervals, truth)) <= allowed(200, extra=0.01)


def test_bootstrap__clusters_cover_where_rows_alone_would_not():
    rng = np.random.default_rng(9)
    clusters = np.repeat(np.arange(40), 5)
    clustered, naive = [], []
    for seed in range(250):
        values = np.repeat(rng.normal(size=40), 5) + 0.3 * rng.normal(size=200)
        clustered.append(
            bootstrap(weighted.mean(values), 200, seed=seed, clusters=clusters, resamples=200)
        )
        naive.append(bootstrap(weighted.mean(values), 200, seed=seed, resamples=200))
    assert max(misses(clustered, 0.0)) <= allowed(250, extra=0.015)  # 40 clusters are few
    assert min(misses(naive, 0.0)) > 0.12


EDGES = norm.ppf(np.arange(1, 10) / 10)


def _counts(rng, way, m):
    shares = np.diff(np.r_[0, norm.cdf(EDGES - way), 1])
    return rng.multinomial(10_000, np.full(10, 0.1)), rng.multinomial(m, shares), shares


@pytest.mark.parametrize("m", [200, 1000, 10_000])
@pytest.mark.parametrize("way", [0.0, 0.2, 0.5])
def test_psi_interval__covers_as_the_design_measured(m, way):
    # The design measured 0.95 to 0.97 for the low bound and 0.93 to 0.96 for the high one.
    rng = np.random.default_rng(10)
    drawn = [_counts(rng, way, m) for _ in range(300)]
    shares = drawn[0][2]
    truth = float(((0.1 - shares) * np.log(0.1 / shares)).sum())
    low, high = misses([drift.psi_interval(one, other) for one, other, _ in drawn], truth)
    assert low <= allowed(300)
    assert high <= allowed(300, extra=0.02)


@pytest.mark.parametrize(
    ("m", "plain", "smoothed"),
    [(50, 0.85, 0.77), (100, 0.39, 0.32), (200, 0.02, 0.02), (500, 0.0, 0.0)],
)
def test_psi__false_alarms_of_a_naked_threshold(m, plain, smoothed):
    # The design's figures are those of the index without the half rows, empty bins at 0.0001.
    rng = np.random.default_rng(11)
    drawn = [_counts(rng, 0.0, m)[:2] for _ in range(800)]
    shares = [(one / 10_000, np.maximum(other / m, 1e-4)) for one, other in drawn]
    alarms = [((p - q) * np.log(p / q)).sum() > 0.1 for p, q in shares]
    assert np.mean(alarms) == pytest.approx(plain, abs=0.05)
    assert np.mean([psi(*pair) > 0.1 for pair in drawn]) == pytest.approx(smoothed, abs=0.05)


@pytest.mark.parametrize(
    ("way", "m", "passed", "failed"),
    [(0.0, 100, 0.92, 0.0), (0.6, 100, 0.0, 0.38), (0.6, 500, 0.0, 0.86), (0.6, 5000, 0.0, 1.0)],
)
def test_judge__psi_verdicts_are_those_of_the_design(way, m, passed, failed):
    rng = np.random.default_rng(12)
    check, metric = parse_check("psi <= 0.2"), METRICS["psi"]
    findings = []
    for _ in range(400):
        one, other, _ = _counts(rng, way, m)
        interval = drift.psi_interval(one, other)
        findings.append(
            judge(check, Estimate(value=interval.estimate, n=m), interval, metric).finding.value
        )
    assert findings.count("pass") / 400 == pytest.approx(passed, abs=0.07)
    assert findings.count("fail") / 400 == pytest.approx(failed, abs=0.07)


@pytest.mark.parametrize(
    ("area", "n", "rates"),
    [
        (0.90, 500, (0.07, 0.24, 0.58)), (0.90, 2000, (0.03, 0.54, 0.96)), (0.88, 500, (0.01, 0.01, 0.05)), (0.88, 2000, (0.0, 0.0, 0.07)),
    ],
)  # fmt: skip
def test_judge__promotion_rates_are_those_of_the_design(area, n, rates):
    # Champion 0.90, 10 % positives, correlation 0.9: significantly better, margin 0.01, margin 0.02.
    rng = np.random.default_rng(13)
    shift = [2**0.5 * norm.ppf(a) for a in (area, 0.90)]
    labels = np.arange(n) < n // 10
    checks = [parse_check(f"roc_auc >= champion{margin}") for margin in ("", " - 0.01", " - 0.02")]
    passed = np.zeros(3)
    for _ in range(200):
        common = rng.normal(size=n) * 0.9**0.5
        one, other = (common + rng.normal(size=n) * 0.1**0.5 + way * labels for way in shift)
        interval = auc.auc_difference(labels, one, other)
        estimate = Estimate(value=area, n=n, positives=n // 10, negatives=n - n // 10)
        passed += [
            judge(check, estimate, interval, METRICS["roc_auc"]).finding.value == "pass"
            for check in checks
        ]
    assert passed / 200 == pytest.approx(rates, abs=0.1)
