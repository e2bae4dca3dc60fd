"""Permutation importance: how much worse a model gets when an input is shuffled.

Breiman, Machine Learning 45 (2001) 5-32; for any model: Fisher, Rudin and Dominici, Journal of
Machine Learning Research 20 (2019). It says what this model uses, not what causes the label; of
two inputs that say the same, each alone looks less important than they are together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from mlspec.runtime.explain.results import Importance, strongest_first
from mlspec.runtime.metrics.arrays import AnyArray

REPEATS = 5

Predict = Callable[[pa.Table], AnyArray]
Loss = Callable[[AnyArray], float]
"""From predictions of the rows to a number that is larger for a worse model."""


def permutation_importance(
    features: pa.Table, predict: Predict, loss: Loss, *, seed: int, repeats: int = REPEATS
) -> tuple[Importance, ...]:
    """Return the importance of each column, strongest first; it may be slightly below 0.

    Args:
        features: the input columns of the rows, n at least 2. predict: the model.
        loss: of its predictions. seed: of the shuffles; each column draws its own.
        repeats: shuffles of each column, at least 2.
    """
    before = loss(predict(features))
    found = []
    for place, name in enumerate(features.column_names):
        random = np.random.default_rng([seed, place])
        gains = []
        for _ in range(repeats):
            shuffled = features.column(name).take(pa.array(random.permutation(features.num_rows)))
            gains.append(loss(predict(features.set_column(place, name, shuffled))) - before)
        found.append(
            Importance(
                input=name,
                importance=float(np.mean(gains)),
                spread=float(np.std(gains, ddof=1)),
            )
        )
    return strongest_first(found)
