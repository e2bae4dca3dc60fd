"""The compress step on models of scikit-learn; other formats in tests/conformance."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlspec.ir.facts import CompressFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.compression.methods import METHODS
from mlspec.runtime.digests import files_of_folder
from mlspec.runtime.models.contract import Saving
from mlspec.runtime.models.document import write_document
from mlspec.runtime.models.formats import save_model
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.models.tabular import matrix_of
from mlspec.runtime.steps import compress
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.training import call, folders, model, rows


def compressed(tmp_path, estimator, method, task="binary", **params):
    data = rows(300, task, 1)
    source, target = tmp_path / "model", tmp_path / "small"
    source.mkdir()
    estimator.fit(matrix_of(data.features), data.labels)
    saved = save_model(estimator, source, Saving(model=model(task), project=tmp_path))
    write_document(source, model(task), saved)
    before = files_of_folder(source)
    facts = replace(model(task), compress=CompressFacts(method=method, params=params))
    inputs = {"model": source, "validation": folders(tmp_path, task, 20, 100)["validation"]}
    code = compress.run(call(Kind.COMPRESS, facts, tmp_path, inputs, {"model": target}))
    assert code is StepExit.OK
    assert files_of_folder(source) == before
    features = rows(100, task, 2).features
    one, two = (load_model(place, tmp_path).predict(features) for place in (source, target))
    note = json.loads((target / "model.json").read_text())["details"]["compressed"]
    return one, two, note


def test_compress__fp16__rounds_the_weights_of_the_last_step(tmp_path, capsys):
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    before, after, note = compressed(tmp_path, estimator, "fp16")
    assert 0 < np.abs(after - before).max() < 0.002
    assert note["done"] == "4 weights in half precision"
    assert "4 weights in half precision:" in capsys.readouterr().out


def test_compress__fp16__of_a_perceptron__makes_the_file_smaller(tmp_path):
    estimator = MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=20, tol=1.0, random_state=0)
    before, after, note = compressed(tmp_path, estimator, "fp16", "regression")
    assert 0 < np.abs(after - before).max() < 0.02
    assert note["bytes"] < note["bytes_before"]


def test_compress__prune__keeps_the_first_trees(tmp_path):
    forest = RandomForestClassifier(20, random_state=0)
    before, after, note = compressed(tmp_path, forest, "prune", share=0.75)
    features = matrix_of(rows(100, "binary", 2).features)
    first = np.mean([tree.predict_proba(features)[:, 1] for tree in forest.estimators_[:5]], axis=0)
    np.testing.assert_allclose(after, first)
    assert note["done"] == "5 of 20 trees are kept"
    assert note["bytes"] < 0.5 * note["bytes_before"]
    assert not np.array_equal(before, after)


@pytest.mark.parametrize(
    ("estimator", "method", "params", "said"),
    [
        (LogisticRegression(), "int8", {}, "`int8` cannot be done to a model of the format `skops`"),
        (LogisticRegression(), "prune", {}, "`prune` cannot be done to LogisticRegression"),
        (HistGradientBoostingClassifier(max_iter=3), "fp16", {}, "cannot be done to HistGradient"),
        (RandomForestClassifier(3), "prune", {"share": 1.5}, "a share above 0 and below 1, not 1.5"),
        (RandomForestClassifier(3), "prune", {"trees": 1}, "`prune` has no parameter `trees`"),
        (RandomForestClassifier(1), "prune", {}, "the forest has one tree"),
    ],
)  # fmt: skip
def test_compress__what_a_method_cannot_do__is_refused(tmp_path, estimator, method, params, said):
    with pytest.raises(StepError) as raised:
        compressed(tmp_path, estimator, method, **params)
    assert said in raised.value.message
    assert not (tmp_path / "small").exists()


def test_compress__distill__says_how_it_is_done(tmp_path):
    with pytest.raises(StepError) as raised:
        compressed(tmp_path, LogisticRegression(), "distill")
    assert "asks for `base`" in raised.value.help


def test_compress__every_method_of_the_table_has_a_module():
    from importlib import import_module

    modules = {path for methods in METHODS.values() for path in methods.values()}
    assert all(callable(import_module(path).compress) for path in modules)
