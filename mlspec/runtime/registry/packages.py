"""What both registries do with packages and statements, wherever they keep them.

Input: folders, names, bytes from a store. Output: the same, checked. Invariant: nothing leaves a
registry whose digest is not the one under which it came in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mlspec.runtime.digests import PREFIX, digest_of_bytes, digest_of_file, files_of_folder
from mlspec.runtime.registry.model import DamagedError, Draft, RegistryError, Version
from mlspec.runtime.steps.contract import whole_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def files_of_package(package: Path) -> dict[str, str]:
    """Return the digests of the files of a package; refuse what is none.

    Raises:
        RegistryError: it is missing, empty, or holds a link.
    """
    if not package.is_dir():
        raise RegistryError(f"there is no package at `{package.name}`")
    for path in package.rglob("*"):
        if path.is_symlink():
            raise RegistryError(f"the package holds a link: {path.relative_to(package)}")
    try:
        files = files_of_folder(package)
    except ValueError as error:
        raise RegistryError(f"the package cannot be registered: {error}") from None
    if not files:
        raise RegistryError("the package is empty")
    return files


def check_same(known: Version, draft: Draft) -> None:
    """Refuse the same package with another story of how it was made.

    Raises:
        RegistryError: with what differs.
    """
    differing = sorted(
        name
        for name in {*known.provenance, *draft.provenance}
        if known.provenance.get(name) != draft.provenance.get(name)
    )
    if differing:
        raise RegistryError(
            f"version {known.name} has the same digest with other provenance: "
            f"{', '.join(differing)}",
            help="a package holds its own provenance: package the model again",
        )


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the same bytes for the same JSON data."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def safe_name(name: str) -> str:
    """Return a name that can be one of a file and of a registered model.

    Raises:
        RegistryError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise RegistryError(f"`{name}` cannot be a name in a registry")
    return name


def restore(
    version: Version,
    files: Mapping[str, str],
    into: Path,
    bring: Callable[[str, str, Path], None],
) -> Path:
    """Write the folder of a package; return it.

    Args:
        version: whose package it is.
        files: hexadecimal digests by path.
        into: the folder; it is replaced.
        bring: writes a file: its path in the package, its digest, where to.

    Raises:
        RegistryError: a file is missing, or is not what was registered.
        OSError: when the disk refuses.
    """
    with whole_folder(into) as draft:
        for path, digest in files.items():
            place = draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            bring(path, digest, place)
            if not place.is_file() or digest_of_file(place) != PREFIX + digest:
                raise RegistryError(
                    f"`{path}` of version {version.name} is damaged in the registry",
                    help="restore the registry from a backup, or train again",
                )
    return into


def checked_statements(
    version: Version, kind: str, kept: Iterable[tuple[str, bytes]]
) -> tuple[bytes, ...]:
    """Return statements that are what was attached.

    Args:
        version, kind: whose statements they are, for the message.
        kept: names `<serial>-<digest>` with contents.

    Raises:
        DamagedError: one has another digest than its name says.
    """
    found = []
    for name, content in kept:
        if digest_of_bytes(content) != PREFIX + name.partition("-")[2]:
            raise DamagedError(f"a {kind} of version {version.name} was changed: {name}")
        found.append(content)
    return tuple(found)


def next_name(known: list[str], digest: str) -> str | None:
    """Return the name under which a statement is kept; None: it is the last one already.

    Args:
        known: names of those that are kept, sorted.
        digest: of the statement.
    """
    hexadecimal = digest.removeprefix(PREFIX)
    if known and known[-1].partition("-")[2] == hexadecimal:
        return None
    serial = int(known[-1].partition("-")[0]) + 1 if known else 1
    return f"{serial:06d}-{hexadecimal}"
