"""The proof against brute force: every way the guards and all other steps can end is tried."""

from __future__ import annotations

import itertools
import random

from mlspec.ir.dominance import gaps, outcomes_without
from mlspec.ir.joins import Outcome, unmet_join
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Join, Pipeline, Script, Step

_BAD = (Outcome.FAILED, Outcome.SKIPPED, Outcome.BLOCKED)


def _step(step_id, needs=(), join=Join.ALL_SUCCESS, kind=Kind.STEP):
    return Step(
        id=step_id,
        action=Script(text="true"),
        needs=needs,
        join=join,
        kind=kind,
        subject="models.m",
    )


def _brute(steps, guards):
    """All outcomes of all steps over every assignment of free outcomes."""
    seen = {step.id: set() for step in steps}
    free = [step.id for step in steps]
    choices = [_BAD if one in guards else (Outcome.SUCCESS, Outcome.FAILED) for one in free]
    for picks in itertools.product(*choices):
        wanted = dict(zip(free, picks, strict=True))
        ended = {}
        for step in steps:
            if step.id in guards:
                ended[step.id] = wanted[step.id]
                continue
            unmet = unmet_join(step.join, [ended[need] for need in step.needs])
            ended[step.id] = unmet or wanted[step.id]
        for step_id, outcome in ended.items():
            seen[step_id].add(outcome)
    return seen


def test_outcomes_without__covers_brute_force_on_random_graphs():
    chance = random.Random(7)
    exact = total = 0
    for _ in range(120):
        steps = []
        for number in range(6):
            names = [step.id for step in steps]
            needs = tuple(sorted(chance.sample(names, chance.randint(0, min(3, len(names))))))
            steps.append(_step(f"s{number}", needs, chance.choice(list(Join))))
        guards = {chance.choice(steps).id}
        found, truth = outcomes_without(steps, guards), _brute(steps, guards)
        for step in steps:
            assert truth[step.id] <= found[step.id], (steps, guards, step.id)
            exact += truth[step.id] == found[step.id]
            total += 1
    assert exact / total > 0.9  # an over-approximation that says "everything" would prove nothing


def _pipeline(join):
    return Pipeline(
        id="p",
        steps=(
            _step("train", kind=Kind.TRAIN),
            _step("approve", ("train",), kind=Kind.APPROVE),
            _step("promote", ("train", "approve"), join, Kind.PROMOTE),
        ),
    )


def test_gaps__none_when_the_promotion_waits_for_the_approval():
    assert gaps(_pipeline(Join.ALL_SUCCESS)) == ()


def test_gaps__every_other_join_is_a_way_around():
    for join in (Join.ALL_DONE, Join.ONE_SUCCESS, Join.NONE_FAILED, Join.ONE_FAILED):
        (gap,) = gaps(_pipeline(join))
        assert (gap.step, gap.path) == ("promote", ("train", "promote"))


def test_gaps__each_of_two_approvals_counts():
    pipeline = Pipeline(
        id="p",
        steps=(
            _step("train", kind=Kind.TRAIN),
            _step("approve", ("train",), kind=Kind.APPROVE),
            _step("approve-2", ("train",), kind=Kind.APPROVE),
            _step("promote", ("approve",), kind=Kind.PROMOTE),
        ),
    )
    (gap,) = gaps(pipeline)
    assert gap.step == "promote"
