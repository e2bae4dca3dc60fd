"""Maturity: five specs, each with what the one before lacks."""

import pytest

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.maturity import maturity
from mlspec.frontend import load

ZERO = """\
mlspec: "1"
app: {name: shop, owner: science}
roles: {science: {members: ["@acme/science"]}, risk: {members: ["@acme/risk"]}}
serving:
  api: {mode: online, model: m, slo: [availability >= 99.9%]}
"""
FINISHED = """\
models:
  m: {source: models:/m@champion, task: binary, input: {a: float}, output: {p: probability}}
"""
DATA = """\
data:
  rows: {source: s3://lake/rows/, key: id, schema: {id: string, a: float, y: bool}}
features:
  f: {from: {rows: [a]}, output: {a: float}}
"""
TRAINED = """\
models:
  m:
    task: binary
    input: [f]
    label: {data: rows, column: y}
    output: {p: probability}
    split: {by: group, group: id, test: 20%}
    train: {engine: xgboost, entrypoint: shop.train:fit}
"""
GATE = "    promote: {checks: [roc_auc >= 0.7], approve: {by: risk}}\n"
ENVIRONMENTS = """\
environments:
  dev: {store: s3://dev/x/}
  prod: {after: dev, store: s3://prod/x/}
"""
LOOP = '    retrain: {schedule: "0 3 * * *", cooldown: 1d}\n'
MONITORS = """\
monitors:
  answers: {watch: api, every: 1h, window: 24h, checks: [psi(prediction) <= 0.2]}
"""


def level(tmp_path, text, *parts):
    path = tmp_path / "mlspec.yaml"
    path.write_text(text, "utf-8")
    loaded = load(path)
    assert loaded.spec is not None, loaded.diagnostics
    return maturity(Catalogue(loaded.spec), parts)


@pytest.mark.parametrize(
    ("text", "parts", "expected", "lacks"),
    [
        (ZERO + FINISHED, (), 0, "trained here"),
        (ZERO + DATA + TRAINED, (), 1, "gate"),
        (ZERO + DATA + TRAINED + GATE + ENVIRONMENTS, (), 1, "targets.ci"),
        (ZERO + DATA + TRAINED + GATE, ("ci",), 1, "two environments"),
        (ZERO + DATA + TRAINED + GATE + ENVIRONMENTS, ("ci",), 2, "retrain"),
        (ZERO + DATA + TRAINED + GATE + LOOP + ENVIRONMENTS, ("ci",), 2, "monitors"),
        (ZERO + DATA + TRAINED + GATE + LOOP + ENVIRONMENTS + MONITORS, ("ci",), 3, ""),
    ],
)
def test_maturity__level_and_reason(tmp_path, text, parts, expected, lacks):
    found = level(tmp_path, text, *parts)
    assert found.level == expected
    assert any(lacks in reason for reason in found.missing) or (not lacks and not found.missing)
