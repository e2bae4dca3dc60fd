"""The catalogue of codes: every message mlspec can print, declared once, by area.

An area is a module; `ALL` collects them. Ids are never reused; a retired one moves to `RETIRED`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from mlspec.diagnostics.model import Code

AREAS = (
    "reading",
    "shape",
    "names",
    "graph",
    "layers",
    "targets",
    "checks",
    "models",
    "governance",
    "approvals",
    "monitoring",
    "security",
    "resources",
    "emitted",
    "internal",
    "running",
)
"""Modules of this package, in id order."""

RETIRED: tuple[str, ...] = ()
"""Ids that are no longer produced and must never be used again."""


@cache
def all_codes() -> dict[str, Code]:
    """Return all codes by id, in id order."""
    found: dict[str, Code] = {}
    for area in AREAS:
        module = import_module(f"{__name__}.{area}")
        for value in vars(module).values():
            if isinstance(value, Code):
                found[value.id] = value
    return dict(sorted(found.items()))


def find_code(wanted: str) -> Code | None:
    """Return a code by id (any case) or name."""
    codes = all_codes()
    return codes.get(wanted.upper()) or next(
        (code for code in codes.values() if code.name == wanted.lower()), None
    )
