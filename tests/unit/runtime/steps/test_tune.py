"""Tuning: trials in processes, measured on the validation rows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mlspec.ir.facts import MetricFacts, Range, TuneFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.steps import tune
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.training import call, folders, model, project

CONSTANT = """
import json
import numpy as np

class Weighted:
    def __init__(self, w): self.w = w
    def save(self, folder): (folder / "w.json").write_text(json.dumps(self.w))
    @classmethod
    def load(cls, folder): return cls(json.loads((folder / "w.json").read_text()))
    def predict(self, features):
        score = features["amount"].to_numpy() + self.w * (features["hour"].to_numpy() - 12)
        return 1 / (1 + np.exp(-score))

def fit(params):
    if params["w"] < 0:
        raise ValueError("w is negative")
    return Weighted(params["w"])

def positives(table):
    return -abs(sum(p > 0.5 for p in table["prediction"].to_pylist()) - 100)
"""
SPACE = (Range(name="w", kind="choice", values=(5.0, 0.125, -1.0)),)


def tuned(tmp_path, how, name="params.json", **node):
    home = project(tmp_path / "home", train=CONSTANT)
    facts = replace(model(params={"kept": 1}), tune=how)
    target = tmp_path / name
    code = tune.run(call(Kind.TUNE, facts, home, folders(tmp_path), {"params": target}, **node))
    assert code is StepExit.OK
    return json.loads(target.read_text())


def test_tune__grid__finds_the_weight_and_logs_every_trial(tmp_path, capsys):
    how = TuneFacts(method="grid", trials=3, parallel=2, objective="roc_auc", space=SPACE)
    found = tuned(tmp_path, how)
    assert found["params"] == {"w": 0.125}
    assert found["best"] == 1
    assert found["objective"]["metric"] == "roc_auc"
    assert found["objective"]["value"] > 0.9
    assert [one["state"] for one in found["trials"]] == ["done", "done", "failed"]
    assert "ValueError: w is negative" in found["trials"][2]["error"]
    lines = (tmp_path / "trials.jsonl").read_text().splitlines()
    assert [json.loads(one) for one in lines] == found["trials"]
    assert "best of 3 trials is number 1" in capsys.readouterr().out


def test_tune__lower_is_better__for_a_loss_and_a_metric_of_ones_own(tmp_path):
    how = TuneFacts(method="grid", trials=2, objective="log_loss", space=SPACE)
    how = replace(how, space=(Range(name="w", kind="choice", values=(0.125, 5.0)),))
    assert tuned(tmp_path, how)["objective"]["better"] == "lower"
    assert tuned(tmp_path, how)["params"] == {"w": 0.125}
    own = MetricFacts(name="near", function="own.train:positives", better="higher")
    found = tuned(tmp_path, replace(how, objective="near"), metrics=(own,))
    assert found["objective"]["value"] <= 0


def test_tune__same_seed__same_bytes(tmp_path):
    space = (Range(name="w", kind="loguniform", values=(0.01, 1.0)),)
    how = TuneFacts(trials=3, parallel=2, objective="roc_auc", space=space, seed=5)
    tuned(tmp_path, how, "one.json")
    tuned(tmp_path, how, "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_tune__no_trial_makes_a_model__is_an_error(tmp_path):
    space = (Range(name="w", kind="choice", values=(-1.0,)),)
    how = TuneFacts(method="grid", trials=1, objective="roc_auc", space=space)
    with pytest.raises(StepError, match=r"none of 1 trials made a model: .*w is negative"):
        tuned(tmp_path, how)
    assert not (tmp_path / "params.json").exists()
    assert (tmp_path / "trials.jsonl").exists()


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ("rocauc", "is no metric"),
        ("mean_score", "cannot be an objective"),
        ("bias", "cannot be an objective"),
        ("p99_latency", "cannot be an objective"),
    ],
)
def test_tune__objective_without_direction__is_refused(tmp_path, objective, said):
    with pytest.raises(StepError, match=said):
        tuned(tmp_path, TuneFacts(objective=objective, space=SPACE))
