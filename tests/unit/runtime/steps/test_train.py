"""Training in a process of its own, from rows to a model that predicts."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from mlspec.ir.kinds import Kind
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.steps import train
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.training import INPUT, call, folders, model, project, rows, table

LOGISTIC = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

def fit(features, label, params, seed):
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=params["C"], random_state=seed)
    ).fit(features, label)
"""
KEEP = """
import os, random, json
import numpy as np

class Mean:
    def __init__(self, value): self.value = value
    def save(self, folder): (folder / "mean.json").write_text(json.dumps(self.value))
    @classmethod
    def load(cls, folder): return cls(json.loads((folder / "mean.json").read_text()))
    def predict(self, features): return np.full(features.num_rows, self.value)

def fit(features, label, params, seed, threads, validation, output, base, rank, workers):
    told = {
        "omp": os.environ["OMP_NUM_THREADS"],
        "hash": os.environ["PYTHONHASHSEED"],
        "random": random.random(),
        "numpy": float(np.random.random()),
        "params": params, "seed": seed, "threads": threads,
        "columns": features.column_names, "rows": [features.num_rows, len(label)],
        "validation": [validation[0].num_rows, len(validation[1])],
        "base": None if base is None else sorted(p.name for p in base.iterdir()),
        "rank": [rank, workers],
    }
    (output / "told.json").write_text(json.dumps(told))
    return Mean(float(label.mean()))
"""


def trained(tmp_path, facts, inputs, home, **more):
    target = tmp_path / "model"
    code = train.run(call(Kind.TRAIN, facts, home, {**inputs, **more}, {"model": target}))
    assert code is StepExit.OK
    return target


def test_train__scikit_learn_model_predicts_what_it_predicted_before(tmp_path):
    home = project(tmp_path / "home", train=LOGISTIC)
    inputs = folders(tmp_path)
    target = trained(tmp_path, model(params={"C": 0.5}), inputs, home)

    facts = json.loads((target / "model.json").read_text())
    assert facts["format"] == "skops"
    assert facts["params"] == {"C": 0.5}
    assert facts["seed"] == 7
    assert facts["classes"] == [False, True]
    assert set(facts["files"]) == {"model.skops"}
    found = load_model(target, home)
    test = rows(200, seed=9)
    predicted = found.predict(test.features)
    assert predicted.shape == (200,)
    assert predicted.dtype == np.float64
    assert ((predicted > 0.5) == test.labels).mean() > 0.85
    mixed = test.features.select(["foreign", "amount", "hour"])
    np.testing.assert_array_equal(found.predict(mixed), predicted)


def test_train__tuned_parameters_win_over_those_of_the_spec(tmp_path):
    home = project(tmp_path / "home", train=LOGISTIC)
    (tmp_path / "params.json").write_text('{"params": {"C": 0.125}}')
    target = trained(
        tmp_path, model(params={"C": 4.0}), folders(tmp_path), home, params=tmp_path / "params.json"
    )
    assert json.loads((target / "model.json").read_text())["params"] == {"C": 0.125}


def test_train__entry_point_gets_what_it_asks_for_and_fixed_seeds(tmp_path):
    home = project(tmp_path / "home", train=KEEP)
    inputs = folders(tmp_path)
    facts = model(params={"a": 1}, seed=11, threads=2)
    base = tmp_path / "base"
    base.mkdir()
    (base / "model.json").write_text("{}")
    target = trained(tmp_path, facts, inputs, home, base=base)

    told = json.loads((target / "extra" / "told.json").read_text())
    drawn = np.random.RandomState(11).random_sample()
    assert told.pop("numpy") == drawn
    assert 0 <= told.pop("random") < 1
    assert told == {
        "omp": "2",
        "hash": "11",
        "params": {"a": 1},
        "seed": 11,
        "threads": 2,
        "columns": [one.name for one in INPUT],
        "rows": [300, 300],
        "validation": [120, 120],
        "base": ["model.json"],
        "rank": [0, 1],
    }
    predictor = load_model(target, home)
    assert predictor.facts["loader"] == "own.train:Mean"
    assert (
        predictor.predict(table(3)).tolist() == [pytest.approx(rows(300, seed=1).labels.mean())] * 3
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def fit(features, target): return 1", "asks for `target`, which is not offered"),
        ("def fit(features, label):\n    return 1 / 0", "ZeroDivisionError"),
        ("def fit(label): return {'a': 1}", "a `builtins.dict`, which no model format keeps"),
        ("def fit(label): return None", "returned nothing and wrote nothing"),
        (
            "import os, signal\ndef fit(label): os.kill(os.getpid(), signal.SIGKILL)",
            "was killed by SIGKILL",
        ),
        ("import os\ndef fit(label): os._exit(3)", "ended with exit code 3"),
        (KEEP.replace("self.value)", "float('nan'))").split("def fit")[0]
         + "def fit(label): return Mean(1.0)", "predicts no number"),
        (KEEP.split("def fit", maxsplit=1)[0] + "def fit(label): return Mean(1.5)", "which is no probability"),
        (KEEP.split("def fit", maxsplit=1)[0].replace("num_rows,", "num_rows + 1,")
         + "def fit(label): return Mean(0.5)", "121 predictions for 120 rows"),
    ],
    ids=["unknown name", "raises", "no model", "nothing", "killed", "exits", "nan", "range", "rows"],
)  # fmt: skip
def test_train__failure_is_told_and_leaves_no_model(tmp_path, body, said):
    home = project(tmp_path / "home", train=body)
    with pytest.raises(StepError) as raised:
        trained(tmp_path, model(), folders(tmp_path), home)
    assert said in raised.value.message
    assert not (tmp_path / "model").exists()
    assert not [one for one in tmp_path.iterdir() if one.name.endswith(".part")]


def test_train__one_class_only__is_refused_before_the_entry_point(tmp_path):
    home = project(tmp_path / "home", train="def fit(label): raise SystemExit(9)")
    inputs = folders(tmp_path)
    one = rows(50, seed=1)
    everything = one.table.set_column(
        one.table.column_names.index("_label"), "_label", pa.array([True] * 50)
    )
    from dataclasses import replace

    from mlspec.runtime.rows.folder import write_rows

    write_rows(tmp_path / "train", replace(one, table=everything))
    with pytest.raises(StepError, match="all 50 training rows have the label `True`"):
        trained(tmp_path, model(), inputs, home)


def test_train__several_workers_of_an_engine_that_trains_in_one__is_refused(tmp_path):
    home = project(tmp_path / "home", train=LOGISTIC)
    with pytest.raises(StepError, match="`workers: 2`: the engine `scikit-learn` trains in one"):
        trained(tmp_path, model(engine="scikit-learn", workers=2), folders(tmp_path), home)
