"""What one would say without a model: the built-in baselines.

| name | says | for |
|---|---|---|
| `prior` | the share of each class among the training rows | classes |
| `majority` | the most frequent class, with certainty | classes |
| `mean` | the mean label of the training rows (of a binary label: its share) | numbers, binary |
| `last` | the label of the newest training row (of the same entity, if rows have one) | time |

Duty: training rows to predictions for other rows. Invariants: only training rows are looked at; the
answer has the shape that a model of the same output gives. A tie of `majority` is the class that
sorts first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.metrics.arrays import AnyArray, Floats
from mlspec.runtime.models.labels import labels_of
from mlspec.runtime.rows.folder import CLUSTER, TIMES, Rows
from mlspec.runtime.steps.contract import StepError

BUILT_IN = ("prior", "majority", "mean", "last")


def baseline_predictions(
    name: str, model: ModelFacts, train: Rows, rows: Rows, classes: tuple[Any, ...]
) -> AnyArray:
    """Return what a baseline says of rows.

    Args:
        name: one of `BUILT_IN`. model: whose output is imitated.
        train: training rows with labels. rows: those to predict.
        classes: labels of the columns of probabilities, of a model with classes; the second of two
            is the positive one.

    Returns:
        Shape (n,) numbers, probabilities or classes, or (n, classes) probabilities.

    Raises:
        StepError: the baseline does not fit the task, or training rows lack what it needs.
    """
    if not len(train):
        raise StepError(f"the baseline `{name}` needs training rows")
    labels = labels_of(train)
    if labels.ndim != 1:
        raise StepError(f"the baseline `{name}` does not fit several labels at once")
    kind = model.output[0].type if model.output else "score"
    if model.task in {"binary", "multiclass"}:
        return _of_classes(name, model, kind, labels, (train, rows), classes)
    if name in {"prior", "majority"} or labels.dtype.kind not in "biuf":
        raise StepError(
            f"the baseline `{name}` does not fit the task `{model.task}`",
            help="use `mean` or `last` for numbers, `prior` or `majority` for classes",
        )
    if name == "mean":
        return np.full(len(rows), labels.astype(np.float64).mean())
    return np.asarray(labels.astype(np.float64)[_newest(train, rows)])


def _of_classes(
    name: str,
    model: ModelFacts,
    kind: str,
    labels: AnyArray,
    sides: tuple[Rows, Rows],
    classes: tuple[Any, ...],
) -> AnyArray:
    train, rows = sides
    known = _comparable(np.asarray(list(classes)), labels)
    one_hot: Floats = (labels[:, None] == known[None, :]).astype(np.float64)
    if name == "last":
        said = one_hot[_newest(train, rows)]
    else:
        shares = one_hot.mean(axis=0)
        if name == "majority":
            shares = np.eye(len(known))[int(shares.argmax())]
        elif name == "mean" and model.task != "binary":
            raise StepError(
                "the baseline `mean` does not fit the task `multiclass`", help="use `prior`"
            )
        said = np.tile(shares, (len(rows), 1))
    if kind == "class":
        return np.asarray(known[said.argmax(axis=1)])
    return said[:, -1] if model.task == "binary" else said


def _comparable(classes: AnyArray, labels: AnyArray) -> AnyArray:
    """Classes in the type of the labels: a model may say 0 and 1 of what the data calls bool."""
    if classes.dtype.kind in "biuf" and labels.dtype.kind in "biuf":
        return classes.astype(labels.dtype)
    return classes.astype(np.str_) if labels.dtype.kind == "U" else classes


def _newest(train: Rows, rows: Rows) -> AnyArray:
    """Return for each row the newest training row of its entity, or of all."""
    if TIMES not in train.table.column_names:
        raise StepError("the baseline `last` needs rows with time")
    times = train.table[TIMES].cast("int64").to_numpy()
    order = np.argsort(times, kind="stable")
    found = np.full(len(rows), order[-1])
    if CLUSTER not in train.table.column_names:
        return found
    newest = dict(zip(train.table[CLUSTER].to_numpy()[order].tolist(), order.tolist(), strict=True))
    asked = rows.table[CLUSTER].to_pylist()
    return np.array([newest.get(one, order[-1]) for one in asked], dtype=np.int64)
