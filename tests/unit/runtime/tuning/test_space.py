"""Points of a parameter space."""

from __future__ import annotations

import pytest

from mlspec.ir.facts import Range
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tuning.space import check_space, draw, grid

SPACE = (
    Range(name="rate", kind="loguniform", values=(0.001, 1.0)),
    Range(name="depth", kind="int", values=(2, 9)),
    Range(name="leaves", kind="logint", values=(1, 64)),
    Range(name="share", kind="uniform", values=(0.5, 0.5)),
    Range(name="kind", kind="choice", values=("a", True, 3)),
)


def test_draw__same_seed__same_points_in_range():
    points = draw(SPACE, 400, 3)
    assert points == draw(SPACE, 400, 3)
    assert points[:5] == draw(SPACE, 5, 3)
    assert points != draw(SPACE, 400, 4)
    assert {one["depth"] for one in points} == set(range(2, 10))
    assert {one["kind"] for one in points} == {"a", True, 3}
    assert all(0.001 <= one["rate"] <= 1 and one["share"] == 0.5 for one in points)
    leaves = [one["leaves"] for one in points]
    assert min(leaves) == 1
    assert max(leaves) > 32
    assert sum(one < 8 for one in leaves) == pytest.approx(200, abs=40)  # half of the logarithm
    assert sum(one["rate"] < 0.0316 for one in points) == pytest.approx(200, abs=40)


def test_grid__takes_choices_whole_and_ends_of_ranges():
    space = (
        Range(name="c", kind="loguniform", values=(0.01, 1.0)),
        Range(name="kind", kind="choice", values=("a", "b")),
    )
    points = grid(space, 7)
    assert [one["kind"] for one in points] == ["a", "b"] * 3
    assert [round(one["c"], 6) for one in points[::2]] == [0.01, 0.1, 1.0]


def test_grid__whole_numbers_are_not_taken_twice():
    points = grid((Range(name="n", kind="int", values=(1, 4)),), 20)
    assert [one["n"] for one in points] == [1, 2, 3, 4]


def test_grid__more_points_than_trials__is_refused():
    space = (Range(name="kind", kind="choice", values=tuple(range(5))),)
    with pytest.raises(StepError, match="5 points, and there are 4 trials"):
        grid(space, 4)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (Range(name="x", kind="uniform", values=(2, 1)), "2 is more than 1"),
        (Range(name="x", kind="loguniform", values=(0, 1)), "starts above 0"),
        (Range(name="x", kind="choice", values=()), "no values"),
        (Range(name="x", kind="uniform", values=(1, "a")), "two numbers"),
        (Range(name="x", kind="normal", values=(0, 1)), "no kind of range"),
    ],
)
def test_check_space__odd_range__is_refused(one, said):
    with pytest.raises(StepError, match=said):
        check_space((one,))
    with pytest.raises(StepError, match="nothing to search"):
        check_space(())
