"""Renders a report with one line for each finding, for grep and editors.

Form: `file:line:column: severity[code] message: label`. Findings without a place start with
`mlspec:`. Output ends with a line break, or is empty.
"""

from __future__ import annotations

from mlspec.diagnostics.render.text import summary_lines
from mlspec.diagnostics.render.visible import visible
from mlspec.diagnostics.report import Report, ReportedDiagnostic


def render_concise(report: Report, *, summary: bool = False) -> str:
    """Render a report; with `summary`, what was left out and the counts follow."""
    lines = [_line(one) for one in report.diagnostics]
    if summary:
        lines += summary_lines(report)
    return "".join(f"{line}\n" for line in lines)


def _line(one: ReportedDiagnostic) -> str:
    label = f": {visible(one.label)}" if one.label else ""
    text = f"{one.severity.value}[{one.code}] {visible(one.message)}{label}"
    if one.primary is None:
        return f"mlspec: {text}"
    file = visible(one.primary.file)
    if file.startswith((":", "#", " ")):
        file = f"./{file}"  # CI logs read lines that start with `::` as commands
    start = one.primary.start
    return f"{file}:{start.line}:{start.column}: {text}"
