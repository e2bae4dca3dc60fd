"""A part of a picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Markup whose upper left corner is the origin, and its size."""

    markup: str
    width: float
    height: float
