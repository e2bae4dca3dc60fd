"""A verdict on the record: at the registered version, and in the audit log.

Duty: the one place where judging meets the registry. Invariant: the statement is attached before
the state changes and the log is written last, so that a killed gate that runs again completes it;
the same verdict about the same version is attached and logged once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mlspec.runtime import audit
from mlspec.runtime.judging.results import Judgement
from mlspec.runtime.registry.model import Registry, State, Version
from mlspec.runtime.statistics.verdict import Finding
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.contract import StepCall

VERDICT = "verdict"
"""Kind of attachment that is a verdict."""
METRICS = "metrics"
"""Kind of attachment that holds the numbers of a user's step."""
EXPLANATION = "explanation"
"""Kind of attachment that is an `importance.json`."""
STATES: Mapping[Finding, State] = {
    Finding.PASS: State.VALIDATED,
    Finding.FAIL: State.REJECTED,
    Finding.INCONCLUSIVE: State.INCONCLUSIVE,
}
_KEPT = ("champion", "previous")


def existing_references(registry: Registry, model: str) -> frozenset[str]:
    """Return which of champion and previous the registry has."""
    return frozenset(name for name in _KEPT if registry.find(model, name) is not None)


def stored_metrics(registry: Registry, model: str) -> dict[str, Mapping[str, Any]]:
    """Return the numbers that steps wrote of earlier versions, by reference.

    A reference that names no version is left out; a version without numbers has an empty mapping.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for reference in _KEPT:
        version = registry.find(model, reference)
        if version is not None:
            kept = registry.attachments(version, METRICS)
            found[reference] = json.loads(kept[-1]) if kept else {}
    return found


def record_verdict(
    call: StepCall,
    registry: Registry,
    version: Version,
    judgement: Judgement,
    statement: bytes,
    now: datetime,
) -> Version:
    """Attach a verdict to its version, set the version's state, add it to the audit log.

    Returns:
        The version in its new state.

    Raises:
        StepError: the registry or the log refuses. OSError: the disk refuses.
    """
    if judgement.written:
        numbers = json.dumps(dict(judgement.written), sort_keys=True)
        registry.attach(version, METRICS, numbers.encode())
    digest = registry.attach(version, VERDICT, statement)
    changed = registry.set_state(version, STATES[judgement.finding])
    if not is_recorded(call, version, digest):
        lifecycle.record(
            call,
            "gate",
            version,
            now,
            outcome=judgement.finding.value,
            reason=judgement.reason,
            evidence=(digest,),
        )
    return changed


def keep_explanation(registry: Registry, version: Version, package: Path) -> None:
    """Attach the explanation of a package to its version, for the next candidate to compare with.

    Raises:
        StepError: the registry refuses. OSError: the disk refuses.
    """
    for place in (package / "explanation" / "importance.json", package / "importance.json"):
        if place.is_file():
            registry.attach(version, EXPLANATION, place.read_bytes())
            return


def is_recorded(call: StepCall, version: Version, digest: str) -> bool:
    """Whether the last verdict on a version in the audit log is the one with a digest."""
    last = None
    for one in audit.records(call.store, call.node.app.name):
        entry = one.entry
        if (entry.action, entry.subject.digest) == ("gate", version.digest) and (
            entry.environment == call.node.environment
        ):
            last = entry
    return last is not None and last.evidence == (digest,)
