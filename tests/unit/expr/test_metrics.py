import pytest

from mlspec.expr.check import CheckOp
from mlspec.expr.check_parser import parse_check, parse_quantity
from mlspec.expr.metric import FAMILY_TESTS, Better, Family, Producer, Unit
from mlspec.expr.metric_rules import argument_problem, is_wrong_direction, unit_fits
from mlspec.expr.metrics import METRICS

NAMES = """
roc_auc average_precision accuracy balanced_accuracy precision recall f1 mcc log_loss brier calibration_error
top_k_accuracy rmse mae mape r2 bias coverage ndcg map demographic_parity_ratio demographic_parity_difference
equalized_odds_difference equal_opportunity_difference exact_match faithfulness answer_relevance toxicity_rate
refusal_rate cost_per_1k psi positive_rate agreement estimated mean_score rows freshness staleness null_rate
duplicates unseen js ks wasserstein mean error_rate availability p50_latency p95_latency p99_latency
p95_first_token throughput consumer_lag cpu memory gpu_utilisation kappa
"""


def test_registry__has_every_metric_of_the_examples_and_the_appendix():
    assert sorted(NAMES.split()) == sorted(METRICS)


def test_registry__entries_are_consistent():
    assert set(FAMILY_TESTS) == set(Family)
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.about
        assert metric.producers
        assert not metric.needs_labels or (metric.tasks and Producer.SCORES in metric.producers)
        assert metric.tasks <= {
            "binary", "multiclass", "multilabel", "regression", "ranking", "forecast", "embedding", "generation", "other"
        }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "op", "wrong"),
    [
        ("roc_auc", CheckOp.LE, True),
        ("roc_auc", CheckOp.GT, False),
        ("log_loss", CheckOp.GE, True),
        ("log_loss", CheckOp.LT, False),
        ("bias", CheckOp.LE, False),
        ("duplicates", CheckOp.EQ, False),
    ],
)
def test_is_wrong_direction(name, op, wrong):
    assert is_wrong_direction(METRICS[name].better, op) is wrong


def test_is_wrong_direction__no_direction_is_never_wrong():
    assert not any(is_wrong_direction(Better.NONE, op) for op in CheckOp)


@pytest.mark.parametrize(
    ("unit", "text", "fits"),
    [
        (Unit.SECONDS, "5%", False),
        (Unit.SECONDS, "40ms", True),
        (Unit.SECONDS, "40", False),
        (Unit.SECONDS, "0", True),
        (Unit.SHARE, "5%", True),
        (Unit.SHARE, "0.05", True),
        (Unit.SHARE, "5s", False),
        (Unit.NUMBER, "5%", False),
        (Unit.LABEL, "12", True),
        (Unit.COUNT, "1d", False),
    ],
)
def test_unit_fits(unit, text, fits):
    assert unit_fits(unit, parse_quantity(text)) is fits


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        ("recall", ""),
        ("recall(fpr=0.5%)", ""),
        ("psi", ""),
        ("psi(amount)", ""),
        ("psi(prediction)", ""),
        ("agreement(control)", ""),
        ("estimated(average_precision)", ""),
        ("estimated(recall(fpr=1%))", ""),
        ("top_k_accuracy(k=5)", ""),
        ("duplicates", "`duplicates` needs a column in brackets"),
        ("roc_auc(x)", "`roc_auc` takes nothing in brackets"),
        ("recall(x)", "`recall` takes a setting in brackets, not `x`"),
        ("recall(tpr=1%)", "`recall` has no setting `tpr`; there is `fpr`"),
        ("recall(fpr=5)", "`fpr=5` is not between 0 and 1"),
        ("recall(fpr=5s)", "`fpr=5s` is not a share of a whole"),
        ("ndcg(k=2.5)", "`k=2.5` is not a whole number from 1"),
        ("psi(k=2)", "`psi` takes a column in brackets, not `k=2`"),
        ("estimated(nothing)", "there is no metric `nothing`"),
        ("estimated(rmse)", "`rmse` cannot be estimated without labels"),
        ("estimated(roc_auc(fpr=1%))", "`roc_auc` takes nothing in brackets"),
        ("estimated(k=3)", "`estimated` takes a metric in brackets, not `k=3`"),
    ],
)
def test_argument_problem(term, problem):
    check = parse_check(f"{term} >= 1")
    assert argument_problem(METRICS[check.metric], check.argument) == problem
