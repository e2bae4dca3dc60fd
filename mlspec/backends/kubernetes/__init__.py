"""The Kubernetes back end: Argo Workflows for pipelines, in a kustomize base with overlays.

One emission serves Argo Workflows 3.6 to 4.1. Duty: `Application`s in, manifests out; see `lower`
for the order of things and `tasks` for how joins, conditions, approvals and matrices become tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.backends.base import Capabilities, LowerOptions
from mlspec.backends.kubernetes.capabilities import CAPABILITIES
from mlspec.backends.kubernetes.model import KubernetesModel
from mlspec.diagnostics.model import Result
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Application


@dataclass(frozen=True, slots=True)
class KubernetesBackend:
    """`mlspec.backends.base.Backend` for Argo Workflows on Kubernetes."""

    name: str = "kubernetes"

    @property
    def capabilities(self) -> Capabilities:
        """The total capability table."""
        return CAPABILITIES

    def lower(
        self, applications: tuple[Application, ...], options: LowerOptions
    ) -> Result[KubernetesModel]:
        """Lower applications, one for each environment."""
        from mlspec.backends.kubernetes.lower import lower

        return lower(applications, options)

    def emit(self, model: KubernetesModel) -> tuple[Artifact, ...]:
        """Print the manifests."""
        from mlspec.backends.kubernetes.emit import emit

        return emit(model)


BACKEND = KubernetesBackend()
