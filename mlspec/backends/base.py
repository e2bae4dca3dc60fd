"""The protocol of a back end, and what its capability table can say.

A back end has four members: `name`, `capabilities`, `lower`, `emit`. It sees finished IR, never
the spec, the document or the disk. `capabilities` classifies *every* feature: a missing one is a
`MlspecBug` at first use and a failing test. Third parties register an instance under the
entry-point group `mlspec.backends`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar

from mlspec.diagnostics.model import Result
from mlspec.emit.artifact import Artifact
from mlspec.errors import MlspecBug
from mlspec.ir.features import Feature
from mlspec.ir.model import Application, Json


@dataclass(frozen=True, slots=True)
class Native:
    """The engine has the concept itself; `how` names it in the engine's words."""

    how: str


@dataclass(frozen=True, slots=True)
class Lowered:
    """Expressed by other means with the same meaning; `how` says which."""

    how: str


@dataclass(frozen=True, slots=True)
class Partial:
    """Expressed, but something is lost: an error unless `--allow-partial`.

    `harmless`: what is lost cannot change which steps run or how a run ends (a request for
    resources, reuse of earlier results); only a warning then.
    """

    reason: str
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Cannot be expressed: always an error where it is used."""

    reason: str


Support = Native | Lowered | Partial | Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a back end can do.

    Attributes:
        support: a classification of every `Feature`.
        native_keys: keys allowed under `native.<target>` of a step, with the JSON types they take
            (`"string"`, `"integer"`, `"object"`, `"array"`, `"string|array"`).
        pipeline_native_keys: the same for `native` of a pipeline or an environment.
        setting_keys: the same for `targets.<part>`, besides `uri` and `secret`, which every kind
            has; None: any.
    """

    support: Mapping[Feature, Support]
    native_keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    pipeline_native_keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    setting_keys: Mapping[str, str] | None = None

    def of(self, feature: Feature) -> Support:
        """Return the support for a feature."""
        try:
            return self.support[feature]
        except KeyError:
            raise MlspecBug(f"capability table does not classify {feature.id}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerOptions:
    """What a back end is told besides the applications.

    Attributes:
        spec_path: path of the spec file from the output folder, forward slashes; for headers.
        project_path: path of the spec's folder from the output folder (`.` when they are equal),
            so that emitted files find the checkout at run time.
        settings: `targets.<part>` settings for this back end's kind.
    """

    spec_path: str = "mlspec.yaml"
    project_path: str = "."
    settings: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


M = TypeVar("M")


class Backend(Protocol[M]):
    """A back end. `M` is its typed model of the engine's files."""

    @property
    def name(self) -> str:
        """The target's name in `targets` and `--target`."""

    @property
    def capabilities(self) -> Capabilities:
        """The total capability table."""

    def lower(self, applications: tuple[Application, ...], options: LowerOptions) -> Result[M]:
        """Lower applications (one per environment to emit, in `after` order) to the target model.

        Called only when the capability check found no error; may still find what only the
        engine's own limits show (a name too long, an expression too large).
        """

    def emit(self, model: M) -> tuple[Artifact, ...]:
        """Print the model. Pure: same model, same bytes."""
