"""The proof on emitted artifacts (rule ML801): read back what was printed, prove it again.

`prove` is the entrance. A reader for each target (`airflow`, `github_actions`, `kubernetes`) turns
text into an emitted graph (`graph`); it shares no code with the back end that printed the text, so
that a fault there is not repeated here. `proof` holds the graphs against the IR.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlspec.ir.kinds import Kind

if TYPE_CHECKING:
    from mlspec.diagnostics.model import Diagnostic
    from mlspec.emit.artifact import Artifact
    from mlspec.ir.model import Application


def prove(
    applications: Sequence[Application], artifacts: Sequence[Artifact], target: str
) -> tuple[Diagnostic, ...]:
    """Return what emitted artifacts do not keep; reads nothing when there are no approvals.

    Args:
        applications: those that were lowered, one for each environment.
        artifacts: all of the target. target: its name.
    """
    steps = (step for one in applications for line in one.pipelines for step in line.steps)
    if not any(step.kind is Kind.APPROVE for step in steps):
        return ()
    from mlspec.proving.proof import prove_promotions  # start-up: most specs never need it

    return prove_promotions(applications, artifacts, target)
