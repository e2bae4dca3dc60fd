"""Renders a report as SARIF 2.1.0, for code scanning.

Source: OASIS Static Analysis Results Interchange Format 2.1.0, and GitHub's "SARIF support for
code scanning". Choices: addresses relative to the repository; a fingerprint from code, file and
route in the spec, so that alerts survive moved lines; further places as related locations that
the message links to; security findings carry the tag that code scanning reads.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from mlspec.diagnostics.model import Severity
from mlspec.diagnostics.report import ConcretePlace, Report, ReportedDiagnostic

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_SECURITY_SEVERITY = "8.0"  # "high" on code scanning's scale of 0 to 10


def _no_page(_code: str) -> str | None:
    return None


def render_sarif(
    report: Report,
    *,
    app: str,
    version: str,
    spec: str = "mlspec.yaml",
    page: Callable[[str], str | None] = _no_page,
) -> str:
    """Render a report as SARIF text with a line break at the end.

    Args:
        report: what was found.
        app: name of the application, so that several in one repository do not overwrite each
            other's alerts; may be empty.
        version: the version of mlspec, a semantic version.
        spec: the main file; where findings without a place are shown.
        page: returns the Markdown page of a code, or None.
    """
    rules: dict[str, dict[str, Any]] = {}
    for one in report.diagnostics:
        rules.setdefault(one.code, _rule(one, page(one.code)))
    order = {code: index for index, code in enumerate(sorted(rules))}
    seen: Counter[str] = Counter()
    ranked = sorted(report.diagnostics, key=lambda one: _RANK[one.severity])
    run = {
        "automationDetails": {"id": f"mlspec/{quote(app, safe='')}/" if app else "mlspec/"},
        "columnKind": "unicodeCodePoints",
        "tool": {
            "driver": {
                "name": "mlspec",
                "semanticVersion": version,
                "rules": [rules[code] for code in order],
            }
        },
        "results": [_result(one, order[one.code], seen, spec) for one in ranked],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1) + "\n"


def _rule(one: ReportedDiagnostic, page: str | None) -> dict[str, Any]:
    advice = f"Run `mlspec explain {one.code}`."
    tags = ["security"] if one.security else []
    properties: dict[str, Any] = {
        "tags": tags,
        "precision": "very-high",
        "problem": {"severity": _problem(one.severity)},
    }
    if one.security:
        properties["security-severity"] = _SECURITY_SEVERITY
    return {
        "id": one.code,
        "name": one.name,
        "shortDescription": {"text": one.name.replace("-", " ")},
        "fullDescription": {"text": one.summary},
        "help": {"text": advice, "markdown": page or advice},
        "defaultConfiguration": {"level": _LEVELS[one.severity]},
        "properties": properties,
    }


def _problem(severity: Severity) -> str:
    return "recommendation" if severity is Severity.NOTE else severity.value


def _result(one: ReportedDiagnostic, rule: int, seen: Counter[str], spec: str) -> dict[str, Any]:
    file = one.primary.file if one.primary is not None else ""
    identity = json.dumps([one.code, file, one.path or one.message])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    seen[digest] += 1
    result: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": _LEVELS[one.severity],
        "message": {"text": _message(one)},
        "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{seen[digest]}"},
    }
    if one.primary is not None:
        result["locations"] = [_location(one.primary)]
    else:
        result["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": _address(spec)}}}]
    if one.related:
        result["relatedLocations"] = [
            {"id": number, **_location(item.place), "message": {"text": _plain(item.label)}}
            for number, item in enumerate(one.related, start=1)
        ]
    return result


def _message(one: ReportedDiagnostic) -> str:
    label = f": {_plain(one.label)}" if one.label else ""
    sentences = [f"{_plain(one.message)}{label}."]
    sentences += [
        f"[{_link_text(item.label)}]({number})."
        for number, item in enumerate(one.related, start=1)
        if item.label
    ]
    sentences += [f"Note: {_plain(note)}." for note in one.notes]
    sentences += [f"Help: {_plain(advice)}." for advice in one.help]
    return " ".join(sentences)


def _plain(text: str) -> str:
    """Keep user text from being read as an embedded link (SARIF 3.11.6)."""
    return _link_text(text) if "](" in text else text


def _link_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(place: ConcretePlace) -> dict[str, Any]:
    region = {
        "startLine": place.start.line,
        "startColumn": place.start.column,
        "endLine": place.end.line,
        "endColumn": place.end.column,
    }
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _address(place.file)},
            "region": region,
        }
    }


def _address(file: str) -> str:
    return ("file://" if file.startswith("/") else "") + quote(file, safe="/")
