"""What of a model's facts a step is told: only what it computes with.

A step whose facts did not change did not change: a new margin in a gate is no new training, in
fingerprints, in reviews and in caches.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any

from mlspec.ir.facts import ModelFacts
from mlspec.ir.kinds import Kind

_GOVERNANCE = frozenset(
    {"approvals", "card", "checks", "description", "explain_method", "explain_top", "inconclusive"}
    | {"owner", "references"}
)
_JUDGING = _GOVERNANCE | {"baseline"}
_MAKING = frozenset({"calibrate", "compress", "prompt", "train", "tune", "threshold_metric"})

_NOT_TOLD = {
    Kind.FEATURES: _JUDGING | _MAKING | {"threshold", "ensemble", "secret_variable"},
    Kind.SPLIT: _JUDGING | _MAKING | {"threshold", "ensemble", "secret_variable"},
    Kind.EXPORT: _JUDGING | _MAKING | {"threshold", "ensemble", "secret_variable"},
    Kind.TUNE: _JUDGING,
    Kind.TRAIN: _JUDGING | {"tune"},
    Kind.FETCH: _JUDGING,
    Kind.COMBINE: _JUDGING,
    Kind.COMPRESS: _JUDGING,
    Kind.CALIBRATE: _JUDGING,
}
"""Fields that a kind is not told; kinds that are not named are told everything."""


def needed(kind: Kind, facts: ModelFacts) -> ModelFacts:
    """Return the facts without what a kind of step does not compute with."""
    dropped = _NOT_TOLD.get(kind, frozenset())
    blank: dict[str, Any] = {}
    for item in fields(ModelFacts):
        if item.name in dropped:
            made = item.default_factory() if item.default_factory is not MISSING else item.default
            blank[item.name] = made
    return replace(facts, **blank)
