"""ML6xx: security rules."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

INLINE_SECRET = Code("ML601", "inline-secret", "a secret in plain text", security=True)
INFORMATION_FLOW = Code(
    "ML602", "information-flow", "information that goes where it may not be seen", security=True
)
RETENTION = Code(
    "ML603", "retention", "derived data that is kept longer than its source", Severity.WARNING
)
UNSAFE_ARTEFACT = Code(
    "ML604",
    "unsafe-artefact",
    "an artefact that runs code, or may change, without being pinned",
    Severity.WARNING,
    security=True,
)
