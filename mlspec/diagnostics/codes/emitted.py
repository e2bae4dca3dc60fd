"""ML8xx: emitted artifacts."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

EMITTED_BREAKS_PROOF = Code(
    "ML801", "emitted-breaks-proof", "an emitted artifact breaks a proof", security=True
)
