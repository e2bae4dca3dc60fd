"""The content of a page for people, before it is Markdown or HTML.

Texts are plain: each form escapes them in its own way, so that no text becomes markup.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An interval with its limit, to be drawn; Markdown leaves it out.

    Attributes:
        low, value, high: of the quantity that is judged. limit: what it is held against.
        verdict: decides the colour.
    """

    low: float
    value: float
    high: float
    limit: float
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A part of the largest value, from 0 to 1, to be drawn; Markdown leaves it out."""

    share: float


Cell = str | Span | Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        head: names of the columns; an empty one is a column of drawings.
        code: columns that hold names of the spec or digests.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    code: tuple[int, ...] = ()


Block = Heading | Text | Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page.

    Attributes:
        verdict: `pass`, `fail` or `inconclusive`.
    """

    title: str
    verdict: str
    blocks: tuple[Block, ...]
