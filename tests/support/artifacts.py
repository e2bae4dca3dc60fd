"""Artifacts and places to write them to, for tests of the writing side."""

from __future__ import annotations

from pathlib import Path

from mlspec.diagnostics.model import Diagnostic
from mlspec.emit.artifact import Artifact
from mlspec.planning.apply import apply, read_journal
from mlspec.planning.files import FilePlan, Scope, plan_files
from mlspec.planning.lockfile import Destination, destination, read_lock

ALL = Scope()


def artifact(
    path: str, text: str = "one\n", target: str = "t", environment: str | None = None
) -> Artifact:
    """One artifact."""
    return Artifact(path=path, text=text, target=target, kind="file", environment=environment)


def place_in(folder: Path, out: str | None = None) -> Destination:
    """The destination of a spec in a folder."""
    return destination(folder / "mlspec.yaml", folder / out if out is not None else None)


def planned(place: Destination, artifacts: tuple[Artifact, ...], scope: Scope = ALL) -> FilePlan:
    """A plan from what is on the disk."""
    lock, journal = read_lock(place.lock), read_journal(place)
    assert lock.value is not None, lock.diagnostics
    assert journal.value is not None, journal.diagnostics
    return plan_files(artifacts, lock.value, place, scope=scope, announced=journal.value)


def written(
    place: Destination, *artifacts: Artifact, scope: Scope = ALL, force: bool = False
) -> tuple[Diagnostic, ...]:
    """Plan and apply."""
    return apply(planned(place, artifacts, scope), place, force=force, written_by="0")


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too: path and text."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
