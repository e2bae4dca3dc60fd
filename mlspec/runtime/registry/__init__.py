"""Versions of models: where they are kept, what state they are in, which one is the champion.

`open_registry` returns the registry that the spec asks for; all of them behave as `Registry` says.
"""

from __future__ import annotations

from mlspec.runtime.registry.model import (
    ALIASES,
    Draft,
    Registry,
    RegistryError,
    State,
    Version,
    may_go,
)
from mlspec.runtime.registry.opening import open_registry

__all__ = [
    "ALIASES",
    "Draft",
    "Registry",
    "RegistryError",
    "State",
    "Version",
    "may_go",
    "open_registry",
]
