"""How a join becomes a trigger rule, a check in `pre_execute`, or a gate task.

A direct mapping to Airflow's trigger rules runs the wrong steps: `all_success` turns a task
skipped as soon as one need is skipped, even if another fails later, and `upstream_failed` comes
before the other needs have ended, so that what follows starts early (airflow
ti_deps/deps/trigger_rule_dep.py, 3.3.2). Hence: rules that start on some needs wait for all
transitive needs and look at the states themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.ir.model import Join, Pipeline, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How the first task of a step starts.

    Attributes:
        rule: its trigger rule.
        upstream: steps that it stands below.
        check: the join that its hook checks, if any.
        gate: whether the check needs a task of its own, because it may have to block.
    """

    rule: str
    upstream: tuple[str, ...]
    check: Join | None = None
    gate: bool = False


class JoinLowering:
    """Answers, for one pipeline, how each step's join is said."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Find out which steps can end as skipped."""
        self._steps = {step.id: step for step in pipeline.steps}
        self._rank = {step.id: index for index, step in enumerate(pipeline.steps)}
        self._skippable: set[str] = set()
        for step in pipeline.steps:
            if self._can_be_skipped(step):
                self._skippable.add(step.id)

    def _above(self, step: Step) -> tuple[str, ...]:
        """Return steps that have all ended only when all transitive needs have.

        What stands above a step that itself waits for all of that is left out: otherwise a chain
        of such steps would have a square number of dependencies.
        """
        found: set[str] = set()
        todo = list(step.needs)
        while todo:
            need = todo.pop()
            if need not in found:
                found.add(need)
                if not self._waits(self._steps[need]):
                    todo.extend(self._steps[need].needs)
        return tuple(sorted(found, key=self._rank.__getitem__))

    def _waits(self, step: Step) -> bool:
        """Whether a step, however it ends, ends after all its transitive needs."""
        if step.join is Join.ONE_SUCCESS:
            return len(step.needs) > 1
        return step.join in (Join.ALL_DONE, Join.ONE_FAILED, Join.ALL_FAILED)

    def _can_be_skipped(self, step: Step) -> bool:
        if step.when or (step.matrix is not None and step.matrix.dynamic is not None):
            return True
        if not step.needs or step.join in (Join.NONE_FAILED, Join.ALL_DONE):
            return False
        if step.join in (Join.ONE_FAILED, Join.ALL_FAILED):
            return True
        return any(need in self._skippable for need in step.needs)

    def start(self, step: Step) -> Start:
        """Return how the first task of a step starts."""
        if not step.needs:
            return Start(rule="all_success", upstream=())
        single = len(step.needs) == 1
        match step.join:
            case Join.ALL_DONE:
                return Start(rule="all_done", upstream=self._above(step))
            case Join.NONE_FAILED:
                return Start(rule="none_failed", upstream=step.needs)
            case Join.ONE_FAILED | Join.ALL_FAILED:
                return Start(rule="all_done", upstream=self._above(step), check=step.join)
            case Join.ONE_SUCCESS if not single:
                return Start(
                    rule="all_done", upstream=self._above(step), check=step.join, gate=True
                )
            case Join.NONE_FAILED_MIN_ONE_SUCCESS if not single:
                return Start(rule=step.join.value, upstream=step.needs)
        if single or not any(need in self._skippable for need in step.needs):
            return Start(rule="all_success", upstream=step.needs)
        return Start(rule="none_failed", upstream=step.needs, check=Join.ALL_SUCCESS)
