"""What is known of libraries without importing them: who made an object, what is installed.

Invariants: asking never imports a library; a module counts as the project's only when its file
lies in the project and is not installed there.
"""

from __future__ import annotations

from importlib import import_module, metadata
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlspec.runtime.functions import is_inside
from mlspec.runtime.steps.contract import StepError


def made_by(model: Any, *packages: str) -> bool:
    """Whether a class of the object, or one that it descends from, is of one of the packages."""
    return any(one.__module__.partition(".")[0] in packages for one in type(model).__mro__)


def version_of(*distributions: str) -> str:
    """Return the version of the first distribution that is installed, or an empty text."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def is_installed(module: str) -> bool:
    """Whether a library could be imported; it is not."""
    return find_spec(module) is not None


def library(module: str, package: str, why: str) -> Any:
    """Import a library that only some models need.

    Args:
        module: to import. package: what to install. why: what it is needed for.

    Raises:
        StepError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise StepError(
            f"`{package}` is not installed: {why}", help=f"pip install {package}"
        ) from error


def is_project_module(name: str, project: Path) -> bool:
    """Whether a top-level module is one of the project's own files."""
    project = project.resolve()
    found = PathFinder.find_spec(name, [str(project)]) or PathFinder.find_spec(name)
    if found is None:
        return False
    places = [Path(one) for one in found.submodule_search_locations or ()]
    if found.origin:
        places.append(Path(found.origin))
    return any(is_inside(place, project) for place in places)
