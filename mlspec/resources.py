"""Finds shipped data (schemas, templates, pages): in a checkout, or inside the installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {"diagnostics": "docs/diagnostics"}


@cache
def data_folder(kind: str) -> Path:
    """Return the folder of `schemas`, `templates` or `diagnostics`.

    Raises:
        FileNotFoundError: when the installation is broken.
    """
    shipped = _PACKAGE / "_data" / kind
    if shipped.is_dir():
        return shipped
    checkout = _PACKAGE.parent / _IN_CHECKOUT.get(kind, kind)
    if checkout.is_dir():
        return checkout
    raise FileNotFoundError(f"mlspec is not installed completely: {kind} is missing")
