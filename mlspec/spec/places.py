"""Finds the files that a spec names: included ones, components.

Input: a path as written, the folder of the file that holds it, and the project's folder. Output:
the real path, or why it is refused. Invariants: nothing outside of the project is found, links
count as where they lead; nothing is opened here.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Why(Enum):
    """Why a path is refused."""

    NO_PATH = "no path relative to its file"
    OUTSIDE = "outside of the project"
    MISSING = "it cannot be opened"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no file; `reason` says it in words when it cannot be opened."""

    why: Why
    reason: str = ""


def look_up(text: str, folder: Path, project_root: str) -> str | Refusal:
    """Return the real path of a file of the project.

    Args:
        text: the path as written.
        folder: of the file that holds it.
        project_root: the folder that no path may leave, without symbolic links.
    """
    if "://" in text or text.startswith(("/", "~")) or posixpath.isabs(text.replace("\\", "/")):
        return Refusal(Why.NO_PATH)
    path = folder / text
    try:
        real = os.path.realpath(path, strict=True)
        reason = ""
    except (OSError, ValueError) as error:
        real = project_root if "\0" in text else os.path.realpath(path)
        reason = _why_missing(error)
    if not _is_inside(real, project_root):
        return Refusal(Why.OUTSIDE)
    return Refusal(Why.MISSING, reason) if reason else real


def file_of(text: str, source: str) -> str:
    """Return the id of a file that another one names: a path like the other's own id.

    Args:
        text: the path as written. source: id of the file that holds it.
    """
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), text))


def find_project_root(main_file: str) -> str:
    """Return the closest folder above a file that holds `.git`, or else the file's own folder."""
    folders = Path(main_file).parents
    for folder in folders:
        if os.path.lexists(folder / ".git"):
            return str(folder)
    return str(folders[0])


def _why_missing(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    if isinstance(error, NotADirectoryError):
        return "a part of the path is not a folder"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the name is no possible file name"


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
