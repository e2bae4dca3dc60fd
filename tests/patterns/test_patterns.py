"""Patterns (a) to (d) and the fraud example, from a fresh copy to a champion, offline."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.rows.folder import read_rows
from tests.support.patterns import copy_of

pytest.importorskip("sklearn")
pytest.importorskip("skops")
pytestmark = pytest.mark.slow


# The model in the example was trained with another version of scikit-learn than may be here.
@pytest.mark.filterwarnings("ignore:Trying to unpickle estimator")
def test_a_inference__an_offline_model_becomes_a_version(tmp_path):
    project = copy_of("a_inference", tmp_path)
    project.run("run", "models.ctr")
    package = project.output("model-ctr", "package", "package")
    told = json.loads((package / "package.json").read_text())
    assert told["model"] == "ctr"
    predictor = load_model(package / "model", project.folder)
    assert [one["name"] for one in predictor.facts["input"]] == ["hour", "site", "device", "bid"]
    assert project.champion("ctr") == 1


def test_b_retraining__shifted_data_give_a_second_version_and_the_gate_decides(tmp_path):
    project = copy_of("b_retraining", tmp_path)
    project.run("run", "models.ctr")
    first = project.verdict("model-ctr")
    assert first["verdict"] == "pass"
    states = {one["check"]: one["verdict"] for one in first["checks"]}
    assert states == {
        "log_loss < baseline": "pass",
        "log_loss <= champion + 0.01": "not_applicable",
    }

    project.change("seed=1", "seed=2&drift=1")
    project.run("run", "models.ctr")
    assert project.verdict("model-ctr")["verdict"] == "pass"
    assert project.champion("ctr") == 2

    # A model that cannot see: the gate says no, the champion stays, and the run says so by its code.
    project.change("&drift=1", "&drift=1&concept=0.5")
    (project.folder / "ctr" / "train.py").write_text(
        "import numpy\nfrom sklearn.dummy import DummyClassifier\n"
        "def fit(features, label):\n"
        "    return DummyClassifier().fit(numpy.zeros((len(label), 1)), label)\n"
    )
    told = project.run("run", "models.ctr", code=10)
    assert "gate" in told
    assert project.champion("ctr") == 2
    why = project.run("why", "ctr@3")
    assert "rejected" in why
    assert "log_loss < baseline" in why
    assert "whole" in project.run("audit", "verify")


def test_c_approval__pending_until_the_right_person_approves_the_right_digest(tmp_path):
    project = copy_of("c_approval", tmp_path)
    told = project.run("run", "models.ctr", "--no-wait", code=12)
    assert "mlspec approve ctr@1" in told
    assert "ctr@1" in project.run("approvals")

    refused = project.run("approve", "ctr@1", "--as", "dana", code=1)  # the author, another team
    assert "would not count" in refused
    project.run("run", "--resume", "--no-wait", code=12)
    (project.folder / "people.yaml").write_text(
        'teams:\n  "@acme/ads-ops": [olga, omar, dana]\n  "@acme/ads-ds": [dana]\n'
    )
    own = project.run("approve", "ctr@1", "--as", "dana", code=1)
    assert "four eyes" in own

    project.run("approve", "ctr@1", "--as", "olga", "--reason", "fine")
    project.run("run", "--resume", "--no-wait")
    assert project.champion("ctr") == 1
    actions = [(one["action"], one["actor"]["subject"]) for one in project.audit()]
    assert ("approve", "olga") in actions
    assert actions[-1][0] == "promote"

    # The next version is another digest: olga's yes does not count for it.
    project.change("seed=1", "seed=2")
    project.run("run", "models.ctr", "--no-wait", code=12)
    assert project.champion("ctr") == 1
    project.run("approve", "ctr@2", "--as", "omar", "--reject", "--reason", "not now")
    project.run("run", "--resume", "--no-wait", code=10)
    assert project.champion("ctr") == 1


def test_d_ensemble__answers_what_its_members_answer_together(tmp_path):
    project = copy_of("d_ensemble", tmp_path)
    project.run("run", "models.ctr", "--no-wait", code=12)
    test = read_rows(project.output("model-ctr", "split", "test"))
    whole = load_model(project.output("model-ctr", "combine", "model"), project.folder)
    members = [
        load_model(project.output("model-ctr", f"train-{name}", "model"), project.folder)
        for name in ("ctr-linear", "ctr-trees")
    ]
    parts = [member.predict(test.features) for member in members]
    np.testing.assert_allclose(whole.predict(test.features), np.mean(parts, axis=0), atol=1e-12)
    scores = pq.read_table(project.output("model-ctr", "evaluate", "scores") / "scores.parquet")
    np.testing.assert_allclose(scores["candidate"], np.mean(parts, axis=0), atol=1e-9)
    (member,) = (
        one for one in project.verdict("model-ctr")["checks"] if "ctr-trees" in one["check"]
    )
    assert member["verdict"] == "pass"
    assert member["reference"]["name"] == "ctr-trees"
    project.run("approve", "ctr@1", "--as", "olga")
    project.run("run", "--resume", "--no-wait")


def test_fraud__late_labels_slices_and_two_approvals(tmp_path):
    project = copy_of("fraud", tmp_path, "fraud-detection")
    project.run("run", "models.fraud", "--no-wait", actor="mia", code=12)
    verdict = project.verdict("model-fraud")
    assert verdict["verdict"] in {"pass", "inconclusive"}
    rows = json.loads((project.output("model-fraud", "features", "rows") / "rows.json").read_text())
    assert sum(rows["dropped"].values()) > 0  # labels that are not complete yet
    split = project.output("model-fraud", "split", "train")
    train, test = read_rows(split), read_rows(project.output("model-fraud", "split", "test"))
    gap = test.table["_time"].to_numpy().min() - train.table["_time"].to_numpy().max()
    assert gap >= np.timedelta64(45, "D")
    project.run("approve", "fraud@1", "--env", "dev", "--as", "rita")
    project.run("run", "--resume", "--no-wait", actor="mia", code=12)
    project.run("approve", "fraud@1", "--env", "dev", "--as", "ravi")
    project.run("run", "--resume", "--no-wait", actor="mia")
    assert project.champion("fraud", "--env", "dev") == 1


def test_adopt__ordinary_scripts_are_judged_without_changing_a_line(tmp_path):
    project = copy_of("adopt", tmp_path, "progression")
    for script in ("train.py", "predict.py"):
        assert "mlspec" not in (project.folder / script).read_text(encoding="utf-8")
    project.run("run", "models.progression")
    assert project.verdict("model-progression")["verdict"] == "pass"
    assert project.champion("progression") == 1
    # The same program predicts the champion: the second version is compared on the same rows.
    project.change("r2 >= 0.3", "rmse <= champion + 2")
    project.change("--train-data", "--alpha 40 --train-data")
    project.run("run", "models.progression")
    verdict = project.verdict("model-progression")
    (compared,) = (one for one in verdict["checks"] if "champion" in one["check"])
    assert compared["reference"]["name"] == "champion"
    assert compared["estimate"] != compared["reference"]["estimate"]
