"""Digests of files and folders: how steps name bytes.

A file's digest is the SHA-256 of its content. A folder's digest is the SHA-256 over one line for
each file below it, `path NUL digest LF`, sorted by the bytes of the path; paths are relative, with
`/`. Times, modes and empty folders do not count. A symbolic link counts as what it leads to when
that lies inside the folder, and is refused otherwise: a digest must say everything about a copy.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

PREFIX = "sha256:"


def digest_of_bytes(content: bytes) -> str:
    """Return `sha256:` and the SHA-256 of bytes."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return `sha256:` and the SHA-256 of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def files_of_folder(folder: Path, without: Iterable[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder by relative path, in the digest's order.

    Args:
        folder: an existing folder.
        without: relative paths that are left out.

    Raises:
        OSError: something cannot be read, or it is no folder.
        ValueError: a link leads out of the folder, something is neither file nor folder, or a name
            cannot be written in UTF-8.
    """
    root = folder.resolve(strict=True)
    if not root.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")
    skipped = set(without)
    found = {}
    for place, _, names in os.walk(root):
        for name in names:
            path = Path(place, name)
            relative = path.relative_to(root).as_posix()
            if relative in skipped:
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ValueError(f"`{relative}` is a link that leads out of the folder")
            if not path.is_file():  # reading a pipe or a device may never end
                raise ValueError(f"`{relative}` is no file")
            found[relative] = digest_of_file(path).removeprefix(PREFIX)
    return dict(sorted(found.items(), key=lambda item: item[0].encode()))


def digest_of_files(files: Mapping[str, str]) -> str:
    """Return the digest of a folder whose files are known: 64 hexadecimal figures by path."""
    digest = hashlib.sha256()
    for path, known in sorted(files.items(), key=lambda item: item[0].encode()):
        digest.update(f"{path}\0{known.removeprefix(PREFIX)}\n".encode())
    return PREFIX + digest.hexdigest()


def digest_of_folder(folder: Path, without: Iterable[str] = ()) -> str:
    """Return `sha256:` and the SHA-256 of a folder; see the module.

    Args:
        folder: an existing folder.
        without: relative paths that are left out.

    Raises:
        OSError, ValueError: see `files_of_folder`.
    """
    return digest_of_files(files_of_folder(folder, without))


def digest_of_path(path: Path) -> str:
    """Return the digest of a file or of a folder.

    Raises:
        OSError, ValueError: see `files_of_folder`.
    """
    return digest_of_folder(path) if path.is_dir() else digest_of_file(path)
