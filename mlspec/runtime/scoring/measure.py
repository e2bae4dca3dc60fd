"""One model on the test rows: its predictions as a column, and how long it took.

Duty: a predictor and rows to `Scored`. Invariants: one prediction for each row, none missing;
probabilities of classes stand in the order of the given classes, a class that the model does not
know has 0. Times are measured on this machine and are the only thing that differs between runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.steps.contract import StepError

FEW, MANY = 30, 400
"""Rows that are predicted one by one: without a check of the latency, and with one. An upper bound
of the 99 % quantile with 95 % confidence needs 299 (`mlspec.runtime.statistics.quantiles`)."""
BUDGET = {FEW: 0.5, MANY: 60.0}
"""Seconds that these may take, at most, once five are done."""


class Predicts(Protocol):
    """What is asked of a model here (`mlspec.runtime.models.predictor`)."""

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels of the columns of probabilities."""

    @property
    def threshold(self) -> float | None:
        """From which probability on a decision is positive."""

    def predict(self, features: pa.Table) -> AnyArray:
        """Return one prediction for each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a model said of the rows.

    Attributes:
        predictions: shape (n,) or (n, k). classes: of the k columns; None: without classes.
        facts: for `scores.json`.
    """

    predictions: AnyArray
    classes: tuple[Any, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def score(
    name: str,
    model: Predicts,
    rows: pa.Table,
    *,
    singles: int = FEW,
    clock: Callable[[], float] = time.perf_counter,
) -> Scored:
    """Predict rows, all at once and some one by one.

    Args:
        name: of the model, for messages. rows: its features, shape (n, columns), n at least 1.
        singles: rows that are predicted one by one, `FEW` or `MANY`. clock: seconds, rising.

    Raises:
        StepError: a prediction is missing, or their number or shape is wrong.
    """
    if getattr(model, "whole_only", False):
        start = clock()
        predictions = checked(name, model.predict(rows), rows.num_rows)
        facts = {
            "threshold": model.threshold,
            "seconds_per_row": (clock() - start) / rows.num_rows,
        }
        return Scored(predictions=predictions, classes=model.classes, facts=facts)
    model.predict(rows.slice(0, 1))  # what a first call loads is not what a prediction takes
    start = clock()
    predictions = checked(name, model.predict(rows), rows.num_rows)
    whole = clock() - start
    times = _singles(model, rows, singles, clock)
    p50, p95, p99 = (float(one) for one in np.quantile(times, (0.5, 0.95, 0.99)))
    facts = {
        "threshold": model.threshold,
        "seconds_per_row": whole / rows.num_rows,
        "p50_latency": p50,
        "p95_latency": p95,
        "p99_latency": p99,
        "latencies": times,
    }
    return Scored(predictions=predictions, classes=model.classes, facts=facts)


def _singles(
    model: Predicts, rows: pa.Table, count: int, clock: Callable[[], float]
) -> list[float]:
    places = np.linspace(0, rows.num_rows - 1, count).astype(int)  # of few rows some come again
    found: list[float] = []
    begun = clock()
    for place in places.tolist():
        one = rows.slice(place, 1)
        start = clock()
        model.predict(one)
        end = clock()
        found.append(end - start)
        if len(found) >= 5 and end - begun > BUDGET[count]:
            break
    return found


def checked(name: str, predictions: AnyArray, rows: int) -> AnyArray:
    """Return predictions that are one for each row, none missing.

    Raises:
        StepError: they are not; the message names the model and the first row.
    """
    found = np.asarray(predictions)
    if found.ndim not in {1, 2} or found.shape[0] != rows:
        shape = " x ".join(str(one) for one in found.shape) or "one value"
        raise StepError(f"the model `{name}` predicted {shape} for {rows:,} rows")
    if found.dtype.kind == "f":
        bad = np.isnan(found).reshape(rows, -1).any(axis=1)
    elif found.dtype.kind == "O":
        bad = np.array([one is None for one in found], dtype=bool)
    else:
        return found
    if bad.any():
        raise StepError(
            f"the model `{name}` gave no prediction for {int(bad.sum()):,} of {rows:,} rows; "
            f"the first is row {int(bad.argmax())}",
            help="look for missing or extreme feature values in that row",
        )
    return found


def aligned(scored: Scored, classes: tuple[Any, ...]) -> AnyArray:
    """Return predictions with their columns of probabilities in the order of some classes."""
    values = scored.predictions
    if values.ndim != 2 or scored.classes is None or scored.classes == classes:
        return values
    place = {one: number for number, one in enumerate(scored.classes)}
    columns = [values[:, place[one]] if one in place else np.zeros(len(values)) for one in classes]
    return np.column_stack(columns)


def as_column(predictions: AnyArray) -> pa.Array:
    """Return predictions as a column: numbers, classes, or lists of doubles."""
    if predictions.ndim == 2:
        width = predictions.shape[1]
        flat = pa.array(np.ascontiguousarray(predictions, dtype=np.float64).reshape(-1))
        offsets = np.arange(len(predictions) + 1, dtype=np.int32) * width
        return pa.ListArray.from_arrays(pa.array(offsets), flat)
    if predictions.dtype.kind in "OU":
        return pa.array(predictions.tolist())
    return pa.array(predictions)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
