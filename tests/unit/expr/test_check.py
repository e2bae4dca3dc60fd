from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.expr.check import Check, CheckOp, CheckProblem, Inner, Number, Setting, Word
from mlspec.expr.check_parser import MAX_LENGTH, parse_argument, parse_check, parse_quantity

WRITTEN = [
    # every check of the design's example files, as written there
    "freshness <= 6h",
    "rows >= 100000",
    "rows >= 0.9 * previous",
    "null_rate(price) == 0",
    "null_rate(bid) <= 0.1%",
    "duplicates(txn_id) == 0",
    "psi(amount) <= 0.2",
    "staleness <= 5m",
    "cod <= champion + 0.5",
    "log_loss < baseline",
    "log_loss <= ctr-trees",
    "log_loss <= champion + 0.002",
    "log_loss <= challenger",
    "rmse <= 1.01 * champion",
    "p99_latency <= 30ms",
    "availability >= 99.95%",
    "average_precision >= 0.99 * uncompressed",
    "average_precision > baseline",
    "average_precision >= champion - 0.005",
    "recall(fpr=0.5%) by country >= 0.45",
    "demographic_parity_ratio by age_band >= 0.8",
    "error_rate <= 1.2 * previous",
    "agreement(control) >= 95%",
    "estimated(average_precision) >= 0.75",
    "estimated(recall(fpr=0.5%)) >= 0.75",
    "unseen(mcc) <= 0.1%",
    "bias >= -0.5",
    "rmse <= 1.1 * champion + 0.2",
    "null_rate(Gross Amount) <= 1%",
    "accuracy by Site Name >= 0.8",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_parse_check__canonical_text_is_kept(text):
    check = parse_check(text)
    assert isinstance(check, Check)
    assert str(check) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("rmse <= champion * 1.10", "rmse <= 1.1 * champion"),
        ("rmse <= champion * 1.1 - 5%", "rmse <= 1.1 * champion - 5%"),
        ("rmse <= 1 * champion + 0", "rmse <= champion"),
        ("rmse <= champion - 0.0%", "rmse <= champion"),
        ("  recall( fpr = 0.50% )  by  country  >=  .450 ", "recall(fpr=0.5%) by country >= 0.45"),
        ("rows >= 1e6", "rows >= 1000000"),
        ("bias >= -0.0", "bias >= 0"),
        ("log_loss <= champion-5", "log_loss <= champion-5"),
    ],
)
def test_parse_check__other_spellings(text, canonical):
    check = parse_check(text)
    assert str(check) == canonical
    assert parse_check(canonical) == check


def test_parse_check__gives_a_span_for_every_part():
    text = "recall( fpr=0.5% ) by age band >= 1.1 * ctr-trees - 0.25%"
    check = parse_check(text)
    assert isinstance(check, Check)
    parts = {
        name: text[span.start : span.end]
        for name in check.spans.__dataclass_fields__
        if (span := getattr(check.spans, name)).end
    }
    assert parts == {
        "metric": "recall",
        "argument": "fpr=0.5%",
        "by": "age band",
        "op": ">=",
        "reference": "ctr-trees",
        "factor": "1.1",
        "margin": "0.25%",
    }
    threshold = parse_check("p99_latency <= 40ms")
    assert isinstance(threshold, Check)
    spans = threshold.spans
    assert ("p99_latency <= 40ms"[spans.number.start : spans.number.end], spans.unit.start) == (
        "40ms",
        17,
    )


def test_parse_check__numbers_are_exact_and_margins_absolute():
    check = parse_check("average_precision >= 0.995 * champion - 0.5%")
    assert isinstance(check, Check)
    assert (check.factor, check.margin.value) == (Decimal("0.995"), Decimal("-0.005"))
    latency = parse_check("p99_latency <= 40ms")
    assert isinstance(latency, Check)
    assert latency.threshold is not None
    assert latency.threshold.value == Decimal("0.04")


def test_parse_check__arguments_are_told_apart():
    def argument(text):
        return parse_check(f"x{text} >= 1").argument

    assert argument("(amount)") == Word("amount")
    assert argument("(k=5)") == Setting("k", Number(Decimal(5)))
    assert argument("(recall(fpr=1%))") == Inner("recall", Setting("fpr", Number(Decimal(1), "%")))
    assert argument("") is None


@pytest.mark.parametrize(
    ("text", "message", "blamed", "help_"),
    [
        ("", "a check is empty", "", "write `metric >= number`"),
        ("roc_auc", "there is no operator", "roc_auc", "there are `>=`, `>`, `<=`, `<`, `==`"),
        ("roc_auc>=0.9", "`>=` stands between spaces", ">=", "write ` >= `"),
        ("roc_auc =>0.9", "`=>` is not an operator; there are `>=`, `>`, `<=`, `<`, `==`", "=>", "write `>=`"),
        ("roc_auc != 0.9", "`!=` is not an operator; there are `>=`, `>`, `<=`, `<`, `==`", "!=", ""),
        ("roc_auc ≥ 0.9", "`≥` is not an operator; there are `>=`, `>`, `<=`, `<`, `==`", "≥", "write `>=`"),
        ("roc_auc >= ", "nothing stands after `>=`", ">=", "write a number"),
        (">= 0.9", "a check starts with a metric", ">= 0.9", "write the metric on the left and the number on the right, such as `roc_auc >= 0.9`"),
        ("0.9 <= roc_auc", "a check starts with a metric", "0.9", "write the metric on the left and the number on the right, such as `roc_auc >= 0.9`"),
        ("log-loss <= 1", "`log-loss` cannot be the name of a metric: small letters, digits and `_`", "log-loss", "write `log_loss`"),
        ("recall(fpr=0.5% >= 1", "the bracket is not closed", "(", "write `)` after the argument"),
        ("recall() >= 1", "nothing stands between the brackets", "()", "leave out `()`"),
        ("recall(a, b) >= 1", "a metric takes one argument", "a, b", "write a second check"),
        ("recall(fpr=x) >= 1", "`x` is not a number", "x", ""),
        ("recall(f(x)) >= 1", "`f(x)` cannot be an argument", "f(x)", "write `estimated(recall(fpr=0.5%))`"),
        ("recall for x >= 1", "`for x` cannot stand between the metric and the operator", "for x", "write `by column` for a check of each value of a column"),
        ("recall by >= 1", "`by` needs a column", "by", "write `by country`"),
        ("recall by a by b >= 1", "a check has one `by`", "a by b", "write a second check"),
        ("recall >= 0.9 by a", "`by` stands on the left", "by", "write `metric by column >= number`"),
        ("recall >= 5 %", "a unit follows its number without a space", "5 %", "write `5%`"),
        ("p99_latency <= 5 ms", "a unit follows its number without a space", "5 ms", "write `5ms`"),
        ("cost <= 5USD", "`USD` is not a unit; there are `%`, `ms`, `s`, `m`, `h`, `d`", "5USD", ""),
        ("cost <= 5 USD", "`USD` cannot follow a number", "USD", "leave the unit of the metric out"),
        ("auc >= champion-0.005", "`-` stands between spaces", "champion-0.005", "write `champion - 0.005`"),
        ("auc >= 1.1*champion", "`*` stands between spaces", "1.1*champion", "write `1.1 * champion`"),
        ("auc >= champion +0.5%", "`+` stands between spaces", "+0.5%", "write `+ 0.5%`"),
        ("auc >= champion -0.5%", "a margin has its sign before it, between spaces", "-0.5%", "write `- 0.5%`"),
        ("auc >= champion 0.5", "a margin has its sign before it, between spaces", "0.5", "write `+ 0.5`"),
        ("auc >= champion - -1", "a margin has one sign", "- -1", ""),
        ("auc >= champion -", "nothing stands after `-`", "-", ""),
        ("auc >= champion - baseline", "a check has one reference", "- baseline", "the margin is a number"),
        ("auc >= 1.1 champion", "between a number and a reference stands `*`", "1.1 champion", "write `1.1 * champion`"),
        ("auc >= champion / 2", "there is no division", "/", "write `0.5 * champion`"),
        ("auc >= 95% * champion", "a factor has no unit", "95%", "write `0.95 *`"),
        ("auc >= 0 * champion", "a factor is greater than 0", "0", "a margin is absolute; a relative limit is written `0.995 * champion`"),
        ("auc >= 0.9 - 0.1", "numbers are not calculated with", "0.9 - 0.1", "write the result"),
        ("auc >= 0.9 <= 1", "a check has one operator", "<=", "write a second check"),
        ("auc >= Champion", "`Champion` is neither a number nor a reference", "Champion", "write `champion`"),
        ("auc >= nan!", "`nan!` is neither a number nor a reference", "nan!", ""),
    ],
)  # fmt: skip
def test_parse_check__says_exactly_what_is_wrong(text, message, blamed, help_):
    problem = parse_check(text)
    assert isinstance(problem, CheckProblem)
    assert (problem.message, text[problem.span.start : problem.span.end], problem.help) == (
        message,
        blamed,
        help_,
    )


def test_parse_check__long_text_is_not_read():
    assert parse_check("a" * (MAX_LENGTH + 1)) == CheckProblem(
        "a check has at most 400 characters", parse_check("a" * (MAX_LENGTH + 1)).span
    )


def test_parse_argument_and_quantity__read_the_long_form():
    assert parse_argument("fpr=0.5%") == Setting("fpr", Number(Decimal("0.5"), "%"))
    assert parse_argument("amount") == Word("amount")
    assert parse_quantity("40ms") == Number(Decimal(40), "ms")
    assert isinstance(parse_quantity("forty"), CheckProblem)
    assert isinstance(parse_argument(""), CheckProblem)


def test_check__needs_exactly_one_right_side():
    with pytest.raises(ValueError, match="either a threshold or a reference"):
        Check(metric="x", op=CheckOp.GE)


def test_pairing__ignores_numbers_only():
    def pairing(text):
        return parse_check(text).pairing

    assert pairing("auc >= champion - 0.1") == pairing("auc >= 0.9 * champion")
    assert pairing("auc >= 0.1") == pairing("auc >= 90%")
    assert pairing("auc >= 0.1") != pairing("auc >= champion")
    assert pairing("recall(fpr=1%) >= 0.1") != pairing("recall >= 0.1")


_digits = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False)
_numbers = st.builds(Number, _digits, st.sampled_from(["", "%", "ms", "s", "m", "h", "d"]))
_signed = st.builds(
    lambda number, sign: Number(number.digits * sign if number.digits else Decimal(0), number.unit),
    _numbers,
    st.sampled_from([1, -1]),
)
_metrics = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
_ids = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name != "by"
)
_columns = st.from_regex(r"[A-Za-z_][A-Za-z0-9_. -]{0,10}[A-Za-z0-9_]", fullmatch=True).filter(
    lambda name: " by " not in f" {name} " and "  " not in name
)
_settings = st.builds(Setting, _metrics, _signed)
_arguments = st.one_of(
    st.none(), st.builds(Word, _columns), _settings, st.builds(Inner, _metrics, _settings)
)
_margins = _signed.map(lambda number: number if number.digits else Number(Decimal(0)))
_checks = st.one_of(
    st.builds(Check, metric=_metrics, argument=_arguments, by=st.none() | _columns, op=st.sampled_from(CheckOp), threshold=_signed),
    st.builds(
        Check, metric=_metrics, argument=_arguments, by=st.none() | _columns, op=st.sampled_from(CheckOp), reference=_ids,
        factor=_digits.filter(bool), margin=_margins,
    ),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(_checks)
def test_parse_check__reads_back_what_is_printed(check):
    assert parse_check(str(check)) == check


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab1.0%-+*()=<>, by≥\n", max_size=40))
def test_parse_check__never_raises_and_blames_a_part_of_the_text(text):
    result = parse_check(text)
    if isinstance(result, CheckProblem):
        assert 0 <= result.span.start <= result.span.end <= len(text)
    else:
        assert parse_check(str(result)) == result
