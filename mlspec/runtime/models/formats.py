"""The table of model formats: which module reads and writes which.

A format is a name and a module (see `mlspec.runtime.models.contract`); nothing is imported until a
model of the format is met. The order decides who saves an object: the special ones come first, as
a model of XGBoost is also an estimator of scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mlspec.runtime.models.contract import Saved, Saving
from mlspec.runtime.steps.contract import StepError

_HERE = "mlspec.runtime.models"
FORMATS: dict[str, str] = {
    "xgboost": f"{_HERE}.xgboost_format",
    "lightgbm": f"{_HERE}.lightgbm_format",
    "keras": f"{_HERE}.keras_format",
    "torch": f"{_HERE}.torch_format",
    "onnx": f"{_HERE}.onnx_format",
    "spark": f"{_HERE}.spark_format",
    "python": f"{_HERE}.python_format",
    "skops": f"{_HERE}.skops_format",
    "ensemble": "mlspec.runtime.ensembles.model",
}
"""Format name to module."""
_SAVED = ("xgboost", "lightgbm", "keras", "torch", "onnx", "spark", "python", "skops")
"""Formats that save what an entry point returned, in the order in which they are asked."""


def format_module(name: str) -> ModuleType:
    """Return the module of a format.

    Raises:
        StepError: there is no such format.
    """
    path = FORMATS.get(name)
    if path is None:
        known = ", ".join(sorted(FORMATS))
        raise StepError(f"`{name}` is no model format", help=f"there are {known}")
    return import_module(path)


def save_model(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write the object that an entry point returned into an empty folder.

    Raises:
        StepError: no format can keep it; the format refuses it.
    """
    for name in _SAVED:
        module = format_module(name)
        if module.owns(model, saving.project):
            try:
                saved = module.save(model, folder, saving)
            except StepError:
                raise
            except Exception as error:
                # Libraries refuse in exceptions of many kinds; whatever it is, nothing is kept.
                raise StepError(
                    f"the model cannot be kept in the format `{name}`: "
                    f"{type(error).__name__}: {error}"
                ) from error
            assert isinstance(saved, Saved)  # noqa: S101  a fault of the format, not of the user
            return saved
    kind = type(model)
    raise StepError(
        f"the entry point returned a `{kind.__module__}.{kind.__qualname__}`, "
        "which no model format keeps",
        help="return a model of scikit-learn, xgboost, lightgbm, torch, keras or pyspark, an "
        "object of your own class with `save`, `load` and `predict`, or write a model file "
        "into `output` and return nothing",
    )


def adopt_files(folder: Path, saving: Saving, declared: str | None = None) -> Saved:
    """Recognise model files that somebody else wrote, such as `model.onnx`.

    Args:
        folder: holds the files.
        saving: for the classes and the noun.
        declared: the format that the spec names; None: it is recognised by the files.

    Raises:
        StepError: no format recognises them, or more than one does.
    """
    if declared is not None and declared not in FORMATS:
        format_module(declared)
    names = [declared] if declared is not None else list(_SAVED)
    found = [name for name in names if format_module(name).finds(folder)]
    if len(found) == 1:
        saved = format_module(found[0]).adopt(folder, saving)
        assert isinstance(saved, Saved)  # noqa: S101  a fault of the format, not of the user
        return saved
    inside = ", ".join(sorted(one.name for one in folder.iterdir())) or "nothing"
    if found:
        raise StepError(
            f"the model could be {' or '.join(found)}: the folder holds {inside}",
            help="write one model, or name its `format`",
        )
    what = f"no model of the format `{declared}`" if declared else "no model file that is known"
    raise StepError(f"there is {what}; the folder holds {inside}", help=f"known are {_known()}")


def _known() -> str:
    return "model.skops, model.onnx, model.pt2, model.keras, booster.json, booster.txt"
