"""An approval as a statement about digests.

Predicate type `urn:mlspec:approval:v1`, ours: the vetted list of in-toto has none for what a
person decided. Its schema is schemas/statements/approval.v1.schema.json. The subject of the
statement is the version; any other version, evidence or spec is not approved by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlspec.runtime.documents.facts import hex_digest
from mlspec.runtime.documents.statement import Subject, statement

APPROVAL = "urn:mlspec:approval:v1"


def approval(
    *,
    subject: Subject,
    evidence: Sequence[Subject],
    spec_digest: str,
    environment: str,
    decision: str,
    approver: str,
    role: str,
    reason: str,
    time: str,
    expires: str,
) -> dict[str, Any]:
    """Return the statement.

    Args:
        subject: the version. evidence: the verdicts that were shown; may be empty.
        spec_digest: SHA-256 of what the spec says about the model.
        decision: `approve` or `reject`. approver: who, as the engine authenticated them.
        role: on whose behalf. reason: in their words; may be empty.
        time, expires: RFC 3339, UTC.

    Raises:
        ValueError: another decision, or a subject without a digest.
    """
    if decision not in {"approve", "reject"}:
        raise ValueError(f"a decision is `approve` or `reject`, not `{decision}`")
    return statement(
        [subject],
        APPROVAL,
        {
            "evidence": [{"name": one.name, "digest": {"sha256": one.sha256}} for one in evidence],
            "spec": {"digest": {"sha256": hex_digest(spec_digest)}},
            "environment": environment,
            "decision": decision,
            "approver": approver,
            "role": role,
            "reason": reason,
            "time": time,
            "expires": expires,
        },
    )
