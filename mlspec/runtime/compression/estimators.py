"""Estimators of scikit-learn: weights in half precision, forests with fewer trees.

fp16 rounds the weights of linear models and of multilayer perceptrons to half precision; they are
computed with in double precision as before. `prune` takes `share`, the share of the trees of a
forest that is removed (default 0.5): the trees of a forest are drawn alike and independently
(Breiman, Machine Learning 45, 2001), so that the first ones are a forest as well. In a pipeline
the last step is meant.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mlspec.runtime.compression.methods import Task, no_params, share_of
from mlspec.runtime.models import skops_format
from mlspec.runtime.models.libraries import library
from mlspec.runtime.models.skops_archive import canonical
from mlspec.runtime.steps.contract import StepError

_WEIGHTS = ("coef_", "intercept_", "coefs_", "intercepts_")
_FORESTS = frozenset(
    {
        "RandomForestClassifier",
        "RandomForestRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
    }
)


def compress(task: Task) -> str:
    """Replace `model.skops`.

    Raises:
        StepError: the last step of the model is of another kind, or a weight is too large.
    """
    io = library("skops.io", "skops", "scikit-learn models are kept with it")
    model = skops_format.read(task.folder, task.project)
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    done = _half(task, last) if task.method == "fp16" else _fewer(task, last)
    io.dump(model, task.folder / skops_format.FILE)
    canonical(task.folder / skops_format.FILE)
    return done


def _half(task: Task, last: Any) -> str:
    no_params(task)
    names = [name for name in _WEIGHTS if getattr(last, name, None) is not None]
    if not names:
        raise _other(last, "fp16", "linear models and multilayer perceptrons")
    count = 0
    for name in names:
        value = getattr(last, name)
        parts = value if isinstance(value, list) else [value]
        small = [np.asarray(one).astype(np.float16) for one in parts]
        if not all(np.isfinite(one).all() for one in small):
            raise StepError(f"a weight in `{name}` is too large for half precision")
        setattr(last, name, small if isinstance(value, list) else small[0])
        count += sum(one.size for one in small)
    return f"{count} weights in half precision"


def _fewer(task: Task, last: Any) -> str:
    removed = share_of(task, "share", 0.5)
    if type(last).__name__ not in _FORESTS:
        raise _other(last, "prune", "random forests and extremely randomised trees")
    trees = len(last.estimators_)
    if trees < 2:
        raise StepError("the forest has one tree: there is nothing to prune")
    kept = min(trees - 1, max(1, math.ceil(trees * (1 - removed))))
    last.estimators_ = last.estimators_[:kept]
    last.n_estimators = kept
    return f"{kept} of {trees} trees are kept"


def _other(last: Any, method: str, works: str) -> StepError:
    return StepError(
        f"`{method}` cannot be done to {type(last).__name__}", help=f"it works on {works}"
    )
