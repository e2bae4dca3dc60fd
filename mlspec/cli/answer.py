"""The answer to a version that waits for approval: `mlspec approve ctr@3`.

Input: what a person types. Output: a signed statement beside the version, and a record of the
audit log. Nothing is signed that would not count: who may not answer is told why at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mlspec.cli.console import err, out
from mlspec.cli.exits import Exit
from mlspec.cli.place import Place, find_version, open_place, told
from mlspec.cli.wording import printable, resume_of
from mlspec.runtime.model import STATE_FOLDER, stamp

if TYPE_CHECKING:
    from mlspec.runtime.registry import Registry, Version
    from mlspec.runtime.trust.asking import Request
    from mlspec.runtime.trust.people import People
    from mlspec.runtime.trust.verification import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person typed; `roles` empty: all in which they may answer."""

    who: str
    decision: str
    reason: str
    roles: tuple[str, ...]


def answer(file: Path, environment: str | None, named: str, said: Said) -> None:
    """Sign and keep an answer.

    Raises:
        typer.Exit: nobody asks, the request has expired, or the answer would not count.
    """
    place = open_place(file, environment, command="approve")
    with told():
        registry = place.registry()
        version = _version(registry, named)
        request = _request(registry, version, named)
        _answer(place, registry, version, request, said)


def _version(registry: Registry, named: str) -> Version:
    """Return the version that is meant: without a number, the newest one that is asked about."""
    from mlspec.runtime.trust.asking import newest_request

    model, at, _ = named.removeprefix("models.").partition("@")
    if not at and model in registry.models():
        for version in reversed(registry.versions(model)):
            if newest_request(registry, version) is not None:
                return version
    return find_version(registry, named)


def _request(registry: Registry, version: Version, named: str) -> Request:
    from mlspec.runtime.trust.asking import newest_request

    request = newest_request(registry, version)
    if request is None:
        err(f"error[ML929]: nobody asks for approval of `{printable(named)}` ({version.name})")
        err("  = help: `mlspec approvals` lists what is asked")
        raise typer.Exit(Exit.NO_INPUT)
    if stamp(datetime.now(UTC)) > request.expires:
        err(f"error: the approval of {version.name} expired at {request.expires}")
        err(f"  = help: `mlspec run models.{version.model}` asks anew")
        raise typer.Exit(Exit.PENDING)
    return request


def _answer(
    place: Place, registry: Registry, version: Version, request: Request, said: Said
) -> None:
    from mlspec.runtime.trust import asking
    from mlspec.runtime.trust.answers import REJECT, sign_answer
    from mlspec.runtime.trust.keys import key_of
    from mlspec.runtime.trust.people import read_people
    from mlspec.runtime.trust.verification import LOCAL

    now = datetime.now(UTC)
    people = read_people(place.project, request.people)
    asked = request.asked
    key = key_of(said.who, os.environ)
    statements = [
        sign_answer(
            asking.answer_of(
                asked,
                approver=said.who,
                issuer=LOCAL,
                role=role,
                decision=said.decision,
                reason=said.reason,
                time=now,
            ),
            key,
        )
        for role in said.roles or _roles(request, people, said.who, now)
    ]
    for statement in statements:
        _must_count(place, registry, version, request, people, statement, now)
        registry.attach(version, asking.APPROVAL, statement)
        _record(place, version, statement, now)
    standing = asking.stand(
        registry, version, asked, people, store=place.store, app=place.app, now=now
    )
    word = "rejected" if said.decision == REJECT else "approved"
    out(f"{word} {asked.name} as {printable(said.who)}{_left(standing, word)}")
    _tell_next(place, request, standing)


def _roles(request: Request, people: People, who: str, now: datetime) -> tuple[str, ...]:
    """Return the roles in which somebody may answer; all, when they may in none."""
    wanted = request.asked.wanted
    mine = tuple(one.role for one in wanted if people.is_member(who, one.members, now))
    return tuple(dict.fromkeys(mine or (one.role for one in wanted)))


def _must_count(
    place: Place,
    registry: Registry,
    version: Version,
    request: Request,
    people: People,
    statement: bytes,
    now: datetime,
) -> None:
    """Exit with the reason when a statement would not count."""
    from mlspec.runtime.trust import asking
    from mlspec.runtime.trust.known import known_keys
    from mlspec.runtime.trust.verification import verify

    known = known_keys(place.store, place.app)
    earlier = registry.attachments(version, asking.APPROVAL)
    already = verify(request.asked, earlier, people, known, now).new_keys
    alone = verify(request.asked, [statement], people, {**already, **known}, now)
    for note in alone.notes:
        err(f"note: {printable(note)}")
    if not alone.refused:
        return
    for refused in alone.refused:
        err(f"error: this approval would not count: {printable(str(refused))}")
    err(f"  = note: {version.name} is {request.asked.subject}")
    raise typer.Exit(Exit.ERRORS)


def _record(place: Place, version: Version, statement: bytes, now: datetime) -> None:
    """Add the answer to the audit log."""
    from mlspec.ir.facts import PolicyFacts
    from mlspec.runtime import audit
    from mlspec.runtime.digests import digest_of_bytes
    from mlspec.runtime.steps.lifecycle import data_of
    from mlspec.runtime.trust.answers import read_answer
    from mlspec.runtime.trust.keys import RUNNER, key_of

    said = read_answer(statement)
    node = place.node(version.model)
    policy = node.policy if node is not None else PolicyFacts()
    entry = audit.Entry(
        time=stamp(now),
        actor=audit.Actor(subject=said.approver, issuer=said.issuer, role=said.role),
        action=said.decision,
        subject=audit.Subject(name=said.name, digest=said.subject),
        environment=said.environment,
        reason=said.reason,
        evidence=(digest_of_bytes(statement), *said.evidence),
        spec={"digest": said.spec},
        data=data_of(version),
        run={"id": str(version.facts.get("run") or "")},
        outcome="counted",
    )
    audit.append(
        place.store,
        place.app,
        entry,
        signer=key_of(RUNNER, os.environ) if policy.sign else None,
        copy=audit.copies_at(policy.audit_to, place.app, place.project),
    )


def _left(standing: Standing, word: str) -> str:
    if word == "rejected" or not standing.missing:
        return ""
    left = ", ".join(f"{count} more of {role}" for role, count in standing.missing.items())
    return f"; still wanted: {left}"


def _tell_next(place: Place, request: Request, standing: Standing) -> None:
    """Say how the run goes on, when it waits on this machine for nobody else."""
    waits = (place.project / STATE_FOLDER / "runs" / request.run).is_dir() if request.run else False
    if waits and (standing.is_approved or standing.rejected is not None):
        err(f"  = help: {resume_of(request.run, place.environment)}")
