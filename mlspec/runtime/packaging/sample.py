"""The sample of a package: up to 100 test rows and what the evaluated model said about them.

`sample.parquet` has `_key`, the input columns and `_prediction` (a number, a text, a truth value
or a list of numbers) as the score table has it. `difference` says how far a model is from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlspec.runtime.judging.scores import CANDIDATE
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.predictor import Predictor
from mlspec.runtime.rows.folder import KEY, Rows
from mlspec.runtime.steps.contract import StepError

ROWS = 100
TOLERANCE = 1e-6
"""Largest difference of two numbers that count as the same prediction."""
PREDICTION = "_prediction"


def write_sample(path: Path, inputs: Sequence[str], test: Rows, scores: pa.Table) -> None:
    """Write the sample.

    Args:
        path: of the file. inputs: columns that the model reads; empty: all features.
        test: all test rows. scores: the score table of the same rows.

    Raises:
        StepError: the score table is not of these rows, or has no candidate.
        OSError: the disk refuses.
    """
    chosen = test.take(np.arange(min(ROWS, len(test))))
    names = list(inputs) or list(chosen.columns)
    missing = [name for name in names if name not in chosen.table.column_names]
    if missing:
        raise StepError(f"the test rows have no column `{missing[0]}`, which the model reads")
    if CANDIDATE not in scores.column_names or KEY not in scores.column_names:
        raise StepError("the score table has no keys or no candidate", help="evaluate again")
    told = scores.slice(0, len(chosen))
    if told[KEY].to_pylist() != chosen.keys:
        raise StepError("the score table is not of the test rows", help="evaluate again")
    columns = {KEY: chosen.table[KEY], **{name: chosen.table[name] for name in names}}
    table = pa.table({**columns, PREDICTION: told[CANDIDATE]})
    pq.write_table(table.replace_schema_metadata(None), path)


def difference(predictor: Predictor, sample: pa.Table) -> float:
    """Return by how much a model's predictions differ from those of a sample; see the module.

    Raises:
        StepError: the model does not predict.
    """
    features = sample.drop_columns([KEY, PREDICTION])
    wanted = as_array(sample[PREDICTION])
    found = _difference(predictor.predict(features), wanted)
    if found > TOLERANCE:
        # A model that says classes may have been scored by the probabilities that it decides from.
        found = min(found, _difference(predictor.probabilities(features), wanted))
    return found


def as_array(column: pa.ChunkedArray) -> AnyArray:
    """Return a column of predictions as an array; lists of one length are a matrix."""
    values = column.to_pylist()
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        if len({len(value) for value in values}) > 1:
            raise StepError("predictions of different lengths stand in one column")
        return np.array(values, dtype=np.float64)
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return np.array(values, dtype=np.float64)
    return np.array(values, dtype=object)


def largest_difference(one: AnyArray, other: AnyArray) -> float:
    """Return by how much two sets of predictions differ; classes that differ are infinitely far."""
    if one.shape != other.shape:
        return float("inf")
    if not one.size:
        return 0.0
    if _is_number(one) and _is_number(other):
        gap = np.abs(one.astype(np.float64) - other.astype(np.float64))
        return float("inf") if np.isnan(gap).any() else float(gap.max())
    return 0.0 if [str(a) for a in one] == [str(b) for b in other] else float("inf")


def _is_number(values: AnyArray) -> bool:
    return values.dtype.kind in "fiub"


def _difference(said: AnyArray, wanted: AnyArray) -> float:
    """Return the difference; one probability and both of them are the same thing.

    The score table may have classes that only another model knows: for this one they are 0.
    """
    if said.ndim == 1 and wanted.ndim == 2 and wanted.shape[1] == 2 and _is_number(said):
        return largest_difference(said, wanted[:, 1])
    if said.ndim == 2 and wanted.ndim == 1 and said.shape[1] == 2 and _is_number(wanted):
        return largest_difference(said[:, 1], wanted)
    if said.ndim == wanted.ndim == 2 and said.shape[1] < wanted.shape[1]:
        zeros = np.zeros((len(said), wanted.shape[1] - said.shape[1]))
        return largest_difference(np.hstack([said, zeros]), wanted)
    return largest_difference(said, wanted)
