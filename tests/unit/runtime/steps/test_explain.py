"""The explain step: a real model folder in, importance.json and the report out."""

import json

import jsonschema
import pytest

from mlspec.resources import data_folder
from mlspec.runtime.judging.recording import EXPLANATION, keep_explanation
from mlspec.runtime.registry import Draft, open_registry
from mlspec.runtime.steps import explain
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.explaining import explaining


@pytest.fixture
def call(tmp_path):
    return explaining(tmp_path)


def document(call):
    found = json.loads((call.outputs["explanation"] / "importance.json").read_text("utf-8"))
    path = data_folder("schemas") / "output" / "importance.v1.schema.json"
    jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8"))).validate(found)
    return found


def test_explain__writes_both_files(call):
    assert explain.run(call) is StepExit.OK
    found = document(call)
    assert [one["input"] for one in found["inputs"]] == ["spend", "age"]
    assert (found["top"], found["metric"]) == (["spend"], "roc_auc")
    assert "shift" not in found
    report = (call.outputs["explanation"] / "report.md").read_text("utf-8")
    assert report.startswith("# What drives churn\n")


def test_explain__same_bytes(call):
    explain.run(call)
    first = (call.outputs["explanation"] / "importance.json").read_bytes()
    explain.run(call)
    assert (call.outputs["explanation"] / "importance.json").read_bytes() == first


def test_explain__tells_the_shift_against_the_champion(call, tmp_path):
    registry = open_registry(call.node.registry, call.store, "shop", "default", {})
    package = tmp_path / "package"
    (package / "explanation").mkdir(parents=True)
    theirs = {
        "method": "permutation",
        "inputs": [
            {"input": "age", "importance": 1.0, "spread": 0.0},
            {"input": "spend", "importance": 0.5, "spread": 0.0},
        ],
    }
    (package / "explanation" / "importance.json").write_text(json.dumps(theirs), "utf-8")
    version = registry.register(Draft(model="churn", created="2026-03-01T00:00:00Z"), package)
    keep_explanation(registry, version, package)
    assert len(registry.attachments(version, EXPLANATION)) == 1
    registry.promote(registry.set_state(version, "validated"))
    explain.run(call)
    moved = document(call)["shift"]["moved"]
    assert {one["input"]: (one["champion"], one["candidate"]) for one in moved} == {
        "spend": (2, 1),
        "age": (1, 2),
    }


def test_explain__a_damaged_model_leaves_nothing(call):
    (call.inputs["model"] / "model" / "sum.txt").write_text("other", "utf-8")
    with pytest.raises(StepError, match="does not load"):
        explain.run(call)
    assert not call.outputs["explanation"].exists()
