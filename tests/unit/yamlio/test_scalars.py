from __future__ import annotations

import math

import pytest

from mlspec.yamlio.nodes import ScalarNode, SeqNode
from mlspec.yamlio.scalars import (
    as_string,
    is_null,
    kind_of_plain,
    parse_bool,
    parse_float,
    parse_int,
    resolve_plain,
)

RESOLVED = {
    "": None,
    "~": None,
    "Null": None,
    "nULL": "nULL",
    "true": True,
    "FALSE": False,
    "yes": "yes",
    "on": "on",
    "y": "y",
    "0": 0,
    "-7": -7,
    "+7": 7,
    "0777": 777,
    "08": 8,
    "0o14": 12,
    "0O14": "0O14",
    "0o18": "0o18",
    "-0o1": "-0o1",
    "0x1f": 31,
    "0xg": "0xg",
    "1_000": "1_000",
    "0b1": "0b1",
    "1.10": 1.1,
    "1.": 1.0,
    ".5": 0.5,
    "+.5": 0.5,
    ".": ".",
    "1e3": 1000.0,
    "1234e56": 1.234e59,
    "1e-4": 0.0001,
    "e3": "e3",
    "22:30:00": "22:30:00",
    "2026-01-01": "2026-01-01",
    ".inf": math.inf,
    "-.INF": -math.inf,
    "inf": "inf",
    "nan": "nan",
    "١٢": "١٢",
    "5%": "5%",
    "16Gi": "16Gi",
    "1\n": "1\n",
    "9" * 5000: "9" * 5000,
}


@pytest.mark.parametrize(("text", "value"), RESOLVED.items())
def test_resolve_plain__follows_the_core_schema(text, value):
    found = resolve_plain(text)
    assert found == value
    assert type(found) is type(value)


def test_resolve_plain__not_a_number():
    assert math.isnan(resolve_plain(".NaN"))


def test_single_parsers__none_for_anything_else():
    assert parse_int("1.0") is None
    assert parse_bool("1") is None
    assert parse_float("x") is None
    assert parse_float("7") == 7.0
    assert parse_float("0x" + "f" * 400) == math.inf
    assert parse_float("1e999") == math.inf
    assert is_null("~")
    assert not is_null("none")


def test_kind_of_plain__words_of_messages():
    kinds = [kind_of_plain(text) for text in ("~", "true", "1", "1.5", "x")]
    assert kinds == ["null", "a boolean", "a whole number", "a number", "text"]


def test_as_string__text_stays_as_written_and_null_is_none():
    def scalar(text: str, plain: bool) -> ScalarNode:
        return ScalarNode(text, plain, "m.yaml", 0, 1)

    assert as_string(scalar("1.10", True)) == "1.10"
    assert as_string(scalar("~", False)) == "~"
    assert as_string(scalar("~", True)) is None
    assert as_string(SeqNode((), True, "m.yaml", 0, 1)) is None
