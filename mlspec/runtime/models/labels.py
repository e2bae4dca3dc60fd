"""Labels of rows: as an array for libraries, and as the classes of a model.

Invariants: a missing label is an error; a binary label is a truth value, 0 or 1, and training rows
hold both; classes are sorted, so that their numbers are those of `numpy.unique`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.metrics.arrays import AnyArray, missing
from mlspec.runtime.models.tabular import plain
from mlspec.runtime.rows.folder import LABEL, Rows
from mlspec.runtime.steps.contract import StepError


def labels_of(rows: Rows) -> AnyArray:
    """Return the label of each row: shape (n,), or (n, k) for several labels at once.

    Raises:
        StepError: there are none, or one is missing.
    """
    if LABEL not in rows.table.column_names:
        raise StepError("the rows have no label", help="name the column in `label` of the model")
    labels = np.asarray(rows.labels)
    gone = rows.table[LABEL].null_count or (int(missing(labels).sum()) if labels.ndim == 1 else 0)
    if gone:
        raise StepError(f"{gone} of {len(labels)} labels are missing")
    if labels.dtype == object and len(labels) and isinstance(labels[0], (list, np.ndarray)):
        return np.stack([np.asarray(one) for one in labels])
    return labels


def check_labels(model: ModelFacts, rows: Rows) -> None:
    """Hold the labels of training rows against the task.

    Raises:
        StepError: a binary label is neither true nor false, or all rows have the same one.
    """
    if model.task not in {"binary", "multiclass"} or LABEL not in rows.table.column_names:
        return
    found = np.unique(labels_of(rows))
    if model.task == "binary" and not (
        found.dtype.kind in "biuf" and bool(np.isin(found, (0, 1)).all())
    ):
        shown = ", ".join(f"`{one}`" for one in found[:3])
        raise StepError(
            f"the label of a binary model is true or false (or 1 and 0), not {shown}",
            help="declare `task: multiclass`, or make the label a bool where the data is made",
        )
    if len(found) < 2:
        raise StepError(
            f"all {len(rows)} training rows have the label `{found[0]}`",
            help="there is nothing to learn; look at the split and at the label's data",
        )


def classes_of(model: ModelFacts, rows: Rows) -> tuple[Any, ...]:
    """Return the labels that rows hold, sorted; empty unless the task has classes."""
    if model.task not in {"binary", "multiclass"} or LABEL not in rows.table.column_names:
        return ()
    return tuple(plain(one) for one in np.unique(labels_of(rows)))
