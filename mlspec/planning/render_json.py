"""Renders a plan as one JSON document, versioned on its own.

The shape is a promise to other programs; it is written out key by key. Unknown keys are to be
ignored by readers. Lists are sorted; `environments` of a change is empty when it concerns all.
"""

from __future__ import annotations

from typing import Any

from mlspec.planning.diff import Added, Changed, Removed
from mlspec.planning.summary import Entry, Plan, Version, change_data

FORMAT_VERSION = "1.0"
"""Minor: keys were added. Major: keys were removed or mean something else."""


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return the document's keys; the command adds its diagnostics."""
    return {
        "format_version": FORMAT_VERSION,
        "application": plan.application,
        "spec": plan.spec,
        "environments": list(plan.environments),
        "base": {**_version(plan.base), "is_new": plan.is_new},
        "head": _version(plan.head),
        "complete": plan.complete,
        "compared": ["spec"],
        "not_compared": list(plan.not_compared),
        "summary": {
            "add": plan.count(Added),
            "change": plan.count(Changed),
            "remove": plan.count(Removed),
            "unchanged": plan.unchanged,
            "indirect": len(plan.indirect),
            "reformatted": plan.reformatted,
        },
        "changes": [_entry(entry) for entry in plan.entries],
        "rename_hints": [
            {"before": one.before, "after": one.after, "percent": one.percent}
            for one in plan.renames
        ],
        "indirect": [
            {"address": one.address, "because": list(one.because), "effect": "input-changed"}
            for one in plan.indirect
        ],
    }


def _version(version: Version) -> dict[str, Any]:
    return {
        "label": version.label,
        "ref": version.ref,
        "commit": version.commit,
        "model_digest": version.digest,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    location = None
    if entry.place is not None:
        location = {
            "ref": entry.place.side,
            "file": entry.place.file,
            "start_line": entry.place.line,
        }
    data: dict[str, Any] = change_data(entry.change)
    return {**data, "environments": list(entry.environments), "location": location}
