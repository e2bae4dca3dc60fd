"""Renders a report as GitHub Actions annotations (workflow commands).

GitHub shows ten annotations of a level for each step, so nine are printed and the tenth says how
many there are; errors come first. Escapes are those of the runner (actions/toolkit, command.ts):
`%`, CR and LF in messages, and `:` and `,` as well in properties.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.diagnostics.model import Severity
from mlspec.diagnostics.render.visible import visible
from mlspec.diagnostics.report import Report, ReportedDiagnostic

MAX_SHOWN = 9
"""Annotations of one level; the next one counts the rest."""

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(report: Report) -> str:
    """Render a report; one line for each annotation."""
    totals = {
        Severity.ERROR: report.errors,
        Severity.WARNING: report.warnings,
        Severity.NOTE: report.notes,
    }
    lines: list[str] = []
    for severity, command in _COMMANDS.items():
        found = [one for one in report.diagnostics if one.severity is severity]
        lines += [_annotation(command, one) for one in found[:MAX_SHOWN]]
        rest = totals[severity] - min(len(found), MAX_SHOWN)
        if rest > 0:
            noun = severity.value if rest == 1 else f"{severity.value}s"
            lines.append(f"::{command} title=mlspec::{rest} more {noun}, see the job summary")
    return "".join(f"{line}\n" for line in lines)


def _annotation(command: str, one: ReportedDiagnostic) -> str:
    properties = [*_where(one), ("title", f"mlspec {one.code} {one.name}")]
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties)
    label = f": {visible(one.label)}" if one.label else ""
    lines = [f"{visible(one.message)}{label}"]
    lines += [f"note: {text}" for note in one.notes for text in _lines(note)]
    lines += [f"help: {text}" for advice in one.help for text in _lines(advice)]
    message = _message("\n".join(lines))
    return f"::{command} {listed}::{message}"


def _where(one: ReportedDiagnostic) -> Iterator[tuple[str, str]]:
    place = one.primary
    if place is None:
        return
    yield "file", visible(place.file)
    yield "line", str(place.start.line)
    yield "endLine", str(place.end.line)
    if place.start.line == place.end.line:
        yield "col", str(place.start.column)
        yield "endColumn", str(place.end.column)


def _lines(text: str) -> Iterator[str]:
    return (visible(line) for line in text.split("\n"))


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
