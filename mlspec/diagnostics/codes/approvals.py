"""ML305: the proof that no model reaches live traffic without its approval."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

APPROVAL_DOMINANCE = Code(
    "ML305", "approval-dominance", "a way from a model to live traffic without its approval"
)
