"""What of an earlier, unfinished run counts again when it is resumed.

An earlier success counts if its definition is the same, nothing above it ran anew or ended
otherwise, and what it published is still there. `finally` always runs again.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from mlspec.ir.graph import ancestors
from mlspec.ir.joins import Outcome
from mlspec.ir.model import Pipeline, Step
from mlspec.runtime.layout import Layout
from mlspec.runtime.records import InstanceRecord, RunRecord, StepRecord


class Earlier:
    """The record of the run that is continued, if one is."""

    def __init__(
        self, pipeline: Pipeline, layout: Layout, now: RunRecord, earlier: RunRecord | None
    ) -> None:
        """Look at the record; `now` is the new one."""
        self._layout = layout
        self._now = now
        self._steps = {step.id: step for step in earlier.steps} if earlier is not None else {}
        needs = {step.id: step.needs for step in pipeline.steps}
        self._above = ancestors(needs, needs)

    def gives(self, step: Step, record: InstanceRecord, changed: AbstractSet[str]) -> bool:
        """Fill in an instance's record if its earlier success counts; return whether it does.

        Attempts are taken over in any case: their logs are there, and numbers go on from them.

        Args:
            step: whose instance.
            record: of the instance, new.
            changed: steps that ran anew or ended otherwise.
        """
        known = self._steps.get(step.id)
        before = known.instance(record.combination) if known is not None else None
        if known is None or before is None:
            return False
        record.attempts = before.attempts
        if not self._counts(step, known, before, changed):
            return False
        record.outcome, record.reused = before.outcome, "resume"
        record.metrics, record.seconds = before.metrics, before.seconds
        record.reason = "succeeded before the run was resumed"
        return True

    def _counts(
        self, step: Step, known: StepRecord, before: InstanceRecord, changed: AbstractSet[str]
    ) -> bool:
        if step.id not in self._above or self._above[step.id] & changed:
            return False
        same = known.definition == self._now.step(step.id).definition
        return same and before.outcome == Outcome.SUCCESS.value and self._is_there(step, before)

    def _is_there(self, step: Step, before: InstanceRecord) -> bool:
        layout = self._layout
        outputs = all(
            layout.output(step.id, before.combination, output).exists()
            for output in step.outputs
            if output.data is None or output.mode.value == "path"
        )
        metrics = step.metrics is None or layout.metrics(step.id, before.combination).is_file()
        return outputs and metrics

    def ended_otherwise(self, record: StepRecord) -> bool:
        """Whether a step ended otherwise than in the earlier run."""
        known = self._steps.get(record.id)
        return known is not None and known.outcome != record.outcome
