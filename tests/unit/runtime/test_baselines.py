"""Built-in baselines: what one would say without a model."""

from __future__ import annotations

import numpy as np
import pytest

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.baselines import baseline_predictions
from mlspec.runtime.steps.contract import StepError
from tests.support.rows import at, columns, rows_of

TEST = rows_of({"x": [0, 0, 0]}, times=[at(9)] * 3, _cluster=[1, 2, 9])


def said(name, label, task="binary", output="probability", classes=(False, True), *, clusters=True):
    times = [at(n) for n in range(len(label))][::-1]  # the newest row comes first
    more = {"_cluster": [1, 2, 1, 2, 1][: len(label)]} if clusters else {}
    train = rows_of({"x": [0] * len(label)}, label, times=times, **more)
    model = ModelFacts(id="m", task=task, output=columns(y=output))
    return baseline_predictions(name, model, train, TEST, classes).tolist()


def test_prior__is_the_share_of_positives():
    assert said("prior", [True, False, False, False]) == [0.25] * 3
    assert said("mean", [True, False, False, False]) == [0.25] * 3
    assert said("prior", [1, 0, 0, 0], classes=(0, 1)) == [0.25] * 3
    assert said("prior", [1, 0, 0, 0]) == [0.25] * 3


def test_prior__of_classes_is_in_their_order():
    found = said("prior", ["b", "a", "b", "c"], "multiclass", classes=("c", "b", "a", "d"))
    assert found == [[0.25, 0.5, 0.25, 0.0]] * 3


def test_majority__is_certain():
    assert said("majority", [True, False, False]) == [0.0] * 3
    assert said("majority", ["b", "a", "b"], "multiclass", classes=("a", "b")) == [[0.0, 1.0]] * 3
    assert said("majority", ["b", "a", "b"], "multiclass", "class", ("a", "b")) == ["b"] * 3


def test_mean__of_numbers():
    assert said("mean", [1.0, 2.0, 6.0], "regression", "float", ()) == [3.0] * 3


def test_last__is_of_the_entity_or_of_all():
    assert said("last", [5.0, 7.0, 6.0], "regression", "float", ()) == [5.0, 7.0, 5.0]
    assert said("last", [5.0, 7.0, 6.0], "regression", "float", (), clusters=False) == [5.0] * 3
    assert said("last", [True, False, False]) == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "label", "task", "words"),
    [
        ("prior", [1.0, 2.0], "regression", "`prior` does not fit the task `regression`"),
        ("majority", [1.0, 2.0], "forecast", "does not fit the task `forecast`"),
        ("mean", ["a", "b"], "multiclass", "does not fit the task `multiclass`"),
        ("mean", ["a", "b"], "generation", "does not fit the task `generation`"),
    ],
)
def test_baseline__that_does_not_fit_is_refused(name, label, task, words):
    with pytest.raises(StepError, match=words):
        said(name, label, task, "float", tuple(sorted(set(label))))


def test_baseline__without_training_rows_or_time_is_refused():
    empty = rows_of({"x": [1.0]}, [True]).take(np.array([False]))
    model = ModelFacts(id="m", task="binary", output=columns(y="probability"))
    with pytest.raises(StepError, match="needs training rows"):
        baseline_predictions("prior", model, empty, TEST, (False, True))
    timeless = rows_of({"x": [1.0, 2.0]}, [True, False])
    with pytest.raises(StepError, match="needs rows with time"):
        baseline_predictions("last", model, timeless, TEST, (False, True))
