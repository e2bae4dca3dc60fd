from __future__ import annotations

import math
from pathlib import Path

import pytest

from mlspec.ir.model import MetricCondition, Op, ParamCondition
from mlspec.runtime.conditions import (
    Unanswerable,
    all_hold,
    as_number,
    numbers_in,
    read_metrics,
)


def _metric(op: Op, value: float, metric: str = "m") -> MetricCondition:
    return MetricCondition(step="s", metric=metric, op=op, value=value)


@pytest.mark.parametrize(
    ("found", "op", "value", "holds"),
    [
        (0.5, Op.GE, 0.5, True),
        (0.5, Op.GT, 0.5, False),
        (0.5, Op.LE, 0.5, True),
        (0.5, Op.LT, 0.5, False),
        (1, Op.EQ, 1.0, True),
        (1, Op.NE, 1.0, False),
        (0.1 + 0.2, Op.EQ, 0.3, False),
        (10**400, Op.GT, 1e308, True),
        (-(10**400), Op.LT, -1e308, True),
        (math.inf, Op.GE, 1e308, True),
    ],
)
def test_all_hold__compares_doubles(found: float, op: Op, value: float, holds: bool) -> None:
    assert all_hold((_metric(op, value),), {}, lambda _: {"m": found}) is holds


@pytest.mark.parametrize("found", [None, True, "1", math.nan, [], {}])
def test_all_hold__not_a_number(found: object) -> None:
    answer = all_hold((_metric(Op.NE, 1.0),), {}, lambda _: {"m": found})
    assert isinstance(answer, Unanswerable)
    assert "`s.m`" in answer.reason


def test_all_hold__missing_metric_wins_over_false_condition() -> None:
    false = ParamCondition(param="x", op=Op.EQ, value="b")
    answer = all_hold((false, _metric(Op.GE, 0.0)), {"x": "a"}, lambda _: {"other": 1})
    assert isinstance(answer, Unanswerable)
    assert isinstance(all_hold((_metric(Op.GE, 0.0),), {}, lambda _: None), Unanswerable)


def test_all_hold__params_compare_as_text() -> None:
    same = ParamCondition(param="x", op=Op.EQ, value="1")
    assert all_hold((same,), {"x": "1"}, lambda _: None) is True
    assert all_hold((same,), {"x": "1.0"}, lambda _: None) is False
    assert all_hold((), {}, lambda _: None) is True


@pytest.mark.parametrize("text", ["", "[1]", "{", "null", "[" * 100_000, "1" * 10_000])
def test_read_metrics__anything_else(text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    assert read_metrics(path) is None
    assert read_metrics(tmp_path / "none") is None


def test_numbers_in__keeps_numbers_only() -> None:
    found = {"a": 1, "b": 0.5, "c": "x", "d": True, "e": math.nan, "f": None}
    assert numbers_in(found) == {"a": 1, "b": 0.5}
    assert as_number(2) == 2.0
