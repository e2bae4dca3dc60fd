"""How a join becomes a trigger rule, a check in `pre_execute`, or a gate task.

A direct mapping to Airflow's trigger rules runs the wrong steps: `all_success` turns a task
skipped as soon as one need is skipped, even if another fails later, and `upstream_failed` comes
before the other needs have ended, so that what follows starts early (airflow
ti_deps/deps/trigger_rule_dep.py, 3.3.2). Hence: rules that start on some needs wait for all
transitive needs and look at the states themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.ir.graph import ancestors
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
        """Compute transitive needs, and which steps can end as skipped."""
        needs = {step.id: step.needs for step in pipeline.steps}
        order = tuple(needs)
        above = ancestors(needs, order)
        rank = {step_id: index for index, step_id in enumerate(order)}
        self._above = {
            step_id: tuple(sorted(found, key=rank.__getitem__)) for step_id, found in above.items()
        }
        self._skippable: set[str] = set()
        for step in pipeline.steps:
            if self._can_be_skipped(step):
                self._skippable.add(step.id)

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
        above = self._above[step.id]
        single = len(step.needs) == 1
        match step.join:
            case Join.ALL_DONE:
                return Start(rule="all_done", upstream=above)
            case Join.NONE_FAILED:
                return Start(rule="none_failed", upstream=step.needs)
            case Join.ONE_FAILED | Join.ALL_FAILED:
                return Start(rule="all_done", upstream=above, check=step.join)
            case Join.ONE_SUCCESS if not single:
                return Start(rule="all_done", upstream=above, check=step.join, gate=True)
            case Join.NONE_FAILED_MIN_ONE_SUCCESS if not single:
                return Start(rule=step.join.value, upstream=step.needs)
        if single or not any(need in self._skippable for need in step.needs):
            return Start(rule="all_success", upstream=step.needs)
        return Start(rule="none_failed", upstream=step.needs, check=Join.ALL_SUCCESS)
