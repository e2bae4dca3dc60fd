"""What all parts of the lowering of one pipeline share: names, keys, the ConfigMap, findings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from posixpath import basename

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes.names import NameTable
from mlspec.backends.kubernetes.quoting import reads_as_argo
from mlspec.backends.kubernetes.store import Store
from mlspec.diagnostics.codes.targets import TARGET_LIMIT
from mlspec.diagnostics.model import Code, Diagnostic, Severity
from mlspec.errors import MlspecBug
from mlspec.ir.model import Application, Pipeline, Step
from mlspec.source import Origin

IN = "/mlspec/in"
"""Where inputs are staged, one folder for each input."""

OUT = "/mlspec/out"
"""Root of the absolute paths of outputs."""

SCRIPT = "/mlspec/script"
"""Where the step's script is mounted."""


@dataclass(slots=True, kw_only=True)
class PipelineContext:
    """Working state of the lowering of one pipeline; lives only inside `lower_pipeline`."""

    app: Application
    pipeline: Pipeline
    options: LowerOptions
    store: Store
    names: NameTable
    files: dict[str, str] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)
    entry: str = field(init=False)
    exit: str = field(init=False)
    gate: str = field(init=False)

    def __post_init__(self) -> None:
        """Name our own templates: the DAG, the exit handler, and the one of gates."""
        self.entry = self.names.fresh("pipeline")
        self.exit = self.names.fresh("on-exit")
        self.gate = self.names.fresh("gate")

    @property
    def full_name(self) -> str:
        """Name of the pipeline's objects."""
        return f"{self.app.name}-{self.pipeline.id}"

    def step(self, step_id: str) -> Step:
        """Return a step of the pipeline."""
        return self.pipeline.step(step_id)

    def run_key(self, step: str, output: str) -> str:
        """Return the store key below which one run keeps an output of a step."""
        return self.store.key(f"runs/{self.pipeline.id}/{{{{workflow.uid}}}}/{step}/{output}")

    def put_file(self, name: str, text: str) -> str:
        """Keep a text in the pipeline's ConfigMap; returns its key there."""
        if self.files.setdefault(name, text) != text:
            raise MlspecBug(f"two different texts for {name}")
        return name

    def config_name(self) -> str:
        """Return the ConfigMap's name: its content is part of it, so running pods keep theirs."""
        digest = hashlib.sha256()
        for name, text in sorted(self.files.items()):
            digest.update(f"{name}\0{len(text)}\0{text}".encode())
        return f"{self.full_name}-{digest.hexdigest()[:10]}"

    def limit(self, message: str, at: Origin, *help_lines: str, code: Code = TARGET_LIMIT) -> None:
        """Report something that Argo cannot hold."""
        self.found.append(Diagnostic(code=code, message=message, at=at, help=help_lines))

    def warn(self, message: str, at: Origin, *help_lines: str) -> None:
        """Report something that holds only under a condition."""
        self.found.append(
            Diagnostic(
                code=TARGET_LIMIT,
                message=message,
                at=at,
                help=help_lines,
                severity_override=Severity.WARNING,
            )
        )

    def plain(self, text: str, what: str, at: Origin) -> str:
        """Return a text that goes where Argo reads it, reporting what it would misread."""
        if reads_as_argo(text):
            self.limit(
                f"{what} contains `{{{{`, which Argo Workflows takes for a variable of its own",
                at,
                "scripts and argument vectors may contain it; names, paths and matrix values not",
            )
        return text


def input_folder(name: str) -> str:
    """Return the folder of an input."""
    return f"{IN}/{name}"


def output_path(path: str) -> str:
    """Return the absolute path of an output in the container."""
    return f"{OUT}/{path}"


def base(path: str) -> str:
    """Return the base name of an output's path."""
    return basename(path.rstrip("/"))
