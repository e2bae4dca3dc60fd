"""Locks that hold across processes and vanish with their holder: `flock` on small files.

A lock file is never removed: removing it would let two holders lock two different files of one
name. The kernel releases a lock when the last descriptor of it closes, so a killed run leaves none
behind; a step that inherits the descriptor keeps its lock for as long as it runs.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from mlspec.runtime.model import STATE_FOLDER


class FileLock:
    """A lock on a file, held by at most one process at a time."""

    def __init__(self, path: Path) -> None:
        """Take nothing yet; the file is made when the lock is first tried."""
        self._path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int | None:
        """The open descriptor while the lock is held (for a child to inherit)."""
        return self._descriptor

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it.

        Raises:
            OSError: when the file cannot be made.
        """
        if self._descriptor is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def acquire(self, pause: Callable[[], bool]) -> bool:
        """Take the lock; between tries call `pause`, and give up when it returns True."""
        while not self.try_acquire():
            if pause():
                return False
        return True

    def release(self) -> None:
        """Give the lock back, also for children that inherited it."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None


def turn_lock(
    project: Path, application: str, environment: str, pipeline: str, *, queue: bool = False
) -> FileLock:
    """Return the lock that a run of a pipeline holds, or the one that the next run waits with."""
    name = f"run-{application}-{environment}-{pipeline}{'.next' if queue else ''}.lock"
    return FileLock(project / STATE_FOLDER / "locks" / name)


def is_held(lock: FileLock) -> bool:
    """Whether another process, or another part of this one, holds a lock."""
    if not lock.try_acquire():
        return True
    lock.release()
    return False
