"""Artifacts of the examples with approvals, really emitted, and changed on purpose."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from mlspec.compiler import compile_targets
from mlspec.diagnostics.model import Diagnostic
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Application
from mlspec.proving import prove

ROOT = Path(__file__).parents[2]
STORE = 'environments: {prod: {store: "s3://b/x/"}}\n'
CLUSTER = "targets: {pipelines: kubernetes}\n"


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """What a target got, and the artifacts that came of it."""

    target: str
    applications: tuple[Application, ...]
    artifacts: tuple[Artifact, ...]

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what the proof says."""
        return prove(self.applications, self.artifacts, self.target)

    def text(self, ending: str) -> str:
        """Return the text of the artifact whose path has an ending."""
        return self._one(ending).text

    def with_text(self, ending: str, text: str) -> Emitted:
        """Return the same with another text in one artifact."""
        old = self._one(ending)
        made = tuple(replace(a, text=text) if a is old else a for a in self.artifacts)
        return replace(self, artifacts=made)

    def with_file(self, path: str, text: str) -> Emitted:
        """Return the same with one more artifact."""
        more = Artifact(path=path, text=text, target=self.target, kind="more")
        return replace(self, artifacts=(*self.artifacts, more))

    def _one(self, ending: str) -> Artifact:
        (found,) = (a for a in self.artifacts if a.path.endswith(ending))
        return found


@cache
def emitted(
    example: str, target: str, more: str = "", swaps: tuple[tuple[str, str], ...] = ()
) -> Emitted:
    """Return what an example compiles to.

    Args:
        example: its folder below `examples`. more: YAML to add. swaps: texts to replace.
    """
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(shutil.copytree(ROOT / "examples" / example, folder, dirs_exist_ok=True))
        text = (spec / "mlspec.yaml").read_text(encoding="utf-8")
        for old, new in swaps:
            assert old in text, old
            text = text.replace(old, new)
        for block in (more, STORE, CLUSTER if target == "kubernetes" else ""):
            if block and f"\n{block.partition(':')[0]}:" not in text:
                text += f"\n{block}"
        (spec / "mlspec.yaml").write_text(text, encoding="utf-8")
        environments = ["prod"] if example == "fraud" else []
        result = compile_targets(spec / "mlspec.yaml", [target], environments)
    assert result.ok, [d.message for d in result.diagnostics if d.is_error]
    applications = [one.application for one in result.analysed]
    return Emitted(
        target=target,
        applications=tuple(one for one in applications if one is not None),
        artifacts=result.artifacts,
    )
