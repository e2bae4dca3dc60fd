"""What is asked about a version, and where its approval stands: the same for all who look.

Input: a registry, a version, its verdict. Output: `Asked`, `Request`, `Standing`. The approve step
writes requests; `mlspec approve` reads them and adds statements; the approve and the promote step
verify them, each by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mlspec.ir.facts import ApprovalFacts, ModelFacts, Node
from mlspec.runtime.audit.model import canonical
from mlspec.runtime.model import stamp
from mlspec.runtime.registry import Registry, RegistryError, Version
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.trust.answers import APPROVE, REJECT, Answer, sign_answer
from mlspec.runtime.trust.keys import Key
from mlspec.runtime.trust.known import known_keys, remember_keys
from mlspec.runtime.trust.people import People, read_people
from mlspec.runtime.trust.verification import Asked, Standing, verify

REQUEST, APPROVAL, VERDICT, EVIDENCE = "request", "approval", "verdict", "evidence"
"""Kinds of attachments."""

FORMAT_VERSION = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for approval, as it lies beside the version.

    Attributes:
        asked_at, expires: RFC 3339, UTC.
        people: file of the project that says who belongs to a team; None: the default.
        run: that waits.
    """

    asked: Asked
    asked_at: str
    expires: str
    run: str = ""
    people: str | None = None


def asked_of(node: Node, model: ModelFacts, version: Version, evidence: str) -> Asked:
    """Return what a node asks about a version."""
    starter, authors = version.facts.get("actor"), version.facts.get("authors")
    return Asked(
        name=f"models.{version.name}",
        subject=version.digest,
        evidence=evidence,
        spec=node.spec,
        environment=node.environment,
        wanted=model.approvals,
        starter=starter if isinstance(starter, str) else "",
        authors=tuple(map(str, authors)) if isinstance(authors, list) else (),
        profile=node.policy.profile,
        made=version.created,
    )


def request_of(asked: Asked, now: datetime, *, run: str, people: str | None) -> Request:
    """Return a new request; it expires when the shortest of its approvals does."""
    within = min((one.within for one in asked.wanted), default=0.0)
    return Request(
        asked=asked,
        asked_at=stamp(now),
        expires=stamp(now + timedelta(seconds=within)),
        run=run,
        people=people,
    )


def write_request(request: Request) -> bytes:
    """Return the JSON text of a request."""
    return canonical({"format_version": FORMAT_VERSION, **json.loads(json.dumps(asdict(request)))})


def newest_request(registry: Registry, version: Version) -> Request | None:
    """Return the newest request about a version, open or not.

    Raises:
        RegistryError: it cannot be read.
    """
    known = registry.attachments(version, REQUEST)
    if not known:
        return None
    try:
        found = json.loads(known[-1])
        found.pop("format_version")
        asked = found.pop("asked")
        wanted = tuple(
            ApprovalFacts(**{**one, "members": tuple(one["members"])}) for one in asked["wanted"]
        )
        told = {**asked, "wanted": wanted, "authors": tuple(asked["authors"])}
        return Request(asked=Asked(**told), **found)
    except (ValueError, TypeError, KeyError):
        raise RegistryError(
            f"the request for approval of {version.name} cannot be read", help="run again"
        ) from None


def is_open(request: Request, asked: Asked, now: datetime) -> bool:
    """Whether a request asks exactly this and has not expired."""
    return request.asked == asked and stamp(now) <= request.expires


def stand(
    registry: Registry,
    version: Version,
    asked: Asked,
    people: People,
    *,
    store: str,
    app: str,
    now: datetime,
    more: Sequence[bytes] = (),
    remember: bool = True,
) -> Standing:
    """Verify all statements about a version.

    Args:
        registry, version, asked: what is asked, and where the statements lie.
        people: of the project.
        store, app: whose keys are known.
        now: the time.
        more: statements that do not lie there yet.
        remember: whether keys that were seen for the first time are kept.

    Raises:
        StepError: the registry or the list of keys refuses. OSError: when the disk refuses.
    """
    statements = (*registry.attachments(version, APPROVAL), *more)
    standing = verify(asked, statements, people, known_keys(store, app), now)
    if remember and standing.new_keys:
        remember_keys(store, app, standing.new_keys)
    return standing


def answer_of(
    asked: Asked,
    *,
    approver: str,
    issuer: str,
    role: str,
    decision: str,
    reason: str,
    time: datetime,
) -> Answer:
    """Return an answer to what is asked; it expires `within` of its role after it was given.

    Raises:
        StepError: the role is not asked, or the decision is none.
    """
    within = [one.within for one in asked.wanted if one.role == role]
    if not within:
        roles = ", ".join(dict.fromkeys(one.role for one in asked.wanted)) or "nobody"
        raise StepError(f"role `{role}` is not asked for {asked.name}; {roles} is")
    if decision not in (APPROVE, REJECT):
        raise StepError(f"`{decision}` is neither {APPROVE} nor {REJECT}")
    return Answer(
        name=asked.name,
        subject=asked.subject,
        evidence=asked.shown,
        spec=asked.spec,
        environment=asked.environment,
        decision=decision,
        approver=approver,
        issuer=issuer,
        role=role,
        reason=reason,
        time=stamp(time),
        expires=stamp(time + timedelta(seconds=max(within))),
    )


def answers_of_button(text: str, asked: Asked, key: Key) -> tuple[bytes, ...]:
    """Return statements, signed by the runner, for what the engine's own button collected.

    Args:
        text: JSON list of `subject` (who), `issuer`, `role`, `decision`, `time`; may be empty.
        asked: the question.
        key: the runner's.

    Raises:
        StepError: the text is something else.
    """
    if not text.strip():
        return ()
    try:
        found = json.loads(text)
        pressed = [_pressed(one) for one in found]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StepError(
            "MLSPEC_RUN_APPROVALS is no list of subject, issuer, role, decision and time"
        ) from None
    roles = {one.role for one in asked.wanted}
    return tuple(
        sign_answer(answer_of(asked, **one), key) for one in pressed if one["role"] in roles
    )


def _pressed(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "approver": str(one["subject"]),
        "issuer": str(one["issuer"]),
        "role": str(one["role"]),
        "decision": str(one["decision"]),
        "reason": str(one.get("reason", "")),
        "time": datetime.fromisoformat(str(one["time"])),
    }


def people_of(project: Path, node: Node) -> People:
    """Return the people of a node's project.

    Raises:
        StepError: see `read_people`.
    """
    return read_people(project, node.registry.people)
