import numpy as np
import pytest
import scipy.stats

from mlspec.runtime.metrics import decisions, errors, groups, ranks
from mlspec.runtime.statistics import auc, weighted
from mlspec.runtime.statistics.bootstrap import bootstrap, seed_of
from mlspec.runtime.statistics.interval import Scale, StatisticsError


@pytest.fixture
def scored():
    rng = np.random.default_rng(11)
    labels = rng.random(300) < 0.3
    scores = np.round(labels + rng.normal(size=300), 1)
    return labels, scores


def test_weighted__counts_of_one_give_the_metric_and_counts_give_repeated_rows(scored):
    labels, scores = scored
    said, group = scores > 0.5, np.where(scores > np.roll(scores, 1), "a", "b")
    counts = np.random.default_rng(1).integers(0, 3, 300)
    pairs = [
        (weighted.roc_auc(labels, scores), lambda i: ranks.roc_auc(labels[i], scores[i])),
        (
            weighted.average_precision(labels, scores),
            lambda i: ranks.average_precision(labels[i], scores[i]),
        ),
        (
            weighted.recall_at_fpr(labels, scores, 0.05),
            lambda i: ranks.recall_at_fpr(labels[i], scores[i], 0.05),
        ),
        (weighted.f1(labels, said), lambda i: decisions.f1(labels[i], said[i])),
        (weighted.share_within(labels, said), lambda i: decisions.precision(labels[i], said[i])),
        (weighted.share_within(said, labels), lambda i: decisions.recall(labels[i], said[i])),
        (weighted.mean(scores), lambda i: scores[i].mean()),
        (
            weighted.root_mean(errors.squared_errors(labels, scores)),
            lambda i: errors.rmse(labels[i], scores[i]),
        ),
        (
            weighted.parity_ratio(said, group),
            lambda i: groups.demographic_parity_ratio(said[i], group[i]),
        ),
    ]
    for statistic, metric in pairs:
        values = statistic(np.vstack((np.ones(300), counts)).astype(float))
        assert values == pytest.approx(
            [metric(np.arange(300)), metric(np.repeat(np.arange(300), counts))]
        )


def test_weighted__ratio_and_difference_use_the_same_rows():
    one, other = weighted.mean([2.0, 4.0]), weighted.mean([1.0, 2.0])
    counts = np.array([[2.0, 0.0], [1.0, 1.0]])
    assert weighted.ratio(one, other)(counts).tolist() == [2, 2]
    assert weighted.difference(one, other, 2.0)(counts).tolist() == [0, 0]


def test_bootstrap__agrees_with_scipy_for_a_mean():
    values = np.random.default_rng(2).exponential(size=200)
    ours = bootstrap(weighted.mean(values), 200, seed=1, resamples=4000)
    theirs = scipy.stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=0.9,
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    error = values.std() / 200**0.5
    assert abs(ours.low - theirs.low) < 0.1 * error
    assert abs(ours.high - theirs.high) < 0.1 * error


def test_bootstrap__agrees_with_delong_on_a_paired_difference():
    rng = np.random.default_rng(4)
    labels = rng.random(1500) < 0.2
    one = 1.5 * labels + rng.normal(size=1500)
    other = one + 0.5 * rng.normal(size=1500)
    statistic = weighted.difference(weighted.roc_auc(labels, one), weighted.roc_auc(labels, other))
    ours = bootstrap(statistic, 1500, seed=1, strata=labels, scale=Scale.DIFFERENCE)
    theirs = auc.auc_difference(labels, one, other)
    assert ours.estimate == pytest.approx(theirs.estimate)
    assert ours.high - ours.low == pytest.approx(theirs.high - theirs.low, rel=0.12)
    assert (ours.test, ours.resamples, ours.seed) == ("paired bootstrap", 1000, 1)


def test_bootstrap__strata_keep_both_classes_and_their_sizes():
    labels = np.array([1] * 3 + [0] * 200)
    seen = []

    def statistic(weights):
        seen.append(weights)
        return weights[:, :3].sum(axis=1)

    interval = bootstrap(statistic, 203, seed=5, strata=labels)
    assert (interval.low, interval.high) == (3, 3)
    assert (np.vstack(seen).sum(axis=1) == 203).all()


def test_bootstrap__rows_of_a_cluster_come_together():
    clusters = np.repeat(np.arange(30), 10)
    values = np.repeat(np.random.default_rng(6).normal(size=30), 10)

    def statistic(weights):
        assert (
            weights.reshape(len(weights), 30, 10) == weights.reshape(len(weights), 30, 10)[:, :, :1]
        ).all()
        return weighted.mean(values)(weights)

    clustered = bootstrap(statistic, 300, seed=7, clusters=clusters)
    naive = bootstrap(weighted.mean(values), 300, seed=7)
    # Ten equal rows are one piece of information: the interval is sqrt(10) times as wide.
    width = (clustered.high - clustered.low) / (naive.high - naive.low)
    assert width == pytest.approx(10**0.5, rel=0.2)
    assert clustered.test == "bootstrap, clustered"


def test_bootstrap__same_seed_same_interval_whatever_the_block(monkeypatch):
    values = np.random.default_rng(8).normal(size=50)
    one = bootstrap(weighted.mean(values), 50, seed=9)
    monkeypatch.setattr("mlspec.runtime.statistics.bootstrap._AT_ONCE", 5000)
    assert bootstrap(weighted.mean(values), 50, seed=9) == one
    assert bootstrap(weighted.mean(values), 50, seed=10) != one


def test_seed_of__depends_on_values_and_shapes():
    assert seed_of([1, 2], [3]) == seed_of([1, 2], [3])
    assert (
        len({seed_of([1, 2], [3]), seed_of([1], [2, 3]), seed_of(["a"]), seed_of([1.0, 2.0], [3])})
        == 4
    )
    assert seed_of(np.array(["a", 1], dtype=object)) == seed_of(np.array(["a", 1], dtype=object))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 1}, "a bootstrap needs at least two rows"),
        ({"n": 2, "clusters": ["a", "a"]}, "a bootstrap needs at least two clusters"),
        ({"n": 2, "resamples": 10}, "a bootstrap needs at least 100 resamples, not 10"),
        ({"n": 2, "confidence": 0.4}, "confidence lies between 0.5 and 1, not 0.4"),
    ],
)
def test_bootstrap__says_why_there_is_no_interval(arguments, words):
    values = np.arange(arguments["n"], dtype=float)
    with pytest.raises(StatisticsError) as caught:
        bootstrap(weighted.mean(values), seed=1, **arguments)
    assert str(caught.value) == words


def test_bootstrap__a_metric_without_value_is_an_error():
    nothing = weighted.share_within([0, 0, 1], [0, 0, 0])
    with pytest.raises(StatisticsError, match="has no value on these rows"):
        bootstrap(nothing, 3, seed=1)
    rare = weighted.share_within([1, 0, 0], [1, 0, 0])
    with pytest.raises(StatisticsError, match=r"no value on \d+ of 1000 resamples: too few rows"):
        bootstrap(rare, 3, seed=1)
