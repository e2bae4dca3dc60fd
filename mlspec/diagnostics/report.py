"""Turns diagnostics into a report: concrete places, sorted, without repetitions, secrets masked.

Input: diagnostics with symbolic places, and the driver's resolver (built on `yamlio.locate`).
Output: a `Report`, all that renderers ever see. Invariants: sorted by file, line, column and
code; line texts that a sensitive finding covers are masked here, so that no renderer can print
them; what a comment in the spec ignores is left out; counts include what the cap left out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mlspec.diagnostics.model import Diagnostic, Fix, Place, Severity
from mlspec.diagnostics.policy import ignored_in, is_guarded
from mlspec.source import Origin, Position, Route, SourceFile, Span

MAX_PER_FILE = 50
"""Findings shown for one file; more are counted, not shown."""

_FIRST_LINES = 4  # of a span over many lines; its last line is kept as well
_MASK = "********"
_KEY = re.compile(r"\s*(?:- +)*(?:[\w.-]+:(?=\s|$)|(?=\S))")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPlace:
    """What the driver's resolver makes of a place.

    Attributes:
        file: the file in which it was written.
        span: the characters to underline.
        notes: how the value got there, such as "overrides `3` from mlspec.yaml:58:16".
    """

    file: SourceFile
    span: Span
    notes: tuple[str, ...] = ()


Resolver = Callable[[Place], ResolvedPlace | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcretePlace:
    """A place as people count it.

    Attributes:
        file: display path.
        start: first character.
        end: one past the last character; never before `start`.
        lines: number and text of the lines covered: the first few, and the last.
    """

    file: str
    start: Position
    end: Position
    lines: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A second place with its text."""

    place: ConcretePlace
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedFix:
    """A suggested edit: replace `place` by `text`."""

    title: str
    place: ConcretePlace
    text: str
    safe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDiagnostic:
    """One finding with everything a renderer needs.

    Attributes:
        code, name, summary, security: from the catalogue.
        path: route of the effective value in the spec, as `route_text` spells it; may be empty.
        primary: None when no file is to blame.
    """

    code: str
    name: str
    summary: str
    security: bool
    severity: Severity
    message: str
    path: str = ""
    primary: ConcretePlace | None = None
    label: str = ""
    related: tuple[Related, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    fixes: tuple[ReportedFix, ...] = ()
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings of one command.

    Attributes:
        diagnostics: those to show, in order.
        hidden: files with the number of findings that the cap left out.
        errors, warnings, notes: how many there are, hidden ones included.
        files: how many files have findings.
    """

    diagnostics: tuple[ReportedDiagnostic, ...] = ()
    hidden: tuple[tuple[str, int], ...] = ()
    errors: int = 0
    warnings: int = 0
    notes: int = 0
    files: int = 0

    @property
    def valid(self) -> bool:
        """Whether there is no error."""
        return self.errors == 0


def route_text(route: Route) -> str:
    """Spell a route as users type it: `pipelines.nightly.steps.train.outputs[0]`.

    Keys that are not made of letters, digits, `_` and `-` are quoted: `env["a.b"]`.
    """
    text = ""
    for step in route:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def build_report(
    diagnostics: Iterable[Diagnostic],
    resolve: Resolver,
    *,
    cap: int = MAX_PER_FILE,
) -> Report:
    """Resolve, sort, deduplicate and cap.

    Args:
        diagnostics: in any order.
        resolve: finds the file and span of a place; None when there is no such place (any more).
        cap: number of findings to keep for each file; errors are kept before the others.
    """
    found = tuple(diagnostics)
    resolver = _Concrete(resolve)
    for diagnostic in found:
        if diagnostic.sensitive and diagnostic.at is not None:
            resolver.hide(diagnostic.at)
    shown = (resolver.report(one) for one in found if not resolver.is_ignored(one))
    reported = sorted(dict.fromkeys(shown), key=_order)
    counts = Counter(one.severity for one in reported)
    kept, hidden = _capped(reported, cap)
    return Report(
        diagnostics=kept,
        hidden=hidden,
        errors=counts[Severity.ERROR],
        warnings=counts[Severity.WARNING],
        notes=counts[Severity.NOTE],
        files=len({one.primary.file for one in reported if one.primary is not None}),
    )


def _order(one: ReportedDiagnostic) -> tuple[str, Position, Position, str, str, str]:
    nowhere = Position(0, 0)
    if one.primary is None:
        return ("", nowhere, nowhere, one.code, one.message, one.path)
    place = one.primary
    return (place.file, place.start, place.end, one.code, one.message, one.path)


def _capped(
    reported: Sequence[ReportedDiagnostic], cap: int
) -> tuple[tuple[ReportedDiagnostic, ...], tuple[tuple[str, int], ...]]:
    by_file: dict[str, list[int]] = {}
    for index, one in enumerate(reported):
        by_file.setdefault(one.primary.file if one.primary else "", []).append(index)
    keep: list[int] = []
    hidden = []
    for file, indices in by_file.items():
        # Stable sort: a flood of warnings never pushes an error out.
        best = sorted(indices, key=lambda index: reported[index].severity is not Severity.ERROR)
        keep.extend(best[:cap])
        if len(indices) > cap:
            hidden.append((file, len(indices) - cap))
    return tuple(reported[index] for index in sorted(keep)), tuple(hidden)


class _Concrete:
    """Resolves places; knows which lines must not be shown."""

    def __init__(self, resolve: Resolver) -> None:
        self._resolve = resolve
        self._masked: dict[str, dict[int, bool]] = {}
        self._texts: dict[tuple[str, int], str] = {}

    def hide(self, place: Place) -> None:
        """Mask every line that a sensitive place covers, for all findings."""
        found = self._resolve(place)
        if found is None:
            return
        start, end = _positions(found)
        lines = self._masked.setdefault(found.file.id, {})
        for line in range(start.line, end.line + 1):
            lines[line] = lines.get(line, False) or line > start.line

    def is_ignored(self, one: Diagnostic) -> bool:
        """Return whether a comment on a line that the finding covers hides it."""
        if one.is_error or one.at is None or is_guarded(one.code):
            return False
        found = self._resolve(one.at)
        if found is None:
            return False
        start, end = _positions(found)
        return any(
            one.code.id in ignored_in(found.file.line_text(line)) for line in {start.line, end.line}
        )

    def report(self, one: Diagnostic) -> ReportedDiagnostic:
        primary, notes = self._place(one.at)
        related = []
        for label in one.labels:
            place, _ = self._place(label.place)
            if place is not None:
                related.append(Related(place=place, label=label.text))
            elif label.text:
                notes = (label.text, *notes)
        fixes = []
        advice = list(one.help)
        for fix in one.fixes:
            reported = self._fix(fix)
            if reported is not None:
                fixes.append(reported)
            elif fix.title not in advice:
                advice.append(fix.title)
        return ReportedDiagnostic(
            code=one.code.id,
            name=one.code.name,
            summary=one.code.summary,
            security=one.code.security,
            severity=one.severity,
            message=one.message,
            path=route_text(one.at.route) if isinstance(one.at, Origin) else "",
            primary=primary,
            label=one.label,
            related=tuple(related),
            notes=(*one.notes, *notes),
            help=tuple(advice),
            fixes=tuple(fixes),
            sensitive=one.sensitive,
        )

    def _fix(self, fix: Fix) -> ReportedFix | None:
        place, _ = self._place(fix.place)
        if place is None:
            return None
        return ReportedFix(title=fix.title, place=place, text=fix.text, safe=fix.safe)

    def _place(self, place: Place | None) -> tuple[ConcretePlace | None, tuple[str, ...]]:
        found = self._resolve(place) if place is not None else None
        if found is None:
            return None, ()
        start, end = _positions(found)
        covered = range(start.line, end.line + 1)
        numbers = (*covered[:_FIRST_LINES], end.line) if len(covered) > _FIRST_LINES else covered
        concrete = ConcretePlace(
            file=found.file.id,
            start=start,
            end=end,
            lines=tuple((number, self._line(found.file, number)) for number in numbers),
        )
        return concrete, found.notes

    def _line(self, file: SourceFile, number: int) -> str:
        known = self._texts.get((file.id, number))
        if known is None:
            known = file.line_text(number)
            masked = self._masked.get(file.id, {}).get(number)
            if masked is not None:
                known = _masked(known, whole=masked)
            self._texts[file.id, number] = known
        return known


def _positions(found: ResolvedPlace) -> tuple[Position, Position]:
    """Return start and end; an end at the start of a line moves back before the line break."""
    length = len(found.file.text)
    first = min(max(found.span.start, 0), length)
    last = min(max(found.span.end, first), length)
    start, end = found.file.position(first), found.file.position(last)
    if end.column == 1 and end.line > start.line:
        line = end.line - 1
        end = replace(end, line=line, column=len(found.file.line_text(line)) + 1)
    return start, end


def _masked(text: str, *, whole: bool) -> str:
    """Keep the indentation and the key of a line; hide the rest (all of a continuation line)."""
    if whole:
        indent = text[: len(text) - len(text.lstrip())]
        return indent + _MASK if text.strip() else text
    match = _KEY.match(text)
    if match is None:
        return text
    kept = match.group()
    return f"{kept} {_MASK}" if kept.endswith(":") else kept + _MASK
