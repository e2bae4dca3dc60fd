"""Writing so that a crash or a full disk leaves the old or the new content, never a part.

Content reaches the disk (`fsync`) before its name does, and the name (`fsync` of the folder)
before the caller goes on. Drafts that a killed process left are never read.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlspec.runtime.locks import FileLock
from mlspec.runtime.steps.contract import StepError, StepExit

_PAUSE, _PATIENCE = 0.01, 60.0


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file, whole.

    Raises:
        OSError: when the disk refuses; the old content is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_beside(path)
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def draft_beside(path: Path) -> Path:
    """Return a name beside a file that nobody else uses."""
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable.

    Raises:
        OSError: when the disk refuses.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def held(lock: FileLock, *, what: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        lock: which one.
        what: what it guards, for the message.
        patience: seconds to wait for it.

    Raises:
        StepError: somebody else held it for too long; exit 75.
        OSError: when the lock's file cannot be made.
    """
    until = time.monotonic() + patience

    def pause() -> bool:
        time.sleep(_PAUSE)
        return time.monotonic() > until

    if not lock.acquire(pause):
        raise StepError(
            f"{what} is locked by another process",
            help="try again when the other run has ended",
            exit=StepExit.TEMPORARY,
        )
    try:
        yield
    finally:
        lock.release()
