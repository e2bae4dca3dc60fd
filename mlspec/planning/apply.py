"""Writes what a `FilePlan` says: every file is the old one or the new one, whole, at any moment.

Order: announce (journal), write everything beside its place and flush it, rename into place,
delete what is obsolete, rename the lock, end the journal. A full disk or a read-only folder shows
while writing beside, when nothing has changed yet. A process killed in between leaves old and new
files and the journal; the next compilation knows from it which contents are ours, and goes on.

Files get the permissions of those they replace. No link below the output folder is followed: the
plan refuses them, and temporary files are opened so that a link is never written through.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlspec.diagnostics.codes.internal import BAD_LOCK, WRITE_FAILED
from mlspec.diagnostics.model import Diagnostic, Result
from mlspec.ir.model import Json
from mlspec.planning.files import FileAction, FileKind, FilePlan, look, refusals
from mlspec.planning.lockfile import (
    BadLockError,
    Destination,
    Lock,
    LockEntry,
    entry_of,
    parse_lock,
    render_lock,
)

_ATTEMPTS = 200
_PAUSE_SECONDS = 0.05
_WRITES = frozenset({FileKind.CREATE, FileKind.UPDATE, FileKind.CONFLICT, FileKind.FOREIGN})


# ------------------------------------------------------------------ the journal


def read_journal(place: Destination) -> Result[tuple[LockEntry, ...]]:
    """Return what unfinished compilations announced; empty when none was interrupted."""
    path = place.journal
    if path.is_symlink() or not path.is_file():
        return Result(())
    try:
        return Result(parse_lock(path.read_text(encoding="utf-8")).entries)
    except (BadLockError, OSError, UnicodeDecodeError) as error:
        found = Diagnostic(
            code=BAD_LOCK,
            message=f"`{path.name}` of an interrupted compilation cannot be read: {error}",
            help=(f"delete `{path.name}` and compile again",),
        )
        return Result(None, (found,))


# ------------------------------------------------------------------ apply


@dataclass(slots=True)
class _Work:
    """What is under way: temporary files, folders that were made."""

    staged: dict[Path, Path] = field(default_factory=dict)
    made: list[Path] = field(default_factory=list)

    def undo(self) -> None:
        """Remove what was staged; the files in place are untouched."""
        for temporary in self.staged:
            with contextlib.suppress(OSError):
                temporary.unlink()
        for folder in reversed(self.made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def apply(
    plan: FilePlan, place: Destination, *, force: bool = False, written_by: str = ""
) -> tuple[Diagnostic, ...]:
    """Write the files of a plan, then the lock.

    Args:
        plan: made by `plan_files` for the same place, just now.
        place: where to.
        force: overwrite what was edited by hand or is not ours; what is obsolete and edited is
            left on the disk and forgotten.
        written_by: version of mlspec for the lock.

    Returns:
        Nothing when all went well; why nothing was written; or what failed half way, when every
        file is old or new and the next compilation goes on.
    """
    found = refusals(plan, force=force)
    if found:
        return found
    if plan.is_current and not plan.announced:
        return ()
    work = _Work()
    try:
        _clean_up(plan, place)
        _announce(plan, place, work)
        lock_text = _lock_text(plan, written_by) if plan.lock_changes else None
        _stage_all(plan, place, lock_text, work)
    except OSError as error:
        work.undo()
        with contextlib.suppress(OSError):
            _end_journal(place, plan.announced)
        return (_failure(error, place, "nothing was changed"),)
    try:
        _put_in_place(plan, place, work)
        _end_journal(place, plan.still_announced)
    except OSError as error:
        note = "some files are new, the others as they were; compile again"
        return (_failure(error, place, note),)
    return ()


def _lock_text(plan: FilePlan, written_by: str) -> str:
    other: dict[str, Json] = dict(plan.after.other)
    if written_by:
        other["mlspec"] = written_by
    return render_lock(replace(plan.after, other=other))


def _failure(error: OSError, place: Destination, note: str) -> Diagnostic:
    name = str(error.filename) if error.filename is not None else str(place.root)
    with contextlib.suppress(ValueError):
        name = Path(name).relative_to(place.root).as_posix()
    reason = error.strerror or type(error).__name__
    return Diagnostic(
        code=WRITE_FAILED, message=f"`{name}` could not be written: {reason}", notes=(note,)
    )


def _clean_up(plan: FilePlan, place: Destination) -> None:
    """Remove temporary files that an interrupted compilation left."""
    if plan.announced:
        _temporary(place.lock).unlink(missing_ok=True)
    for entry in plan.announced:
        if (entry.spec, entry.out) == (place.spec, place.out):
            temporary = _temporary(place.root / entry.path)
            if not isinstance(look(place.root, temporary.relative_to(place.root).as_posix()), str):
                temporary.unlink(missing_ok=True)


def _announce(plan: FilePlan, place: Destination, work: _Work) -> None:
    new = [
        entry_of(action.artifact, place)
        for action in plan.actions
        if action.kind in _WRITES and action.artifact is not None
    ]
    entries = tuple(dict.fromkeys((*plan.announced, *new)))
    if entries:
        _make_folder(place.lock.parent, work)
        _write_whole(place.journal, render_lock(Lock(entries=entries)))


def _end_journal(place: Destination, left: tuple[LockEntry, ...]) -> None:
    if left:
        _write_whole(place.journal, render_lock(Lock(entries=left)))
    else:
        place.journal.unlink(missing_ok=True)


def _write_whole(path: Path, text: str) -> None:
    try:
        _write_beside(path, text, None)
        _temporary(path).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            _temporary(path).unlink()
        raise
    _flush_folder(path.parent)


def _stage_all(plan: FilePlan, place: Destination, lock_text: str | None, work: _Work) -> None:
    for action in plan.actions:
        if action.kind in _WRITES and action.artifact is not None:
            path = place.root / action.path
            _make_folder(path.parent, work)
            _stage(path, action.artifact.text, action.mode, work)
    if lock_text is not None:
        _make_folder(place.lock.parent, work)
        mode = place.lock.stat().st_mode & 0o7777 if place.lock.is_file() else None
        _stage(place.lock, lock_text, mode, work)


def _stage(path: Path, text: str, mode: int | None, work: _Work) -> None:
    work.staged[_temporary(path)] = path
    _write_beside(path, text, mode)


def _temporary(path: Path) -> Path:
    """Return the name beside `path`; the same each time, so that leftovers are found."""
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogatepass")).hexdigest()
    return path.with_name(f".mlspec-{digest[:16]}.tmp")


def _write_beside(path: Path, text: str, mode: int | None) -> None:
    """Write and flush the temporary file of `path`; errors name `path`."""
    temporary = _temporary(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _make_folder(folder: Path, work: _Work) -> None:
    missing = []
    at = folder
    while not at.is_dir():
        missing.append(at)
        at = at.parent
    for one in reversed(missing):
        one.mkdir()
        work.made.append(one)


def _put_in_place(plan: FilePlan, place: Destination, work: _Work) -> None:
    folders = {place.lock.parent: None}
    for temporary, path in work.staged.items():
        if path != place.lock:
            temporary.replace(path)
            folders[path.parent] = None
    for action in plan.actions:
        if action.kind is FileKind.DELETE:
            _delete(place.root, action, folders)
    for folder in folders:
        _flush_folder(folder)
    for temporary, path in work.staged.items():
        if path == place.lock:
            temporary.replace(path)
            _flush_folder(path.parent)


def _delete(root: Path, action: FileAction, folders: dict[Path, None]) -> None:
    """Remove a file, and the folders that are empty without it."""
    path = root / action.path
    path.unlink()
    folder = path.parent
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            break  # not empty: it has something else in it
        folders.pop(folder, None)
        folder = folder.parent
    folders[folder] = None


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # folders cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ------------------------------------------------------------------ one at a time


@contextlib.contextmanager
def exclusive(place: Destination) -> Iterator[bool]:
    """Hold the folder of the lock file while planning and writing.

    Yields:
        Whether it could be held: False when another compilation holds it for too long.
    """
    try:
        import fcntl
    except ImportError:  # not on this system: last writer wins, each file still whole
        yield True
        return
    folder = place.lock.parent
    while not folder.is_dir():
        folder = folder.parent
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _lock_folder(descriptor, fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _lock_folder(descriptor: int, flock: Callable[[int, int], None], how: int) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            flock(descriptor, how)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            return True  # a file system without locks
        else:
            return True
    return False
