"""Whether a model that was trained again is the model of a version.

Input: the package of the version and that of the new training. Output: what is the same and what
is not. Model files need not be the same bytes (skops writes none twice), so predictions for the
sample rows and metrics of the test rows are compared, within a tolerance; data by their versions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mlspec.runtime.packaging.sample import PREDICTION, as_array, largest_difference
from mlspec.runtime.rows.folder import KEY
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.steps.lifecycle import read_json

_SAME = ("data", "params", "seeds", "engine", "python")
"""What of `package.json` was given to the training: another value explains another model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that was compared.

    Attributes:
        what: such as `data clicks`, `metric log_loss`, `predictions`.
        before, now: as text. same: whether they count as the same.
        decides: whether a difference means that the version was not reproduced.
    """

    what: str
    before: str
    now: str
    same: bool
    decides: bool = True


def compare_packages(before: Path, now: Path, tolerance: float) -> tuple[Difference, ...]:
    """Return what was compared, in an order for people.

    Args:
        before: package folder of the version. now: that of the new training.
        tolerance: largest difference of two numbers that count as the same.

    Raises:
        StepError: a package has no `package.json`, or no sample of predictions.
    """
    old, new = read_json(before / "package.json"), read_json(now / "package.json")
    found = []
    for name in _SAME:
        found += _values(name, old.get(name), new.get(name), decides=name == "data")
    found += _metrics(old.get("metrics"), new.get("metrics"), tolerance)
    found.append(_predictions(before, now, tolerance))
    return tuple(found)


def _values(name: str, old: Any, new: Any, *, decides: bool) -> list[Difference]:
    """Return the differences of a mapping, key by key, or of a plain value."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return [_value(name, old, new, decides=decides)]
    keys = dict.fromkeys((*old, *new))
    return [_value(f"{name} {key}", old.get(key), new.get(key), decides=decides) for key in keys]


def _value(what: str, old: Any, new: Any, *, decides: bool) -> Difference:
    return Difference(
        what=what, before=_text(old), now=_text(new), same=old == new, decides=decides
    )


def _metrics(old: Any, new: Any, tolerance: float) -> list[Difference]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return []
    return [
        Difference(
            what=f"metric {name}",
            before=_text(old.get(name)),
            now=_text(new.get(name)),
            same=_close(old.get(name), new.get(name), tolerance),
        )
        for name in dict.fromkeys((*old, *new))
    ]


def _close(old: Any, new: Any, tolerance: float) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (old, new))
    return math.isclose(old, new, rel_tol=0.0, abs_tol=tolerance) if numbers else old == new


def _predictions(before: Path, now: Path, tolerance: float) -> Difference:
    tables = []
    for package in (before, now):
        path = package / "sample.parquet"
        if not path.is_file():
            raise StepError("a package has no sample of predictions", help="compare its metrics")
        tables.append(pq.read_table(path).sort_by(KEY))
    old, new = tables
    if old[KEY].to_pylist() != new[KEY].to_pylist():
        return Difference(
            what="predictions",
            before=f"{old.num_rows} rows",
            now="for other rows",
            same=False,
        )
    gap = largest_difference(as_array(old[PREDICTION]), as_array(new[PREDICTION]))
    return Difference(
        what="predictions",
        before=f"{old.num_rows} rows",
        now=f"largest difference {gap:.3g}",
        same=gap <= tolerance,
    )


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_text(one)}" for key, one in value.items()) or "none"
    return "none" if value is None else str(value)
