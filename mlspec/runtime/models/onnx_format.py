"""ONNX models (`model.onnx`), run by onnxruntime on the processor.

A graph with one input gets a float32 matrix, shape (rows, columns); a graph with an input for each
column gets columns by name, shape (rows, 1). Of several outputs the one named `probabilities` is
taken, else the last one, as converters of scikit-learn write label and probabilities. Source:
onnxruntime documentation, Python API (`InferenceSession`).
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
from mlspec.runtime.models.tabular import column, numbers_of, texts_of

FILE = "model.onnx"
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def owns(model: Any, project: Path) -> bool:
    """Whether the object is an ONNX graph."""
    del project
    return made_by(model, "onnx") and callable(getattr(model, "SerializeToString", None))


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write `model.onnx`."""
    (folder / FILE).write_bytes(model.SerializeToString())
    return _saved(saving)


def finds(folder: Path) -> bool:
    """Whether the folder holds `model.onnx`."""
    return (folder / FILE).is_file()


def adopt(folder: Path, saving: Saving) -> Saved:
    """Describe a `model.onnx` that somebody else wrote."""
    _session(folder)
    return _saved(saving)


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> OnnxScorer:
    """Return the graph of a folder, ready to run."""
    del project
    return OnnxScorer(_session(folder), facts)


class OnnxScorer(TrainedClasses):
    """Predicts with an ONNX graph."""

    def __init__(self, session: Any, facts: Mapping[str, Any]) -> None:
        """Choose the output."""
        self._session = session
        super().__init__(facts)
        names = [one.name for one in session.get_outputs()]
        named = [one for one in names if "prob" in one.lower()]
        self._output = named[0] if named else names[-1]

    def predict(self, features: pa.Table) -> AnyArray:
        """Return the chosen output."""
        inputs = self._session.get_inputs()
        if len(inputs) == 1:
            given = {inputs[0].name: numbers_of(features, _TYPES.get(inputs[0].type, np.float32))}
        else:
            given = {one.name: _column(features, one.name, one.type) for one in inputs}
        found = self._session.run([self._output], given)[0]
        if isinstance(found, list):  # a ZipMap: for each row probabilities by class
            return np.array([list(one.values()) for one in found])
        return np.asarray(found)


def _column(features: pa.Table, name: str, kind: str) -> AnyArray:
    if name in texts_of(features):
        return np.array(features[name].to_pylist(), dtype=object).reshape(-1, 1)
    return column(features[name]).astype(_TYPES.get(kind, np.float32)).reshape(-1, 1)


def _saved(saving: Saving) -> Saved:
    return Saved(
        format="onnx",
        engine="onnxruntime",
        version=version_of("onnxruntime"),
        classes=saving.classes or None,
    )


def _session(folder: Path) -> Any:
    runtime = library("onnxruntime", "onnxruntime", "the model is an ONNX graph")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(str(folder / FILE), options, providers=["CPUExecutionProvider"])
