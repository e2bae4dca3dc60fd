"""The evaluate step: one table, the same rows for all models, and clear words for a bad model."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlspec.ir.facts import CheckFacts, EnsembleFacts, ModelFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.judging.scores import read_scores
from mlspec.runtime.registry.model import State, Version
from mlspec.runtime.scoring.measure import FEW, MANY, as_column, score
from mlspec.runtime.statistics.quantiles import quantile_interval
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.steps.evaluate import evaluate
from tests.support.rows import at, call_of, columns, rows_folder, rows_of


@dataclass
class Fake:
    """A model that says `factor * x`, or what it is given."""

    facts: dict

    @property
    def classes(self):
        found = self.facts.get("classes")
        return None if found is None else tuple(found)

    @property
    def threshold(self):
        return self.facts.get("threshold")

    def predict(self, features):
        x = features["x"].to_numpy()
        if "says" in self.facts:
            return np.array(self.facts["says"])[x.astype(int) % len(self.facts["says"])]
        if self.facts.get("short") and len(x) > 1:
            return x[1:]
        found = x * self.facts.get("factor", 1.0)
        return np.where(found == self.facts.get("nan", -1.0), np.nan, found)


def fake_load(folder, project):
    del project
    return Fake(json.loads((folder / "model.json").read_text()))


class Shelf:
    """A registry with one champion, or none."""

    def __init__(self, folder=None, number=3):
        self.folder, self.number = folder, number

    def find(self, model, ref):
        assert (model, ref) == ("m", "champion")
        if self.folder is None:
            return None
        return Version(
            model=model, number=self.number, digest="sha256:c", state=State.CHAMPION, created=""
        )

    def fetch(self, version, into):
        assert version.number == self.number
        shutil.copytree(self.folder, into / "model")
        return into


def model_folder(place, **facts):
    place.mkdir(parents=True)
    (place / "model.json").write_text(json.dumps({"input": [{"name": "x"}], **facts}))
    return place


def facts_of(**more):
    found = {"id": "m", "task": "regression", "output": columns(y="float")}
    return ModelFacts(**{**found, **more})


def scored(tmp_path, noun, test, *, shelf=None, train=None, **folders):
    inputs = {name: model_folder(tmp_path / name, **facts) for name, facts in folders.items()}
    inputs["test"] = rows_folder(tmp_path / "test", test)
    if train is not None:
        inputs["train"] = rows_folder(tmp_path / "train", train)
    call = call_of(Kind.EVALUATE, tmp_path, noun, inputs, {"scores": tmp_path / "out" / "scores"})
    assert evaluate(call, shelf or Shelf(), fake_load) == 0
    table = pq.read_table(tmp_path / "out/scores/scores.parquet")
    return table, json.loads((tmp_path / "out/scores/scores.json").read_text())


TEST = rows_of(
    {"x": [1.0, 2.0, 3.0]},
    [1.0, 2.0, 4.0],
    keys="abc",
    times=[at(1), at(2), at(3)],
    **{"_slice.country": ["NO", "SE", "NO"], "_cluster": [0, 1, 0]},
)


def test_scores__of_all_models_on_the_same_rows(tmp_path):
    model = facts_of(
        baseline="rule-book",
        references=("champion", "rule-book", "other"),
        ensemble=EnsembleFacts(members=("one", "two-b"), combine="mean"),
    )
    champion = model_folder(tmp_path / "registry", factor=5.0, threshold=0.4)
    table, facts = scored(
        tmp_path,
        model,
        TEST,
        shelf=Shelf(champion),
        model={"factor": 1.0},
        uncompressed={"factor": 2.0},
        m_one={"factor": 3.0},
        m_two_b={"factor": 4.0},
        r_rule_book={"factor": 6.0},
    )
    names = ["candidate", "champion", "uncompressed", "one", "two-b", "rule-book", "baseline"]
    beside = ["_key", "_time", "_label", "_slice.country", "_cluster"]
    assert table.column_names == [*beside, *names]
    factors = [1, 5, 2, 3, 4, 6, 6]
    for name, factor in zip(names, factors, strict=True):
        assert table[name].to_pylist() == [factor * x for x in (1.0, 2.0, 3.0)]
    assert facts["models"]["champion"]["version"] == 3
    assert facts["models"]["champion"]["threshold"] == 0.4
    assert facts["models"]["candidate"]["digest"] == digest_of_folder(tmp_path / "model")
    assert facts["rows"] == 3
    assert facts["absent"] == {"other": "no such model was given to the step"}
    one = facts["models"]["candidate"]
    assert one["bytes"] == (tmp_path / "model/model.json").stat().st_size
    assert 5 <= len(one["latencies"]) <= FEW
    assert 0 < one["p50_latency"] <= one["p99_latency"]
    assert one["seconds_per_row"] > 0


def test_scores__are_what_the_gate_reads(tmp_path):
    model = facts_of(task="multiclass", output=columns(y="probability"), baseline="prior")
    test = rows_of({"x": [0.0, 1.0]}, ["b", "a"])
    train = rows_of({"x": [0.0] * 4}, ["a", "b", "b", "b"])
    champion = model_folder(
        tmp_path / "registry", classes=["b", "z"], says=[[0.9, 0.1], [0.2, 0.8]]
    )
    table, facts = scored(
        tmp_path,
        model,
        test,
        train=train,
        shelf=Shelf(champion),
        model={"classes": ["a", "b"], "says": [[0.3, 0.7], [0.6, 0.4]]},
    )
    assert facts["classes"] == ["a", "b", "z"]
    assert table["candidate"].to_pylist() == [[0.3, 0.7, 0.0], [0.6, 0.4, 0.0]]
    assert table["champion"].to_pylist() == [[0.0, 0.9, 0.1], [0.0, 0.2, 0.8]]
    assert table["baseline"].to_pylist() == [[0.25, 0.75, 0.0]] * 2
    read = read_scores(tmp_path / "out/scores", "multiclass")
    assert read.labels.tolist() == [1, 0]
    assert read.models["champion"].predictions.tolist() == [[0.0, 0.9, 0.1], [0.0, 0.2, 0.8]]


def test_scores__of_classes_are_text(tmp_path):
    model = facts_of(task="multiclass", output=columns(y="class"), baseline="majority")
    test, train = rows_of({"x": [0.0, 1.0]}, ["b", "a"]), rows_of({"x": [0.0]}, ["b"])
    table, _ = scored(
        tmp_path, model, test, train=train, model={"classes": ["a", "b"], "says": ["a", "b"]}
    )
    assert table["candidate"].to_pylist() == ["a", "b"]
    assert table["baseline"].to_pylist() == ["b", "b"]


def test_scores__binary_with_prior_and_no_champion(tmp_path):
    model = facts_of(task="binary", output=columns(y="probability"), baseline="prior")
    test = rows_of({"x": [0.25, 0.5]}, [True, False])
    train = rows_of({"x": [0.0] * 4}, [True, False, False, False])
    table, facts = scored(tmp_path, model, test, train=train, model={})
    assert table["baseline"].to_pylist() == [0.25, 0.25]
    assert facts["classes"] == [False, True]
    assert facts["absent"] == {"champion": "no version is the champion yet"}
    assert "champion" not in table.column_names
    assert read_scores(tmp_path / "out/scores", "binary").labels.tolist() == [True, False]


def test_champion__that_reads_a_feature_that_is_gone_is_absent_with_the_reason(tmp_path):
    champion = model_folder(tmp_path / "registry", input=[{"name": "old"}])
    table, facts = scored(tmp_path, facts_of(), TEST, shelf=Shelf(champion), model={})
    assert "champion" not in table.column_names
    assert facts["absent"] == {"champion": "it reads `old`, which is no feature any more"}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"nan": 2.0}, "`candidate` gave no prediction for 1 of 3 rows; the first is row 1"),
        ({"short": True}, "`candidate` predicted 2 for 3 rows"),
    ],
)
def test_candidate__with_bad_predictions_is_refused(tmp_path, facts, words):
    with pytest.raises(StepError, match=words):
        scored(tmp_path, facts_of(), TEST, model=facts)


def test_rows__none_or_twice_the_same_key_are_refused(tmp_path):
    with pytest.raises(StepError, match="there are no test rows"):
        scored(tmp_path / "a", facts_of(), TEST.take(np.zeros(3, dtype=bool)), model={})
    twice = rows_of({"x": [1.0, 2.0]}, [1.0, 2.0], keys=["k", "k"])
    with pytest.raises(StepError, match="the key 'k' stands in two test rows"):
        scored(tmp_path / "b", facts_of(), twice, model={})


def test_latency__is_that_of_single_rows():
    ticks = iter(np.arange(10_000) * 0.5)
    found = score("m", Fake({}), TEST.features, clock=lambda: float(next(ticks)))
    assert found.facts["latencies"] == [0.5] * 5  # the budget of half a second is used up
    assert found.facts["p99_latency"] == 0.5
    assert found.facts["seconds_per_row"] == pytest.approx(0.5 / 3)


def test_latency__that_a_check_asks_for_is_measured_often_enough_for_a_bound(tmp_path):
    model = facts_of(checks=(CheckFacts(text="p99_latency <= 5s"),))
    scored(tmp_path, model, TEST, model={})
    read = read_scores(tmp_path / "out/scores", "regression")
    times = read.models["candidate"].facts["latencies"]
    assert len(times) == MANY
    assert np.isfinite(quantile_interval(times, 0.99).high)


@pytest.mark.parametrize(
    "values",
    [[True, False], [1, 2], [1.5, 2.5], ["a", "b"], [[0.5, 0.5], [1.0, 0.0]]],
)
def test_column__keeps_the_values(values):
    assert as_column(np.array(values)).to_pylist() == values
