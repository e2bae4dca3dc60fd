import numpy as np
import pytest

from mlspec.expr.check_parser import parse_check
from mlspec.expr.metrics import METRICS
from mlspec.runtime.metrics import decisions, errors, groups, ranks
from mlspec.runtime.metrics.arrays import MetricError
from mlspec.runtime.statistics.interval import Scale, StatisticsError
from mlspec.runtime.statistics.measure import Scored, measure
from mlspec.runtime.statistics.verdict import Finding, judge

N = 400
RNG = np.random.default_rng(21)
LABELS = (RNG.random(N) < 0.4).astype(int)
ONE = 1 / (1 + np.exp(-(3 * LABELS - 1.5 + RNG.normal(size=N))))
OTHER = 1 / (1 + np.exp(-(1.0 * LABELS - 0.5 + RNG.normal(size=N))))
GROUPS = np.where(np.arange(N) % 2, "a", "b")
TARGET = RNG.normal(10, 2, N)
NEAR, FAR = TARGET + RNG.normal(0, 1, N), TARGET + RNG.normal(0, 3, N)
SAID = ONE >= 0.5
BINARY = Scored(labels=LABELS, predictions=ONE, groups=GROUPS)
NUMBERS = Scored(labels=TARGET, predictions=NEAR)


def run(text, rows, **settings):
    check = parse_check(text)
    return measure(check, METRICS[check.metric], rows, **settings)


@pytest.mark.parametrize(
    ("term", "rows", "value", "test"),
    [
        ("roc_auc", BINARY, ranks.roc_auc(LABELS, ONE), "DeLong"),
        ("average_precision", BINARY, ranks.average_precision(LABELS, ONE), "bootstrap"),
        ("accuracy", BINARY, decisions.accuracy(LABELS, SAID), "Wilson interval"),
        ("recall", BINARY, decisions.recall(LABELS, SAID), "Wilson interval"),
        ("recall(fpr=5%)", BINARY, ranks.recall_at_fpr(LABELS, ONE, 0.05), "bootstrap"),
        ("precision", BINARY, decisions.precision(LABELS, SAID), "bootstrap"),
        ("precision(recall=95%)", BINARY, ranks.precision_at_recall(LABELS, ONE, 0.95), "bootstrap"),
        ("f1", BINARY, decisions.f1(LABELS, SAID), "bootstrap"),
        ("mcc", BINARY, decisions.mcc(LABELS, SAID), "bootstrap"),
        ("kappa", BINARY, decisions.kappa(LABELS, SAID), "bootstrap"),
        ("balanced_accuracy", BINARY, decisions.balanced_accuracy(LABELS, SAID), "bootstrap"),
        ("log_loss", BINARY, decisions.log_loss(LABELS, ONE), "t interval"),
        ("brier", BINARY, decisions.brier(LABELS, ONE), "t interval"),
        ("calibration_error", BINARY, decisions.calibration_error(LABELS, ONE), "bootstrap"),
        ("demographic_parity_ratio", BINARY, groups.demographic_parity_ratio(SAID, GROUPS), "log relative risk"),
        ("demographic_parity_difference", BINARY, groups.demographic_parity_difference(SAID, GROUPS), "bootstrap"),
        ("equalized_odds_difference", BINARY, groups.equalized_odds_difference(LABELS, SAID, GROUPS), "bootstrap"),
        ("equal_opportunity_difference", BINARY, groups.equal_opportunity_difference(LABELS, SAID, GROUPS), "bootstrap"),
        ("rmse", NUMBERS, errors.rmse(TARGET, NEAR), "bootstrap"),
        ("mae", NUMBERS, errors.mae(TARGET, NEAR), "t interval"),
        ("mape", NUMBERS, errors.mape(TARGET, NEAR), "t interval"),
        ("bias", NUMBERS, errors.bias(TARGET, NEAR), "t interval"),
        ("r2", NUMBERS, errors.r2(TARGET, NEAR), "bootstrap"),
    ],
)  # fmt: skip
def test_measure__threshold_takes_the_method_of_the_registry(term, rows, value, test):
    estimate, interval = run(f"{term} >= 0.5", rows, resamples=100)
    assert estimate.value == pytest.approx(value)
    assert interval.estimate == pytest.approx(value)
    # A difference of extremes only grows when rows are drawn again; its low bound is the value.
    assert interval.low <= value <= interval.high
    assert interval.low < interval.high
    assert (interval.test, interval.scale, estimate.n) == (test, Scale.VALUE, N)
    assert estimate.positives == (LABELS.sum() if rows is BINARY else None)


@pytest.mark.parametrize(
    ("term", "test", "better"),
    [
        ("roc_auc", "DeLong, paired", 1), ("average_precision", "paired bootstrap", 1), ("recall(fpr=5%)", "paired bootstrap", 1),
        ("accuracy", "Newcombe interval of a paired difference", 1), ("f1", "paired bootstrap", 1), ("log_loss", "paired t", -1),
        ("rmse", "paired bootstrap", -1), ("mae", "paired t", -1),
    ],
)  # fmt: skip
def test_measure__comparison_is_paired(term, test, better):
    numbers = term in {"rmse", "mae"}
    rows = (
        Scored(labels=TARGET, predictions=NEAR, reference=FAR)
        if numbers
        else Scored(labels=LABELS, predictions=ONE, reference=OTHER)
    )
    estimate, interval = run(f"{term} >= champion", rows, resamples=200)
    assert interval.test == test
    assert interval.estimate == pytest.approx(estimate.value - estimate.reference)
    assert min(interval.low * better, interval.high * better) > 0
    same = Scored(labels=rows.labels, predictions=rows.predictions, reference=rows.predictions)
    _, equal = run(f"{term} >= champion", same, resamples=100)
    assert equal.low <= equal.estimate == 0 <= equal.high


def test_measure__a_factor_moves_the_reference():
    rows = Scored(labels=LABELS, predictions=ONE, reference=OTHER)
    for term in ("accuracy", "roc_auc", "brier"):
        estimate, interval = run(f"{term} >= 1.1 * champion", rows, resamples=100)
        assert interval.estimate == pytest.approx(estimate.value - 1.1 * estimate.reference)


def test_measure__clusters_always_mean_bootstrap():
    rows = Scored(labels=LABELS, predictions=ONE, clusters=np.arange(N) // 4)
    for term in ("roc_auc", "accuracy", "brier"):
        assert run(f"{term} >= 0.5", rows, resamples=100)[1].test == "bootstrap, clustered"


def test_measure__the_check_may_ask_for_another_method_that_exists():
    assert run("roc_auc >= 0.5", BINARY, test="bootstrap", resamples=100)[1].test == "bootstrap"
    with pytest.raises(StatisticsError, match="`roc_auc` is not tested by `wilcoxon`"):
        run("roc_auc >= 0.5", BINARY, test="wilcoxon")


def test_measure__same_rows_same_interval():
    assert run("f1 >= 0.5", BINARY, resamples=100) == run("f1 >= 0.5", BINARY, resamples=100)


def test_measure__classes_by_name_and_by_probabilities():
    names = np.array(["x", "y", "z"])
    truth = RNG.integers(0, 3, 90)
    chances = RNG.dirichlet(np.ones(3), 90)
    by_number = run("accuracy >= 0.1", Scored(labels=truth, predictions=chances))[0]
    by_name = run(
        "accuracy >= 0.1", Scored(labels=names[truth], predictions=names[chances.argmax(axis=1)])
    )[0]
    assert by_number.value == by_name.value
    assert by_number.positives is None
    assert (
        run("top_k_accuracy(k=3) >= 0.1", Scored(labels=truth, predictions=chances))[0].value == 1
    )


def test_measure__own_threshold_decides():
    low = Scored(labels=LABELS, predictions=ONE, threshold=0.0)
    assert run("recall >= 0.5", low)[0].value == 1


@pytest.mark.parametrize(
    ("text", "rows", "words"),
    [
        ("roc_auc >= champion", BINARY, "`roc_auc >= champion` needs predictions of the champion"),
        ("demographic_parity_ratio >= 0.8", Scored(labels=LABELS, predictions=ONE), "a metric that compares groups needs the groups of the rows"),
        ("rows >= 5", BINARY, "`rows` is not a metric of scored rows"),
        ("mae >= 5", Scored(labels=[1.0, 2.0], predictions=[1.0]), "1 predictions for 2 labels"),
    ],
)  # fmt: skip
def test_measure__says_what_is_lacking(text, rows, words):
    with pytest.raises(StatisticsError) as caught:
        run(text, rows)
    assert str(caught.value) == words


def test_measure__missing_labels_are_an_error():
    with pytest.raises(MetricError, match="1 of 2 labels are missing"):
        run("roc_auc >= 0.5", Scored(labels=[0.0, np.nan], predictions=[0.1, 0.2]))


def test_gate__an_equal_candidate_passes_with_a_margin_and_not_without():
    rng = np.random.default_rng(22)
    labels = (np.arange(4000) < 800).astype(int)
    common = rng.normal(size=4000)
    one, other = (1.8 * labels + 0.95 * common + 0.3 * rng.normal(size=4000) for _ in range(2))
    rows = Scored(labels=labels, predictions=one, reference=other)
    findings = []
    for text in ("roc_auc >= champion", "roc_auc >= champion - 0.01", "roc_auc >= champion + 0.05"):
        check = parse_check(text)
        findings.append(
            judge(check, *measure(check, METRICS["roc_auc"], rows), METRICS["roc_auc"]).finding
        )
    assert findings == [Finding.INCONCLUSIVE, Finding.PASS, Finding.FAIL]


QUERIES = np.repeat(np.arange(50), 8)
RELEVANT = (RNG.random(N) < 0.3).astype(int)
GOOD = RELEVANT + RNG.normal(0, 0.7, N)
POOR = RELEVANT + RNG.normal(0, 3.0, N)
RANKED = Scored(labels=RELEVANT, predictions=GOOD, reference=POOR, queries=QUERIES)


@pytest.mark.parametrize(
    ("term", "function"), [("ndcg(k=5)", ranks.ndcg), ("map(k=5)", ranks.mean_average_precision)]
)
def test_measure__rankings_are_means_over_queries(term, function):
    values = function(RELEVANT, GOOD, QUERIES, 5)
    estimate, interval = run(f"{term} >= 0.5", RANKED)
    assert (estimate.value, estimate.n, estimate.positives) == (
        pytest.approx(values.mean()),
        50,
        None,
    )
    assert interval.test == "t interval"
    against = values - function(RELEVANT, POOR, QUERIES, 5)
    _, paired = run(f"{term} > champion", RANKED)
    assert (paired.test, paired.n) == ("paired t", 50)
    assert paired.estimate == pytest.approx(against.mean())
    _, drawn = run(f"{term} > champion", RANKED, test="bootstrap")
    assert drawn.test == "paired bootstrap, clustered"
    assert drawn.estimate == pytest.approx(against.mean())
    assert drawn.low == pytest.approx(paired.low, abs=0.2 * (paired.high - paired.low))


def test_measure__rankings_need_queries():
    with pytest.raises(StatisticsError, match="needs the query of each row"):
        run("ndcg(k=5) >= 0.5", Scored(labels=RELEVANT, predictions=GOOD))


def test_measure__coverage_is_a_share_of_rows():
    bounds = np.stack([NEAR - 1.645, NEAR + 1.645], axis=1)
    rows = Scored(labels=TARGET, predictions=NEAR, bounds=bounds)
    estimate, interval = run("coverage(level=90%) >= 0.8", rows)
    assert interval.test == "Wilson interval"
    assert estimate.value == errors.coverage(TARGET, NEAR - 1.645, NEAR + 1.645)
    both = Scored(
        labels=TARGET, predictions=NEAR, reference=FAR, bounds=bounds,
        reference_bounds=np.stack([FAR - 1, FAR + 1], axis=1),
    )  # fmt: skip
    assert run("coverage(level=90%) > champion", both)[1].low > 0
    with pytest.raises(StatisticsError, match="gives no interval"):
        run("coverage(level=90%) >= 0.8", NUMBERS)


def test_measure__wilcoxon_where_the_check_asks_for_it():
    rows = Scored(labels=TARGET, predictions=NEAR, reference=FAR)
    _, interval = run("mae <= champion", rows, test="wilcoxon")
    assert interval.test == "Wilcoxon signed rank"
    assert interval.high < 0


def test_measure__positive_rate():
    estimate, interval = run("positive_rate >= 0.1", BINARY)
    assert (estimate.value, interval.test) == (SAID.mean(), "Wilson interval")


def test_measure__one_group_is_nothing_to_compare():
    rows = Scored(labels=LABELS, predictions=ONE, groups=np.full(N, "a"))
    for name in (
        "demographic_parity_ratio",
        "demographic_parity_difference",
        "equalized_odds_difference",
    ):
        with pytest.raises(StatisticsError, match="one group only"):
            run(f"{name} >= 0.8", rows)


def test_measure__smallest_ratio_of_many_groups_covers():
    """Five groups: the pair that looks worst is chosen by the rows, the bounds must know that."""
    random = np.random.default_rng(11)
    group = np.repeat(["a", "b", "c", "d", "e"], 300)
    rates = np.repeat([0.32, 0.40, 0.40, 0.40, 0.40], 300)
    misses = np.zeros(2)
    for _ in range(300):
        said = random.random(1500) < rates
        rows = Scored(labels=said, predictions=said, groups=group)
        _, interval = run("demographic_parity_ratio >= 0.8", rows)
        misses += [interval.low > 0.8, interval.high < 0.8]
    assert (misses / 300).max() <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5
