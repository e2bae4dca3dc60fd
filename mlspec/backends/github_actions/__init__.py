"""GitHub Actions: one workflow for each pipeline, as a platform engineer would write it.

Input: applications (finished IR); output: `.github/workflows/<app>-<pipeline>.yml`. A step is a
job; a job starts when the join's closure over the results of its ancestors says so
(`mlspec.ir.joins.JoinClosure`), because GitHub only tells success, failure and skipped apart.
Files travel as artifacts, decisions as job outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.backends.base import Capabilities, LowerOptions
from mlspec.backends.github_actions.capabilities import CAPABILITIES
from mlspec.backends.github_actions.emit import emit
from mlspec.backends.github_actions.lower import lower
from mlspec.backends.github_actions.model import Workflows
from mlspec.diagnostics.model import Result
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Application


@dataclass(frozen=True, slots=True)
class GitHubActions:
    """The back end (see `mlspec.backends.base.Backend`)."""

    name: str = "github-actions"

    @property
    def capabilities(self) -> Capabilities:
        """The total capability table."""
        return CAPABILITIES

    def lower(
        self, applications: tuple[Application, ...], options: LowerOptions
    ) -> Result[Workflows]:
        """Lower applications to workflows."""
        return lower(applications, options)

    def emit(self, model: Workflows) -> tuple[Artifact, ...]:
        """Print workflows."""
        return emit(model)


BACKEND = GitHubActions()
