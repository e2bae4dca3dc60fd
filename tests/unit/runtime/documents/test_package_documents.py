"""Bill of materials, card, contract and lock: structure, escapes, what must never be inside."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from markdown_it import MarkdownIt

from mlspec.ir.facts import CheckFacts, ColumnFacts
from mlspec.runtime.documents import bom, card, odcs, slsa
from mlspec.runtime.documents.facts import Measured
from mlspec.runtime.documents.inert import json_bytes
from mlspec.runtime.documents.lock import installed, lock_json, normal_name
from tests.support.documents import DATE, hostile, made

READER = MarkdownIt("commonmark").enable("table")


def component(bill, ref):
    return next(one for one in bill["components"] if one["bom-ref"] == ref)


def test_bill__has_model_data_and_packages():
    bill = bom.bill_of_materials(made())
    kinds = [one["type"] for one in bill["components"]]
    assert kinds == ["machine-learning-model", "data", "library", "library"]
    card_of = component(bill, "model")["modelCard"]
    assert card_of["modelParameters"]["approach"] == {"type": "supervised"}
    assert card_of["modelParameters"]["datasets"] == [{"ref": "data/clicks"}]
    first = card_of["quantitativeAnalysis"]["performanceMetrics"][0]
    assert first["confidenceInterval"] == {"lowerBound": "0.76", "upperBound": "0.78"}
    assert float(first["value"]) == 0.7712
    fairness = card_of["considerations"]["fairnessAssessments"]
    assert fairness == [
        {
            "groupAtRisk": "groups of `age_band`",
            "mitigationStrategy": "no promotion unless demographic_parity_ratio by age_band >= 0.8",
        }
    ]
    about = component(bill, "data/clicks")["data"][0]
    assert about["classification"] == "pii"
    assert about["sensitiveData"] == ["user_id: pii", "age_band: protected"]
    assert about["governance"] == {"owners": [{"organization": {"name": "data"}}]}
    assert component(bill, "pkg:pypi/numpy@2.4.6")["version"] == "2.4.6"
    assert bill["metadata"]["timestamp"] == DATE


def test_documents__of_an_ensemble_name_its_members():
    members = [{"id": "linear", "digest": "sha256:" + "2" * 64}, {"id": "trees", "digest": ""}]
    ensemble = replace(made(), model={**made().model, "details": {"members": members}})
    bill = bom.bill_of_materials(ensemble)
    assert component(bill, "models/linear")["version"] == "sha256:" + "2" * 64
    assert "models/trees" in bill["dependencies"][1]["dependsOn"]
    built = slsa.provenance(ensemble)["predicate"]["buildDefinition"]
    found = {one["name"]: one.get("digest") for one in built["resolvedDependencies"]}
    assert found["models/linear"] == {"sha256": "2" * 64}
    assert found["models/trees"] is None


def test_bill__is_the_same_for_the_same_model():
    assert json_bytes(bom.bill_of_materials(made())) == json_bytes(bom.bill_of_materials(made()))
    other = bom.bill_of_materials(replace(made(), digest="9" * 64))
    assert other["serialNumber"] != bom.bill_of_materials(made())["serialNumber"]


def test_bill__holds_no_password():
    assert b"hunter" not in json_bytes(bom.bill_of_materials(made()))


def test_bill__a_column_that_only_starts_like_a_protected_one_is_no_fairness_check():
    base = made()
    model = replace(base.facts, checks=(CheckFacts(text="roc_auc by age_band_2 >= 0.8"),))
    bill = bom.bill_of_materials(replace(base, node=replace(base.node, model=model)))
    told = component(bill, "model")["modelCard"]["considerations"]["fairnessAssessments"]
    assert told == [{"groupAtRisk": "groups of `age_band`"}]


def parts(text):
    """Front matter and body of a card."""
    empty, front, body = text.split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(front), body


def test_card__front_matter_holds_the_metrics():
    front, body = parts(card.card(made()))
    assert front["library_name"] == "sklearn"
    assert front["pipeline_tag"] == "tabular-classification"
    (index,) = front["model-index"]
    everything, slice_ = index["results"]
    assert everything["dataset"]["revision"] == "sha256:" + "d" * 64
    assert [one["value"] for one in everything["metrics"]] == [0.7712, 1e-05]
    assert slice_["dataset"]["config"] == "age_band = 65+"
    assert "0.76 to 0.78" in body
    assert "Rank adverts on our own pages." in body
    assert "hunter" not in card.card(made())


def test_card__without_metrics_says_so():
    front, body = parts(card.card(replace(made(), metrics=())))
    assert "model-index" not in front
    assert "Nothing was measured" in body


def test_card__a_metric_that_is_no_number_is_not_in_the_index():
    odd = (Measured(metric="a", value=float("nan")), Measured(metric="b", value=1.0))
    front, body = parts(card.card(replace(made(), metrics=odd)))
    assert [m["type"] for m in front["model-index"][0]["results"][0]["metrics"]] == ["b"]
    assert "| a | all | nan |" in body


def test_card__the_own_card_comes_first_without_its_front_matter():
    own = "---\nlicense: mit\nmodel-index: []\n---\n# Ours\n\n<b>bold</b>\n"
    front, body = parts(card.card(made(), own))
    assert "license" not in front
    assert body.strip().startswith("# Ours\n\n<b>bold</b>")
    assert "## Metrics" in body


def test_card__an_own_card_that_begins_with_a_rule_stays_whole():
    _, body = parts(card.card(made(), "---\nno end of front matter"))
    assert "no end of front matter" in body


def test_card__hostile_text_makes_no_structure():
    text = card.card(hostile())
    front, body = parts(text)
    assert set(front) == {"pipeline_tag", "tags", "model-index"}
    tokens = READER.parse(body)
    headings = [
        tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"
    ]
    wanted = ["Intended use", "Limitations", "Owner", "Metrics", "Data", "How it was made"]
    assert headings[1:] == wanted
    inner = [child.type for token in tokens for child in token.children or ()]
    assert set(inner) <= {"text", "text_special"}
    assert not [token for token in tokens if token.type in {"html_block", "fence", "code_block"}]


def contract(**changes):
    base = made().node
    return odcs.contract(replace(base.data[0], **changes), base.app, version="5" * 64)


def test_contract__columns():
    columns = {one["name"]: one for one in contract()["schema"][0]["properties"]}
    assert columns["user_id"]["primaryKey"] is True
    assert columns["user_id"]["classification"] == "pii"
    assert columns["price"]["logicalTypeOptions"] == {"minimum": 0, "maximum": 100.5}
    assert columns["clicked"]["required"] is False
    enum = columns["age_band"]["quality"][0]
    assert enum["arguments"]["validValues"] == ["18-29", "30-64", "65+"]
    assert columns["price"]["quality"][0]["metric"] == "nullValues"
    assert columns["price"]["quality"][0]["mustBeLessOrEqualTo"] == 1
    assert columns["price"]["quality"][1]["type"] == "text"


def test_contract__of_the_table_and_of_time():
    found = contract()
    assert found["schema"][0]["quality"][0]["mustBeGreaterOrEqualTo"] == 1000
    terms = {one["property"]: one["value"] for one in found["slaProperties"]}
    assert terms == {"latency": 3600.0, "retention": 34_560_000.0, "freshness": 21_600}
    assert "hunter" not in json.dumps(found)


def test_contract__no_check_is_lost():
    checks = contract()["schema"][0]
    names = [one.get("name") for one in checks.get("quality", ())]
    for column in checks["properties"]:
        names += [one.get("name") for one in column.get("quality", ())]
    assert {one.text for one in made().node.data[0].checks} <= set(names)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("list[int]", {"logicalType": "array", "items": {"logicalType": "integer"}}),
        ("embedding[8]", {"logicalType": "array", "items": {"logicalType": "number"}}),
        ("whatever", {}),
    ],
)
def test_contract__types_of_columns(kind, wanted):
    column = contract(columns=(ColumnFacts(name="x", type=kind),))["schema"][0]["properties"][0]
    kept = {key: value for key, value in column.items() if key in {"logicalType", "items"}}
    assert kept == wanted
    assert column["physicalType"] == kind


def test_lock__is_sorted_and_names_what_is_installed():
    lock = installed()
    names = [name for name, _ in lock.packages]
    assert names == sorted(set(names))
    assert "numpy" in names
    listed = lock_json(lock)["packages"]
    assert listed == sorted(listed, key=lambda one: one.split("==")[0])


def test_normal_name__of_a_distribution():
    assert normal_name("Foo._-Bar") == "foo-bar"
