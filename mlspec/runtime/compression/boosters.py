"""Boosted trees with fewer rounds: the first ones are kept, which correct the most.

`prune` takes `share`, the share of rounds that is removed (default 0.5). A model of boosting is a
sum in which each round corrects those before it (Friedman, Annals of Statistics 29, 2001): the
first rounds alone are the model that training would have given with fewer rounds.
"""

from __future__ import annotations

import math

from mlspec.runtime.compression.methods import Task, share_of
from mlspec.runtime.models import lightgbm_format, xgboost_format
from mlspec.runtime.models.libraries import library
from mlspec.runtime.steps.contract import StepError


def compress(task: Task) -> str:
    """Replace the booster's file.

    Raises:
        StepError: there is one round only.
    """
    removed = share_of(task, "share", 0.5)
    if task.facts["format"] == "xgboost":
        return _xgboost(task, removed)
    lightgbm = library("lightgbm", "lightgbm", "the model is one of LightGBM")
    path = task.folder / lightgbm_format.FILE
    booster = lightgbm.Booster(model_file=str(path))
    rounds = booster.current_iteration()
    kept = _kept(rounds, removed)
    booster.save_model(path, num_iteration=kept)
    return f"{kept} of {rounds} rounds are kept"


def _xgboost(task: Task, removed: float) -> str:
    xgboost = library("xgboost", "xgboost", "the model is one of XGBoost")
    path = task.folder / xgboost_format.FILE
    booster = xgboost.Booster()
    booster.load_model(path)
    best = booster.attr("best_iteration")
    rounds = booster.num_boosted_rounds() if best is None else int(best) + 1
    kept = _kept(rounds, removed)
    small = booster[:kept]
    small.set_attr(best_iteration=None)
    small.save_model(path)
    return f"{kept} of {rounds} rounds are kept"


def _kept(rounds: int, removed: float) -> int:
    if rounds < 2:
        raise StepError("the model has one round of trees: there is nothing to prune")
    return min(rounds - 1, max(1, math.ceil(rounds * (1 - removed))))
