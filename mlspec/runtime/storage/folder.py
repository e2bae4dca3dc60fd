"""A folder as a place: content reaches the disk before its name, a name is linked once.

Files whose names begin with a dot are drafts of writers that are at work, or were killed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from mlspec.runtime.storage.disk import draft_beside, sync_folder, write_durably


class FolderPlace:
    """See `mlspec.runtime.storage.model.Place`."""

    def __init__(self, root: Path) -> None:
        """Touch nothing yet."""
        self._root = root

    @property
    def address(self) -> str:
        """Its path."""
        return str(self._root)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of several files."""
        found = {name: self.read(name) for name in names}
        return {name: content for name, content in found.items() if content is not None}

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that must not exist."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = draft_beside(path)
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # refuses, unlike a rename, when the name is taken
        except FileExistsError:
            return self.read(name) == content
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write a file."""
        write_durably(self._root / name, content)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        place = self._root / folder
        if not place.is_dir():
            return []
        return sorted(path.name for path in place.iterdir() if not path.name.startswith("."))

    def size(self, name: str) -> int | None:
        """Return the size of a file."""
        path = self._root / name
        return path.stat().st_size if path.is_file() else None

    def send(self, path: Path, name: str) -> None:
        """Copy a file into the folder."""
        target = self._root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = draft_beside(target)
        try:
            shutil.copyfile(path, draft)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(target.parent)

    def bring(self, name: str, path: Path) -> bool:
        """Copy a file out of the folder."""
        source = self._root / name
        if not source.is_file():
            return False
        shutil.copyfile(source, path)
        return True
