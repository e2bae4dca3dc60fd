"""What a person said about a version, as a signed in-toto Statement.

Input: an `Answer`, a key. Output: a DSSE envelope, and back. An answer names the digests of the
package, of the verdicts that were shown, and of the spec: for anything else it says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.runtime.audit.model import canonical
from mlspec.runtime.digests import PREFIX
from mlspec.runtime.documents.approval import APPROVAL, approval
from mlspec.runtime.documents.statement import STATEMENT, Subject
from mlspec.runtime.trust.dsse import EnvelopeError, open_envelope, seal
from mlspec.runtime.trust.keys import Key

APPROVE, REJECT = "approve", "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A yes or a no.

    Attributes:
        name: of the version, such as `models.ctr@3`. subject: digest of its package.
        evidence: digests of the verdicts that were shown.
        spec: digest of what the spec says about the model.
        decision: `approve` or `reject`.
        approver: who. issuer: who says that it was them; `local`: a name nobody checked.
        time, expires: RFC 3339, UTC.
        key: `ed25519:…` that signed; empty before it is signed.
    """

    name: str
    subject: str
    evidence: tuple[str, ...]
    spec: str
    environment: str
    decision: str
    approver: str
    issuer: str
    role: str
    reason: str
    time: str
    expires: str
    key: str = ""


def sign_answer(answer: Answer, key: Key) -> bytes:
    """Return the envelope of an answer.

    Raises:
        ValueError: a digest is none, or the decision is neither yes nor no.
    """
    statement = approval(
        subject=Subject(name=answer.name, sha256=answer.subject.removeprefix(PREFIX)),
        evidence=[
            Subject(name="verdict.json", sha256=one.removeprefix(PREFIX)) for one in answer.evidence
        ],
        spec_digest=answer.spec,
        environment=answer.environment,
        decision=answer.decision,
        approver=answer.approver,
        role=answer.role,
        reason=answer.reason,
        time=answer.time,
        expires=answer.expires,
    )
    statement["predicate"]["issuer"] = answer.issuer
    return seal(canonical(statement), key)


def read_answer(envelope: bytes) -> Answer:
    """Return the answer of an envelope whose signature fits.

    Raises:
        EnvelopeError: it is no signed answer; the message says why.
    """
    opened = open_envelope(envelope)
    try:
        return _answer(json.loads(opened.payload), opened.key)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EnvelopeError("it is signed, but says nothing that is an approval") from None


def _answer(statement: Mapping[str, Any], key: str) -> Answer:
    if (statement["_type"], statement["predicateType"]) != (STATEMENT, APPROVAL):
        raise ValueError("another statement")
    (subject,) = statement["subject"]
    said = statement["predicate"]
    if said["decision"] not in (APPROVE, REJECT):
        raise ValueError("no decision")
    texts = {
        name: said[name]
        for name in (
            "environment", "decision", "approver", "issuer", "role", "reason", "time", "expires"
        )
    }  # fmt: skip
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a field is no text")
    return Answer(
        name=str(subject["name"]),
        subject=_digest(subject),
        evidence=tuple(_digest(one) for one in said["evidence"]),
        spec=_digest(said["spec"]),
        key=key,
        **texts,
    )


def _digest(resource: Mapping[str, Any]) -> str:
    found = resource["digest"]["sha256"]
    return PREFIX + str(found) if found else ""
