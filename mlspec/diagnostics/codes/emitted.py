"""ML8xx: emitted artifacts, read back."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

EMITTED_PROOF = Code(
    "ML801", "emitted-proof", "an emitted artifact does not keep what was proved on the graph"
)
