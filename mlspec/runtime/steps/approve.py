"""`mlspec step approve`: whether people said yes to exactly this version and its verdict.

Inputs: `version`, `verdict` (none where the spec has no checks). Output: `approval`, a JSON file
that names who said yes. As long as somebody is missing, a request and a page with the evidence lie
beside the version, and the step ends with 12; it is run again when people have answered. A no ends
it with 10. Whoever pressed the engine's own button arrives in `StepCall.approvals`: recorded as
statements, and verified like all.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from mlspec.runtime.audit import Actor
from mlspec.runtime.digests import digest_of_bytes
from mlspec.runtime.model import stamp
from mlspec.runtime.registry import Registry, State, Version
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.approval_page import command_of, page_of, shown_of, wanted_text
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_file
from mlspec.runtime.steps.log import inert
from mlspec.runtime.trust import asking
from mlspec.runtime.trust.github import reviews_of_run
from mlspec.runtime.trust.verification import Asked, Counted, Standing


def run(call: StepCall, *, now: datetime | None = None) -> StepExit:
    """Verify the approvals, and ask for those that are missing.

    Args:
        call: with inputs `version` and `verdict`, and the output `approval`.
        now: the time, if not that of the clock.

    Raises:
        StepError: the version or verdict cannot be approved at all, or somebody said no.
        OSError: when the disk refuses.
    """
    now = now or datetime.now(UTC)
    model = lifecycle.model_of(call)
    registry = lifecycle.registry_of(call)
    version = lifecycle.read_version(call, registry)
    verdict = lifecycle.verdict_of(call)
    lifecycle.check_chain(call, registry)
    lifecycle.check_version(call, version)
    if version.state is State.CHAMPION:
        _write(call, version, (), now)
        return StepExit.OK
    version = lifecycle.check_verdict(call, registry, version, verdict)
    asked = asking.asked_of(call.node, model, version, verdict.digest)
    _record_button(call, registry, version, asked, now)
    people = asking.people_of(call.project, call.node)
    standing = asking.stand(
        registry, version, asked, people, store=call.store, app=call.node.app.name, now=now
    )
    _tell(standing)
    if standing.rejected is not None:
        _reject(call, registry, version, standing.rejected, now)
    if standing.is_approved:
        for one in standing.counted:
            _record_answer(call, version, one, now)
        registry.set_state(version, State.APPROVED)
        _write(call, version, standing.counted, now)
        return StepExit.OK
    _ask(call, registry, version, asked, standing, now)
    return StepExit.PENDING


def _record_button(
    call: StepCall, registry: Registry, version: Version, asked: Asked, now: datetime
) -> None:
    """Keep what the engine's button collected, each answer once."""
    pressed = call.approvals
    if not pressed.strip():
        pressed, note = reviews_of_run(call.environ, {one.role for one in asked.wanted}, now)
        if note:
            _say(f"note: {note}")
    if not pressed:
        return
    known = {digest_of_bytes(one) for one in registry.attachments(version, asking.APPROVAL)}
    key = lifecycle.runner_key(call)
    for statement in asking.answers_of_button(pressed, asked, key):
        if digest_of_bytes(statement) not in known:
            registry.attach(version, asking.APPROVAL, statement)


def _tell(standing: Standing) -> None:
    for refused in standing.refused:
        _say(f"does not count: {refused}")
    for note in standing.notes:
        _say(f"note: {note}")


def _reject(
    call: StepCall, registry: Registry, version: Version, no: Counted, now: datetime
) -> None:
    _record_answer(call, version, no, now)
    registry.set_state(version, State.REJECTED)
    answer = no.answer
    why = f": {answer.reason}" if answer.reason else ""
    raise StepError(
        f"{answer.name} was rejected by {answer.approver} ({answer.role}){why}",
        help="what serves now goes on serving",
        exit=StepExit.GATE_FAILED,
    )


def _record_answer(call: StepCall, version: Version, one: Counted, now: datetime) -> None:
    answer = one.answer
    if lifecycle.is_recorded(call, answer.decision, version, evidence=one.digest):
        return
    lifecycle.record(
        call,
        answer.decision,
        version,
        now,
        outcome="counted",
        reason=answer.reason,
        evidence=(one.digest, *answer.evidence),
        actor=Actor(subject=answer.approver, issuer=answer.issuer, role=answer.role),
    )


def _ask(
    call: StepCall,
    registry: Registry,
    version: Version,
    asked: Asked,
    standing: Standing,
    now: datetime,
) -> None:
    """Say who is missing; ask, unless that was done and has not expired."""
    request = asking.newest_request(registry, version)
    if request is None or not asking.is_open(request, asked, now):
        if request is not None and request.asked == asked:
            lifecycle.record(call, "expire", version, now, evidence=asked.shown)
            _say(f"the approval of {asked.name} expired at {request.expires}; it is asked for anew")
        request = asking.request_of(asked, now, run=call.run_id, people=call.node.registry.people)
        verdict = call.input("verdict") if asked.evidence else None
        shown = shown_of(registry, version, verdict)
        page = page_of(asked, version, standing, request.expires, shown)
        registry.attach(version, asking.EVIDENCE, page.encode())
        registry.attach(version, asking.REQUEST, asking.write_request(request))
        missing = wanted_text(standing.missing)
        lifecycle.record(call, "request", version, now, outcome=missing, evidence=asked.shown)
    report = call.outputs.get("report")
    if report is not None:
        with whole_file(report) as path:
            path.write_bytes(registry.attachments(version, asking.EVIDENCE)[-1])
    missing = wanted_text(standing.missing)
    _say(f"{asked.name} waits for {missing} until {request.expires}; approve with:")
    _say(f"  {command_of(version, asked.environment)}")


def _write(call: StepCall, version: Version, counted: tuple[Counted, ...], now: datetime) -> None:
    data = {
        "model": version.model,
        "number": version.number,
        "digest": version.digest,
        "approved": True,
        "time": stamp(now),
        "answers": [
            {
                "approver": one.answer.approver,
                "issuer": one.answer.issuer,
                "role": one.answer.role,
                "reason": one.answer.reason,
                "time": one.answer.time,
                "statement": one.digest,
            }
            for one in counted
        ],
    }
    with whole_file(call.output("approval")) as path:
        lifecycle.write_json(path, data)


def _say(text: str) -> None:
    sys.stderr.write(inert(text) + "\n")
