"""`mlspec step promote`: an approved version becomes the champion.

Inputs: `version`, `verdict` (none where the spec has no checks), `approval` (optional: it orders
the steps, its content is not believed). Output: `promotion`, a JSON file. Everything is verified
again here: the verdict, each approval, the digests of the package, and the audit log. Aliases and
states change at once.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from mlspec.ir.facts import ModelFacts
from mlspec.runtime import audit
from mlspec.runtime.audit import Record
from mlspec.runtime.audit.model import canonical
from mlspec.runtime.documents.statement import Subject
from mlspec.runtime.documents.vsa import verification_summary
from mlspec.runtime.model import stamp
from mlspec.runtime.registry import Registry, State, Version
from mlspec.runtime.registry.model import check_promotion
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.approval_page import command_of, wanted_text
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_file
from mlspec.runtime.steps.lifecycle import Verdict
from mlspec.runtime.trust import asking, dsse
from mlspec.runtime.trust.verification import Standing

SUMMARY, ANCHOR = "vsa", "anchor"
"""Kinds of attachments."""


def run(call: StepCall, *, now: datetime | None = None) -> StepExit:
    """Verify the whole chain and make the version the champion.

    Args:
        call: with inputs `version` and `verdict`, and the output `promotion`.
        now: the time, if not that of the clock.

    Raises:
        StepError: something does not hold: nothing is changed then.
        OSError: when the disk refuses.
    """
    now = now or datetime.now(UTC)
    model = lifecycle.model_of(call)
    registry = lifecycle.registry_of(call)
    version = lifecycle.read_version(call, registry)
    verdict = lifecycle.verdict_of(call)
    lifecycle.check_chain(call, registry)  # also of a champion: a state may be written by hand
    lifecycle.check_version(call, version)
    approvals: tuple[str, ...] = ()
    if version.state is not State.CHAMPION:
        version = lifecycle.check_verdict(call, registry, version, verdict)
        approvals = _verify(call, registry, model, version, verdict, now)
        _summarise(call, registry, version, verdict, approvals, now)
        if model.approvals and version.state is not State.APPROVED:
            version = registry.set_state(version, State.APPROVED)
        check_promotion(version)
        _record(call, registry, version, (*verdict.digests, *approvals), now)
        registry.promote(version)
    _write(call, registry, version, approvals, now)
    return StepExit.OK


def _record(
    call: StepCall,
    registry: Registry,
    version: Version,
    evidence: tuple[str, ...],
    now: datetime,
) -> None:
    """Record the promotion before it happens, so that no champion is without its record.

    A step that was killed between the two finds its record, and does not write it again.
    """
    made = _killed_record(call, version, evidence) or lifecycle.record(
        call, "promote", version, now, outcome=State.CHAMPION.value, evidence=evidence
    )
    registry.attach(version, ANCHOR, canonical({"count": made.seq, "last": made.digest}))


def _killed_record(call: StepCall, version: Version, evidence: tuple[str, ...]) -> Record | None:
    """Return the record of this promotion by a step of the same run that did not get further."""
    last: Record | None = None
    for one in audit.records(call.store, call.node.app.name):
        entry = one.entry
        if entry.environment == call.node.environment and entry.subject.name.startswith(
            f"models.{version.model}@"
        ):
            last = one
    if last is None or last.entry.action != "promote":
        return None
    same = last.entry.subject.digest == version.digest and last.entry.evidence == evidence
    return last if same and last.entry.run == {"id": call.run_id} else None


def _verify(
    call: StepCall,
    registry: Registry,
    model: ModelFacts,
    version: Version,
    verdict: Verdict,
    now: datetime,
) -> tuple[str, ...]:
    """Verify everything else; return the digests of the approvals that count."""
    with tempfile.TemporaryDirectory() as folder:
        registry.fetch(version, Path(folder) / "package")  # compares the digests
    if not model.approvals:
        return ()
    asked = asking.asked_of(call.node, model, version, verdict.digest)
    people = asking.people_of(call.project, call.node)
    standing = asking.stand(
        registry, version, asked, people, store=call.store, app=call.node.app.name, now=now
    )
    if not standing.is_approved:
        raise _not_approved(call, version, standing)
    return tuple(one.digest for one in standing.counted)


def _not_approved(call: StepCall, version: Version, standing: Standing) -> StepError:
    name = f"models.{version.name}"
    if standing.rejected is not None:
        who = standing.rejected.answer.approver
        return StepError(f"{name} was rejected by {who}", exit=StepExit.GATE_FAILED)
    refused = "".join(f"; does not count: {one}" for one in standing.refused)
    return StepError(
        f"{name} is not approved: it waits for {wanted_text(standing.missing)}{refused}",
        help=command_of(version, call.node.environment),
        exit=StepExit.PENDING,
    )


def _summarise(
    call: StepCall,
    registry: Registry,
    version: Version,
    verdict: Verdict,
    approvals: tuple[str, ...],
    now: datetime,
) -> None:
    """Keep a signed verification summary beside the version."""
    looked_at = {}
    if verdict.digest:
        looked_at["verdict"] = verdict.digest.removeprefix("sha256:")
    for number, digest in enumerate(approvals, 1):
        looked_at[f"approval-{number}"] = digest.removeprefix("sha256:")
    summary = verification_summary(
        subject=Subject(
            name=f"models.{version.name}", sha256=version.digest.removeprefix("sha256:")
        ),
        resource=version.uri,
        spec_digest=call.node.spec,
        attestations=looked_at,
        time=stamp(now),
        passed=True,
    )
    envelope = dsse.seal(canonical(summary), lifecycle.runner_key(call))
    registry.attach(version, SUMMARY, envelope)


def _write(
    call: StepCall,
    registry: Registry,
    version: Version,
    approvals: tuple[str, ...],
    now: datetime,
) -> None:
    before = registry.find(version.model, "previous")
    data = {
        "model": version.model,
        "number": version.number,
        "digest": version.digest,
        "uri": version.uri,
        "previous": None if before is None else {"number": before.number, "digest": before.digest},
        "approvals": list(approvals),
        "time": stamp(now),
        "audit": audit.head_of(call.store, call.node.app.name).count,
    }
    with whole_file(call.output("promotion")) as path:
        lifecycle.write_json(path, data)
