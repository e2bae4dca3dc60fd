"""The layers of a spec, in their order: file, includes, inheritance, environment.

Duty: one door for the driver. Input: a path, then documents. Output: documents whose every value
still knows where it was written, what it overrides and what brought it in. Inheritance comes
before environments, so that an override changes exactly the ids it names. Nothing is raised.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from pathlib import Path

from mlspec.diagnostics.model import Result
from mlspec.spec.extends import resolve_inheritance
from mlspec.spec.include import assemble_files
from mlspec.spec.overlay import check_environment_order, overlay_environment
from mlspec.yamlio.nodes import Document, Node


def assemble(path: Path, project_root: Path | None = None) -> Result[Document]:
    """Read a spec with everything it includes, and check the order of its environments.

    Args:
        path: the main file; its name as given (relative to the working directory if below it) is
            the document's id.
        project_root: the folder that no include may leave; default: the git top level, or else
            the main file's folder.

    Returns:
        The document, None when the main file cannot be opened. When its YAML cannot be read,
        `Document.readable` is False: such a document only helps to show the diagnostics.
    """
    result = assemble_files(path, project_root)
    if result.value is None or not result.value.readable:
        return result
    return replace(
        result, diagnostics=(*result.diagnostics, *check_environment_order(result.value))
    )


def resolve_extends(document: Document) -> Result[Document]:
    """Return the document with `extends` and `like` resolved; the same object if it has none."""
    return resolve_inheritance(document)


def apply_environment(document: Document, environment: str) -> Result[Document]:
    """Return the document that an environment sees; the same object if it changes nothing.

    Args:
        document: the result of `resolve_extends`.
        environment: its name.
    """
    return overlay_environment(document, environment)


def folder_of(document: Document, node: Node) -> str:
    """Return the folder that paths in a node are relative to, seen from the main file's folder."""
    main = posixpath.dirname(next(iter(document.files), document.id))
    return posixpath.relpath(posixpath.dirname(node.source) or ".", main or ".")
