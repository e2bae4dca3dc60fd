import math

import pytest

from mlspec.expr.check_parser import parse_check
from mlspec.expr.metrics import METRICS
from mlspec.runtime.statistics.auc import auc_interval
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError, exact
from mlspec.runtime.statistics.verdict import (
    Estimate,
    Finding,
    judge,
    limit_of,
    points,
    rows_needed,
)
from mlspec.runtime.statistics.wording import figure, grouped


def between(low, high, scale=Scale.VALUE, n=1000, estimate=None):
    middle = (low + high) / 2 if estimate is None else estimate
    return Interval(
        scale=scale, estimate=middle, low=low, high=high, n=n, confidence=0.95, test="x"
    )


@pytest.mark.parametrize(
    ("op", "low", "high", "finding"),
    [
        (">=", 0.5, 0.6, "pass"), (">=", 0.4, 0.5, "inconclusive"), (">=", 0.4, 0.49, "fail"),
        (">", 0.5, 0.6, "inconclusive"), (">", 0.51, 0.6, "pass"), (">", 0.4, 0.5, "fail"),
        ("<=", 0.4, 0.5, "pass"), ("<=", 0.5, 0.6, "inconclusive"), ("<=", 0.51, 0.6, "fail"),
        ("<", 0.4, 0.49, "pass"), ("<", 0.4, 0.5, "inconclusive"), ("<", 0.5, 0.6, "fail"),
        ("==", 0.5, 0.5, "pass"), ("==", 0.4, 0.6, "inconclusive"), ("==", 0.6, 0.7, "fail"), ("==", 0.6, 0.6, "fail"),
        (">=", 0.5, 0.5, "pass"), (">", 0.5, 0.5, "fail"), ("<", 0.5, 0.5, "fail"), ("<=", 0.5, 0.5, "pass"),
        (">=", -math.inf, 0.4, "fail"), ("<=", 0.4, math.inf, "inconclusive"),
    ],
)  # fmt: skip
def test_judge__table_of_findings(op, low, high, finding):
    interval = between(low, high, estimate=0.45 if math.isinf(low + high) else None)
    verdict = judge(
        parse_check(f"own {op} 0.5"), Estimate(value=interval.estimate, n=1000), interval
    )
    assert verdict.finding is Finding(finding)
    assert (verdict.low, verdict.high, verdict.limit) == (low, high, 0.5)
    assert (verdict.rows_needed is None) or finding == "inconclusive"


def test_judge__the_sentence_of_the_design():
    check = parse_check("average_precision >= champion - 0.005")
    interval = between(-0.0093, 0.0054, Scale.DIFFERENCE, n=48210, estimate=-0.0019)
    estimate = Estimate(value=0.7712, n=48210, positives=611, negatives=47599, reference=0.7731)
    verdict = judge(check, estimate, interval, METRICS["average_precision"])
    assert verdict.finding is Finding.INCONCLUSIVE
    # 48 210 x (0.0074 / 0.0031)^2
    assert verdict.rows_needed == 274_712
    assert verdict.sentence == (
        "0.19 points below the champion; we are 95 % sure it is not more than 0.93 below;"
        " the margin is 0.5; 280 000 rows would decide"
    )


@pytest.mark.parametrize(
    ("text", "interval", "sentence"),
    [
        ("recall(fpr=0.5%) >= 45%", between(0.52, 0.7), "recall(fpr=0.5%) is 61 %; we are 95 % sure it is at least 52 %; at least 45 % is asked for"),
        ("recall >= 45%", between(0.2, 0.3), "recall is 25 %; we are 95 % sure it is at most 30 %; at least 45 % is asked for"),
        ("p99_latency <= 40ms", between(0.02, 0.03), "p99_latency is 25 ms; we are 95 % sure it is at most 30 ms; at most 40 ms is asked for"),
        ("freshness <= 2h", exact(9000, 1), "freshness is 9000 s; at most 7200 s is asked for"),
        ("rows >= 1000000", exact(48210, 48210), "rows is 48 210; at least 1 000 000 is asked for"),
        ("error_rate <= 1.2 * champion", between(1.25, 1.4, Scale.RATIO), "1.32 times the champion; we are 95 % sure it is at least 1.25 times; at most 1.2 times is asked for"),
        ("log_loss < baseline", between(-0.3, -0.1, Scale.DIFFERENCE), "0.2 below the baseline; we are 95 % sure it is at least 0.1 below; it must be below"),
        ("log_loss <= ctr-trees", between(0.1, 0.3, Scale.DIFFERENCE), "0.2 above `ctr-trees`; we are 95 % sure it is at least 0.1 above; it must not be above"),
        ("roc_auc > baseline", between(0.1, 0.3, Scale.DIFFERENCE), "20 points above the baseline; we are 95 % sure it is at least 10 above; it must be above"),
        ("roc_auc >= champion", between(-0.02, -0.01, Scale.DIFFERENCE), "1.5 points below the champion; we are 95 % sure it is at least 1 below; it must not be below"),
        ("roc_auc >= champion + 1%", between(0.02, 0.04, Scale.DIFFERENCE), "3 points above the champion; we are 95 % sure it is at least 2 above; at least 1 above is asked for"),
        ("average_precision >= 0.99 * uncompressed", between(-0.02, 0.01, Scale.DIFFERENCE, estimate=0.0), "equal to 0.99 times the uncompressed model; we are 95 % sure it is not more than 2 below; it must not be below; no number of rows would decide while the estimate lies on the limit"),
        ("p99_latency <= 40ms", between(0.02, math.inf, estimate=0.03), "p99_latency is 30 ms; there are too few values for a bound; at most 40 ms is asked for; more rows would decide"),
        ("rmse <= 1.01 * champion + 0.5", between(-0.2, 0.2, Scale.DIFFERENCE), "equal to 1.01 times the champion; we are 95 % sure it is not more than 0.2 above; the margin is 0.5"),
    ],
)  # fmt: skip
def test_judge__sentences(text, interval, sentence):
    check = parse_check(text)
    verdict = judge(
        check, Estimate(value=interval.estimate, n=interval.n), interval, METRICS[check.metric]
    )
    assert verdict.sentence == sentence


def test_judge__on_the_limit_no_number_of_rows_decides():
    verdict = judge(parse_check("own >= 0.5"), Estimate(value=0.5, n=100), between(0.4, 0.6, n=100))
    assert verdict.rows_needed is None
    assert verdict.sentence.endswith(
        "no number of rows would decide while the estimate lies on the limit"
    )


def test_judge__a_missing_reference_is_inconclusive():
    verdict = judge(parse_check("roc_auc >= champion - 0.01"), Estimate(value=0.9, n=1000), None)
    assert (verdict.finding, verdict.sentence) == (
        Finding.INCONCLUSIVE,
        "there is no champion to compare with",
    )
    assert (verdict.low, verdict.high, verdict.limit, verdict.interval) == (None, None, None, None)


@pytest.mark.parametrize(
    ("name", "estimate", "sentence", "needed"),
    [
        ("roc_auc", Estimate(value=0.9, n=1000, positives=10, negatives=990), "10 positive rows are too few: at least 30 are needed", 3000),
        ("roc_auc", Estimate(value=0.9, n=1000, positives=990, negatives=0), "0 negative rows are too few: at least 30 are needed", None),
        ("mae", Estimate(value=0.9, n=29), "29 rows are too few: at least 30 are needed", 30),
        ("psi", Estimate(value=0.9, n=99), "99 rows are too few: at least 100 are needed", 100),
    ],
)  # fmt: skip
def test_judge__too_few_rows_are_inconclusive_even_when_bounds_pass(
    name, estimate, sentence, needed
):
    verdict = judge(
        parse_check(f"{name} >= 0.1"), estimate, between(0.8, 1.0, n=estimate.n), METRICS[name]
    )
    assert (verdict.finding, verdict.sentence, verdict.rows_needed) == (
        Finding.INCONCLUSIVE,
        sentence,
        needed,
    )


def test_judge__exact_numbers_need_no_rows_unless_asked():
    check, estimate = parse_check("rows >= 10"), Estimate(value=12, n=12)
    assert judge(check, estimate, exact(12, 12), METRICS["rows"]).finding is Finding.PASS
    assert (
        judge(check, estimate, exact(12, 12), METRICS["rows"], min_samples=20).finding
        is Finding.INCONCLUSIVE
    )
    assert (
        judge(
            parse_check("mae >= 1"),
            Estimate(value=2, n=25),
            between(1, 3, n=25),
            METRICS["mae"],
            20,
        ).finding
        is Finding.PASS
    )


def test_judge__a_perfect_score_on_few_rows_is_not_exact():
    perfect = auc_interval([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    estimate = Estimate(value=1.0, n=4, positives=2, negatives=2)
    verdict = judge(parse_check("roc_auc >= 0.9"), estimate, perfect, METRICS["roc_auc"])
    assert (verdict.finding, verdict.rows_needed) == (Finding.INCONCLUSIVE, 60)


def test_limit_of__the_scale_must_fit():
    with pytest.raises(StatisticsError, match="is not about a difference"):
        limit_of(parse_check("own >= 1"), Scale.DIFFERENCE)
    with pytest.raises(StatisticsError, match="is not about a ratio"):
        limit_of(parse_check("own >= champion - 1"), Scale.RATIO)
    assert limit_of(parse_check("own >= 1.1 * champion"), Scale.RATIO) == 1.1
    assert limit_of(parse_check("own >= champion - 0.5%"), Scale.DIFFERENCE) == -0.005


def test_points__are_compared_in_decimal():
    check = parse_check("own >= champion - 0.005")
    assert 0.8 - 0.805 < -0.005  # what doubles would say
    interval = points(check, 0.8, 0.805, 1)
    assert judge(check, Estimate(value=0.8, n=1, reference=0.805), interval).finding is Finding.PASS
    ratio = parse_check("own <= 1.1 * champion")
    assert (
        judge(ratio, Estimate(value=0.33, n=1), points(ratio, 0.33, 0.3, 1)).finding is Finding.PASS
    )
    with pytest.raises(StatisticsError, match="needs a number of the champion"):
        points(check, 0.8, None, 1)
    with pytest.raises(StatisticsError, match="not a finite number"):
        points(check, math.nan, 0.1, 1)


def test_rows_needed__infinite_bounds_give_none():
    assert rows_needed(between(0.1, math.inf, estimate=0.2), 0.3) is None
    assert rows_needed(between(0.1, 0.3, n=100, estimate=0.2), 0.25) == 400


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00123456, "0.00123"), (12.345, "12.3"), (123456, "123 456"), (1234, "1234"), (-0.5, "-0.5"), (99.96, "100"), (math.inf, "unlimited"), (1e300, "1e+300"), (-1.5e30, "-1.5e+30"), (1e-30, "1e-30")],
)  # fmt: skip
def test_figure(value, text):
    assert figure(value) == text


def test_grouped():
    assert [grouped(n) for n in (0, 9999, 10000, -1234567, "12345.678")] == [
        "0",
        "9999",
        "10 000",
        "-1 234 567",
        "12 345.678",
    ]


@pytest.mark.parametrize(
    ("text", "estimate", "fails"),
    [
        ("roc_auc >= champion - 0.005", -0.004, False),
        ("roc_auc >= champion - 0.005", -0.006, True),
        ("log_loss <= champion + 0.005", 0.004, False),
        ("log_loss <= champion + 0.005", 0.006, True),
    ],
)
def test_sentence__says_which_way_more_rows_would_decide(text, estimate, fails):
    check = parse_check(text)
    interval = between(-0.02, 0.02, Scale.DIFFERENCE, estimate=estimate)
    found = judge(check, Estimate(value=0.8, n=1000, reference=0.8), interval)
    assert found.sentence.endswith("rows would decide, with a fail as it stands") is fails
    assert "rows would decide" in found.sentence
