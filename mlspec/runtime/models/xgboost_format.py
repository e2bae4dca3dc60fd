"""XGBoost models in the library's own JSON (`booster.json`).

Predictions are those of the objective: probabilities for `binary:logistic` and `multi:softprob`,
numbers for regressions. Columns of text are given as categories, which XGBoost encodes as it did at
training (xgboost 3.1 or newer). A model that stopped early predicts with its best iteration.
Source: XGBoost documentation, "Introduction to Model IO" and "Categorical Data" (3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saved, Saving, TrainedClasses
from mlspec.runtime.models.libraries import library, made_by, version_of
from mlspec.runtime.models.tabular import numbers_of, plain, texts_of
from mlspec.runtime.steps.contract import StepError

FILE = "booster.json"
_WHY = "the model is one of XGBoost"


def owns(model: Any, project: Path) -> bool:
    """Whether the object is a booster, or an estimator of XGBoost."""
    del project
    return made_by(model, "xgboost")


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write `booster.json`."""
    own = getattr(model, "classes_", None)
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    if not hasattr(booster, "save_model"):
        raise StepError(f"the entry point returned a {type(model).__name__}, not a model")
    booster.save_model(folder / FILE)
    return _saved(saving, own)


def finds(folder: Path) -> bool:
    """Whether the folder holds `booster.json`."""
    return (folder / FILE).is_file()


def adopt(folder: Path, saving: Saving) -> Saved:
    """Describe a `booster.json` that somebody else wrote."""
    _booster(folder)
    return _saved(saving, None)


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> BoosterScorer:
    """Return the booster of a folder."""
    del project
    return BoosterScorer(_booster(folder), facts)


class BoosterScorer(TrainedClasses):
    """Predicts with a booster."""

    def __init__(self, booster: Any, facts: Mapping[str, Any]) -> None:
        """Keep the booster."""
        self._booster = booster
        super().__init__(facts)

    def predict(self, features: pa.Table) -> AnyArray:
        """Return what the objective predicts."""
        xgboost = library("xgboost", "xgboost", _WHY)
        names = self._booster.feature_names
        if texts_of(features):
            data: Any = features.select(names) if names else features
            for place, name in enumerate(data.column_names):
                if name in texts_of(features):
                    data = data.set_column(place, name, data[name].dictionary_encode())
            matrix = xgboost.DMatrix(data.combine_chunks(), enable_categorical=True)
        else:
            data = features.select(names) if names and set(names) <= set(_names(features)) else None
            given = numbers_of(features if data is None else data)
            matrix = xgboost.DMatrix(given, feature_names=names, feature_types=None)
        best = self._booster.attr("best_iteration")
        until = (0, int(best) + 1) if best is not None else (0, 0)
        found = np.asarray(self._booster.predict(matrix, iteration_range=until))
        return self._named(found)

    def _named(self, found: AnyArray) -> AnyArray:
        """Turn the numbers of `multi:softmax` into classes."""
        objective = self._booster.save_config() if found.ndim == 1 and self._classes else ""
        if '"multi:softmax"' not in objective or self._classes is None:
            return found
        return np.asarray(np.asarray(self._classes)[found.astype(int)])


def _names(features: pa.Table) -> list[str]:
    return list(features.column_names)


def _saved(saving: Saving, own: Any) -> Saved:
    labels = saving.classes
    if not labels and own is not None:
        labels = tuple(plain(one) for one in own)
    return Saved(
        format="xgboost",
        engine="xgboost",
        version=version_of("xgboost", "xgboost-cpu"),
        classes=tuple(labels) or None,
    )


def _booster(folder: Path) -> Any:
    xgboost = library("xgboost", "xgboost", _WHY)
    booster = xgboost.Booster()
    booster.load_model(folder / FILE)
    return booster
