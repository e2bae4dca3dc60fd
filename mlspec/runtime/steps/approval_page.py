"""What an approver is shown: the evidence page, Markdown, and the request, JSON.

Input: a version, its verdict, what is asked. Output: texts. The page repeats what the verdict
says; the digests in it are what an approval is about.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlspec.runtime.documents.evidence import render
from mlspec.runtime.registry import Registry, Version
from mlspec.runtime.trust.verification import Asked, Standing


def command_of(version: Version, environment: str) -> str:
    """Return what an approver types."""
    env = "" if environment == "default" else f" --env {environment}"
    return f"mlspec approve {version.name}{env}"


def page_of(asked: Asked, version: Version, standing: Standing, expires: str, shown: str) -> str:
    """Return the evidence page.

    Args:
        asked, version, standing: the question, and who has answered.
        expires: until when it is asked.
        shown: what is known about the package and its verdict, Markdown.
    """
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
        "## What is approved",
        "",
        f"- package `{asked.subject}`",
        f"- verdict `{asked.evidence or 'none: no check judges it'}`",
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
    return "\n".join([*lines, shown])


def shown_of(registry: Registry, version: Version, verdict: Path | None) -> str:
    """Return what is known about a package and its verdict, beside those of the champion.

    Raises:
        StepError: a package is damaged, or says less than it must.
    """
    if verdict is None:
        return "No check judges this model.\n"
    champion = registry.find(version.model, "champion")
    with tempfile.TemporaryDirectory() as folder:
        package = registry.fetch(version, Path(folder) / "package")
        before = None
        if champion is not None:
            before = registry.fetch(champion, Path(folder) / "champion")
        return render(package, verdict, before)


def _data(version: Version) -> list[str]:
    data = version.provenance.get("data")
    if not isinstance(data, dict):
        return []
    return [f"- data `{name}`: `{_version(told)}`" for name, told in sorted(data.items())]


def _version(told: object) -> object:
    return told.get("version", told) if isinstance(told, dict) else told


def wanted_text(missing: Mapping[str, int]) -> str:
    """Return who is still wanted: `1 of ad-operations`."""
    found = ", ".join(f"{count} of {role}" for role, count in missing.items())
    return found or "nobody"
