"""The closure of joins on graphs whose conditions cannot be written out."""

from __future__ import annotations

import pytest

from mlspec.backends.base import LowerOptions
from mlspec.backends.registry import load_backend
from mlspec.ir.joins import JoinClosure, all_of, any_of, steps_in
from mlspec.ir.model import Application, Join, Pipeline, Script, Step


def _layers(depth: int, join: Join) -> Pipeline:
    """Three steps a layer, each needs two above: conditions of some joins double at each layer."""
    steps = [Step(id=f"s0-{side}", action=Script(text="true\n")) for side in range(3)]
    for layer in range(1, depth):
        for side in range(3):
            needs = (f"s{layer - 1}-{side}", f"s{layer - 1}-{(side + 1) % 3}")
            action = Script(text="true\n")
            steps.append(Step(id=f"s{layer}-{side}", action=action, needs=needs, join=join))
    last = (f"s{depth - 1}-0",)
    steps.append(Step(id="end", action=Script(text="true\n"), needs=last, join=Join.NONE_FAILED))
    return Pipeline(id="p", steps=tuple(steps))


def test_size__counts_results_as_written() -> None:
    pipeline = _layers(3, Join.NONE_FAILED)
    assert JoinClosure(pipeline).may_start("s1-0").size == 2
    assert JoinClosure(pipeline).may_start("s2-0").size == 5
    assert len(steps_in(JoinClosure(pipeline).may_start("s2-0"))) == 5


def test_size__of_a_condition_that_doubles() -> None:
    assert JoinClosure(_layers(300, Join.ONE_SUCCESS)).may_start("end").size > 2**100


def test_any_of__equal_terms_once_even_when_made_apart() -> None:
    closure, again = (
        JoinClosure(_layers(4, Join.ONE_SUCCESS)),
        JoinClosure(_layers(4, Join.ONE_SUCCESS)),
    )
    term = all_of((closure.bad("s3-0"), closure.bad("s3-1")))
    assert any_of((term, all_of((again.bad("s3-0"), again.bad("s3-1"))))) == term


@pytest.mark.parametrize("target", ["github-actions", "kubernetes"])
def test_lower__joins_that_cannot_be_written_are_refused(target: str) -> None:
    backend = load_backend(target)
    assert backend is not None
    application = Application(name="a", pipelines=(_layers(60, Join.ONE_SUCCESS),))
    lowered = backend.lower((application,), LowerOptions())
    assert lowered.value is None
    assert {diagnostic.code.id for diagnostic in lowered.diagnostics} == {"ML099"}
