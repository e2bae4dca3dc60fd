"""Can a step run although its approval was not given? The proof behind rules ML305 and ML801.

Duty: for a graph with joins, every outcome that each step can have when its guards never succeed.
A step that may then start is not dominated by them. With `all_success` joins only this is the
search "remove the approvals, is live traffic still reachable?"; other joins make it more than
reachability, because a join can hold *because* a need failed. Sets of outcomes are exact for one
join and an over-approximation for the graph: a proof never says "safe" wrongly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mlspec.ir.joins import Outcome, unmet_join
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Pipeline, Step

_NEVER = frozenset({Outcome.FAILED, Outcome.SKIPPED, Outcome.BLOCKED})
_STARTED = frozenset({Outcome.SUCCESS, Outcome.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A way around an approval.

    Attributes:
        step: the step that can start. path: steps that lead to it, from a source on, itself last.
    """

    step: str
    path: tuple[str, ...]


def outcomes_without(
    steps: Sequence[Step], guards: Collection[str]
) -> Mapping[str, frozenset[Outcome]]:
    """Return all outcomes that steps can have when none of the guards succeeds.

    Args:
        steps: in topological order. guards: ids that fail, are skipped or are blocked.
    """
    found: dict[str, frozenset[Outcome]] = {}
    for step in steps:
        if step.id in guards:
            found[step.id] = _NEVER
            continue
        ends: set[Outcome] = set()
        for flags in _flags([found[need] for need in step.needs]):
            unmet = unmet_join(step.join, flags)
            if unmet is None:
                ends |= _STARTED | ({Outcome.SKIPPED} if step.when else set())
            else:
                ends.add(unmet)
        found[step.id] = frozenset(ends)
    return found


def _flags(needs: Sequence[frozenset[Outcome]]) -> set[tuple[Outcome, ...]]:
    """Return which outcomes can occur together: joins ask only whether one occurs at all."""
    seen: set[frozenset[Outcome]] = {frozenset()}
    for need in needs:
        seen = {one | {outcome} for one in seen for outcome in need}
    order = {outcome: index for index, outcome in enumerate(Outcome)}
    return {tuple(sorted(one, key=order.__getitem__)) for one in seen}


def gaps(pipeline: Pipeline) -> tuple[Gap, ...]:
    """Return the promotions of a pipeline that can run although an approval was not given.

    Each approve step is tried alone: with two approvals, one must not be enough.
    """
    found = []
    for approve in (step for step in pipeline.steps if step.kind is Kind.APPROVE):
        ends = outcomes_without(pipeline.steps, {approve.id})
        found += [
            Gap(step=step.id, path=_path(pipeline, step, ends))
            for step in pipeline.steps
            if step.kind is Kind.PROMOTE
            and step.subject == approve.subject
            and ends[step.id] & _STARTED
        ]
    return tuple(found)


def _path(
    pipeline: Pipeline, step: Step, ends: Mapping[str, frozenset[Outcome]]
) -> tuple[str, ...]:
    """Return a chain of steps that start, ending in `step`: the counter-example."""
    chain = [step.id]
    while True:
        needs = pipeline.step(chain[-1]).needs
        before = next((need for need in needs if ends[need] & _STARTED), None)
        if before is None:
            return tuple(reversed(chain))
        chain.append(before)
