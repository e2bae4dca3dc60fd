"""Keras models as `.keras` archives, read in safe mode: no code of the archive is run.

The model gets a float32 matrix, shape (rows, columns), and answers with probabilities or numbers,
shape (rows,), (rows, 1) or (rows, classes). Source: Keras 3 documentation, "Whole model saving &
loading" (`safe_mode`).
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
from mlspec.runtime.models.tabular import numbers_of

FILE = "model.keras"
_ROWS = 1024
"""Rows that are predicted at once."""


def owns(model: Any, project: Path) -> bool:
    """Whether the object is a model of Keras."""
    del project
    return made_by(model, "keras") and callable(getattr(model, "predict_on_batch", None))


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write `model.keras`."""
    model.save(folder / FILE)
    return _saved(saving)


def finds(folder: Path) -> bool:
    """Whether the folder holds `model.keras`."""
    return (folder / FILE).is_file()


def adopt(folder: Path, saving: Saving) -> Saved:
    """Describe a `model.keras` that somebody else wrote."""
    _read(folder)
    return _saved(saving)


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> KerasScorer:
    """Return the model of a folder."""
    del project
    return KerasScorer(_read(folder), facts)


class KerasScorer(TrainedClasses):
    """Predicts with a model of Keras."""

    def __init__(self, model: Any, facts: Mapping[str, Any]) -> None:
        """Keep the model."""
        self._model = model
        super().__init__(facts)

    def predict(self, features: pa.Table) -> AnyArray:
        """Return what the model answers, batch by batch."""
        matrix = numbers_of(features, np.float32)
        parts = [
            np.asarray(self._model.predict_on_batch(matrix[start : start + _ROWS]))
            for start in range(0, len(matrix), _ROWS)
        ]
        return np.concatenate(parts)


def _saved(saving: Saving) -> Saved:
    return Saved(
        format="keras",
        engine="keras",
        version=version_of("keras"),
        classes=saving.classes or None,
    )


def _read(folder: Path) -> Any:
    keras = library("keras", "keras", "the model is one of Keras")
    return keras.saving.load_model(folder / FILE, compile=False, safe_mode=True)
