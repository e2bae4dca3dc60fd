"""The spec as written: one record per noun, nothing resolved, every record with its origin.

`mlspec.spec.bind` makes these from a document that passed the schema. Texts may still hold
`${…}`, references are still names. Empty means an empty tuple, None means "not written".
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlspec.ir.model import EMPTY, Build, Join, Json, ParamType, Resources, Retry, StageMode
from mlspec.ir.values import Duration
from mlspec.source import NOWHERE, Origin

if TYPE_CHECKING:  # its records use those of this module
    from mlspec.spec.nouns import Nouns


@dataclass(frozen=True, slots=True)
class Located:
    """A text and where it stands."""

    text: str
    at: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSpec:
    """The run settings (C2) as written at one level."""

    image: Located | None = None
    build: tuple[Build, Origin] | None = None
    env: tuple[tuple[str, Located], ...] = ()
    secrets: tuple[tuple[str, Located], ...] = ()
    resources: Resources | None = None
    timeout: Duration | None = None
    retry: Retry | None = None
    native: Mapping[str, Json] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """An input: a path, `step.output`, or a data noun (decision B1)."""

    name: str
    text: str
    mode: StageMode
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """An output: a path, or a data noun."""

    name: str
    text: str
    mode: StageMode
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSpec:
    """One approval form (C11)."""

    by: Located
    count: int
    within: Duration
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicAxisSpec:
    """`{from: step.output, max: n}` of a matrix."""

    text: str
    max: int
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSpec:
    """A matrix: axes (a product), or rows."""

    axes: tuple[tuple[str, tuple[str, ...] | DynamicAxisSpec], ...] = ()
    rows: tuple[tuple[tuple[str, str], ...], ...] = ()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class UsesSpec:
    """`uses` and `with`.

    Attributes:
        component: id of the component's file (`mlspec.spec.components.file_of`).
        text: the path as written.
        given: values of parameters as written.
    """

    component: str
    text: str
    given: tuple[tuple[str, Located], ...] = ()
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """A step of an explicit pipeline, or its `finally`."""

    id: str
    run: str | tuple[str, ...] | None
    uses: UsesSpec | None = None
    description: str = ""
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    metrics: Located | None = None
    report: tuple[Located, ...] = ()
    needs: tuple[Located, ...] = ()
    join: Join | None = None
    when: tuple[Located, ...] = ()
    approvals: tuple[ApprovalSpec, ...] = ()
    matrix: MatrixSpec | None = None
    parallel: int | None = None
    lock: str | None = None
    allow_failure: bool = False
    cache: bool = False
    settings: SettingsSpec = SettingsSpec()
    source: str = ""
    """The file in which the step was written: its paths are relative to that file's folder."""
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamSpec:
    """A run parameter (C14); values as written."""

    name: str
    type: ParamType
    enum: tuple[Located, ...]
    default: Located | None
    description: str
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSpec:
    """An input or output of a component; `type` is `table`, `model`, `file`, `folder` or None."""

    name: str
    type: str | None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """A component's file.

    Attributes:
        file: its id, a path like those of the spec's files.
        digest: `sha256:…` of its text.
        folder: of the file, relative to the spec's folder.
    """

    file: str
    digest: str
    folder: str
    name: str
    description: str = ""
    params: tuple[ParamSpec, ...] = ()
    inputs: tuple[PortSpec, ...] = ()
    outputs: tuple[PortSpec, ...] = ()
    run: str | tuple[str, ...]
    settings: SettingsSpec = SettingsSpec()
    at: Origin

    @property
    def path(self) -> str:
        """The file, relative to the spec's folder."""
        return posixpath.normpath(posixpath.join(self.folder, posixpath.basename(self.file)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSpec:
    """What starts a run (C5), the short form `schedule` folded in.

    Attributes:
        short: where the short form stands when `trigger` holds a schedule too.
    """

    cron: Located | None = None
    short: Origin | None = None
    timezone: str = "UTC"
    every: Duration | None = None
    data: tuple[Located, ...] = ()
    models: tuple[Located, ...] = ()
    pull_request: tuple[Located, ...] | None = None
    push: bool = False
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """An explicit pipeline."""

    id: str
    owner: Located | None
    description: str
    params: tuple[ParamSpec, ...]
    trigger: TriggerSpec
    defaults: SettingsSpec
    steps: tuple[StepSpec, ...]
    final: StepSpec | None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """A data noun, as far as pipelines need it."""

    id: str
    source: Located | None
    format: str | None
    query: Located | None
    secret: str | None
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSpec:
    """People."""

    id: str
    members: tuple[str, ...]
    notify: tuple[str, ...]
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """The tool for one part, as `kind` or `{kind, …}`."""

    part: str
    kind: str
    settings: Mapping[str, Json]
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """Where an application goes; its `override` is applied before binding."""

    name: str
    after: Located | None
    store: Located | None
    namespace: str | None
    identity: tuple[tuple[str, str], ...]
    approvals: tuple[ApprovalSpec, ...]
    targets: tuple[TargetSpec, ...]
    native: Mapping[str, Json]
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSpec:
    """The `app` block."""

    name: str
    owner: Located | None
    description: str
    at: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The whole document. `later` are nouns and keys that are checked for shape only."""

    app: AppSpec
    defaults: SettingsSpec
    roles: tuple[RoleSpec, ...]
    data: tuple[DataSpec, ...]
    models: tuple[str, ...]
    pipelines: tuple[PipelineSpec, ...]
    environments: tuple[EnvironmentSpec, ...]
    targets: tuple[TargetSpec, ...]
    nouns: Nouns
    later: tuple[tuple[str, Origin], ...]
    folders: Mapping[str, str]
    """Folder of each source file, relative to the main file's folder (`.` for its own)."""
    components: Mapping[str, ComponentSpec] = field(default_factory=lambda: MappingProxyType({}))
    """Components by the id of their file; one that cannot be read is missing."""
    at: Origin
