"""Runs real DVC on what the back end emits."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlspec.backends.base import LowerOptions
from mlspec.backends.dvc import BACKEND
from mlspec.backends.legality import check_capabilities
from mlspec.diagnostics.model import has_errors
from mlspec.ir.model import Application
from mlspec.ir.verify import verify_application


def dvc_program() -> str:
    """Path of `dvc`, or skip the test."""
    root = os.environ.get("MLSPEC_ENGINES") or Path.home() / ".cache" / "mlspec-engines"
    program = Path(root) / "dvc" / "bin" / "dvc"
    if not program.exists():
        pytest.skip("DVC is not installed: tests/engines/install.sh dvc")
    return str(program)


@dataclass(frozen=True)
class Run:
    """How `dvc repro` ended, and the events of the stubs."""

    code: int
    output: str
    events: list[dict[str, Any]]


class DvcProject:
    """A folder with a DVC project in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.program = dvc_program()
        self.events = root.with_name(f"{root.name}.events")
        root.mkdir(exist_ok=True)
        self.dvc("init", "--no-scm", "-q")

    def dvc(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `dvc` in the folder."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLSPEC_")}
        return subprocess.run(
            [self.program, *words],
            cwd=self.root,
            env={
                **inherited,
                "DVC_NO_ANALYTICS": "1",
                "MLSPEC_TEST_EVENTS": str(self.events),
                **env,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def write(self, app: Application, options: LowerOptions | None = None) -> None:
        """Compile an application for DVC into the folder."""
        verify_application(app)
        assert not has_errors(check_capabilities(app, BACKEND))
        lowered = BACKEND.lower((app,), options or LowerOptions())
        assert lowered.value is not None
        assert lowered.diagnostics == ()
        for artifact in BACKEND.emit(lowered.value):
            (self.root / artifact.path).write_text(artifact.text, encoding="utf-8")

    def repro(self, *words: str, **env: str) -> Run:
        """Run everything."""
        self.events.write_text("", encoding="utf-8")
        done = self.dvc("repro", "--keep-going", *words, **env)
        lines = self.events.read_text(encoding="utf-8").splitlines()
        return Run(done.returncode, done.stdout + done.stderr, [json.loads(line) for line in lines])

    def text(self, path: str) -> str:
        """Read a file."""
        return (self.root / path).read_text(encoding="utf-8")
