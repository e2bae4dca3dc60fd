"""Trials: each a training in a process of its own, measured on the validation rows.

In: a search and a way to measure parameters. Out: trials in the order of their numbers, and the
best. Invariants: a trial that fails is recorded with its reason and the search goes on; the test
rows are nowhere; equal values are won by the smaller number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from mlspec.runtime.models.objective import Objective
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tuning.search import Proposal, Search
from mlspec.runtime.tuning.space import Point

Measure = Callable[[Proposal, float], float]
"""From parameters and a share of the training rows to the objective, or a StepError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of a proposal.

    Attributes:
        state: `done`, `pruned` (given up after a share of the rows) or `failed`.
        objective: of the whole training rows, or of the last share; None if it failed.
        shares: share of the training rows and objective, one after the other.
        error: why it failed.
    """

    number: int
    params: Point
    state: str
    objective: float | None = None
    shares: tuple[tuple[float, float], ...] = ()
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it for a file."""
        found: dict[str, Any] = {
            "number": self.number,
            "params": self.params,
            "state": self.state,
            "objective": self.objective,
        }
        if len(self.shares) > 1 or self.state == "pruned":
            found["shares"] = [list(one) for one in self.shares]
        return {**found, "error": self.error} if self.error else found


def run_trials(search: Search, measure: Measure, *, parallel: int) -> Iterator[Trial]:
    """Give the trials of a search, round by round, in the order of their numbers.

    Args:
        search: proposes. measure: trains and measures once; called in threads.
        parallel: trials at once.
    """
    with ThreadPoolExecutor(max_workers=max(1, parallel)) as pool:
        while proposals := search.ask(max(1, parallel)):
            yield from _round(pool, search, measure, proposals)


def best_of(trials: list[Trial], objective: Objective) -> Trial:
    """Return the best trial that was done.

    Raises:
        StepError: none was.
    """
    best: Trial | None = None
    for one in trials:
        if one.state != "done" or one.objective is None:
            continue
        if (
            best is None
            or best.objective is None
            or objective.better(one.objective, best.objective)
        ):
            best = one
    if best is None:
        reasons = [one.error for one in trials if one.error]
        first = f": {reasons[0]}" if reasons else ""
        raise StepError(f"none of {len(trials)} trials made a model{first}")
    return best


def _round(
    pool: ThreadPoolExecutor, search: Search, measure: Measure, proposals: list[Proposal]
) -> Iterator[Trial]:
    """Run proposals beside each other, share by share; decide in the order of their numbers."""
    ended: dict[int, Trial] = {}
    values: dict[int, list[tuple[float, float]]] = {one.number: [] for one in proposals}
    going = list(proposals)
    for rung, share in enumerate(search.shares):
        running = [(one, pool.submit(measure, one, share)) for one in going]
        going = []
        for one, future in running:
            try:
                value = future.result()
            except StepError as error:
                search.tell(one.number, None)
                ended[one.number] = _trial(one, "failed", values, error=error.message)
                continue
            values[one.number].append((share, value))
            last = rung == len(search.shares) - 1
            if last:
                search.tell(one.number, value)
                ended[one.number] = _trial(one, "done", values)
            elif search.goes_on(one.number, rung, value):
                going.append(one)
            else:
                search.tell(one.number, None, pruned=True)
                ended[one.number] = _trial(one, "pruned", values)
    yield from (ended[one.number] for one in proposals)


def _trial(
    one: Proposal, state: str, values: dict[int, list[tuple[float, float]]], error: str = ""
) -> Trial:
    found = values[one.number]
    return Trial(
        number=one.number,
        params=one.params,
        state=state,
        objective=found[-1][1] if found and state != "failed" else None,
        shares=tuple(found),
        error=error,
    )
