"""Runs emitted workflows on act: real jobs on this machine, artifacts in a local folder.

What act does not model, and how that is bridged:

* remote actions are local stubs (tests/engines/act);
* `concurrency.queue` is newer than act's schema and is taken out of the text;
* approvals of environments are taken as given;
* an output of a matrix job: GitHub's runner leaves out empty values, so that one instance's
  `failed: 'true'` stays. act instead replaces the output's expression by the value of whichever
  instance ends first, unless that value is the expression itself: instances that did not fail
  therefore answer with the expression.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlspec.backends.base import LowerOptions
from mlspec.backends.github_actions import BACKEND
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Application

ENGINES = Path(
    os.environ.get("MLSPEC_ENGINES")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec-engines"
)
ACT = ENGINES / "act" / "bin" / "act"
STUBS = Path(__file__).resolve().parent.parent / "engines" / "act"
LIMIT = 120
"""Seconds that a run may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRun:
    """How a run ended."""

    failed: bool
    log: str


def emitted(app: Application, **options: object) -> tuple[Artifact, ...]:
    """Return the workflows of an application; fails on any diagnostic."""
    result = BACKEND.lower((app,), LowerOptions(**options))  # type: ignore[arg-type]
    assert result.value is not None, result.diagnostics
    return BACKEND.emit(result.value)


def make_project(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Make a git repository that act can check out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"README.md": "a project\n", **(files or {})}.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True)
    git = ["git", "remote", "add", "origin", "https://github.com/acme/project.git"]
    subprocess.run(git, cwd=folder, check=True)
    return folder


def run_on_act(
    project: Path,
    workflow: Artifact,
    *,
    scratch: Path,
    inputs: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    event: str = "workflow_dispatch",
    path: str | None = None,
) -> ActRun:
    """Run one workflow.

    Args:
        project: a git repository (`make_project`).
        workflow: what to run.
        scratch: an empty folder for act's cache and the artifacts (`scratch/artifacts`).
        inputs: of `workflow_dispatch`.
        env: inherited by all steps.
        secrets: of the repository.
        event: what started the run.
        path: PATH of the runner, when programs are stubbed.
    """
    file = scratch / "workflow.yml"
    text, keep = bridged(workflow.text)
    file.write_text(text, encoding="utf-8")
    (scratch / "artifacts").mkdir()
    command = [str(ACT), event, "-W", str(file), "-P", "ubuntu-latest=-self-hosted"]
    for action in ("upload-artifact", "download-artifact"):
        sha = _sha(action)
        command += ["--local-repository", f"actions/{action}@{sha}={STUBS / action}"]
    for name, value in keep.items():
        command += ["--var", f"{name}={value}"]
    given = {"MLSPEC_TEST_ARTIFACTS": str(scratch / "artifacts"), **(env or {})}
    for name, value in given.items():
        command += ["--env", f"{name}={value}"]
    for name, value in (inputs or {}).items():
        command += ["--input", f"{name}={value}"]
    for name, value in (secrets or {}).items():
        command += ["--secret", f"{name}={value}"]
    environment = {
        "PATH": path or os.environ["PATH"],
        "HOME": str(scratch),
        "XDG_CACHE_HOME": str(scratch / "cache"),
    }
    code, log = _patiently(command, project, environment, scratch)
    assert "workflow is not valid" not in log, log
    return ActRun(failed=code != 0, log=log)


def _patiently(
    command: list[str], project: Path, environment: dict[str, str], scratch: Path
) -> tuple[int, str]:
    """Run act; once in some thousand runs it hangs with many jobs, and is then started again."""
    for attempt in (1, 2):
        log = scratch / "act.log"
        with log.open("wb") as output:
            act = subprocess.Popen(
                command,
                cwd=project,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
            try:
                code = act.wait(LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(act.pid, signal.SIGKILL)
                act.wait()
                if attempt == 2:
                    raise
                _forget(scratch)
                continue
        return code, log.read_text(encoding="utf-8", errors="replace")
    raise AssertionError


def _forget(scratch: Path) -> None:
    """Remove what a run that hung has left; folders that a test made stay."""
    shutil.rmtree(scratch / "cache", ignore_errors=True)
    for found in scratch.rglob("*"):
        if found.is_file() and found != scratch / "workflow.yml":
            found.unlink()


_FAILED = re.compile(r"\$\{\{ (steps\.(\w+)\.outcome != 'success' && 'true' \|\|) '' \}\}")


def bridged(text: str) -> tuple[str, dict[str, str]]:
    """Return a workflow's text for act, and the repository variables that the bridge needs."""
    keep = {}
    for found in _FAILED.finditer(text):
        name = f"MLSPEC_TEST_KEEP_{found[2]}"
        keep[name] = f"${{{{ {found[1]} vars.{name} }}}}"
    text = _FAILED.sub(r"${{ \1 vars.MLSPEC_TEST_KEEP_\2 }}", text)
    return text.replace("      queue: max\n", ""), keep


def _sha(action: str) -> str:
    from mlspec.backends.github_actions.pins import pin

    return pin(f"actions/{action}").sha
