"""What the Kubernetes back end makes before it prints: manifests, a base and overlays.

Manifests are plain data with a fixed key order (apiVersion, kind, metadata, spec). Inside this
package a DAG task is a `Task`, so that names and `depends` expressions are built in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mlspec.ir.model import Json

Data: TypeAlias = "dict[str, Json]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One Kubernetes object.

    Attributes:
        file: base name of the file it goes to, without extension; several objects may share one.
        pipeline: id of the pipeline it comes from, None when it serves several.
    """

    data: Mapping[str, Json]
    file: str
    pipeline: str | None = None

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.data["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        metadata = self.data["metadata"]
        return str(metadata["name"]) if isinstance(metadata, dict) else ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same object in two environments: group and version, kind, name."""
        return str(self.data["apiVersion"]), self.kind, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What one environment changes in the base.

    Attributes:
        patches: JSON merge patches (RFC 7386) with the identity of the object they change.
        added: objects that the base does not have.
        removed: objects of the base that this environment does not have.
    """

    environment: str
    namespace: str
    patches: tuple[Manifest, ...] = ()
    added: tuple[Manifest, ...] = ()
    removed: tuple[Manifest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesModel:
    """Everything that is printed below `k8s/`."""

    spec_path: str
    base: tuple[Manifest, ...]
    overlays: tuple[Overlay, ...]
