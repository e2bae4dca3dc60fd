"""A new margin is no new training: steps are told only what they compute with."""

from __future__ import annotations

from mlspec.frontend import load, validate
from mlspec.ir.fingerprint import fingerprints

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
    split: {by: time, test: 20%}
    train: {engine: scikit-learn, entrypoint: "shop.train:fit"}
    baseline: prior
    promote: {checks: [log_loss < baseline]}
"""


def _spec(folder, text):
    path = folder / "mlspec.yaml"
    path.write_text('mlspec: "1"\napp: {name: shop, owner: ds}\n' + text, encoding="utf-8")
    return load(path)


def _changed(tmp_path, before, after):
    prints = []
    for number, text in enumerate((before, after)):
        folder = tmp_path / str(number)
        folder.mkdir()
        analysed = validate(_spec(folder, text))[0]
        assert analysed.ok, analysed.diagnostics
        found = fingerprints(analysed.application.pipeline("model-m"))
        prints.append({step: one.data for step, one in found.items()})
    return {step for step in prints[0] if prints[0][step] != prints[1][step]}


def test_needed__a_new_check_changes_no_step_that_makes_the_model(tmp_path):
    after = MODEL.replace("log_loss < baseline", "log_loss < baseline, roc_auc >= 0.6")
    changed = _changed(tmp_path, MODEL, after)
    assert "gate" in changed
    assert changed.isdisjoint({"snapshot-rows", "validate-rows", "features", "split", "train"})


def test_needed__a_new_parameter_changes_the_training_and_no_rows(tmp_path):
    after = MODEL.replace("train: {engine", "train: {params: {C: 2}, engine")
    changed = _changed(tmp_path, MODEL, after)
    assert "train" in changed
    assert changed.isdisjoint({"snapshot-rows", "validate-rows", "features", "split"})
