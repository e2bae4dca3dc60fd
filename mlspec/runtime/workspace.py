"""A fresh folder for a step without image, that looks like a checkout at the spec's folder.

Top-level entries are symbolic links to the project's, except `.git`, `.mlspec`, and the first path
components of what the pipeline's steps declare to write: those are real folders, and the project's
content below them is copied in. What steps declare to write is never there at the start, so a
forgotten output cannot be mistaken for one that was left from yesterday.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlspec.ir.model import Pipeline, RepoInput, StageMode, Step
from mlspec.runtime.model import STATE_FOLDER

_NEVER = frozenset({".git", STATE_FOLDER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which paths of a project are special in every workspace of a pipeline.

    Attributes:
        real: first components that are real folders.
        products: paths that steps write; never copied.
        linked: paths that steps read from the repository; linked, not copied, as they may be big.
    """

    real: frozenset[str]
    products: frozenset[str]
    linked: frozenset[str]


def written_paths(step: Step) -> tuple[str, ...]:
    """Return the paths that a step declares to write, relative to its working directory."""
    outputs = [output.path for output in step.outputs if output.mode is StageMode.PATH]
    metrics = [step.metrics] if step.metrics is not None else []
    return tuple(PurePosixPath(path).as_posix() for path in (*outputs, *metrics, *step.report))


def plan(pipeline: Pipeline) -> Plan:
    """Return the plan for the workspaces of a pipeline."""
    steps = pipeline.all_steps
    products = frozenset(path for step in steps for path in written_paths(step))
    read = (item.path for step in steps for item in step.inputs if isinstance(item, RepoInput))
    return Plan(
        real=frozenset(PurePosixPath(path).parts[0] for path in products),
        products=products,
        linked=frozenset(PurePosixPath(path).as_posix() for path in read),
    )


def make(folder: Path, project: Path, plan: Plan, writes: Iterable[str]) -> None:
    """Make a workspace.

    Args:
        folder: where; must not exist.
        project: the spec's folder.
        plan: of the pipeline.
        writes: paths that the step writes; their parent folders are made.

    Raises:
        OSError: when the disk refuses.
    """
    folder.mkdir(parents=True)
    for entry in sorted(project.iterdir(), key=lambda path: path.name):
        if entry.name in _NEVER:
            continue
        if entry.name in plan.real:
            _bring(entry, folder / entry.name, PurePosixPath(entry.name), plan)
        else:
            (folder / entry.name).symlink_to(entry.absolute())
    for path in writes:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)


def _bring(source: Path, target: Path, at: PurePosixPath, plan: Plan) -> None:
    """Copy an entry into a workspace; products stay out, declared inputs are linked."""
    if at.as_posix() in plan.linked:
        target.symlink_to(source.absolute())
    elif at.as_posix() in plan.products:
        return
    elif source.is_symlink():
        target.symlink_to(Path(os.path.realpath(source)))
    elif source.is_dir():
        target.mkdir()
        for entry in sorted(source.iterdir(), key=lambda path: path.name):
            _bring(entry, target / entry.name, at / entry.name, plan)
    elif source.is_file():
        shutil.copy2(source, target)


def remove(folder: Path) -> None:
    """Remove a folder of ours with everything in it; links are removed, never followed."""
    if folder.is_symlink():
        folder.unlink(missing_ok=True)
    elif folder.exists():
        shutil.rmtree(folder, onerror=_writable_and_again)


def _writable_and_again(call: object, path: str, _: object) -> None:
    """A step may leave folders that nobody may write to: allow it, and try again."""
    parent = Path(path).parent
    parent.chmod(0o700)
    here = Path(path)
    if here.is_dir() and not here.is_symlink():
        here.chmod(0o700)
        if call is os.rmdir:
            here.rmdir()
        else:
            shutil.rmtree(here)
    else:
        here.unlink(missing_ok=True)
