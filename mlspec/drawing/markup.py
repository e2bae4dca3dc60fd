"""Small pieces of SVG: numbers, text, shapes. Every text from outside goes through `escaped`."""

from __future__ import annotations

from collections.abc import Iterable

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escaped(text: str) -> str:
    """Return text for XML and HTML, in content and in quoted attributes.

    Control characters are gone already: the drawing holds visible text only.
    """
    return text.translate(_ESCAPES)


def number(value: float) -> str:
    """Return a coordinate with at most one decimal."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def rect(x: float, y: float, width: float, height: float, radius: float, style: str) -> str:
    """Return a rectangle with round corners."""
    return (
        f'<rect class="{style}" x="{number(x)}" y="{number(y)}" width="{number(width)}"'
        f' height="{number(height)}" rx="{number(radius)}"/>'
    )


def text(x: float, y: float, content: str, style: str, *, anchor: str = "start") -> str:
    """Return one line of text; `y` is its base line."""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{style}" x="{number(x)}" y="{number(y)}"{place}>{escaped(content)}</text>'


def path(pieces: Iterable[tuple[tuple[float, float], ...]], style: str, extra: str = "") -> str:
    """Return a line; pieces as in `Route`."""
    found = []
    for place, piece in enumerate(pieces):
        letter = "M" if place == 0 else "C" if len(piece) == 3 else "L"
        found.append(letter + " ".join(f"{number(x)},{number(y)}" for x, y in piece))
    return f'<path class="{style}" d="{"".join(found)}"{extra}/>'
