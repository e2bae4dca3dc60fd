"""The calibrate step: a copy of the model with true probabilities and a chosen threshold."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from mlspec.ir.kinds import Kind
from mlspec.runtime.digests import files_of_folder
from mlspec.runtime.metrics.decisions import log_loss
from mlspec.runtime.models.contract import Saving
from mlspec.runtime.models.document import write_document
from mlspec.runtime.models.formats import save_model
from mlspec.runtime.models.objective import objective_of
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.models.tabular import matrix_of
from mlspec.runtime.models.thresholds import candidates, choose_threshold
from mlspec.runtime.steps import calibrate
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.training import call, folders, model, rows


def forest(folder, task="binary"):
    data = rows(300, task, 1)
    estimator = RandomForestClassifier(5, random_state=0).fit(matrix_of(data.features), data.labels)
    folder.mkdir()
    saved = save_model(estimator, folder, Saving(model=model(task), project=folder))
    write_document(folder, model(task), saved)
    return folder


def calibrated(tmp_path, facts, task="binary"):
    source = forest(tmp_path / "model", task)
    before = files_of_folder(source)
    inputs = {"model": source, "validation": folders(tmp_path, task, 20, 400)["validation"]}
    target = tmp_path / "better"
    code = calibrate.run(call(Kind.CALIBRATE, facts, tmp_path, inputs, {"model": target}))
    assert code is StepExit.OK
    assert files_of_folder(source) == before
    return target


@pytest.mark.parametrize("method", ["isotonic", "sigmoid", "temperature"])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_calibrate__lowers_the_loss_on_the_validation_rows(tmp_path, task, method):
    target = calibrated(tmp_path, replace(model(task), calibrate=method), task)
    data = rows(400, task, 2)
    before, after = (
        load_model(tmp_path / name, tmp_path).probabilities(data.features)
        for name in ("model", "better")
    )
    truth = data.labels
    if task == "multiclass":
        truth = np.unique(truth, return_inverse=True)[1]
    assert log_loss(truth, after) < log_loss(truth, before)
    facts = json.loads((target / "model.json").read_text())
    assert facts["calibration"] == {"method": method, "file": "calibration.json", "rows": 400}
    assert set(facts["files"]) == {"model.skops", "calibration.json"}


def test_calibrate__threshold_maximises_the_metric(tmp_path):
    facts = replace(model(), threshold_metric="f1", calibrate="sigmoid")
    target = calibrated(tmp_path, facts)
    predictor = load_model(target, tmp_path)
    data = rows(400, "binary", 2)
    chances = predictor.predict(data.features)
    best = max(f1_score(data.labels, chances >= t) for t in candidates(chances))
    assert predictor.threshold is not None
    assert f1_score(data.labels, chances >= predictor.threshold) == pytest.approx(best)


def test_calibrate__model_without_probabilities_or_calibrated_twice__is_refused(tmp_path):
    target = calibrated(tmp_path, replace(model(), calibrate="sigmoid"))
    inputs = {"model": target, "validation": tmp_path / "validation"}
    with pytest.raises(StepError, match="is calibrated already"):
        calibrate.run(
            call(
                Kind.CALIBRATE,
                replace(model(), calibrate="isotonic"),
                tmp_path,
                inputs,
                {"model": tmp_path / "twice"},
            )
        )
    assert not (tmp_path / "twice").exists()
    with pytest.raises(StepError, match="no probabilities to calibrate"):
        calibrate.run(
            call(
                Kind.CALIBRATE,
                replace(model(), calibrate="isotonic", task="regression"),
                tmp_path,
                {**inputs, "model": tmp_path / "model"},
                {"model": tmp_path / "twice"},
            )
        )


def test_threshold__ties_go_to_the_middle_and_no_choice_is_refused():
    labels = np.array([False, False, True, True])
    chances = np.array([0.1, 0.2, 0.8, 0.9])
    assert choose_threshold(objective_of("accuracy"), labels, chances) == (0.5, 1.0)
    with pytest.raises(StepError, match="the same at every threshold"):
        choose_threshold(objective_of("roc_auc"), labels, chances)


def test_threshold__many_rows__are_tried_evenly():
    chances = np.random.default_rng(0).random(20_000)
    levels = candidates(chances)
    assert len(levels) <= 513
    assert np.diff(levels).max() < 0.01
