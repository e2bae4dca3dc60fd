"""LightGBM models in the library's own text (`booster.txt`).

Predictions are those of the objective; a model that stopped early has kept its best iteration only.
Columns of text must be encoded by the features, or be categories of a pandas frame at training;
the text keeps those categories. Source: LightGBM documentation, `Booster` (4.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saved, Saving, TrainedClasses
from mlspec.runtime.models.libraries import is_installed, library, made_by, version_of
from mlspec.runtime.models.tabular import numbers_of, plain, texts_of
from mlspec.runtime.steps.contract import StepError

FILE = "booster.txt"
_WHY = "the model is one of LightGBM"


def owns(model: Any, project: Path) -> bool:
    """Whether the object is a booster, or an estimator of LightGBM."""
    del project
    return made_by(model, "lightgbm")


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write `booster.txt`."""
    own = getattr(model, "classes_", None)
    booster = getattr(model, "booster_", model)
    if not hasattr(booster, "save_model"):
        raise StepError(f"the entry point returned a {type(model).__name__}, not a model")
    booster.save_model(folder / FILE)
    return _saved(saving, own)


def finds(folder: Path) -> bool:
    """Whether the folder holds `booster.txt`."""
    return (folder / FILE).is_file()


def adopt(folder: Path, saving: Saving) -> Saved:
    """Describe a `booster.txt` that somebody else wrote."""
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
        """Return what the objective predicts.

        Raises:
            StepError: a column is text, and pandas is not installed.
        """
        texts = texts_of(features)
        if not texts:
            return np.asarray(self._booster.predict(numbers_of(features)))
        if not is_installed("pandas"):
            raise StepError(
                f"the column `{texts[0]}` is text, which LightGBM takes from pandas only",
                help="pip install pandas, or encode it in `features.transform`",
            )
        frame = features.to_pandas()
        return np.asarray(self._booster.predict(frame.astype(dict.fromkeys(texts, "category"))))


def _saved(saving: Saving, own: Any) -> Saved:
    labels = saving.classes if own is None else tuple(plain(one) for one in own)
    return Saved(
        format="lightgbm",
        engine="lightgbm",
        version=version_of("lightgbm"),
        classes=tuple(labels) or None,
    )


def _booster(folder: Path) -> Any:
    lightgbm = library("lightgbm", "lightgbm", _WHY)
    return lightgbm.Booster(model_file=str(folder / FILE))
