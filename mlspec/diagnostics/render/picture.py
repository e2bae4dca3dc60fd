"""Draws source lines with what is underlined in them.

Input: the marks of one file, sorted by position. Output: lines, each with a gutter. Invariants:
underlines stand below the characters they mean, whatever the width of the characters before
them; a line that is longer than the page is cut around its marks; at most one mark over several
lines gets a bar at the left, others are drawn at their first line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from mlspec.diagnostics.render.visible import cells, width
from mlspec.diagnostics.report import ConcretePlace
from mlspec.source import Position

_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "strong": "1",
    "frame": "34",
    "primary": "1;31",
    "related": "1;34",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Painter:
    """Adds ANSI colours, or nothing."""

    color: bool

    def __call__(self, text: str, style: str) -> str:
        """Return the text in a style."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color and text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something to underline; the label is visible text already."""

    place: ConcretePlace
    label: str
    primary: bool

    @property
    def style(self) -> str:
        """Colour of the underline and its label."""
        return "primary" if self.primary else "related"


@dataclass(frozen=True, slots=True)
class _Underline:
    """A mark on one shown line: display columns, end exclusive."""

    start: int
    end: int
    mark: Mark


def draw_lines(marks: Sequence[Mark], gutter: int, paint: Painter, columns: int) -> Iterator[str]:
    """Yield the picture of one file.

    Args:
        marks: sorted by position.
        gutter: width of the line numbers.
        paint: colours.
        columns: width of the page.
    """
    barred = _barred(marks)
    texts: dict[int, str] = {}
    below: dict[int, list[Mark]] = {}
    for mark in marks:
        if mark is barred:
            texts.update(mark.place.lines)
        else:
            line, text = mark.place.lines[0]
            texts[line] = text
            below.setdefault(line, []).append(_on_first_line(mark))
    bar = paint(f"{'':{gutter}} |", "frame")
    last = 0
    for line in sorted(texts):
        inside = barred is not None and barred.place.start.line < line <= barred.place.end.line
        if last and line > last + 1:
            gap = paint(f"{'':{gutter}} :", "frame")
            yield f"{gap} {paint('|', barred.style)}" if inside and barred else gap
        last = line
        number = paint(f"{line:>{gutter}} |", "frame")
        edge = _edge(barred, line, paint, inside=inside)
        after = _edge_after(barred, line, paint, inside=inside)
        room = columns - gutter - 3 - (2 if barred else 0)
        for shown, underlines in _rows(texts[line], below.get(line, []), room):
            yield f"{number} {edge}{shown}".rstrip()
            for drawn in _underlined(underlines, paint):
                yield f"{bar} {after}{drawn}".rstrip()
        if barred is not None and line == barred.place.end.line:
            yield f"{bar} {_closing(barred, texts[line], room, paint)}".rstrip()


def _barred(marks: Iterable[Mark]) -> Mark | None:
    several = [mark for mark in marks if mark.place.end.line > mark.place.start.line]
    return next((mark for mark in several if mark.primary), several[0] if several else None)


def _on_first_line(mark: Mark) -> Mark:
    place = mark.place
    line, text = place.lines[0]
    if place.end.line == line:
        return mark
    return replace(mark, place=replace(place, end=Position(line, len(text) + 1)))


def _edge(barred: Mark | None, line: int, paint: Painter, *, inside: bool) -> str:
    if barred is None:
        return ""
    if line == barred.place.start.line:
        return paint("/", barred.style) + " "
    return paint("|", barred.style) + " " if inside else "  "


def _edge_after(barred: Mark | None, line: int, paint: Painter, *, inside: bool) -> str:
    """Return the edge of the underlines below a line: the bar goes on below its first line."""
    if barred is not None and line == barred.place.start.line:
        inside = True
    return _edge(barred, -1, paint, inside=inside)


def _closing(barred: Mark, text: str, room: int, paint: Painter) -> str:
    offsets = _offsets(text)
    end = offsets[min(barred.place.end.column - 1, len(offsets) - 1)]
    sign = "^" if barred.primary else "-"
    drawn = paint("|" + "_" * max(1, min(end, room)) + sign, barred.style)
    return f"{drawn} {paint(barred.label, barred.style)}".rstrip()


def _offsets(text: str) -> list[int]:
    """Return the display column at which each character starts, and where the line ends."""
    return [0, *accumulate(cells(text)[1])]


def _rows(text: str, marks: Sequence[Mark], room: int) -> Iterator[tuple[str, list[_Underline]]]:
    """Yield the line as shown, with its underlines; more than once when it must be cut apart."""
    shown, widths = cells(text)
    offsets = [0, *accumulate(widths)]
    last = len(shown)
    underlines = []
    for mark in marks:
        # Masked lines are shorter than what was written there.
        start = offsets[min(mark.place.start.column - 1, last)]
        end = offsets[min(mark.place.end.column - 1, last)]
        underlines.append(_Underline(start, max(end, start + 1), mark))
    if offsets[-1] <= room:
        yield "".join(shown), underlines
        return
    together = not underlines or underlines[-1].end - underlines[0].start <= room - 6
    for group in [underlines] if together else [[one] for one in underlines]:
        yield _cut(shown, offsets, group, room)


def _cut(
    shown: Sequence[str], offsets: Sequence[int], group: list[_Underline], room: int
) -> tuple[str, list[_Underline]]:
    """Show a window of a long line around a group of underlines."""
    inner = room - 6  # "..." at both ends
    low = 0
    if group:
        wanted = group[-1].end - group[0].start
        low = max(0, group[0].start - max(0, inner - wanted) // 3)
        low = min(low, max(0, offsets[-1] - inner))
    first = next(i for i, offset in enumerate(offsets) if offset >= low)
    base = offsets[first]
    after = next((i for i, at in enumerate(offsets) if at > base + inner), len(offsets)) - 1
    left = "..." if first else ""
    right = "..." if after < len(shown) else ""
    shift = len(left) - base
    limit = offsets[after] + shift
    moved = []
    for one in group:
        start = min(max(one.start + shift, 0), limit)
        moved.append(replace(one, start=start, end=max(min(one.end + shift, limit), start + 1)))
    return left + "".join(shown[first:after]) + right, moved


def _underlined(underlines: Sequence[_Underline], paint: Painter) -> Iterator[str]:
    """Yield the lines below a source line: underlines with labels, the rightmost one first."""
    if any(right.start < left.end for left, right in pairwise(underlines)):
        for one in underlines:
            yield _row([(one.start, *_sign(one)), _inline(one)], paint)
        return
    if not underlines:
        return
    yield _row([*((one.start, *_sign(one)) for one in underlines), _inline(underlines[-1])], paint)
    waiting = [one for one in underlines[:-1] if one.mark.label]
    if waiting:
        yield _row([(one.start, "|", one.mark.style) for one in waiting], paint)
    while waiting:
        one = waiting.pop()
        pieces = [(other.start, "|", other.mark.style) for other in waiting]
        yield _row([*pieces, (one.start, one.mark.label, one.mark.style)], paint)


def _sign(one: _Underline) -> tuple[str, str]:
    return ("^" if one.mark.primary else "-") * (one.end - one.start), one.mark.style


def _inline(one: _Underline) -> tuple[int, str, str]:
    return one.end + 1, one.mark.label, one.mark.style


def _row(pieces: Iterable[tuple[int, str, str]], paint: Painter) -> str:
    drawn = ""
    at = 0
    for start, text, style in pieces:
        if text:
            drawn += " " * (start - at) + paint(text, style)
            at = start + width(text)
    return drawn
