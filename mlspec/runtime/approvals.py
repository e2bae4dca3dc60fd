"""Approvals of a local run: requests and decisions as files that any process can read and write.

`.mlspec/approvals/<run>/<step>/request.json` says what is asked; each decision is a file of its
own beside it, so that two people who answer at the same time cannot overwrite each other. A
decision counts for what its request says was asked (`subject`): a changed spec voids it. People
are known by the user name that they give: nothing here can check it.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mlspec.ir.model import Approval
from mlspec.runtime.model import STATE_FOLDER, stamp
from mlspec.runtime.records import write_whole

FORMAT_VERSION = "1.0"
APPROVE, REJECT = "approve", "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """So many different people of a role must say yes."""

    role: str
    members: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a step waits for.

    Attributes:
        subject: digest of what is to run: the spec and the step.
        asked: when, RFC 3339.
        expires: when the request fails the step, RFC 3339.
        serial: counts how often the same step of the same run asked anew.
    """

    run: str
    pipeline: str
    step: str
    wanted: tuple[Wanted, ...]
    subject: str
    asked: str
    expires: str
    serial: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who said what, when and why; `roles` are those for which it counts."""

    who: str
    decision: str
    reason: str
    when: str
    roles: tuple[str, ...]
    subject: str
    serial: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a request stands: `approved` None while it is open."""

    approved: bool | None
    reason: str
    expired: bool = False
    missing: dict[str, int] = field(default_factory=dict)


def approvals_folder(project: Path) -> Path:
    """Return the folder of all requests."""
    return project / STATE_FOLDER / "approvals"


def _folder(project: Path, run: str, step: str) -> Path:
    return approvals_folder(project) / run / step


def ask(project: Path, request: Request, approvals: tuple[Approval, ...], now: datetime) -> Request:
    """Put a request on disk and return it; one for the same subject that was not refused is kept.

    Raises:
        OSError: when the disk refuses.
    """
    known = find_request(project, request.run, request.step)
    if known is not None and known.subject == request.subject:
        closed = _closed(project, known)
        if closed is None or closed.get("approved"):
            return known
    shortest = min(approval.within.milliseconds for approval in approvals)
    made = Request(
        run=request.run,
        pipeline=request.pipeline,
        step=request.step,
        wanted=tuple(
            Wanted(role=one.role, members=one.members, count=one.count) for one in approvals
        ),
        subject=request.subject,
        asked=stamp(now),
        expires=stamp(now + timedelta(milliseconds=shortest)),
        serial=known.serial + 1 if known is not None else 1,
    )
    document = {"format_version": FORMAT_VERSION, **asdict(made)}
    path = _folder(project, made.run, made.step) / "request.json"
    write_whole(path, json.dumps(document, indent=1) + "\n")
    return made


def close(project: Path, request: Request, standing: Standing) -> None:
    """Note how a request ended, so that nobody is asked any more.

    Raises:
        OSError: when the disk refuses.
    """
    path = _folder(project, request.run, request.step) / "closed.json"
    told = {"approved": standing.approved, "reason": standing.reason, "serial": request.serial}
    write_whole(path, json.dumps(told, indent=1) + "\n")


def find_request(project: Path, run: str, step: str) -> Request | None:
    """Return the request of a step, open or not."""
    try:
        path = _folder(project, run, step) / "request.json"
        found = json.loads(path.read_text(encoding="utf-8"))
        found.pop("format_version")
        found["wanted"] = tuple(
            Wanted(**{**one, "members": tuple(one["members"])}) for one in found["wanted"]
        )
        return Request(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def is_closed(project: Path, request: Request) -> bool:
    """Whether the run has taken its decision."""
    return _closed(project, request) is not None


def _closed(project: Path, request: Request) -> dict[str, Any] | None:
    try:
        path = _folder(project, request.run, request.step) / "closed.json"
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("serial") != request.serial:
        return None
    return found


def open_requests(project: Path) -> tuple[Request, ...]:
    """Return all requests that no run has decided yet, oldest run first."""
    found = []
    for path in sorted(approvals_folder(project).glob("*/*/request.json")):
        request = find_request(project, path.parent.parent.name, path.parent.name)
        if request is not None and not is_closed(project, request):
            found.append(request)
    return tuple(found)


def decide(project: Path, request: Request, decision: Decision) -> Path:
    """Put a decision on disk; return its file.

    Raises:
        OSError: when the disk refuses.
    """
    folder = _folder(project, request.run, request.step)
    path = folder / f"decision-{decision.when.replace(':', '')}-{secrets.token_hex(4)}.json"
    document = {"format_version": FORMAT_VERSION, **asdict(decision)}
    write_whole(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


def decisions(project: Path, request: Request) -> tuple[Decision, ...]:
    """Return the decisions on exactly this request: by second, then by name."""
    found = []
    for path in sorted(_folder(project, request.run, request.step).glob("decision-*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            data.pop("format_version")
            decision = Decision(**{**data, "roles": tuple(data["roles"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        same = (decision.subject, decision.serial) == (request.subject, request.serial)
        if same:
            found.append(decision)
    return tuple(sorted(found, key=lambda one: (one.when, one.who)))


def standing(project: Path, request: Request, now: datetime) -> Standing:
    """Return where a request stands. One rejection is enough; approvals count distinct people."""
    answers = [one for one in decisions(project, request) if one.when <= request.expires]
    for one in answers:
        if one.decision == REJECT:
            why = f": {one.reason}" if one.reason else ""
            return Standing(approved=False, reason=f"rejected by {one.who}{why}")
    # Only the word itself is a yes: a file that says anything else says nothing.
    answers = [one for one in answers if one.decision == APPROVE]
    missing = {}
    for wanted in request.wanted:
        people = {one.who for one in answers if wanted.role in one.roles}
        if len(people) < wanted.count:
            missing[wanted.role] = wanted.count - len(people)
    if not missing:
        who = ", ".join(dict.fromkeys(one.who for one in answers))
        return Standing(approved=True, reason=f"approved by {who}")
    if stamp(now) > request.expires:
        reason = f"not approved within the time allowed (until {request.expires})"
        return Standing(approved=False, reason=reason, expired=True, missing=missing)
    return Standing(approved=None, reason="", missing=missing)


def user_name() -> str:
    """Return the name under which this person approves."""
    named = os.environ.get("USER", "")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        return f"uid-{os.getuid()}"
