"""Which back ends exist: ours in a static table, others through entry points; loaded lazily."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from mlspec.backends.base import Backend
from mlspec.errors import MlspecBug

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP = "mlspec.backends"

_BUILT_IN = {
    "airflow": "mlspec.backends.airflow",
    "kubernetes": "mlspec.backends.kubernetes",
    "github-actions": "mlspec.backends.github_actions",
    "dvc": "mlspec.backends.dvc",
    "ir-json": "mlspec.backends.ir_json",
}


def built_in_names() -> tuple[str, ...]:
    """Return the names of our back ends, without importing any."""
    return tuple(_BUILT_IN)


def _plug_ins() -> EntryPoints:
    from importlib.metadata import entry_points  # reads e-mail headers: slow to import

    return entry_points(group=GROUP)


def backend_names() -> tuple[str, ...]:
    """Return all names, ours first; a plug-in cannot replace one of ours."""
    others = sorted({point.name for point in _plug_ins()} - set(_BUILT_IN))
    return (*_BUILT_IN, *others)


def load_backend(name: str) -> Backend[Any] | None:
    """Return a back end by name, or None when there is none."""
    if name in _BUILT_IN:
        return cast("Backend[Any]", import_module(_BUILT_IN[name]).BACKEND)
    for point in _plug_ins():
        if point.name == name:
            loaded = point.load()
            missing = [
                member
                for member in ("name", "capabilities", "lower", "emit")
                if not hasattr(loaded, member)
            ]
            if missing:
                raise MlspecBug(f"back end {name} ({point.value}) lacks {', '.join(missing)}")
            return cast("Backend[Any]", loaded)
    return None
