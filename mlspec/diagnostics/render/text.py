"""Renders a report for people: caret pictures, notes, help, and a summary line.

Input: a `Report`. Output: text that ends with a line break, or nothing for an empty report.
User text is made visible first (`visible.py`), so nothing in a spec reaches the terminal raw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from mlspec.diagnostics.model import Severity
from mlspec.diagnostics.render.picture import Mark, Painter, draw_lines
from mlspec.diagnostics.render.visible import visible
from mlspec.diagnostics.report import ConcretePlace, Report, ReportedDiagnostic

COLUMNS = 100
"""Source lines longer than this are cut around what is underlined."""


def render_text(report: Report, *, color: bool = False, width: int = COLUMNS) -> str:
    """Render a report.

    Args:
        report: what to show.
        color: whether to use ANSI colours; they never carry meaning alone.
        width: columns for source lines; at least 40 are used.
    """
    paint = Painter(color=color)
    blocks = ["\n".join(_block(one, paint, max(width, 40))) + "\n" for one in report.diagnostics]
    ending = "".join(f"{line}\n" for line in summary_lines(report))
    return "\n".join([*blocks, ending]) if ending else "\n".join(blocks)


def summary_lines(report: Report) -> tuple[str, ...]:
    """Return the lines at the end: what was left out, and how much was found."""
    lines = [
        f"... and {count} more in {visible(file)}" if file else f"... and {count} more"
        for file, count in report.hidden
    ]
    counted = [
        _count(report.errors, "error"),
        _count(report.warnings, "warning"),
        _count(report.notes, "note"),
    ]
    found = ", ".join(text for text in counted if text)
    if found:
        where = f" in {_count(report.files, 'file')}" if report.files else ""
        fixable = sum(1 for one in report.diagnostics if one.fixes)
        have = "has a suggested fix" if fixable == 1 else "have suggested fixes"
        fixes = f" {fixable} {have}." if fixable else ""
        first = min(report.diagnostics, key=lambda one: _RANK[one.severity])
        lines.append(f"{found}{where}.{fixes} Details: `mlspec explain {first.code}`.")
    return tuple(lines)


_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def _count(number: int, noun: str) -> str:
    if number == 0:
        return ""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _block(one: ReportedDiagnostic, paint: Painter, width: int) -> Iterator[str]:
    severity = one.severity.value
    yield (
        paint(f"{severity}[{one.code}]", severity) + paint(f": {visible(one.message)}", "strong")
    )
    marks = _marks(one)
    shown = [number for mark in marks for number, _ in mark.place.lines]
    gutter = len(str(max(shown))) if shown else 1
    bar = paint(f"{'':{gutter}} |", "frame")
    if one.primary is not None:
        first = one.primary.file
        arranged = [
            (file, tuple(group))
            for file, group in groupby(
                sorted(marks, key=lambda mark: (mark.place.file != first, mark.place.file)),
                key=lambda mark: mark.place.file,
            )
        ]
        for index, (file, group) in enumerate(arranged):
            arrow = "-->" if index == 0 else ":::"
            start = group[0].place.start if index else one.primary.start
            frame = paint(f"{'':{gutter}}{arrow}", "frame")
            yield f"{frame} {visible(file)}:{start.line}:{start.column}"
            yield bar
            yield from draw_lines(group, gutter, paint, width)
    advice = [("note", text) for text in one.notes] + [("help", text) for text in one.help]
    advice += [("help", fix.title) for fix in one.fixes if fix.title not in one.help]
    if advice and one.primary is not None:
        yield bar
    for word, text in advice:
        yield from _advice(word, text, gutter, paint, bar)


def _advice(word: str, text: str, gutter: int, paint: Painter, bar: str) -> Iterator[str]:
    lines = text.split("\n")
    sign = paint(f"{'':{gutter}} =", "frame")
    yield f"{sign} {paint(f'{word}:', 'strong')} {visible(lines[0])}".rstrip()
    for line in lines[1:]:
        # The bar keeps user text from standing first on a line, where CI logs read commands.
        yield f"{bar} {'':{len(word) + 1}} {visible(line)}".rstrip()


def _marks(one: ReportedDiagnostic) -> Sequence[Mark]:
    if one.primary is None:
        return ()
    marks = [Mark(place=one.primary, label=visible(one.label), primary=True)]
    seen: set[tuple[ConcretePlace, str]] = {(one.primary, one.label)}
    for related in one.related:
        if (related.place, related.label) not in seen:
            seen.add((related.place, related.label))
            marks.append(Mark(place=related.place, label=visible(related.label), primary=False))
    return sorted(marks, key=lambda mark: (mark.place.start, mark.place.end, not mark.primary))
