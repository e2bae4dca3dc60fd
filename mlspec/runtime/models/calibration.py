"""Calibration: probabilities that mean what they say, fitted on validation rows.

In: probabilities of a model, shape (n,) or (n, k), and what was true. Out: a `Calibration`, which
maps probabilities to probabilities and is kept as JSON beside the model. Sources: isotonic
regression by pool-adjacent-violators (Zadrozny & Elkan, KDD 2002); sigmoid with smoothed targets
(Platt 1999, in the form of Lin, Lin & Weng, Machine Learning 68, 2007), on the log-odds;
temperature (Guo, Pleiss, Sun & Weinberger, ICML 2017). Several classes are calibrated one against
the rest and brought to the sum 1 again, except by temperature. Invariants: order is kept
(isotonic: never reversed); the result is from 0 to 1; a fit is the same for the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, special

from mlspec.runtime.metrics.arrays import AnyArray, Bools, Floats, Integers
from mlspec.runtime.steps.contract import StepError

FILE = "calibration.json"
METHODS = ("isotonic", "sigmoid", "temperature")
_EDGE = 1e-12
"""Probabilities are kept this far from 0 and 1 before their log-odds are taken."""
_COLDEST, _HOTTEST = -5.0, 5.0
"""Bounds of the logarithm of the temperature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A function of one probability.

    Attributes:
        x, y: knots of an increasing function that is straight between them (isotonic).
        slope, offset: of the log-odds (sigmoid), used where there are no knots.
    """

    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    slope: float = 1.0
    offset: float = 0.0

    def apply(self, chances: Floats) -> Floats:
        """Return calibrated probabilities, shape as given."""
        if self.x:
            return np.asarray(np.interp(chances, self.x, self.y))
        return np.asarray(special.expit(self.slope * _log_odds(chances) + self.offset))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A fitted calibration.

    Attributes:
        method: one of `METHODS`.
        curves: one for a probability of shape (n,), one for each class for (n, k).
        temperature: divides log-odds or logits.
        rows: it was fitted on.
    """

    method: str
    curves: tuple[Curve, ...] = ()
    temperature: float = 1.0
    rows: int = 0

    def apply(self, chances: AnyArray) -> AnyArray:
        """Return calibrated probabilities.

        Args:
            chances: shape (n,), or (n, k) with rows that add up to 1.

        Returns:
            The same shape.
        """
        if self.method == "temperature":
            if chances.ndim == 1:
                return np.asarray(special.expit(_log_odds(chances) / self.temperature))
            logits = np.log(np.clip(chances, _EDGE, 1.0))
            return np.asarray(special.softmax(logits / self.temperature, axis=1))
        if chances.ndim == 1:
            return self.curves[0].apply(chances)
        parts = [curve.apply(chances[:, place]) for place, curve in enumerate(self.curves)]
        found = np.column_stack(parts)
        total = found.sum(axis=1, keepdims=True)
        even = np.full_like(found, 1 / found.shape[1])
        return np.asarray(np.divide(found, total, out=even, where=total > 0))


def fit(method: str, chances: AnyArray, truth: AnyArray) -> Calibration:
    """Fit a calibration.

    Args:
        method: one of `METHODS`.
        chances: probabilities of the validation rows, shape (n,) or (n, k).
        truth: shape (n,): truth values, or the number of the class for (n, k).

    Raises:
        StepError: there is no such method, or the rows hold one class only.
    """
    if method not in METHODS:
        raise StepError(f"`{method}` is no calibration", help=f"there are {', '.join(METHODS)}")
    if len(np.unique(truth)) < 2:
        raise StepError(
            f"all {len(truth)} validation rows have the same label",
            help="calibration needs rows of both kinds: look at `split.validation`",
        )
    if method == "temperature":
        found = _temperature(chances, truth)
        return Calibration(method=method, temperature=found, rows=len(truth))
    one_curve = _isotonic if method == "isotonic" else _sigmoid
    if chances.ndim == 1:
        curves: tuple[Curve, ...] = (one_curve(chances, truth.astype(np.bool_)),)
    else:
        curves = tuple(one_curve(chances[:, k], truth == k) for k in range(chances.shape[1]))
    return Calibration(method=method, curves=curves, rows=len(truth))


def write_calibration(folder: Path, found: Calibration) -> dict[str, Any]:
    """Write a calibration beside a model; return what `model.json` says of it."""
    data = {
        "method": found.method,
        "rows": found.rows,
        "temperature": found.temperature,
        "curves": [
            {"x": list(one.x), "y": list(one.y), "slope": one.slope, "offset": one.offset}
            for one in found.curves
        ],
    }
    text = json.dumps(data, indent=1, sort_keys=True, allow_nan=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
    return {"method": found.method, "file": FILE, "rows": found.rows}


def read_calibration(folder: Path, said: Mapping[str, Any]) -> Calibration:
    """Return the calibration of a model folder.

    Args:
        folder: a model folder. said: what its `model.json` says under `calibration`.

    Raises:
        StepError: the file is gone or is none.
    """
    try:
        data = json.loads((folder / str(said["file"])).read_text(encoding="utf-8"))
        return Calibration(
            method=data["method"],
            temperature=float(data["temperature"]),
            rows=int(data["rows"]),
            curves=tuple(
                Curve(
                    x=tuple(map(float, one["x"])),
                    y=tuple(map(float, one["y"])),
                    slope=float(one["slope"]),
                    offset=float(one["offset"]),
                )
                for one in data["curves"]
            ),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StepError(f"its calibration cannot be read: {error}") from error


def _log_odds(chances: AnyArray) -> Floats:
    return np.asarray(special.logit(np.clip(chances, _EDGE, 1 - _EDGE)))


def _isotonic(chances: AnyArray, truth: Bools) -> Curve:
    """Pool adjacent violators: the increasing function with the least squared error."""
    levels, place = np.unique(chances, return_inverse=True)
    counts = np.bincount(place).astype(np.float64)
    means = np.bincount(place, weights=truth.astype(np.float64)) / counts
    values: list[float] = []
    weights: list[float] = []
    sizes: list[int] = []
    for mean, count in zip(means.tolist(), counts.tolist(), strict=True):
        values.append(mean)
        weights.append(count)
        sizes.append(1)
        while len(values) > 1 and values[-2] >= values[-1]:
            total = weights[-2] + weights[-1]
            joined = (values[-2] * weights[-2] + values[-1] * weights[-1]) / total
            values[-2:], weights[-2:], sizes[-2:] = [joined], [total], [sizes[-2] + sizes[-1]]
    ends = np.cumsum(sizes)
    starts = ends - np.asarray(sizes)
    x: list[float] = []
    y: list[float] = []
    for start, end, value in zip(starts, ends, values, strict=True):
        # A flat piece is kept by its two ends; what lies between follows from them.
        for knot in sorted({int(start), int(end) - 1}):
            x.append(float(levels[knot]))
            y.append(value)
    return Curve(x=tuple(x), y=tuple(y))


def _sigmoid(chances: AnyArray, truth: Bools) -> Curve:
    """Platt's fit: targets are drawn in from 0 and 1 by one row of each kind."""
    odds = _log_odds(chances)
    positives = int(truth.sum())
    negatives = truth.size - positives
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(point: Floats) -> tuple[float, Floats]:
        score = point[0] * odds + point[1]
        # -t log p - (1-t) log(1-p), without ever forming p = 0
        value = float(np.mean(np.logaddexp(0.0, score) - target * score))
        slope = special.expit(score) - target
        return value, np.array([np.mean(slope * odds), np.mean(slope)])

    start = np.array([1.0, np.log((positives + 1) / (negatives + 1))])
    found = optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    return Curve(slope=float(found.x[0]), offset=float(found.x[1]))


def _temperature(chances: AnyArray, truth: AnyArray) -> float:
    """Return the temperature with the least mean negative log-likelihood."""
    if chances.ndim == 1:
        logits = np.column_stack([np.zeros(len(chances)), _log_odds(chances)])
    else:
        logits = np.log(np.clip(chances, _EDGE, 1.0))
    right: Integers = truth.astype(np.int64)
    rows = np.arange(len(right))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(special.logsumexp(scaled, axis=1) - scaled[rows, right]))

    found = optimize.minimize_scalar(
        loss, bounds=(_COLDEST, _HOTTEST), method="bounded", options={"xatol": 1e-8}
    )
    return float(np.exp(found.x))
