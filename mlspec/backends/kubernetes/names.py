"""Names on Argo and Kubernetes: one injective table for each scope, and the limits of the engine.

Ids of the language are DNS labels already (`[a-z]([a-z0-9-]{0,38}[a-z0-9])?`). Two things remain:
words that `depends` expressions cannot hold, and our own tasks, which must not take a step's name.
"""

from __future__ import annotations

from collections.abc import Iterable

EXPR_WORDS = frozenset(
    ("in", "not", "and", "or", "matches", "contains", "let", "if", "else", "true", "false", "nil")
)
"""Operators and literals of expr-lang 1.17, which evaluates `depends`: no task can be called so.

Functions of the language can (tests/conformance/test_argo_joins.py asks Argo's own evaluation).
"""

MAX_CRON_NAME = 52
"""CronWorkflow names; Argo appends the time of the run (workflow/validate, v4.1.2)."""

MAX_NAME = 63
"""WorkflowTemplate names (workflow/validate, v4.1.2) and label values."""


class NameTable:
    """Names of tasks and templates in one workflow; every name is handed out once."""

    def __init__(self, steps: Iterable[str]) -> None:
        """Give the steps their names first: a step keeps its id wherever Argo allows it."""
        self._taken: set[str] = set()
        self._steps: dict[str, str] = {}
        ids = list(steps)
        self._taken.update(step for step in ids if step not in EXPR_WORDS)
        for step in ids:
            self._steps[step] = self.fresh(f"step-{step}") if step in EXPR_WORDS else step

    def step(self, step_id: str) -> str:
        """Return the name of a step's main task."""
        return self._steps[step_id]

    def fresh(self, wanted: str) -> str:
        """Return `wanted`, or a free name near it."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}-x{number}", number + 1
        self._taken.add(name)
        return name
