"""Where the importances of a candidate differ from those of the champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlspec.runtime.explain.results import Explanation, Shift
from mlspec.runtime.metrics.ranks import midranks
from mlspec.runtime.steps.contract import StepError


def shift_of(found: Explanation, champion: Mapping[str, Any], version: str) -> Shift:
    """Return how an explanation differs from the champion's `importance.json`.

    Raises:
        StepError: the champion's explanation cannot be read.
    """
    try:
        theirs = {str(one["input"]): float(one["importance"]) for one in champion["inputs"]}
    except (KeyError, TypeError, ValueError) as error:
        raise StepError(f"the explanation of the champion cannot be read: {error!r}") from error
    mine = {one.input: one.importance for one in found.inputs}
    both = [name for name in mine if name in theirs]
    now = {name: place for place, name in enumerate(both, 1)}
    order = sorted(both, key=lambda name: (-theirs[name], name))
    then = {name: place for place, name in enumerate(order, 1)}
    moved = [(name, then[name], now[name]) for name in both if then[name] != now[name]]
    return Shift(
        version=version,
        agreement=_spearman([mine[name] for name in both], [theirs[name] for name in both]),
        moved=tuple(sorted(moved, key=lambda one: (-abs(one[1] - one[2]), one[0]))),
        new=tuple(sorted(set(mine) - set(theirs))),
        gone=tuple(sorted(set(theirs) - set(mine))),
    )


def _spearman(one: list[float], other: list[float]) -> float | None:
    """Return the correlation of ranks (Spearman, 1904); None where it has no value."""
    if len(one) < 3:
        return None
    ranks = [midranks(np.array(values)) for values in (one, other)]
    if min(float(rank.std()) for rank in ranks) == 0:
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
