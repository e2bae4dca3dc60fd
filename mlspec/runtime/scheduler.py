"""What to do next in a run: a state machine without input or output, clock or thread.

Input: a pipeline, and what happened (a step was admitted or refused, an instance ended). Output:
commands. Invariants: a step is decided once, after everything it needs directly or through others
has ended; each admitted instance is launched once; `finally` is decided after every other step has
ended; no more instances of a group run at a time than its `parallel` allows. Joins, groups and the
verdict follow `mlspec.ir.joins`; nothing else here knows their rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mlspec.errors import MlspecBug
from mlspec.ir.joins import Outcome, group_outcome, run_failed, unmet_join
from mlspec.ir.model import Combination, Pipeline, Step

NO_MATRIX = Combination(())
"""The one combination of a step without a matrix; its name is empty."""


@dataclass(frozen=True, slots=True)
class Decide:
    """The step's join holds: look at `when` and approvals, then `admit` or `refuse` it."""

    step: str


@dataclass(frozen=True, slots=True)
class Launch:
    """Start an instance, then report its end with `finish`."""

    step: str
    combination: Combination


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step has its outcome; `by_join` when it never came to a decision."""

    step: str
    outcome: Outcome
    by_join: bool = False


Command = Decide | Launch | StepEnded


@dataclass(slots=True)
class _Group:
    """The instances of an admitted step."""

    waiting: deque[Combination]
    limit: int
    running: set[Combination] = field(default_factory=set)
    ended: list[Outcome] = field(default_factory=list)


class Scheduler:
    """The state of one run of a pipeline."""

    def __init__(self, pipeline: Pipeline, gate: str | None = None) -> None:
        """Start with nothing decided.

        Args:
            pipeline: what is run.
            gate: a step that must succeed, or no other starts, whatever its join
                (`finally` does).
        """
        self._pipeline = pipeline
        self._gate = gate
        self._steps: dict[str, Step] = {step.id: step for step in pipeline.all_steps}
        self._missing = {step.id: len(step.needs) for step in pipeline.steps}
        self._dependants: dict[str, list[str]] = {step.id: [] for step in pipeline.steps}
        for step in pipeline.steps:
            for need in step.needs:
                self._dependants[need].append(step.id)
        self._deciding: set[str] = set()
        self._groups: dict[str, _Group] = {}
        self._outcomes: dict[str, Outcome] = {}

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Outcomes of the steps that have ended, in the order in which they ended."""
        return MappingProxyType(self._outcomes)

    @property
    def failed(self) -> bool:
        """The verdict so far."""
        return run_failed(self._pipeline, self._outcomes)

    @property
    def done(self) -> bool:
        """Whether every step, `finally` included, has ended."""
        return len(self._outcomes) == len(self._steps)

    def begin(self) -> tuple[Command, ...]:
        """Return the first commands."""
        ready = [step.id for step in self._pipeline.steps if not step.needs]
        self._deciding.update(ready)
        return (*(Decide(step) for step in ready), *self._final_if_due())

    def admit(self, step_id: str, combinations: Iterable[Combination]) -> tuple[Command, ...]:
        """Take a decided step on, with its instances; none: an empty run-time matrix."""
        self._leave_decision(step_id)
        matrix = self._steps[step_id].matrix
        waiting = deque(combinations)
        limit = matrix.parallel if matrix is not None and matrix.parallel is not None else 0
        self._groups[step_id] = _Group(waiting, limit or max(len(waiting), 1))
        return self._advance(step_id)

    def refuse(self, step_id: str, outcome: Outcome) -> tuple[Command, ...]:
        """End a decided step without starting it: a false condition, or a failed decision."""
        self._leave_decision(step_id)
        return self._end(step_id, outcome, by_join=False)

    def finish(
        self, step_id: str, combination: Combination, outcome: Outcome
    ) -> tuple[Command, ...]:
        """Report how a launched instance ended: success or failed."""
        group = self._groups.get(step_id)
        if group is None or combination not in group.running:
            raise MlspecBug(f"{step_id} {combination.name!r} ended but was not running")
        group.running.remove(combination)
        group.ended.append(outcome)
        return self._advance(step_id)

    def _leave_decision(self, step_id: str) -> None:
        if step_id not in self._deciding:
            raise MlspecBug(f"{step_id} was decided but nobody asked")
        self._deciding.remove(step_id)

    def _advance(self, step_id: str) -> tuple[Command, ...]:
        group = self._groups[step_id]
        commands: list[Command] = []
        while group.waiting and len(group.running) < group.limit:
            combination = group.waiting.popleft()
            group.running.add(combination)
            commands.append(Launch(step_id, combination))
        if group.running or group.waiting:
            return tuple(commands)
        return (*commands, *self._end(step_id, group_outcome(group.ended), by_join=False))

    def _end(self, step_id: str, outcome: Outcome, *, by_join: bool) -> tuple[Command, ...]:
        commands: list[Command] = []
        ending = deque([(step_id, outcome, by_join)])
        while ending:
            ended, how, joined = ending.popleft()
            self._outcomes[ended] = how
            commands.append(StepEnded(ended, how, joined))
            for dependant in self._dependants.get(ended, ()):
                self._missing[dependant] -= 1
                if self._missing[dependant]:
                    continue
                unmet = self._unmet(dependant)
                if unmet is None:
                    self._deciding.add(dependant)
                    commands.append(Decide(dependant))
                else:
                    ending.append((dependant, unmet, True))
        return (*commands, *self._final_if_due())

    def _unmet(self, step_id: str) -> Outcome | None:
        step = self._steps[step_id]
        if self._gate is not None and self._outcomes[self._gate] is not Outcome.SUCCESS:
            return Outcome.BLOCKED
        return unmet_join(step.join, [self._outcomes[need] for need in step.needs])

    def _final_if_due(self) -> tuple[Command, ...]:
        final = self._pipeline.final
        if final is None or len(self._outcomes) != len(self._pipeline.steps):
            return ()
        self._deciding.add(final.id)
        return (Decide(final.id),)
