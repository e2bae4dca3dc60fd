"""ML6xx: security rules."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

INLINE_SECRET = Code("ML601", "inline-secret", "a secret in plain text", security=True)
