import pytest

from mlspec.expr.condition import parse_condition, parse_number
from mlspec.ir.model import Op


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2%", 0.02),
        ("0.9", 0.9),
        ("-1", -1.0),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("12.5 %", 0.125),
        ("7%", 0.07),
    ],
)
def test_parse_number__reads(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "%", "nan", "inf", "0x10", "1_000", "one", "1%%", "--1"])
def test_parse_number__refuses(text):
    assert parse_number(text) is None


def test_parse_condition__gives_spans_inside_the_text():
    text = "evaluate-all.best_auc >= 0.9"
    parsed = parse_condition(text)
    assert (parsed.subject, parsed.name, parsed.op, parsed.number) == (
        "evaluate-all",
        "best_auc",
        Op.GE,
        0.9,
    )
    assert [
        text[slice(*span)]
        for span in (parsed.subject_span, parsed.name_span, parsed.op_span, parsed.value_span)
    ] == [
        "evaluate-all",
        "best_auc",
        ">=",
        "0.9",
    ]


@pytest.mark.parametrize(
    "text", ["", "auc >= 1", "a.b", "a.b =< 1", "a.b => 1", "a.b ! 1", "a.b >= "]
)
def test_parse_condition__says_what_is_wrong(text):
    assert isinstance(parse_condition(text), str)


def test_parse_condition__quotes_around_a_value_are_not_part_of_it():
    assert parse_condition("params.mode == 'fast'").value == "fast"
