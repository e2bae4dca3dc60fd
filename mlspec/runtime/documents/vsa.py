"""What was verified before a version became the champion: a SLSA verification summary, version 1.

Format: https://slsa.dev/verification_summary/v1. Our level says what we verify, and claims none of
SLSA's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlspec.runtime.documents.facts import hex_digest
from mlspec.runtime.documents.statement import Subject, descriptor, statement

VERIFICATION = "https://slsa.dev/verification_summary/v1"
VERIFIER = "urn:mlspec:verifier:promote:v1"
LEVEL = "MLSPEC_PROMOTION_V1"
"""The gate passed, every approval that the spec asks for holds, the audit chain is whole."""


def verification_summary(
    *,
    subject: Subject,
    resource: str,
    spec_digest: str,
    attestations: Mapping[str, str],
    time: str,
    passed: bool,
) -> dict[str, Any]:
    """Return the statement.

    Args:
        subject: the model. resource: address of the version in the registry.
        spec_digest: SHA-256 of what the spec says about the model: the policy.
        attestations: SHA-256 by name of what was looked at, such as `verdict`, `approval`.
        time: of the run, RFC 3339.
        passed: whether everything held.

    Raises:
        ValueError: the subject has no digest.
    """
    policy = {"uri": "urn:mlspec:spec"}
    digest = hex_digest(spec_digest)
    return statement(
        [subject],
        VERIFICATION,
        {
            "verifier": {"id": VERIFIER},
            "timeVerified": time,
            "resourceUri": resource,
            "policy": {**policy, "digest": {"sha256": digest}} if digest else policy,
            "inputAttestations": [
                _input(name, sha256) for name, sha256 in sorted(attestations.items())
            ],
            "verificationResult": "PASSED" if passed else "FAILED",
            "verifiedLevels": [LEVEL] if passed else ["FAILED"],
        },
    )


def _input(name: str, sha256: str) -> dict[str, Any]:
    found = descriptor(name, uri=f"urn:mlspec:evidence:{name}", sha256=hex_digest(sha256))
    del found["name"]  # this predicate knows an address and a digest only
    return found
