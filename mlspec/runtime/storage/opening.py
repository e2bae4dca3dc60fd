"""Which place an address is."""

from __future__ import annotations

from pathlib import Path

from mlspec.runtime.layout import local_path
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.storage.folder import FolderPlace
from mlspec.runtime.storage.model import Place
from mlspec.runtime.storage.objects import ObjectPlace


def folder_of(store: str, *, what: str, project: Path | None = None) -> Path | None:
    """Return the folder of an address; None: it is not a folder of this machine.

    Args:
        store: the address; relative ones start at `project`, or at the working directory.
        what: who needs it, for the message.
        project: folder of the spec.

    Raises:
        StepError: there is no address.
    """
    if not store:
        raise StepError(
            f"{what} has no store", help="set `environments.<name>.store`, or MLSPEC_RUN_STORE"
        )
    return local_path(store, project or Path.cwd())


def place_of(store: str, below: str, *, what: str, project: Path | None = None) -> Place:
    """Return the place at a path below a store.

    Args:
        store, what, project: see `folder_of`.
        below: relative path, such as `shop/audit`.

    Raises:
        StepError: no address, a kind of store that cannot keep records, or its library is missing.
    """
    folder = folder_of(store, what=what, project=project)
    if folder is not None:
        return FolderPlace(folder / below)
    return ObjectPlace(f"{store.rstrip('/')}/{below}", what=what)
