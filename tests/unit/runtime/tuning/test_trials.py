"""The order of trials, failures, shares of the rows, the best."""

from __future__ import annotations

import time

import pytest

from mlspec.ir.facts import Range, TuneFacts
from mlspec.runtime.models.objective import objective_of
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tuning.search import Listed, search_of
from mlspec.runtime.tuning.trials import best_of, run_trials

AUC, LOSS = objective_of("roc_auc"), objective_of("log_loss")


def points(*values):
    return Listed([{"x": value} for value in values])


def test_trials__come_in_order_however_long_they_take():
    def measure(one, _share):
        time.sleep(0.05 if one.number == 0 else 0)
        return one.params["x"]

    found = list(run_trials(points(1, 5, 3), measure, parallel=3))
    assert [one.number for one in found] == [0, 1, 2]
    assert best_of(found, AUC).number == 1
    assert best_of(found, LOSS).number == 0


def test_trials__equal_values__the_first_wins():
    found = list(run_trials(points(2, 2), lambda one, _: 1.0, parallel=1))
    assert best_of(found, AUC).number == 0


def test_trials__failing_one_is_recorded__all_failing_is_an_error():
    def measure(one, _share):
        if one.params["x"] < 0:
            raise StepError("too small")
        return 0.5

    found = list(run_trials(points(-1, 1, -2), measure, parallel=2))
    assert [one.state for one in found] == ["failed", "done", "failed"]
    assert found[0].to_json() == {
        "number": 0,
        "params": {"x": -1},
        "state": "failed",
        "objective": None,
        "error": "too small",
    }
    assert best_of(found, AUC).number == 1
    bad = list(run_trials(points(-1, -2), measure, parallel=2))
    with pytest.raises(StepError, match="none of 2 trials made a model: too small"):
        best_of(bad, AUC)


class Halving:
    """Gives up on a trial below 1 at the first share."""

    shares = (0.5, 1.0)

    def __init__(self):
        self.inner, self.told = points(0, 2), []

    def ask(self, count):
        return self.inner.ask(count)

    def goes_on(self, number, rung, value):
        self.told.append((number, rung, value))
        return value >= 1

    def tell(self, number, value, *, pruned=False):
        self.told.append((number, value, pruned))


def test_trials__shares__only_survivors_go_on():
    search, seen = Halving(), []

    def measure(one, share):
        seen.append((one.number, share))
        return one.params["x"] + share

    found = list(run_trials(search, measure, parallel=1))
    assert seen == [(0, 0.5), (1, 0.5), (1, 1.0)]
    assert [one.state for one in found] == ["pruned", "done"]
    assert found[1].shares == ((0.5, 2.5), (1.0, 3.0))
    assert search.told == [(0, 0, 0.5), (0, None, True), (1, 0, 2.5), (1, 3.0, False)]
    assert best_of(found, LOSS).number == 1


@pytest.mark.parametrize("method", ["tpe", "cmaes", "hyperband"])
def test_search__without_optuna__names_the_package(method):
    how = TuneFacts(
        method=method,
        objective="roc_auc",
        space=(Range(name="x", kind="uniform", values=(0, 1)),),
    )
    with pytest.raises(StepError, match="`optuna` is not installed") as raised:
        search_of(how, maximise=True)
    assert raised.value.help == "pip install optuna"


def test_search__unknown_method__is_refused():
    how = TuneFacts(method="guess", space=(Range(name="x", kind="uniform", values=(0, 1)),))
    with pytest.raises(StepError, match="`guess` is no method"):
        search_of(how, maximise=True)
