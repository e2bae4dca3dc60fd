"""Paths in a spec: relative to the folder of the file that contains them (decision B24)."""

from __future__ import annotations

import posixpath

from mlspec.diagnostics.codes import names as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.source import Origin


def project_path(
    text: str, folder: str, at: Origin, what: str, found: list[Diagnostic]
) -> str | None:
    """Return a path relative to the spec's folder, normalised; None when it leaves the project.

    Args:
        text: the path as written.
        folder: folder of the file that contains it, relative to the spec's folder.
        at: where it stands.
        what: the value in words, for the message.
        found: where problems go.
    """
    if text.startswith(("/", "~")) or "\\" in text or "\0" in text:
        problem = "is not a relative path with forward slashes"
    else:
        path = posixpath.normpath(posixpath.join(folder, text))
        if path != ".." and not path.startswith("../"):
            return path
        problem = "leaves the project"
    found.append(
        Diagnostic(
            code=codes.PATH_OUTSIDE,
            message=f"{what} `{text}` {problem}",
            at=at,
            help=("write a path below the folder of the file that contains it",),
        )
    )
    return None


def written_path(
    text: str, folder: str, at: Origin, what: str, found: list[Diagnostic]
) -> str | None:
    """Return a path that a step writes to, like `project_path`; never the project's own folder.

    Args:
        text: the path as written.
        folder: folder of the file that contains it, relative to the spec's folder.
        at: where it stands.
        what: the value in words, for the message.
        found: where problems go.
    """
    path = project_path(text, folder, at, what, found)
    if path != ".":
        return path
    found.append(
        Diagnostic(
            code=codes.PATH_OUTSIDE,
            message=f"{what} `{text}` is the whole folder in which the step runs",
            at=at,
            help=("write a file or a folder below it, such as `./out/`",),
        )
    )
    return None


def overlaps(one: str, other: str) -> bool:
    """Return whether two normalised paths are equal or one contains the other."""
    if "." in (one, other):
        return True
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")
