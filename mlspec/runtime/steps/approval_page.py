"""What an approver is shown: the evidence page, Markdown, and the request, JSON.

Input: a version, its verdict, what is asked. Output: texts. The page repeats what the verdict
says; the digests in it are what an approval is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlspec.runtime.registry import Version
from mlspec.runtime.trust.verification import Asked, Standing


def command_of(version: Version, environment: str) -> str:
    """Return what an approver types."""
    env = "" if environment == "default" else f" --env {environment}"
    return f"mlspec approve {version.name}{env}"


def page_of(
    asked: Asked, version: Version, verdict: Mapping[str, Any], standing: Standing, expires: str
) -> str:
    """Return the evidence page."""
    lines = [
        f"# Approval of {asked.name}",
        "",
        f"Environment `{asked.environment}`. Asked until {expires}. "
        f"Missing: {wanted_text(standing.missing)}.",
        "",
        "```console",
        f'$ {command_of(version, asked.environment)} --reason "..."',
        "```",
        "",
        "## Verdict",
        "",
        f"**{verdict.get('verdict')}**",
        "",
        *_checks(verdict),
        "## What is approved",
        "",
        f"- package `{asked.subject}`",
        f"- verdict `{asked.evidence}`",
        f"- spec `{asked.spec}`",
        f"- commit `{version.provenance.get('commit') or 'unknown'}`",
        f"- run `{version.facts.get('run') or 'unknown'}`"
        f" started by {asked.starter or 'somebody unknown'}",
        *_data(version),
        "",
        "Another package, verdict or spec needs an approval of its own.",
        "",
    ]
    if standing.refused:
        lines += ["## Does not count", "", *(f"- {one}" for one in standing.refused), ""]
    return "\n".join(lines)


def _checks(verdict: Mapping[str, Any]) -> list[str]:
    checks = verdict.get("checks")
    if not isinstance(checks, list) or not checks:
        return []
    rows = ["| check | verdict | measured | interval | rows |", "| --- | --- | --- | --- | --- |"]
    for one in checks:
        if isinstance(one, dict):
            low, high = one.get("lower"), one.get("upper")
            interval = "" if low is None and high is None else f"{_text(low)} to {_text(high)}"
            check = str(one.get("check", "")).replace("|", "\\|")
            cells = (f"`{check}`", one.get("verdict"), _text(one.get("estimate")), interval)
            rows.append(f"| {' | '.join(map(str, cells))} | {_text(one.get('n'))} |")
    return [*rows, ""]


def _data(version: Version) -> list[str]:
    data = version.provenance.get("data")
    if not isinstance(data, dict):
        return []
    return [f"- data `{name}`: `{_version(told)}`" for name, told in sorted(data.items())]


def _version(told: object) -> object:
    return told.get("version", told) if isinstance(told, dict) else told


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def wanted_text(missing: Mapping[str, int]) -> str:
    """Return who is still wanted: `1 of ad-operations`."""
    found = ", ".join(f"{count} of {role}" for role, count in missing.items())
    return found or "nobody"
