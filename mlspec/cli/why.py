"""`mlspec why`: why a version is what it is: which check, which rows, which approval."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlspec.cli.console import out
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.cli.place import Place, find_version, open_place, told
from mlspec.cli.versions import row_of
from mlspec.cli.wording import number, printable

if TYPE_CHECKING:
    from mlspec.runtime.registry import Registry, Version

_ORDER = {"fail": 0, "inconclusive": 1, "pass": 2, "not_applicable": 3}
_MARKS = {"fail": "no", "inconclusive": "?", "pass": "yes", "not_applicable": "-"}
_SLICES = 5
"""Slices of a check that are shown, the worst first; all are in the JSON."""


def why(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Such as `ctr@3`, `ctr@champion` or `ctr`.")
    ],
    file: File = SPEC,
    env: Env = None,
    output: TextOrJson = "text",
) -> None:
    """Say why a version is what it is: its checks, its approvals, its history, its origin."""
    one_of(output, ("text", "json"), "--format")
    place = open_place(file, env, command="why")
    with told():
        registry = place.registry()
        found = find_version(registry, version)
        story = _story(place, registry, found)
    if output == "json":
        out(json.dumps({"format_version": "1.0", **story}, indent=2))
        return
    for line in _lines(story):
        out(printable(line))


def _story(place: Place, registry: Registry, version: Version) -> dict[str, Any]:
    verdicts = registry.attachments(version, "verdict")
    return {
        **row_of(version, registry.aliases(version.model)),
        "environment": place.environment,
        "actor": version.facts.get("actor", ""),
        "authors": version.facts.get("authors", []),
        "verdict": json.loads(verdicts[-1]) if verdicts else None,
        "approvals": _approvals(place, registry, version),
        "history": _history(place, version),
    }


def _approvals(place: Place, registry: Registry, version: Version) -> dict[str, Any]:
    """Return who said what, as it counts now, and what was asked."""
    from datetime import UTC, datetime

    from mlspec.runtime.trust import asking
    from mlspec.runtime.trust.people import read_people

    request = asking.newest_request(registry, version)
    if request is None:
        return {"asked": False, "counted": [], "refused": [], "missing": {}}
    when = datetime.now(UTC)
    expires = datetime.fromisoformat(request.expires)
    standing = asking.stand(
        registry,
        version,
        request.asked,
        read_people(place.project, request.people),
        store=place.store,
        app=place.app,
        now=min(when, expires),  # a decision is judged as of when it was asked for
        remember=False,
    )
    said = [*standing.counted, *([standing.rejected] if standing.rejected is not None else [])]
    return {
        "asked": True,
        "expires": request.expires,
        "missing": {} if standing.rejected is not None else dict(standing.missing),
        "counted": [
            {
                "who": one.answer.approver,
                "role": one.answer.role,
                "issuer": one.answer.issuer,
                "decision": one.answer.decision,
                "reason": one.answer.reason,
                "time": one.answer.time,
            }
            for one in said
        ],
        "refused": [str(one) for one in standing.refused],
    }


def _history(place: Place, version: Version) -> list[dict[str, Any]]:
    from mlspec.runtime import audit

    return [
        {
            "time": one.entry.time,
            "action": one.entry.action,
            "who": one.entry.actor.subject,
            "outcome": one.entry.outcome,
            "reason": one.entry.reason,
        }
        for one in audit.records(place.store, place.app)
        if one.entry.subject.digest == version.digest and one.entry.environment == place.environment
    ]


def _lines(story: dict[str, Any]) -> Iterator[str]:
    named = f" ({', '.join(story['aliases'])})" if story["aliases"] else ""
    yield f"{story['version']} is {story['state']}{named}"
    yield f"package {story['digest']}"
    yield ""
    yield from _verdict_lines(story["verdict"])
    yield from _approval_lines(story["approvals"])
    yield "made from"
    provenance = story["provenance"]
    for name, told_of in sorted((provenance.get("data") or {}).items()):
        seen = told_of.get("version", told_of) if isinstance(told_of, dict) else told_of
        yield f"  data {name}: {seen}"
    who = f" by {story['actor']}" if story["actor"] else ""
    yield f"  commit {provenance.get('commit') or 'unknown'}, run {story['run'] or 'unknown'}{who}"
    if story["history"]:
        yield ""
        yield "what happened"
        for one in story["history"]:
            outcome = f": {one['outcome']}" if one["outcome"] else ""
            reason = f" ({one['reason']})" if one["reason"] else ""
            yield f"  {one['time']}  {one['action']} by {one['who']}{outcome}{reason}"


def _verdict_lines(verdict: dict[str, Any] | None) -> Iterator[str]:
    if verdict is None:
        yield "no gate has judged it"
        yield ""
        return
    reason = f": {verdict['reason']}" if verdict.get("reason") else ""
    yield f"verdict {verdict.get('verdict')}{reason}"
    checks = [one for one in verdict.get("checks") or () if isinstance(one, dict)]
    for check in sorted(checks, key=lambda one: _ORDER.get(str(one.get("verdict")), 9)):
        warn = " (warn)" if check.get("severity") == "warn" else ""
        yield f"  {_MARKS.get(str(check.get('verdict')), '?'):>3}  {check.get('check')}{warn}"
        if check.get("sentence"):
            yield f"       {check['sentence']}"
        elif isinstance(check.get("estimate"), int | float):
            yield f"       measured {number(check['estimate'])} on {check.get('n', '?')} rows"
        yield from _slice_lines(check)
    yield ""


def _slice_lines(check: dict[str, Any]) -> Iterator[str]:
    slices = [one for one in check.get("slices") or () if isinstance(one, dict)]
    bad = [one for one in slices if one.get("verdict") not in ("pass", None)]
    shown = sorted(bad, key=lambda one: _ORDER.get(str(one.get("verdict")), 9))[:_SLICES]
    for one in shown:
        where = ", ".join(
            f"{key.removeprefix('_slice.')} = {value}"
            for key, value in one.items()
            if key not in _FIGURES
        )
        rows = f"{one.get('n', '?')} rows"
        measured = one.get("estimate")
        value = f", measured {number(measured)}" if isinstance(measured, int | float) else ""
        yield f"       {one.get('verdict')} where {where}: {rows}{value}"
    if len(bad) > len(shown):
        yield f"       and {len(bad) - len(shown)} more"


_FIGURES = frozenset(
    {
        *("n", "positives", "estimate", "reference", "difference", "ratio", "lower", "upper"),
        *("confidence", "test", "resamples", "seed", "limit", "needed_n", "verdict", "sentence"),
    }
)

"""Keys of a slice that name no column; a column of such a name is written `_slice.<column>`."""


def _approval_lines(approvals: dict[str, Any]) -> Iterator[str]:
    if not approvals["asked"]:
        return
    for one in approvals["counted"]:
        reason = f": {one['reason']}" if one["reason"] else ""
        word = "approved" if one["decision"] == "approve" else "rejected"
        yield f"{word} by {one['who']} ({one['role']}) at {one['time']}{reason}"
    for role, count in approvals["missing"].items():
        yield f"waits for {count} of {role} until {approvals['expires']}"
    for refused in approvals["refused"]:
        yield f"does not count: {refused}"
    yield ""
