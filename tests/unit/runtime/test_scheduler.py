from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.errors import MlspecBug
from mlspec.ir.graph import ancestors
from mlspec.ir.joins import Outcome, unmet_join
from mlspec.ir.model import Combination, Join, Matrix, Pipeline
from mlspec.runtime.scheduler import NO_MATRIX, Decide, Launch, Scheduler, StepEnded
from tests.support.graphs import SEEDS, application, random_application
from tests.support.running import script


def _drive(pipeline: Pipeline, rng: random.Random) -> tuple[Scheduler, list[object]]:
    """Carry a run out in a random order with random outcomes; check what must always hold."""
    scheduler = Scheduler(pipeline)
    steps = {step.id: step for step in pipeline.all_steps}
    needs = {step.id: step.needs for step in pipeline.steps}
    above = ancestors(needs, needs)
    waiting = list(scheduler.begin())
    history: list[object] = []
    running: dict[str, int] = {}
    while waiting:
        command = waiting.pop(rng.randrange(len(waiting)))
        history.append(command)
        match command:
            case Decide(step_id):
                others = set(needs) if step_id == "finally" else above[step_id]
                assert others <= set(scheduler.outcomes)
                if step_id != "finally" and rng.random() < 0.3:
                    outcome = rng.choice((Outcome.SKIPPED, Outcome.FAILED))
                    waiting += scheduler.refuse(step_id, outcome)
                else:
                    matrix = steps[step_id].matrix
                    waiting += scheduler.admit(step_id, matrix.rows if matrix else (NO_MATRIX,))
            case Launch(step_id, combination):
                limit = steps[step_id].matrix
                running[step_id] = running.get(step_id, 0) + 1
                if limit is not None and limit.parallel is not None:
                    assert running[step_id] <= limit.parallel
                outcome = rng.choice((Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILED))
                running[step_id] -= 1
                waiting += scheduler.finish(step_id, combination, outcome)
            case StepEnded():
                pass
    return scheduler, history


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.randoms(use_true_random=False))
def test_scheduler__any_order_of_events(seed: int, order: random.Random) -> None:
    pipeline = random_application(seed).pipelines[0]
    scheduler, history = _drive(pipeline, order)

    assert scheduler.done
    ended = [command.step for command in history if isinstance(command, StepEnded)]
    assert sorted(ended) == sorted(step.id for step in pipeline.all_steps)
    launched = [c for c in history if isinstance(c, Launch)]
    assert len(launched) == len(set(launched))
    if pipeline.final is not None:
        assert list(scheduler.outcomes)[-1] == "finally"
    decided = {command.step for command in history if isinstance(command, Decide)}
    for step in pipeline.steps:
        unmet = unmet_join(step.join, [scheduler.outcomes[need] for need in step.needs])
        assert (step.id in decided) is (unmet is None)
        if unmet is not None:
            assert scheduler.outcomes[step.id] is unmet


def test_admit__parallel_limits_a_group() -> None:
    rows = tuple(Combination((("n", str(n)),)) for n in range(5))
    step = script("a", "true", matrix=Matrix(keys=("n",), rows=rows, parallel=2))
    scheduler = Scheduler(Pipeline(id="p", steps=(step,)))
    scheduler.begin()

    first = scheduler.admit("a", rows)
    assert [command.combination for command in first] == list(rows[:2])
    (third,) = scheduler.finish("a", rows[1], Outcome.SUCCESS)
    assert third == Launch("a", rows[2])


def test_admit__no_instances_is_skipped() -> None:
    scheduler = Scheduler(application([script("a", "true", matrix=SEEDS)]).pipelines[0])
    scheduler.begin()
    assert scheduler.admit("a", ()) == (StepEnded("a", Outcome.SKIPPED),)


def test_finish__verdict_ignores_finally_and_allowed_failures() -> None:
    steps = [script("a", "", allow_failure=True), script("b", "", needs=("a",))]
    scheduler = Scheduler(application(steps, script("finally", "")).pipelines[0])
    scheduler.begin()
    scheduler.admit("a", (NO_MATRIX,))
    commands = scheduler.finish("a", NO_MATRIX, Outcome.FAILED)
    assert commands == (
        StepEnded("a", Outcome.FAILED),
        StepEnded("b", Outcome.BLOCKED, by_join=True),
        Decide("finally"),
    )
    scheduler.admit("finally", (NO_MATRIX,))
    scheduler.finish("finally", NO_MATRIX, Outcome.FAILED)
    assert scheduler.done
    assert not scheduler.failed


def test_begin__nothing_but_finally() -> None:
    scheduler = Scheduler(Pipeline(id="p", final=script("finally", "")))
    assert scheduler.begin() == (Decide("finally"),)


def test_scheduler__refuses_what_makes_no_sense() -> None:
    scheduler = Scheduler(
        Pipeline(
            id="p",
            steps=(script("a", ""), script("b", "", needs=("a",), join=Join.ALL_DONE)),
        )
    )
    scheduler.begin()
    with pytest.raises(MlspecBug):
        scheduler.admit("b", (NO_MATRIX,))
    with pytest.raises(MlspecBug):
        scheduler.finish("a", NO_MATRIX, Outcome.SUCCESS)
