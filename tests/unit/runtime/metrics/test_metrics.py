"""Every metric against scikit-learn or scipy, with ties, constant classes and missing values."""

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics as oracle

from mlspec.runtime.metrics import columns, decisions, errors, groups, ranks, shift
from mlspec.runtime.metrics.arrays import MetricError


@pytest.fixture(params=["distinct", "tied", "all tied", "rare"])
def scored(request):
    rng = np.random.default_rng(5)
    labels = rng.random(400) < (0.02 if request.param == "rare" else 0.3)
    scores = rng.normal(size=400) + labels
    if request.param == "tied":
        scores = np.round(scores)
    if request.param == "all tied":
        scores = np.full(400, 0.25)
    return labels.astype(int), 1 / (1 + np.exp(-scores))


def test_ranks__agree_with_scikit_learn(scored):
    labels, scores = scored
    assert ranks.roc_auc(labels, scores) == pytest.approx(
        oracle.roc_auc_score(labels, scores), abs=1e-12
    )
    assert ranks.average_precision(labels, scores) == pytest.approx(
        oracle.average_precision_score(labels, scores), abs=1e-12
    )
    assert ranks.midranks(scores) == pytest.approx(scipy.stats.rankdata(scores))


@pytest.mark.parametrize("level", [0.0, 0.005, 0.1, 0.5, 1.0])
def test_recall_at_fpr_and_precision_at_recall__agree_with_the_curves(scored, level):
    labels, scores = scored
    fpr, tpr, _ = oracle.roc_curve(labels, scores, drop_intermediate=False)
    assert ranks.recall_at_fpr(labels, scores, level) == pytest.approx(tpr[fpr <= level].max())
    precision, recall, _ = oracle.precision_recall_curve(labels, scores)
    # The curve ends in a point of its own (precision 1, recall 0) that no threshold reaches.
    assert ranks.precision_at_recall(labels, scores, level) == pytest.approx(
        precision[:-1][recall[:-1] >= level].max()
    )


def test_ndcg__agrees_with_scikit_learn_and_ties_share_their_gain():
    rng = np.random.default_rng(3)
    gain = rng.integers(0, 4, (6, 8))
    scores = rng.integers(0, 3, (6, 8)).astype(float)
    queries = np.repeat(np.arange(6), 8)
    for k in (1, 3, 8, 20):
        ours = ranks.ndcg(gain.ravel(), scores.ravel(), queries, k).mean()
        assert ours == pytest.approx(oracle.ndcg_score(gain, scores, k=k))


def test_mean_average_precision__by_hand():
    result = ranks.mean_average_precision(
        [1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.5, 0.4], [1, 1, 1, 2, 2], 3
    )
    assert result == pytest.approx([(1 + 2 / 3) / 2, 0])


def test_decisions__agree_with_scikit_learn(scored):
    labels, scores = scored
    said = decisions.decide(scores, 0.25)
    assert decisions.confusion(labels, said) == tuple(
        np.array(oracle.confusion_matrix(labels, said, labels=[1, 0])).ravel()[[0, 2, 1, 3]]
    )
    for ours, theirs in [
        (decisions.accuracy, oracle.accuracy_score),
        (decisions.precision, oracle.precision_score),
        (decisions.recall, oracle.recall_score),
        (decisions.f1, oracle.f1_score),
        (decisions.balanced_accuracy, oracle.balanced_accuracy_score),
    ]:
        assert ours(labels, said) == pytest.approx(theirs(labels, said)), ours.__name__
    if said.all():
        with pytest.raises(MetricError, match="mcc has no value"):
            decisions.mcc(labels, said)
    else:
        assert decisions.mcc(labels, said) == pytest.approx(oracle.matthews_corrcoef(labels, said))
    assert decisions.kappa(labels, said) == pytest.approx(
        oracle.cohen_kappa_score(labels, said), abs=1e-12
    )
    assert decisions.log_loss(labels, scores) == pytest.approx(oracle.log_loss(labels, scores))
    assert decisions.brier(labels, scores) == pytest.approx(oracle.brier_score_loss(labels, scores))


def test_decide__the_threshold_itself_is_positive():
    assert decisions.decide([0.4999, 0.5, 0.6]).tolist() == [False, True, True]


def test_log_loss__a_sure_error_is_dear_and_not_infinite():
    assert decisions.log_loss([1, 0], [0.0, 0.0]) == pytest.approx(
        oracle.log_loss([1, 0], [0.0, 0.0], labels=[0, 1])
    )


def test_multiclass__agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    labels = np.r_[0, 1, 2, 3, rng.integers(0, 4, 200)]
    chances = rng.dirichlet(np.ones(4), labels.size)
    assert decisions.log_loss(labels, chances) == pytest.approx(oracle.log_loss(labels, chances))
    for k in (1, 2, 3):
        assert decisions.top_k_accuracy(labels, chances, k) == pytest.approx(
            oracle.top_k_accuracy_score(labels, chances, k=k)
        )
    names = np.array(["a", "b", "c", "d"])
    said = names[chances.argmax(axis=1)]
    assert decisions.balanced_accuracy(names[labels], said) == pytest.approx(
        oracle.balanced_accuracy_score(names[labels], said)
    )
    assert decisions.kappa(names[labels], said) == pytest.approx(
        oracle.cohen_kappa_score(names[labels], said)
    )


def test_top_k_accuracy__a_tie_is_no_hit_beyond_k():
    assert decisions.top_k_accuracy([0], [[0.5, 0.5]], 1) == 0
    assert decisions.top_k_accuracy([0], [[0.5, 0.5]], 2) == 1


def test_calibration_error__by_hand():
    # 0.1 and 0.05 fall into bins 2 and 1 of 15, 1.0 into the last, 0 into the first.
    assert decisions.calibration_error([0, 1, 1, 0], [0.1, 0.05, 1.0, 0.0]) == pytest.approx(
        (0.1 + 0.95) / 4
    )


def test_errors__agree_with_scikit_learn():
    rng = np.random.default_rng(2)
    labels = rng.normal(5, 1, 300)
    guess = labels + rng.normal(0.2, 1, 300)
    assert errors.rmse(labels, guess) == pytest.approx(
        oracle.root_mean_squared_error(labels, guess)
    )
    assert errors.mae(labels, guess) == pytest.approx(oracle.mean_absolute_error(labels, guess))
    assert errors.mape(labels, guess) == pytest.approx(
        oracle.mean_absolute_percentage_error(labels, guess)
    )
    assert errors.r2(labels, guess) == pytest.approx(oracle.r2_score(labels, guess))
    assert errors.bias(labels, guess) == pytest.approx(guess.mean() - labels.mean())
    assert errors.coverage([1, 2, 3, 4], [1, 1, 4, 0], [1, 3, 5, 1]) == 0.5


def test_groups__by_hand():
    labels = [1, 1, 0, 0, 1, 1, 0, 0]
    said = [1, 1, 1, 0, 1, 0, 0, 0]
    group = ["a"] * 4 + ["b"] * 4
    rates = groups.group_rates(said, group)
    assert (rates.names, rates.rates.tolist(), rates.hits.tolist()) == (
        ("a", "b"),
        [0.75, 0.25],
        [3, 1],
    )
    assert groups.positive_rate(said) == 0.5
    assert groups.demographic_parity_ratio(said, group) == pytest.approx(1 / 3)
    assert groups.demographic_parity_difference(said, group) == 0.5
    assert groups.equal_opportunity_difference(labels, said, group) == 0.5
    assert groups.equalized_odds_difference(labels, said, group) == 0.5


def test_large_groups__small_ones_are_named():
    inside, small = groups.large_groups(["a"] * 99 + ["b"])
    assert (inside.sum(), small) == (99, ["b"])


def test_columns__by_hand():
    values = np.array([1, None, "1", float("nan"), 1, 2], dtype=object)
    assert columns.rows(values) == 6
    assert columns.rows([]) == 0
    assert columns.null_rate(values) == pytest.approx(2 / 6)
    assert columns.duplicates(values) == 1
    assert columns.duplicates([]) == 0
    assert columns.duplicates(np.array(["a", "b", "a", "a"])) == 2
    assert columns.unseen(["a", "b", "b", "c"], ["a", "c"]) == (2, 4)
    assert columns.mean([1.0, float("nan"), 3.0]) == 2
    assert columns.null_rate(np.array(["2026-01-01", "NaT"], dtype="datetime64[D]")) == 0.5


def test_shift__agrees_with_scipy():
    rng = np.random.default_rng(4)
    one, other = np.round(rng.normal(size=500), 1), np.round(rng.normal(0.3, 1, 300), 1)
    assert shift.ks(one, other) == pytest.approx(scipy.stats.ks_2samp(one, other).statistic)
    assert shift.wasserstein(one, other) == pytest.approx(
        scipy.stats.wasserstein_distance(one, other)
    )
    p, q = rng.integers(0, 50, 12), rng.integers(1, 50, 12)
    assert shift.js(p, q) == pytest.approx(jensenshannon(p, q, base=2))


def test_shift__equal_distributions_have_no_distance():
    counts = [10.0, 20.0, 0.0]
    assert shift.psi(counts, counts) == 0
    assert shift.js(counts, counts) == 0
    assert shift.ks([1, 2], [1, 2]) == shift.wasserstein([1, 2], [1, 2]) == 0


def test_psi__is_symmetric_and_knows_the_dictionary_of_normal_shifts():
    # With ten reference deciles a normal shift of 0.1, 0.2, 0.32, 0.5 sigma is a PSI of
    # 0.010, 0.038, 0.098, 0.238; the counts here are expectations, so the half rows vanish.
    edges = scipy.stats.norm.ppf(np.arange(1, 10) / 10)
    for way, expected in [(0.1, 0.010), (0.2, 0.038), (0.32, 0.098), (0.5, 0.238)]:
        moved = np.diff(np.r_[0, scipy.stats.norm.cdf(edges - way), 1]) * 1e9
        assert shift.psi(np.full(10, 1e8), moved) == pytest.approx(expected, abs=6e-4)
        assert shift.psi(moved, np.full(10, 1e8)) == pytest.approx(
            shift.psi(np.full(10, 1e8), moved)
        )


def test_bins__merge_when_tied_and_count_missing_values_last():
    bins = shift.number_bins([0.0] * 60 + list(range(1, 41)))
    assert bins.edges.tolist() == [0, 10, 20, 30]
    assert shift.binned([0, 5, 100, np.nan], bins).tolist() == [1, 1, 0, 0, 1, 1]
    assert shift.number_bins([3.0, 3.0]).edges.size == 0
    levels = shift.level_bins(["a"] * 500 + ["b"] * 499 + ["c"])
    assert levels.levels == ("a", "b")
    assert shift.binned(np.array(["a", "c", "new", None], dtype=object), levels).tolist() == [
        1,
        0,
        2,
        1,
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ranks.roc_auc([1, 1], [0.1, 0.2]), "all 2 labels are positive; both classes are needed"),
        (lambda: ranks.average_precision([0, 0], [0.1, 0.2]), "all 2 labels are negative; both classes are needed"),
        (lambda: ranks.roc_auc([0, 1], [0.1, np.nan]), "1 of 2 scores are missing"),
        (lambda: ranks.roc_auc([0, np.nan], [0.1, 0.2]), "1 of 2 labels are missing"),
        (lambda: ranks.roc_auc([0, 2], [0.1, 0.2]), "labels are 0 and 1, not 2"),
        (lambda: ranks.roc_auc([0, 1], [0.1, np.inf]), "scores are not finite"),
        (lambda: ranks.roc_auc([0, 1, 1], [0.1, 0.2]), "labels and scores differ in length: 2, 3"),
        (lambda: ranks.roc_auc([], []), "there are no labels"),
        (lambda: ranks.roc_auc(["a", "b"], [0, 1]), "labels are not numbers"),
        (lambda: ranks.roc_auc([[0, 1]], [0, 1]), "labels have 2 dimensions, not 1"),
        (lambda: ranks.ndcg([-1, 1], [0, 1], [1, 1], 2), "relevance is 0 or more"),
        (lambda: decisions.precision([0, 1], [0, 0]), "no row is called positive: precision has no value"),
        (lambda: decisions.recall([0, 0], [0, 1]), "no label is positive: recall has no value"),
        (lambda: decisions.f1([0, 0], [0, 0]), "nothing is positive: f1 has no value"),
        (lambda: decisions.kappa([1, 1], [1, 1]), "labels and decisions are all the same: kappa has no value"),
        (lambda: decisions.accuracy(["a", None], ["a", "b"]), "1 of 2 labels are missing"),
        (lambda: decisions.brier([0, 1], [0.1, 1.2]), "probabilities are from 0 to 1, not 1.2"),
        (lambda: decisions.log_loss([0, 2], [[0.5, 0.5], [0.5, 0.5]]), "labels are class numbers from 0 to 1"),
        (lambda: decisions.log_loss([0, 1], [[0.5, 0.4], [0.5, 0.5]]), "probabilities of a row do not sum to 1"),
        (lambda: errors.mape([0, 1], [1, 1]), "1 of 2 labels are 0: mape has no value"),
        (lambda: errors.r2([1, 1], [1, 2]), "all labels are equal: r2 has no value"),
        (lambda: errors.coverage([1], [2], [1]), "a lower bound is above its upper bound"),
        (lambda: groups.demographic_parity_ratio([0, 1], ["a", "a"]), "there is one group only, `a`"),
        (lambda: groups.demographic_parity_ratio([0, 0], ["a", "b"]), "no decision is positive: demographic_parity_ratio has no value"),
        (lambda: groups.equal_opportunity_difference([1, 0], [1, 1], ["a", "b"]), "group `b` has no positive label"),
        (lambda: columns.unseen([None], ["a"]), "all values are missing: unseen has no value"),
        (lambda: shift.psi([1, 2], [1]), "the bins of the two sides differ in length: 1, 2"),
        (lambda: shift.psi([0, 0], [1, 2]), "one side has no rows"),
        (lambda: shift.psi([-1, 2], [1, 2]), "a count is negative"),
    ],
)  # fmt: skip
def test_metrics__say_why_there_is_no_number(call, words):
    with pytest.raises(MetricError) as caught:
        call()
    assert str(caught.value) == words
