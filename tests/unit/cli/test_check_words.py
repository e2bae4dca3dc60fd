import numpy as np
import pytest

from mlspec.cli.check_words import RESAMPLES, is_not_measured, method_of
from mlspec.expr.check_parser import parse_check
from mlspec.expr.metrics import METRICS
from mlspec.runtime.judging.candidate import REGULATED_RESAMPLES
from mlspec.runtime.statistics import bootstrap
from mlspec.runtime.statistics.interval import StatisticsError
from mlspec.runtime.statistics.measure import Scored, measure

MEASURED_AS = {
    "delong": "DeLong",
    "wilson": "Wilson",
    "newcombe": "Newcombe",
    "t": "t",
    "paired-t": "paired t",
    "wilcoxon": "Wilcoxon",
    "relative-risk": "log relative risk",
    "bootstrap": "bootstrap",
}


def rows():
    draw = np.random.default_rng(1)
    labels = (draw.random(300) < 0.4).astype(float)
    good = np.clip(0.3 * labels + 0.7 * draw.random(300), 0.01, 0.99)
    return Scored(
        labels=labels,
        predictions=good,
        reference=np.clip(good + 0.05 * draw.standard_normal(300), 0.01, 0.99),
        groups=np.where(draw.random(300) < 0.5, "a", "b"),
    )


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("roc_auc >= 0.7", None),
        ("roc_auc >= 0.9 * champion", None),
        ("roc_auc >= champion - 0.01", "bootstrap"),
        ("recall >= 0.5", None),
        ("recall(fpr=5%) >= 0.3", None),
        ("recall(fpr=5%) >= champion - 0.1", None),
        ("accuracy >= champion - 0.01", None),
        ("accuracy >= 0.99 * champion", None),
        ("precision >= 0.5", None),
        ("log_loss < champion", None),
        ("log_loss <= 0.9", None),
        ("brier <= 1.1 * champion", None),
        ("brier <= champion + 0.01", "wilcoxon"),
        ("f1 >= champion - 0.01", None),
        ("demographic_parity_ratio by g >= 0.8", None),
        ("demographic_parity_difference by g <= 0.2", None),
        ("demographic_parity_ratio by g >= champion - 0.1", None),
    ],
)
def test_method_of__is_the_method_that_the_gate_uses(text, test):
    check = parse_check(text)
    metric = METRICS[check.metric]
    _, interval = measure(check, metric, rows(), test=test, resamples=100)
    words = MEASURED_AS[method_of(check, metric, test)].lower()
    assert words in interval.test.lower()
    if words != "bootstrap":
        assert "bootstrap" not in interval.test


def test_resamples__are_those_of_the_gate():
    assert RESAMPLES == bootstrap.RESAMPLES
    assert 2 * RESAMPLES == REGULATED_RESAMPLES


@pytest.mark.parametrize("name", ["faithfulness", "refusal_rate", "exact_match", "toxicity_rate"])
def test_answers__are_measured_by_nothing_yet(name):
    check = parse_check(f"{name} >= 0.1")
    with pytest.raises(StatisticsError):
        measure(check, METRICS[name], rows(), resamples=100)
    assert is_not_measured(METRICS[name])


def test_scored_metrics__are_measured():
    assert not any(is_not_measured(METRICS[name]) for name in ("roc_auc", "rmse", "p99_latency"))
