"""Models of the project's own class, with `save(folder)`, `load(folder)` and `predict(features)`.

The class stands in the project, at the top level of a module; `load` is a classmethod (or a static
method) that gets the folder that `save` has filled. What `predict` returns is taken as it is, in
the shape that the spec declares; `classes`, if the object has it, names columns of probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.functions import load_function, user_code
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saved, Saving
from mlspec.runtime.models.libraries import is_project_module
from mlspec.runtime.models.tabular import plain
from mlspec.runtime.steps.contract import StepError

FOLDER = "model"
_METHODS = ("save", "load", "predict")


def owns(model: Any, project: Path) -> bool:
    """Whether the object's class is the project's and has the three methods."""
    kind = type(model)
    return all(callable(getattr(kind, name, None)) for name in _METHODS) and is_project_module(
        kind.__module__.partition(".")[0], project
    )


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Let the object write itself into `model/`.

    Raises:
        StepError: its class cannot be found again, `save` fails or writes nothing.
    """
    kind = type(model)
    loader = f"{kind.__module__}:{kind.__qualname__}"
    if load_function(loader, saving.project) is not kind:
        raise StepError(f"`{loader}` is not the class of the model that was returned")
    inside = folder / FOLDER
    inside.mkdir()
    with user_code(f"{loader}.save", saving.project):
        model.save(inside)
    if not any(one.is_file() for one in inside.rglob("*")):
        raise StepError(f"`{loader}.save` wrote nothing into the folder it was given")
    return Saved(
        format="python", engine="python", version="", loader=loader, classes=_classes(model)
    )


def finds(folder: Path) -> bool:
    """Tell that nothing is recognised: files alone do not say which class reads them."""
    del folder
    return False


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> OwnScorer:
    """Return the object that the project's class loads.

    Raises:
        StepError: the class is gone or its `load` fails.
    """
    loader = str(facts.get("loader") or "")
    kind: Any = load_function(loader, project)
    with user_code(f"{loader}.load", project):
        model = kind.load(folder / FOLDER)
    if not callable(getattr(model, "predict", None)):
        raise StepError(f"`{loader}.load` returned no object with `predict`")
    return OwnScorer(model, loader, project)


class OwnScorer:
    """Predicts with an object of the project."""

    def __init__(self, model: Any, loader: str, project: Path) -> None:
        """Keep the object, and what it is called in messages."""
        self._model, self._loader, self._project = model, loader, project

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """What the object says in `classes`."""
        return _classes(self._model)

    def predict(self, features: pa.Table) -> AnyArray:
        """Return what the object predicts.

        Raises:
            StepError: it raises something; the project's lines are shown.
        """
        with user_code(f"{self._loader}.predict", self._project):
            return np.asarray(self._model.predict(features))


def _classes(model: Any) -> tuple[Any, ...] | None:
    found = getattr(model, "classes", None)
    return None if found is None or callable(found) else tuple(plain(one) for one in found)
