"""What every place for records can do, and nothing more.

Input: names, relative with `/`, and bytes. Invariant: whatever has a name is whole, and of all that
create one name at the same moment, exactly one succeeds. Everything that must not be lost between
writers rests on that one promise; a place that cannot keep it is refused when it is first written.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Place(Protocol):
    """A folder or a prefix of an object store.

    All methods raise `StepError`: exit 75 when it cannot be reached now. OSError: the disk refuses.
    """

    @property
    def address(self) -> str:
        """Where it is, for people."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a name; None: there is none."""

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of several names; those that do not exist are left out."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a name that must not exist; return whether this call wrote it.

        True also when an attempt of this call wrote it and its answer was lost, or somebody else
        wrote the very same bytes: callers that must know put something of their own into them.
        """

    def replace(self, name: str, content: bytes) -> None:
        """Write a name, whatever was there. Never for anything that decides."""

    def names(self, folder: str) -> list[str]:
        """Return the names directly below a folder, sorted; none when there is no such folder."""

    def size(self, name: str) -> int | None:
        """Return how many bytes a name has; None: there is none."""

    def send(self, path: Path, name: str) -> None:
        """Write a name from a file, whatever was there."""

    def bring(self, name: str, path: Path) -> bool:
        """Write the content of a name to a new file; return whether there is such a name."""
