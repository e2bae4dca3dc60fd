"""The package: what is in it, what it refuses, and that it is the same twice."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from mlspec.ir.kinds import Kind
from mlspec.resources import data_folder
from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.documents.profile import bins_of
from mlspec.runtime.metrics.shift import binned, psi
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.packaging.smoke import smoke_test
from mlspec.runtime.rows.folder import read_rows, write_rows
from mlspec.runtime.steps import evaluate, package, train
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.packages import facts, inputs_for, packaged
from tests.support.training import call, model, project, rows


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A trained model with everything that a package is made of."""
    return inputs_for(tmp_path_factory.mktemp("built"), "fit")


@pytest.fixture(scope="module")
def made(built, tmp_path_factory):
    return packaged(built, tmp_path_factory.mktemp("made") / "package")


def load(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_package__has_what_it_promises(made, built):
    assert sorted(one.name for one in made.iterdir()) == [
        "README.md",
        "bom.cdx.json",
        "contracts",
        "explanation",
        "lock.json",
        "model",
        "package.json",
        "profile.json",
        "provenance.json",
        "sample.parquet",
        "signature.json",
    ]
    told = load(made / "package.json")
    assert told["model"] == "fraud"
    assert told["data"] == {"card-payments": "delta:12"}
    assert told["seeds"] == {"train": 7, "split": 3}
    assert told["digest"] == digest_of_folder(built[1]["model"]) == digest_of_folder(made / "model")
    assert told["params"] == {"weight": 1.5}
    assert (made / "contracts" / "card-payments.odcs.yaml").is_file()
    assert load(made / "signature.json")["inputs"][0] == {"name": "amount", "type": "float"}


def test_package__metrics_are_those_of_the_gate(made, built):
    told = load(made / "package.json")
    assert {"roc_auc", "average_precision", "log_loss", "brier", "f1"} <= set(told["metrics"])
    slices = {one["slice"]: one for one in told["measured"] if one["metric"] == "roc_auc"}
    assert set(slices) == {"", "region = north", "region = south"}
    assert slices["region = north"]["n"] == 120
    whole = slices[""]
    assert whole["lower"] < whole["value"] < whole["upper"]
    table = pq.read_table(built[1]["scores"] / "scores.parquet")
    labels, said = table["_label"].to_numpy(), table["candidate"].to_numpy()
    assert whole["value"] == pytest.approx(roc_auc_score(labels, said))


def test_package__sample_is_the_first_test_rows(made, built):
    sample = pq.read_table(made / "sample.parquet")
    test = read_rows(built[1]["test"])
    assert sample.column_names == ["_key", "amount", "hour", "foreign", "_prediction"]
    assert sample["_key"].to_pylist() == test.keys[:100]


def test_package__is_the_same_twice(built, made, tmp_path):
    again = packaged(built, tmp_path / "again")
    assert digest_of_folder(again) == digest_of_folder(made)


def test_package__holds_no_secret(made):
    for path in made.rglob("*"):
        if path.is_file():
            assert b"hunter" not in path.read_bytes(), path


def test_package__profile_is_of_the_training_rows(made, built):
    profile = load(made / "profile.json")
    train_rows = read_rows(built[1]["train"])
    bins, counts = bins_of(profile["columns"]["amount"])
    assert psi(counts, binned(train_rows.features["amount"].to_numpy(), bins)) == 0
    assert sum(profile["predictions"]["prediction"]["counts"]) == 250


def test_package__own_card_is_its_body(built, tmp_path):
    home, _ = built
    (home / "card.md").write_text("---\nlicense: mit\n---\n# By hand\n", encoding="utf-8")
    found = packaged(built, tmp_path / "package", facts(card="card.md"))
    assert "# By hand" in (found / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("card", "message"),
    [("../secret.md", "outside the project"), ("none.md", "no card"), ("own", "no card")],
)
def test_package__a_card_that_cannot_be_read(built, tmp_path, card, message):
    with pytest.raises(StepError, match=message):
        packaged(built, tmp_path / "package", facts(card=card))
    assert list(tmp_path.iterdir()) == []


def test_package__what_the_project_links_to_is_its_own(built, tmp_path):
    home, _ = built
    (tmp_path / "elsewhere.md").write_text("# Linked", encoding="utf-8")
    (home / "link.md").symlink_to(tmp_path / "elsewhere.md")
    found = packaged(built, tmp_path / "package", facts(card="link.md"))
    assert "# Linked" in (found / "README.md").read_text(encoding="utf-8")


def test_package__another_model_than_the_evaluated_one(built, tmp_path):
    shutil.copytree(built[1]["scores"], tmp_path / "scores")
    path = tmp_path / "scores" / "scores.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("candidate")
    moved = pa.array(table["candidate"].to_numpy() + 2e-6)
    pq.write_table(table.set_column(place, "candidate", moved), path)
    with pytest.raises(StepError, match="differ by up to 2e-06 from those that were evaluated"):
        packaged(built, tmp_path / "package", scores=tmp_path / "scores")
    assert not (tmp_path / "package").exists()


def test_package__scores_of_other_rows(built, tmp_path):
    shutil.copytree(built[1]["scores"], tmp_path / "scores")
    path = tmp_path / "scores" / "scores.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(StepError, match="not of the test rows"):
        packaged(built, tmp_path / "package", scores=tmp_path / "scores")


def test_package__a_model_with_randomness(tmp_path):
    with pytest.raises(StepError, match="differ by up to 0"):
        packaged(inputs_for(tmp_path, "restless"), tmp_path / "package", facts("restless"))
    assert not (tmp_path / "package").exists()


def test_package__a_model_that_says_something_else_in_a_fresh_process(tmp_path):
    with pytest.raises(StepError, match="fresh process: its predictions differ by up to 0"):
        packaged(inputs_for(tmp_path, "here"), tmp_path / "package", facts("here"))
    assert not (tmp_path / "package").exists()


def test_package__a_model_that_was_made_elsewhere_has_no_rows(built, tmp_path):
    home, inputs = built
    of_step = call(
        Kind.PACKAGE, facts(), home, {"model": inputs["model"]}, {"package": tmp_path / "p"}
    )
    assert package.run(of_step) is StepExit.OK
    assert not (tmp_path / "p" / "sample.parquet").exists()
    assert load(tmp_path / "p" / "package.json")["metrics"] == {}


def test_package__a_format_that_only_its_own_program_loads(built, tmp_path):
    shutil.copytree(built[1]["model"], tmp_path / "model")
    told = load(tmp_path / "model" / "model.json")
    (tmp_path / "model" / "model.json").write_text(json.dumps({**told, "format": "bytes"}))
    found = packaged(built, tmp_path / "package", model=tmp_path / "model")
    assert not (found / "sample.parquet").exists()
    assert (found / "profile.json").exists()


def test_package__an_altered_model_is_refused(built, tmp_path):
    shutil.copytree(built[1]["model"], tmp_path / "model")
    path = next(one for one in (tmp_path / "model").rglob("*line.json"))
    path.write_text("9", encoding="utf-8")
    with pytest.raises(StepError, match="not the one that was written"):
        packaged(built, tmp_path / "package", model=tmp_path / "model")


def test_smoke_test__does_not_know_which_run_it_is(made, built, monkeypatch):
    seen = {}

    def run(command, **more):
        seen.update(more)
        raise TimeoutError

    monkeypatch.setattr("mlspec.runtime.packaging.smoke.subprocess.run", run)
    with pytest.raises(TimeoutError):
        smoke_test(made, built[0], {**os.environ, "MLSPEC_NODE": "x", "MLSPEC_RUN_ID": "1"})
    assert not [name for name in seen["env"] if name.startswith("MLSPEC_")]
    assert seen["env"]["OMP_NUM_THREADS"] == "1"


def test_smoke_test__a_process_that_dies(made, built, tmp_path):
    broken = tmp_path / "package"
    shutil.copytree(made, broken)
    (broken / "sample.parquet").write_bytes(b"PAR1")
    with pytest.raises(StepError, match="no answer"):
        smoke_test(broken, built[0], os.environ)
    shutil.rmtree(broken / "model")
    with pytest.raises(StepError, match="no model"):
        smoke_test(broken, built[0], os.environ)


ESTIMATORS = """
from sklearn.linear_model import LinearRegression, LogisticRegression

def multiclass(features, label):
    return LogisticRegression(max_iter=500).fit(features, label)

def regression(features, label):
    return LinearRegression().fit(features, label)
"""


class NoVersions:
    """A registry in which nothing is registered."""

    def find(self, name, reference):
        return None


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_package__of_what_evaluate_wrote(tmp_path, task):
    home = project(tmp_path / "home", train=ESTIMATORS)
    write_rows(tmp_path / "train", rows(300, task, seed=1))
    write_rows(tmp_path / "test", rows(150, task, seed=2))
    told = model(task, entrypoint=f"own.train:{task}")
    inputs = {name: tmp_path / name for name in ("train", "test")}
    place = tmp_path / "model"
    train.run(call(Kind.TRAIN, told, home, {"train": inputs["train"]}, {"model": place}))
    inputs |= {"model": place}
    of_step = call(Kind.EVALUATE, told, home, inputs, {"scores": tmp_path / "scores"})
    evaluate.evaluate(of_step, NoVersions(), load_model)
    inputs |= {"scores": tmp_path / "scores"}
    of_step = call(Kind.PACKAGE, told, home, inputs, {"package": tmp_path / "package"})
    assert package.run(of_step) is StepExit.OK
    wanted = {"multiclass": {"accuracy", "balanced_accuracy"}, "regression": {"rmse", "mae", "r2"}}
    assert wanted[task] <= set(load(tmp_path / "package" / "package.json")["metrics"])
    assert pq.read_table(tmp_path / "package" / "sample.parquet").num_rows == 100


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("package", "package"),
        ("signature", "signature"),
        ("profile", "profile"),
        ("lock", "packages"),
    ],
)
def test_package__its_own_files_are_what_their_schemas_say(made, name, schema):
    path = data_folder("schemas") / "output" / f"{schema}.v1.schema.json"
    jsonschema.validate(load(made / f"{name}.json"), load(path))
