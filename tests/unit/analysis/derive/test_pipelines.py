"""What is derived from nouns: which steps, in which order, and what never reaches what."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.frontend import load, validate
from mlspec.ir.dominance import gaps
from mlspec.ir.facts import NODE_VARIABLE
from mlspec.ir.kinds import Kind
from mlspec.ir.model import StepInput
from mlspec.ir.node import read_node, write_node
from mlspec.ir.values import plain
from mlspec.ir.verify import verify_application

DESIGN = sorted(
    (Path(__file__).resolve().parents[3] / "inputs" / "design").glob("*.yaml"), key=lambda p: p.name
)


def _applications(path):
    for analysed in validate(load(path)):
        assert analysed.application is not None, analysed.diagnostics
        yield analysed.application


def _derived(path):
    for application in _applications(path):
        for pipeline in application.pipelines:
            if any(step.kind.is_derived for step in pipeline.steps):
                yield pipeline


def _ancestors(pipeline):
    found = {}
    for step in pipeline.steps:
        found[step.id] = {above for need in step.needs for above in (need, *found[need])}
    return found


def _spec(tmp_path, text):
    path = tmp_path / "mlspec.yaml"
    path.write_text('mlspec: "1"\napp: {name: shop, owner: ds}\n' + text, encoding="utf-8")
    return load(path)


def _ids(tmp_path, text, environment=0):
    analysed = validate(_spec(tmp_path, text))[environment]
    assert analysed.ok, [d.message for d in analysed.diagnostics if d.is_error]
    return {p.id: [s.id for s in p.steps] for p in analysed.application.pipelines}


MODEL = """
data:
  rows:
    source: "sample:ad-clicks?rows=100"
    key: impression_id
    time: shown_at
    schema: {impression_id: string, shown_at: timestamp, bid: float, clicked: bool}
features:
  bid: {from: {rows: [bid]}, output: {bid: float}}
models:
  m:
    task: binary
    input: [bid]
    label: {data: rows, column: clicked}
    output: {click: probability}
    split: {by: time, test: 20%, validation: 20%}
    train: {engine: scikit-learn, entrypoint: "shop.train:fit"}
    baseline: prior
    promote: {checks: [log_loss < baseline]}
"""


@pytest.mark.parametrize("path", DESIGN, ids=lambda path: path.stem)
def test_derive__keeps_the_invariants_of_the_ir(path):
    for application in _applications(path):
        verify_application(application)


@pytest.mark.parametrize("path", DESIGN, ids=lambda path: path.stem)
def test_derive__the_test_rows_reach_nothing_that_learns(path):
    learns = {Kind.TUNE, Kind.TRAIN, Kind.COMBINE, Kind.COMPRESS, Kind.CALIBRATE, Kind.EXPORT}
    for pipeline in _derived(path):
        tainted = set()
        for step in pipeline.steps:
            for item in step.inputs:
                if isinstance(item, StepInput) and (
                    item.output == "test" or item.step in tainted or item.step == "features-test"
                ):
                    tainted.add(step.id)
        bad = [step.id for step in pipeline.steps if step.id in tainted and step.kind in learns]
        assert bad == []


@pytest.mark.parametrize("path", DESIGN, ids=lambda path: path.stem)
def test_derive__data_is_checked_before_anything_is_trained_on_it(path):
    for pipeline in _derived(path):
        above = _ancestors(pipeline)
        kinds = {step.id: step.kind for step in pipeline.steps}
        for step in pipeline.steps:
            taken = {kinds[one] for one in above[step.id]}
            if Kind.SNAPSHOT in taken and step.kind not in {Kind.VALIDATE, Kind.STEP}:
                assert Kind.VALIDATE in taken, step.id


@pytest.mark.parametrize("path", DESIGN, ids=lambda path: path.stem)
def test_derive__no_promotion_without_its_approval(path):
    for pipeline in _derived(path):
        assert gaps(pipeline) == ()
        above = _ancestors(pipeline)
        for step in pipeline.steps:
            if step.kind is Kind.PROMOTE:
                node = read_node(plain(dict(step.env)[NODE_VARIABLE]))
                has = any(pipeline.step(one).kind is Kind.APPROVE for one in above[step.id])
                assert has == bool(node.model.approvals)


@pytest.mark.parametrize("path", DESIGN, ids=lambda path: path.stem)
def test_derive__nodes_are_read_as_they_were_written(path):
    seen = 0
    for pipeline in _derived(path):
        for step in pipeline.steps:
            text = plain(dict(step.env).get(NODE_VARIABLE, ())) or ""
            if text:
                seen += 1
                node = read_node(text)
                assert write_node(node) == text
                assert (node.kind, node.step) == (step.kind, step.id)
    assert seen or path.stem == "h_fanout"


def test_derive__steps_point_at_the_lines_that_caused_them(tmp_path):
    analysed = validate(_spec(tmp_path, MODEL))[0]
    steps = {step.id: step.at.route for step in analysed.application.pipeline("model-m").steps}
    assert steps["split"] == ("models", "m", "split")
    assert steps["gate"] == ("models", "m", "promote", "checks")
    assert steps["snapshot-rows"] == ("data", "rows", "source")


def test_derive__order_of_a_trained_model(tmp_path):
    assert _ids(tmp_path, MODEL)["model-m"] == [
        "snapshot-rows", "validate-rows", "features", "split", "train", "evaluate", "package",
        "register", "gate", "promote",
    ]  # fmt: skip


def test_derive__data_without_models_is_a_pipeline_of_its_own(tmp_path):
    text = MODEL[: MODEL.index("features:")]
    assert _ids(tmp_path, text) == {"data-rows": ["snapshot-rows", "validate-rows"]}


def test_derive__a_program_trains_on_a_plain_table(tmp_path):
    text = MODEL.replace(
        'train: {engine: scikit-learn, entrypoint: "shop.train:fit"}',
        'train: {run: "python train.py ${inputs.data} ${outputs.model}"}\n'
        '    evaluate: {run: "python s.py ${inputs.model} ${inputs.data} ${outputs.scores}"}',
    )
    analysed = validate(_spec(tmp_path, text))[0]
    assert analysed.ok, analysed.diagnostics
    pipeline = analysed.application.pipeline("model-m")
    ids = [step.id for step in pipeline.steps]
    assert ids[ids.index("split") + 1 :][:3] == ["export-train", "train", "fetch"]
    train = pipeline.step("train")
    assert "MLSPEC_INPUTS_DATA" in train.action.text
    assert NODE_VARIABLE not in dict(train.env)
    node = read_node(plain(dict(pipeline.step("evaluate").env)[NODE_VARIABLE]))
    assert "MLSPEC_OUTPUTS_SCORES" in node.script


def test_derive__a_later_environment_gets_models_by_digest(tmp_path):
    text = MODEL + "environments:\n  dev: {}\n  prod: {after: dev}\n"
    assert _ids(tmp_path, text, 0)["model-m"][0] == "snapshot-rows"
    assert _ids(tmp_path, text, 1)["model-m"] == ["deliver", "register", "gate", "promote"]


def test_derive__a_later_environment_that_gets_code_trains(tmp_path):
    text = MODEL + "environments:\n  dev: {}\n  prod: {after: dev, deliver: code}\n"
    assert "train" in _ids(tmp_path, text, 1)["model-m"]


def test_derive__pull_requests_judge_and_register_nothing(tmp_path):
    text = MODEL + "    retrain: {schedule: '0 3 * * *', pull_request: {paths: [shop/]}}\n"
    analysed = validate(_spec(tmp_path, text))[0]
    check = analysed.application.pipeline("check-model-m")
    assert check.triggers.pull_request == ("shop/",)
    assert check.triggers.schedule is None
    assert {Kind.REGISTER, Kind.PROMOTE}.isdisjoint(step.kind for step in check.steps)
    assert check.steps[-1].kind is Kind.GATE
    assert analysed.application.pipeline("model-m").triggers.pull_request is None


def test_derive__a_model_of_an_explicit_pipeline_is_judged_there(tmp_path):
    text = """
metrics: {cod: {better: lower}}
pipelines:
  yearly:
    steps:
      fit: {run: "./fit.sh ${outputs.model}", outputs: {model: out/fit}}
      look: {run: ./look.sh, needs: [fit], metrics: out/m.json}
models:
  value:
    task: regression
    output: {price: float}
    train: {pipeline: yearly, output: fit.model}
    evaluate: {metrics: yearly.look}
    promote: {checks: [cod <= 15]}
"""
    ids = _ids(tmp_path, text)["yearly"]
    assert set(ids) >= {"fetch-value", "package-value", "register-value", "gate-value"}
    analysed = validate(_spec(tmp_path, text))[0]
    gate = analysed.application.pipeline("yearly").step("gate-value")
    assert gate.input("written").step == "look"


def test_derive__readers_of_new_data_wait_for_its_contract(tmp_path):
    text = """
data: {rows: {format: csv, checks: [rows >= 1]}}
pipelines:
  p:
    steps:
      pull: {run: "./pull.sh ${outputs.rows}", outputs: {rows: rows}}
      use: {run: "./use.sh ${inputs.rows}", inputs: {rows: rows}}
"""
    analysed = validate(_spec(tmp_path, text))[0]
    assert "validate-rows" in analysed.application.pipeline("p").step("use").needs


def test_derive__a_pipeline_with_the_name_of_a_derived_one_is_refused(tmp_path):
    text = MODEL + "pipelines: {model-m: {steps: {go: {run: 'true'}}}}\n"
    analysed = validate(_spec(tmp_path, text))[0]
    assert [d.code.id for d in analysed.diagnostics if d.is_error] == ["ML047"]


def test_derive__with_a_place_for_lineage_every_step_is_told_of_its_run(tmp_path):
    text = (
        MODEL + "targets: {lineage: {kind: openlineage, uri: 'https://l.example', secret: key}}\n"
    )
    analysed = validate(_spec(tmp_path, text))[0]
    assert analysed.ok, analysed.diagnostics
    for step in analysed.application.pipeline("model-m").steps:
        names = {ref.variable for ref in step.refs}
        assert {"MLSPEC_RUN_ID", "MLSPEC_RUN_DATE", "MLSPEC_RUN_STORE"} <= names
        assert plain(dict(step.env)["OPENLINEAGE_URL"]) == "https://l.example"
        assert [one.name for one in step.secrets] == ["key"]
    bare = validate(_spec(tmp_path, MODEL))[0].application.pipeline("model-m").step("split")
    assert not {ref.variable for ref in bare.refs} & {"MLSPEC_RUN_ID", "MLSPEC_RUN_STORE"}
