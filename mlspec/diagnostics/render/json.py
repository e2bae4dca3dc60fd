"""Renders a report as one JSON document, versioned on its own.

The shape is a promise to other programs (`schemas/output/diagnostics.v1.schema.json` is it) and
is written out here key by key, never dumped from the records. Lines and columns count from 1,
columns in Unicode code points, ends are exclusive.
"""

from __future__ import annotations

import json
from typing import Any

from mlspec.diagnostics.report import ConcretePlace, Report, ReportedDiagnostic, ReportedFix
from mlspec.source import Position

FORMAT_VERSION = "1.0"
"""Minor: keys were added. Major: keys were removed or mean something else."""


def report_data(
    report: Report, *, command: str, version: str, complete: bool = True
) -> dict[str, Any]:
    """Return the document as data, for commands that add keys of their own.

    Args:
        report: what was found.
        command: the subcommand, such as `validate`.
        version: the version of mlspec.
        complete: False when something could not be looked at because of earlier errors.
    """
    return {
        "format_version": FORMAT_VERSION,
        "mlspec_version": version,
        "command": command,
        "valid": report.valid,
        "complete": complete,
        "summary": {
            "error": report.errors,
            "warning": report.warnings,
            "note": report.notes,
            "files": report.files,
            "hidden": sum(count for _, count in report.hidden),
        },
        "diagnostics": [_diagnostic(one) for one in report.diagnostics],
    }


def render_json(report: Report, *, command: str, version: str, complete: bool = True) -> str:
    """Render a report as JSON text with a line break at the end; arguments as `report_data`."""
    data = report_data(report, command=command, version=version, complete=complete)
    return json.dumps(data, indent=1) + "\n"


def _diagnostic(one: ReportedDiagnostic) -> dict[str, Any]:
    primary = None
    if one.primary is not None:
        primary = {**_place(one.primary), "label": one.label}
    return {
        "code": one.code,
        "name": one.name,
        "severity": one.severity.value,
        "message": one.message,
        "path": one.path,
        "primary": primary,
        "related": [{**_place(item.place), "label": item.label} for item in one.related],
        "notes": list(one.notes),
        "help": list(one.help),
        "fixes": [_fix(fix) for fix in one.fixes],
        "sensitive": one.sensitive,
    }


def _fix(fix: ReportedFix) -> dict[str, Any]:
    where = {"start": _position(fix.place.start), "end": _position(fix.place.end)}
    return {
        "title": fix.title,
        "applicability": "safe" if fix.safe else "maybe-incorrect",
        "edits": [{"file": fix.place.file, "range": where, "text": fix.text}],
    }


def _place(place: ConcretePlace) -> dict[str, Any]:
    return {"file": place.file, "start": _position(place.start), "end": _position(place.end)}


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line, "column": position.column}
