"""The requests for approval that one run has open.

Input: steps that want approval, and the answers on disk. Output: steps that need not wait any
more. Invariant: a request is answered once, and closed on disk before the run acts on it.
"""

from __future__ import annotations

from datetime import datetime

from mlspec.ir.model import Step
from mlspec.runtime import approvals
from mlspec.runtime.approvals import Request, Standing
from mlspec.runtime.layout import Layout
from mlspec.runtime.model import stamp
from mlspec.runtime.records import RunRecord


class Desk:
    """What people are asked, by step."""

    def __init__(self, layout: Layout, record: RunRecord) -> None:
        """Nothing is asked yet."""
        self._project = layout.project
        self._record = record
        self._open: dict[str, Request] = {}
        self.expired: set[str] = set()
        """Steps that failed because nobody answered in time."""

    @property
    def is_waiting(self) -> bool:
        """Whether a request is open."""
        return bool(self._open)

    def ask(self, step: Step, definition: str, now: datetime) -> Request:
        """Ask for a step's approvals; `definition` digests what is to run.

        Raises:
            OSError: when the disk refuses.
        """
        draft = Request(
            run=self._record.id,
            pipeline=self._record.pipeline,
            step=step.id,
            wanted=(),
            subject=definition,
            asked=stamp(now),
            expires=stamp(now),
        )
        self._open[step.id] = approvals.ask(self._project, draft, step.approvals, now)
        return self._open[step.id]

    def answered(self, now: datetime) -> tuple[tuple[str, Standing], ...]:
        """Return the steps whose requests are answered, and close those requests.

        Raises:
            OSError: when the disk refuses.
        """
        found = []
        for step_id, request in list(self._open.items()):
            standing = approvals.standing(self._project, request, now)
            if standing.approved is None:
                continue
            del self._open[step_id]
            approvals.close(self._project, request, standing)
            if standing.expired:
                self.expired.add(step_id)
            found.append((step_id, standing))
        return tuple(found)
