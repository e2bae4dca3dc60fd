"""Points of a parameter space: on a grid, or drawn with a seed.

In: ranges of the spec. Out: parameters by name, JSON scalars. Invariants: same ranges and seed,
same points in the same order; every point lies in its range, both ends included.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from mlspec.ir.facts import Range
from mlspec.runtime.steps.contract import StepError

Scalar = str | int | float | bool
Point = dict[str, Scalar]
_TWO_NUMBERS = frozenset({"uniform", "loguniform", "int", "logint"})
_WHOLE = frozenset({"int", "logint"})
_LOG = frozenset({"loguniform", "logint"})


def check_space(space: Sequence[Range]) -> None:
    """Hold ranges against what can be searched.

    Raises:
        StepError: a range is empty, turned around, or logarithmic and not above zero.
    """
    if not space:
        raise StepError("`tune.space` is empty: there is nothing to search")
    for one in space:
        if one.kind == "choice":
            if not one.values:
                raise StepError(f"`tune.space.{one.name}` has no values to choose from")
            continue
        if one.kind not in _TWO_NUMBERS:
            raise StepError(f"`tune.space.{one.name}`: `{one.kind}` is no kind of range")
        low, high = ends(one)
        if low > high:
            raise StepError(f"`tune.space.{one.name}`: {low:g} is more than {high:g}")
        if one.kind in _LOG and low <= 0:
            raise StepError(f"`tune.space.{one.name}`: `{one.kind}` starts above 0, not at {low:g}")


def ends(one: Range) -> tuple[float, float]:
    """Return the two ends of a range of numbers.

    Raises:
        StepError: it has not two numbers.
    """
    numbers = [v for v in one.values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) != 2 or len(one.values) != 2:
        raise StepError(f"`tune.space.{one.name}`: `{one.kind}` takes two numbers")
    return float(numbers[0]), float(numbers[1])


def grid(space: Sequence[Range], trials: int) -> list[Point]:
    """Return the points of a grid, the last parameter changing fastest.

    Choices are taken whole. Ranges of numbers get the same number of levels each: the most that
    keep the grid within the trials, at least two, evenly spaced (on their scale).

    Raises:
        StepError: the smallest grid has more points than there are trials.
    """
    levels = 2
    while _size(space, levels + 1) <= trials and _size(space, levels + 1) > _size(space, levels):
        levels += 1
    size = _size(space, levels)
    if size > trials:
        raise StepError(
            f"the grid has {size} points, and there are {trials} trials",
            help=f"set `trials: {size}`, or take `method: random`",
        )
    axes = [_levels(one, levels) for one in space]
    names = [one.name for one in space]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*axes)]


def draw(space: Sequence[Range], count: int, seed: int) -> list[Point]:
    """Return points drawn independently, all parameters of a point before the next point."""
    rng = np.random.default_rng(seed % 2**63)
    return [{one.name: _drawn(one, rng) for one in space} for _ in range(count)]


def _drawn(one: Range, rng: np.random.Generator) -> Scalar:
    if one.kind == "choice":
        return one.values[int(rng.integers(len(one.values)))]
    low, high = ends(one)
    if one.kind == "int":
        return int(rng.integers(int(low), int(high), endpoint=True))
    share = float(rng.random())
    if one.kind == "uniform":
        return low + (high - low) * share
    if one.kind == "loguniform":
        found = math.exp(math.log(low) + (math.log(high) - math.log(low)) * share)
        return min(max(found, low), high)
    # every whole number k has the weight log((k + 1) / k)
    found = math.exp(math.log(low) + (math.log(high + 1) - math.log(low)) * share)
    return int(min(max(math.floor(found), low), high))


def _size(space: Sequence[Range], levels: int) -> int:
    return math.prod(len(_levels(one, levels)) for one in space)


def _levels(one: Range, count: int) -> list[Scalar]:
    if one.kind == "choice":
        return list(one.values)
    low, high = ends(one)
    if low == high:
        return [int(low) if one.kind in _WHOLE else low]
    scale = np.geomspace if one.kind in _LOG else np.linspace
    values = [float(value) for value in scale(low, high, count)]
    values[0], values[-1] = low, high
    if one.kind in _WHOLE:
        return list(dict.fromkeys(round(value) for value in values))
    return list(values)
