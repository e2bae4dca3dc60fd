"""Can a step run although its approval was not given? The proof behind rules ML305 and ML801.

Duty: for a graph with joins, every outcome that each step can have when its guards never succeed.
A step that may then start is not dominated by them. With `all_success` joins only this is the
search "remove the approvals, is live traffic still reachable?"; other joins make it more than
reachability, because a join can hold *because* a need failed. Sets of outcomes are exact for one
join and an over-approximation for the graph: a proof never says "safe" wrongly.

The algorithm knows no joins: a `Vertex` says how it can end, given how others can. Steps of the IR
say it by `mlspec.ir.joins`; `mlspec.proving` says it for the tasks that it reads back from emitted
artifacts (rule ML801).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlspec.ir.joins import Outcome, unmet_join
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Pipeline, Step

NEVER = frozenset({Outcome.FAILED, Outcome.SKIPPED, Outcome.BLOCKED})
"""How a guard can end that does not succeed."""
STARTED = frozenset({Outcome.SUCCESS, Outcome.FAILED})
"""How something that started can end."""

Ends = Mapping[str, frozenset[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """A node of a graph, whatever its joins are.

    Attributes:
        needs: ids of those that it waits for.
        ends: how it can end, given how all vertices before it can.
    """

    id: str
    needs: tuple[str, ...]
    ends: Callable[[Ends], frozenset[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A way around an approval.

    Attributes:
        step: the step that can start. path: steps that lead to it, from a source on, itself last.
    """

    step: str
    path: tuple[str, ...]


def ends_without(vertices: Iterable[Vertex], guards: Collection[str]) -> Ends:
    """Return all outcomes that vertices can have when none of the guards succeeds.

    Args:
        vertices: in topological order. guards: ids that fail, are skipped or are blocked.
    """
    found: dict[str, frozenset[Outcome]] = {}
    for vertex in vertices:
        found[vertex.id] = NEVER if vertex.id in guards else vertex.ends(found)
    return found


def outcomes_without(steps: Sequence[Step], guards: Collection[str]) -> Ends:
    """Return all outcomes that steps can have when none of the guards succeeds.

    Args:
        steps: in topological order. guards: ids that fail, are skipped or are blocked.
    """
    return ends_without((_vertex(step) for step in steps), guards)


def _vertex(step: Step) -> Vertex:
    def ends(found: Ends) -> frozenset[Outcome]:
        made: set[Outcome] = set()
        for flags in _flags([found[need] for need in step.needs]):
            unmet = unmet_join(step.join, flags)
            if unmet is None:
                made |= STARTED | ({Outcome.SKIPPED} if step.when else set())
            else:
                made.add(unmet)
        return frozenset(made)

    return Vertex(id=step.id, needs=step.needs, ends=ends)


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
            Gap(step=step.id, path=path_to(step.id, lambda one: pipeline.step(one).needs, ends))
            for step in pipeline.steps
            if step.kind is Kind.PROMOTE
            and step.subject == approve.subject
            and ends[step.id] & STARTED
        ]
    return tuple(found)


def path_to(last: str, needs_of: Callable[[str], tuple[str, ...]], ends: Ends) -> tuple[str, ...]:
    """Return a chain of those that start, ending in `last`: the counter-example."""
    chain = [last]
    while True:
        before = next((need for need in needs_of(chain[-1]) if Outcome.SUCCESS in ends[need]), None)
        if before is None:
            return tuple(reversed(chain))
        chain.append(before)
