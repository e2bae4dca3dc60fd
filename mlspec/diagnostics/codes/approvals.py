"""ML305, ML310: the way of a model to live traffic, and from one environment to the next."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

APPROVAL_DOMINANCE = Code(
    "ML305", "approval-dominance", "a way from a model to live traffic without its approval"
)
DELIVERY_UNREACHABLE = Code(
    "ML310",
    "delivery-unreachable",
    "an environment gets its models from a registry that it cannot reach",
)
