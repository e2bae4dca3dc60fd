"""Files of this machine: plain paths, `file:`, globs, folders, and what the engine staged.

The version is `sha256:` of the bytes that were read: of the file, or of the folder's files.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mlspec.runtime.digests import digest_of_file, digest_of_files
from mlspec.runtime.layout import local_path
from mlspec.runtime.readers import files_below, read_files
from mlspec.runtime.sources.model import Found, Wanted
from mlspec.runtime.steps.contract import StepError

_GLOB = frozenset("*?[")


def read_local(wanted: Wanted) -> Found:
    """Return the rows or the files of a path.

    Raises:
        StepError: nothing is there, or it cannot be read as declared.
    """
    root, paths = locate(wanted)
    return read_paths(wanted, root, paths)


def place_of(wanted: Wanted) -> Path:
    """Return the path of the data: what was staged, or where the address leads.

    Raises:
        StepError: there is neither.
    """
    if wanted.raw is not None:
        return wanted.raw
    source = wanted.facts.source
    if source is None:
        raise StepError(
            f"{wanted.name} has no version yet",
            help="it is managed: run the pipeline that makes it, then this one",
        )
    found = local_path(source, wanted.project)
    if found is None:
        raise StepError(f"{wanted.name}: `{source}` is on another machine")
    return found


def locate(wanted: Wanted) -> tuple[Path, list[Path]]:
    """Return the folder that names are relative to, and the files, by name.

    Raises:
        StepError: there are none.
    """
    place = place_of(wanted)
    if place.is_file():
        return place.parent, [place]
    if place.is_dir():
        found = files_below(place)
        if not found:
            raise StepError(f"{wanted.name}: the folder `{_shown(wanted, place)}` holds no files")
        return place, found
    root = place
    while root != root.parent and _GLOB & set(root.as_posix()):
        root = root.parent
    if root != place and root.is_dir():
        pattern = place.relative_to(root).as_posix()
        found = sorted(path for path in root.glob(pattern) if path.is_file())
        if found:
            return root, found
        raise StepError(f"{wanted.name}: no file matches `{_shown(wanted, place)}`")
    help_ = f"its path is relative to the spec's folder, {wanted.project.name}/"
    if place.with_name(f"{place.name}.dvc").is_file():
        help_ = f"DVC tracks it: write `source: dvc:{_shown(wanted, place)}`"
    raise StepError(f"{wanted.name}: `{_shown(wanted, place)}` does not exist", help=help_)


def read_paths(wanted: Wanted, root: Path, paths: list[Path]) -> Found:
    """Return the rows or files of paths below a folder, with the digest as version.

    Raises:
        StepError: see `mlspec.runtime.readers.read_files`.
    """
    names = {path.relative_to(root).as_posix(): path for path in paths}
    digests = {name: digest_of_file(path) for name, path in names.items()}
    alone = len(paths) == 1 and paths[0].parent == root
    version = next(iter(digests.values())) if alone else digest_of_files(digests)
    if wanted.facts.format == "files":
        newest = max(path.stat().st_mtime for path in paths)
        known = None if wanted.raw is not None else datetime.fromtimestamp(newest, UTC)
        return Found(files=names, version=version, modified=known)
    table, undeclared = read_files(paths, wanted.facts, root)
    return Found(table=table, version=version, undeclared=tuple(undeclared))


def _shown(wanted: Wanted, place: Path) -> str:
    try:
        return place.relative_to(wanted.project).as_posix()
    except ValueError:
        return place.name if wanted.raw is not None else place.as_posix()
