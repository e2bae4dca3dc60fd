"""PyTorch modules as exported programs (`model.pt2`), or TorchScript (`model.pt`).

The module gets a float32 matrix, shape (rows, columns), and answers with probabilities or numbers,
shape (rows,), (rows, 1) or (rows, classes): a classifier ends in a sigmoid or softmax. Exported is
the computation for any number of rows; a module that cannot be exported is traced. A file that
loading could run as code is refused (`torch_archive`). Source: PyTorch documentation,
`torch.export` (2.15).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saved, Saving, TrainedClasses
from mlspec.runtime.models.libraries import library, made_by, version_of
from mlspec.runtime.models.tabular import numbers_of
from mlspec.runtime.models.torch_archive import check_program, check_script
from mlspec.runtime.steps.contract import StepError

PROGRAM, SCRIPT = "model.pt2", "model.pt"
_WHY = "the model is one of PyTorch"
_ROWS = 8192
"""Rows that are predicted at once."""


def owns(model: Any, project: Path) -> bool:
    """Whether the object is a module of PyTorch and has no `save` of its own."""
    del project
    own = all(callable(getattr(type(model), name, None)) for name in ("load", "predict"))
    return made_by(model, "torch") and callable(model) and not own


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write `model.pt2`, or `model.pt` if the module cannot be exported.

    Raises:
        StepError: neither works.
    """
    torch = library("torch", "torch", _WHY)
    if made_by(model, "torch.nn.parallel") or type(model).__name__ == "DistributedDataParallel":
        model = model.module  # what the workers share; the wrapper belongs to the training
    if saving.sample is None or saving.sample.num_rows < 2:
        raise StepError("a module of PyTorch is traced with at least two training rows")
    model = model.to("cpu").eval()
    example = torch.from_numpy(numbers_of(saving.sample, np.float32))
    how = "export"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about PyTorch's own parts; errors are told
        try:
            rows = torch.export.Dim("rows", min=1)
            program = torch.export.export(model, (example,), dynamic_shapes=({0: rows},))
            torch.export.save(program, folder / PROGRAM)
            check_program(folder / PROGRAM)
        except Exception as error:  # noqa: BLE001  of many kinds; told if tracing fails as well
            first = error
            (folder / PROGRAM).unlink(missing_ok=True)
            how = "trace"
            try:
                with torch.no_grad():
                    torch.jit.trace(model, example).save(str(folder / SCRIPT))
            except Exception as second:
                raise StepError(
                    f"the module cannot be exported ({_line(first)}) nor traced ({_line(second)})",
                    help="compute with tensors only in `forward`, or return an object of your own "
                    "class with `save`, `load` and `predict`",
                ) from second
    return _saved(saving, how)


def finds(folder: Path) -> bool:
    """Whether the folder holds `model.pt2` or `model.pt`."""
    return (folder / PROGRAM).is_file() or (folder / SCRIPT).is_file()


def adopt(folder: Path, saving: Saving) -> Saved:
    """Describe a program that somebody else wrote."""
    _read(folder)
    return _saved(saving, "export" if (folder / PROGRAM).is_file() else "trace")


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> ModuleScorer:
    """Return the module of a folder."""
    del project
    return ModuleScorer(_read(folder), facts)


class ModuleScorer(TrainedClasses):
    """Predicts with a module."""

    def __init__(self, module: Any, facts: Mapping[str, Any]) -> None:
        """Keep the module."""
        self._module = module
        super().__init__(facts)
        self._dtype = (facts.get("details") or {}).get("dtype", "float32")

    def predict(self, features: pa.Table) -> AnyArray:
        """Return what the module answers, batch by batch."""
        torch = library("torch", "torch", _WHY)
        matrix = torch.from_numpy(numbers_of(features, np.float32))
        matrix = matrix.to(getattr(torch, self._dtype))
        with torch.no_grad():
            parts = [
                self._module(matrix[start : start + _ROWS]).to(torch.float32).numpy()
                for start in range(0, len(matrix), _ROWS)
            ]
        return np.concatenate(parts)


def _saved(saving: Saving, how: str) -> Saved:
    return Saved(
        format="torch",
        engine="torch",
        version=version_of("torch"),
        classes=saving.classes or None,
        details={"way": how},
    )


def _read(folder: Path) -> Any:
    torch = library("torch", "torch", _WHY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about PyTorch's own parts; errors are told
        if (folder / PROGRAM).is_file():
            check_program(folder / PROGRAM)
            return torch.export.load(folder / PROGRAM).module()
        check_script(folder / SCRIPT)
        return torch.jit.load(str(folder / SCRIPT), map_location="cpu").eval()


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"
