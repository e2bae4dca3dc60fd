"""scikit-learn models as skops files: data and names of classes, never code.

A skops file is a zip archive with a JSON schema; classes are imported only when trusted. Trusted
are numpy, scipy, scikit-learn and skops, except their testing and build parts, and the project's
own modules. Source: skops documentation, "Secure persistence" (skops 0.16). Files are rewritten so
that the same model has the same bytes (`skops_archive`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saved, Saving
from mlspec.runtime.models.libraries import (
    is_installed,
    is_project_module,
    library,
    made_by,
    version_of,
)
from mlspec.runtime.models.skops_archive import canonical
from mlspec.runtime.models.tabular import matrix_of, plain
from mlspec.runtime.steps.contract import StepError

FILE = "model.skops"
_TRUSTED = frozenset({"numpy", "scipy", "sklearn", "skops"})
_NEVER = frozenset({"testing", "tests", "f2py", "distutils", "_build_utils", "conftest"})
"""Parts of trusted packages that can start programs."""


def owns(model: Any, project: Path) -> bool:
    """Whether the object is an estimator of scikit-learn."""
    del project
    return made_by(model, "sklearn") and callable(getattr(model, "predict", None))


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write `model.skops`.

    Raises:
        StepError: skops is missing, or the model holds types that would not be trusted at loading.
    """
    io = _skops()
    path = folder / FILE
    try:
        io.dump(model, path)
    except Exception as error:
        # skops names what it cannot keep in exceptions of many kinds.
        raise StepError(
            f"skops cannot keep the model: {error}",
            help="hold functions and data of other libraries outside the estimator, or return an "
            "object of your own class with `save`, `load` and `predict`",
        ) from error
    canonical(path)
    _trusted(path, saving.project)
    return _saved(model)


def finds(folder: Path) -> bool:
    """Whether the folder holds `model.skops`."""
    return (folder / FILE).is_file()


def adopt(folder: Path, saving: Saving) -> Saved:
    """Describe a `model.skops` that somebody else wrote.

    Raises:
        StepError: it holds types that are not trusted.
    """
    return _saved(read(folder, saving.project))


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> EstimatorScorer:
    """Return the estimator of a folder.

    Raises:
        StepError: it holds types that are not trusted.
    """
    return EstimatorScorer(read(folder, project), facts)


class EstimatorScorer:
    """Predicts with an estimator of scikit-learn."""

    def __init__(self, model: Any, facts: Mapping[str, Any]) -> None:
        """Choose the method that gives the fullest answer for the task.

        Raises:
            StepError: a probability is declared and the estimator has none.
        """
        self._model, self._facts = model, facts
        self._ask = _method(model, facts)

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels in the order of the columns of `predict_proba`."""
        return _classes(self._model)

    def predict(self, features: pa.Table) -> AnyArray:
        """Return probabilities where the estimator has them, else what `predict` says."""
        given = _as_fitted(self._model, features)
        found = self._ask(given)
        if isinstance(found, list):  # multilabel: one (n, 2) array for each label
            return np.column_stack([one[:, -1] for one in found])
        return np.asarray(found)


def _method(model: Any, facts: Mapping[str, Any]) -> Any:
    task, kind = facts["task"], (facts.get("output") or {}).get("type")
    if task not in {"binary", "multiclass", "multilabel"}:
        return model.predict
    if hasattr(model, "predict_proba") and kind != "score":
        return model.predict_proba
    if kind == "probability":
        raise StepError(
            f"the output is a probability, and {type(model).__name__} has no `predict_proba`",
            help="wrap it in CalibratedClassifierCV, or declare `score` or `class`",
        )
    if kind == "score" and task == "binary":
        for name in ("decision_function", "score_samples", "predict_proba"):
            if hasattr(model, name):
                return getattr(model, name)
    return model.predict


def _as_fitted(model: Any, features: pa.Table) -> Any:
    """Give the model a table with names if it was fitted with names, else a matrix."""
    if getattr(model, "feature_names_in_", None) is None:
        return matrix_of(features)
    return features.to_pandas() if is_installed("pandas") else features


def _classes(model: Any) -> tuple[Any, ...] | None:
    found = getattr(model, "classes_", None)
    if found is None or isinstance(found, list):
        return None
    return tuple(plain(one) for one in found)


def _saved(model: Any) -> Saved:
    return Saved(
        format="skops",
        engine="scikit-learn",
        version=version_of("scikit-learn"),
        classes=_classes(model),
    )


def _skops() -> Any:
    return library("skops.io", "skops", "scikit-learn models are kept with it")


def read(folder: Path, project: Path) -> Any:
    """Return the estimator of a folder.

    Raises:
        StepError: it holds types that are not trusted, or skops is missing.
    """
    io = _skops()
    path = folder / FILE
    return io.load(path, trusted=_trusted(path, project))


def _trusted(path: Path, project: Path) -> list[str]:
    """Return the types of a file beyond those that skops trusts by itself, if all may be trusted.

    Raises:
        StepError: one may not.
    """
    unknown = sorted(_skops().get_untrusted_types(file=path))
    refused = [one for one in unknown if not _may_be_trusted(one, project)]
    if refused:
        raise StepError(
            f"the model holds types that are not trusted: {', '.join(refused)}",
            help="trusted are numpy, scipy, scikit-learn, skops and modules of the project",
        )
    return unknown


def _may_be_trusted(name: str, project: Path) -> bool:
    parts = name.split(".")
    if parts[0] in _TRUSTED:
        return not _NEVER & set(parts)
    return is_project_module(parts[0], project)
