"""The reference profile: how inputs and predictions were distributed when the model was made.

Input: the training rows' features, and predictions on rows that the model did not learn from.
Output: bins and counts as `mlspec.runtime.metrics.shift` compares them, so that a monitor needs
this file and no training row. A category is named in it only when it holds more than 0.5 % of the
rows; a column with more than 50 of them, or one that says who somebody is, keeps none: such values
are personal more often than they are categories.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

from mlspec.runtime.metrics.arrays import AnyArray, Floats, missing
from mlspec.runtime.metrics.shift import (
    LevelBins,
    NumberBins,
    binned,
    level_bins,
    number_bins,
)

MOST_LEVELS = 50


def reference_profile(
    inputs: pa.Table,
    predictions: AnyArray,
    *,
    classes: tuple[str, ...] = (),
    personal: Collection[str] = (),
) -> dict[str, Any]:
    """Return the content of `profile.json`.

    Args:
        inputs: the model's input columns, one row for each training row.
        predictions: shape (n,) numbers or classes, or (n, k) probabilities of `classes`.
        classes: names of the columns of probabilities.
        personal: columns of which no category is named.
    """
    found: dict[str, Any] = {
        "format_version": "1.0",
        "rows": inputs.num_rows,
        "columns": {},
        "predictions": {},
    }
    for name in inputs.column_names:
        profiled = _column(inputs.column(name), most=0 if name in personal else MOST_LEVELS)
        if profiled:
            found["columns"][name] = profiled
    if predictions.ndim == 2:
        for place in range(predictions.shape[1]):
            name = classes[place] if place < len(classes) else str(place)
            found["predictions"][name] = _of(predictions[:, place])
    else:
        found["predictions"]["prediction"] = _of(predictions)
    found["predictions"] = {name: one for name, one in found["predictions"].items() if one}
    return found


def bins_of(entry: Mapping[str, Any]) -> tuple[NumberBins | LevelBins, Floats]:
    """Return the bins and the reference counts of one entry of a profile.

    Raises:
        KeyError: it is no entry.
    """
    counts = np.asarray(entry["counts"], dtype=np.float64)
    if entry["kind"] == "number":
        return NumberBins(np.asarray(entry["edges"], dtype=np.float64)), counts
    return LevelBins(tuple(entry["levels"])), counts


def _column(column: pa.ChunkedArray, *, most: int) -> dict[str, Any] | None:
    """Return the entry of a column; None for lists and other types that have no bins."""
    kind = column.type
    if kinds.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if kinds.is_timestamp(kind) or kinds.is_date(kind):
        column = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None))).cast(pa.int64())
    elif kinds.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not (
        kinds.is_integer(kind)
        or kinds.is_floating(kind)
        or kinds.is_boolean(kind)
        or kinds.is_string(kind)
        or kinds.is_large_string(kind)
    ):
        return None
    if kinds.is_boolean(kind) or kinds.is_string(kind) or kinds.is_large_string(kind):
        return _of(np.array(column.to_pylist(), dtype=object), most=most)
    return _of(np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64))


def _of(values: AnyArray, *, most: int = MOST_LEVELS) -> dict[str, Any] | None:
    """Return the entry of values; None when not one of them is present."""
    gone = missing(values)
    if gone.all():
        return None
    if values.dtype.kind in "fiu":
        return _numbers(values.astype(np.float64))
    bins = level_bins(values)
    if len(bins.levels) > most:
        bins = LevelBins(())
    return {"kind": "level", "levels": list(bins.levels), "counts": _counts(values, bins)}


def _numbers(values: Floats) -> dict[str, Any] | None:
    finite = np.where(np.isfinite(values), values, np.nan)
    if np.isnan(finite).all():
        return None
    bins = number_bins(finite)
    present = finite[~np.isnan(finite)]
    return {
        "kind": "number",
        "edges": [float(edge) for edge in bins.edges],
        "counts": _counts(finite, bins),
        "mean": float(present.mean()),
        "deviation": float(present.std()),
    }


def _counts(values: AnyArray, bins: NumberBins | LevelBins) -> list[int]:
    return [int(count) for count in binned(values, bins)]
