"""What is installed where the model was made: `lock.json`.

Names and versions only: the list is the same on every platform that resolved the same versions.
"""

from __future__ import annotations

import platform
import re
from importlib.metadata import distributions
from typing import Any

from mlspec.runtime.documents.facts import Lock


def installed() -> Lock:
    """Return the interpreter's version and its distributions, by normalised name (PEP 503)."""
    found: dict[str, str] = {}
    for one in distributions():
        name = one.metadata["Name"]
        # The first on the path is the one that is imported; a broken folder has no name.
        if name and normal_name(name) not in found:
            found[normal_name(name)] = one.version
    return Lock(python=platform.python_version(), packages=tuple(sorted(found.items())))


def normal_name(name: str) -> str:
    """Return the name under which package indexes know a distribution."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock_json(lock: Lock) -> dict[str, Any]:
    """Return the content of `lock.json`: each package as a requirement with its version."""
    return {
        "format_version": "1.0",
        "python": lock.python,
        "packages": [f"{name}=={version}" for name, version in lock.packages],
    }
