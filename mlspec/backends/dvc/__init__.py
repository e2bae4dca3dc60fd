"""The back end for DVC: `dvc.yaml`, `params.yaml` and metrics, beside the spec."""

from __future__ import annotations

from mlspec.backends.base import LowerOptions
from mlspec.backends.dvc import emit, lower
from mlspec.backends.dvc.capabilities import CAPABILITIES
from mlspec.backends.dvc.model import DvcProject
from mlspec.diagnostics.model import Result
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Application


class DvcBackend:
    """Turns a pipeline into stages."""

    name = emit.NAME
    capabilities = CAPABILITIES

    def lower(
        self, applications: tuple[Application, ...], options: LowerOptions
    ) -> Result[DvcProject]:
        """Lower one application; more than one environment is an error."""
        return lower.lower(applications, options)

    def emit(self, model: DvcProject) -> tuple[Artifact, ...]:
        """Print the files."""
        return emit.emit(model)


BACKEND = DvcBackend()
