"""What a spec may put into the environment of the steps that decide."""

from __future__ import annotations

import pytest

from mlspec.analysis.derive.trusted import gets_variable
from mlspec.frontend import load, validate
from mlspec.ir.kinds import Kind

SPEC = """mlspec: "1"
app: {name: shop, owner: ds}
roles: {ds: {members: [dana]}, ops: {members: [olga]}}
defaults:
  env: {GITHUB_ACTIONS: "true", GITHUB_API_URL: "http://a.example", PYTHONPATH: src, REGION: eu}
  secrets: {GITHUB_TOKEN: hub, XDG_CONFIG_HOME: keys}
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
    promote: {checks: [log_loss < baseline], approve: {by: ops}}
"""


def _variables(tmp_path) -> dict[Kind, set[str]]:
    path = tmp_path / "mlspec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    (analysed,) = validate(load(path))
    assert analysed.application is not None, analysed.diagnostics
    return {
        step.kind: {name for name, _ in step.env} | {one.variable for one in step.secrets}
        for step in analysed.application.pipelines[0].steps
    }


def test_derive__a_spec_cannot_say_who_answered_or_where_keys_lie(tmp_path):
    found = _variables(tmp_path)
    for kind in (Kind.REGISTER, Kind.APPROVE, Kind.PROMOTE):
        assert found[kind] == {"GITHUB_TOKEN", "MLSPEC_NODE", "REGION"}
    assert found[Kind.GATE] == {"GITHUB_TOKEN", "MLSPEC_NODE", "PYTHONPATH", "REGION"}
    assert {"GITHUB_API_URL", "PYTHONPATH", "XDG_CONFIG_HOME"} <= found[Kind.TRAIN]


@pytest.mark.parametrize("name", ["LD_PRELOAD", "GIT_DIR", "RUNNER_OS", "HOME", "PATH", "CI"])
def test_gets_variable__what_steers_a_step_stays_out(name):
    assert not gets_variable(Kind.APPROVE, name)
    assert not gets_variable(Kind.GATE, name, is_secret=True)
    assert gets_variable(Kind.TRAIN, name)
