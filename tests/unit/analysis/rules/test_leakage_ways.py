"""ML212: the ways by which the label, or what is unknown or protected, becomes an input."""

from __future__ import annotations

import pytest

from mlspec.frontend import load, validate

SPEC = """\
mlspec: "1"
app: {name: shop, owner: ds}
data:
  rows:
    source: "sample:ad-clicks?rows=100"
    key: impression_id
    time: shown_at
    schema:
      impression_id: string
      shown_at: timestamp
      site: string
      bid: float
      age: {type: int, protected: true}
      late: {type: float, available_after: 2d}
      clicked: bool
features:
  f: FEATURE
models:
  m:
    task: binary
    input: [f]
    label: {data: rows, column: clicked}
    output: {click: probability}
    split: {by: time, test: 20%}
    train: {engine: scikit-learn, entrypoint: "shop.train:fit"}
    baseline: prior
    promote: {checks: [log_loss < baseline]}
"""


def _found(tmp_path, feature: str) -> list[tuple[str, bool]]:
    path = tmp_path / "mlspec.yaml"
    path.write_text(SPEC.replace("FEATURE", feature), encoding="utf-8")
    (analysed,) = validate(load(path))
    found = [one for one in analysed.diagnostics if one.code.id == "ML212"]
    return [(one.message, one.is_error) for one in found]


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("{from: rows, output: {bid: float, age: int}}", "reads `age`, which is protected"),
        ("{from: rows, output: {late: float}}", "reads `late`, which is known 2d after"),
        ('{from: {rows: [bid]}, key: clicked, time: shown_at, transform: "a:b", output: {x: float}}',
         "reads `clicked`, which `m` has to predict"),
        ('{from: {rows: [bid]}, key: age, time: shown_at, transform: "a:b", output: {x: float}}',
         "is grouped by `age`, which is protected"),
    ],
)  # fmt: skip
def test_check__no_way_leads_around(tmp_path, feature, message):
    ((said, is_error),) = _found(tmp_path, feature)
    assert message in said
    assert is_error


@pytest.mark.parametrize(
    "feature",
    [
        "{from: rows, output: {bid: float, site: string}}",
        '{from: {rows: [bid]}, key: site, time: shown_at, transform: "a:b", output: {x: float}}',
        '{from: {rows: [bid]}, key: [site, bid], time: shown_at, transform: "a:b", output: {x: float}}',
    ],
)
def test_check__what_is_known_may_be_read(tmp_path, feature):
    assert _found(tmp_path, feature) == []


@pytest.mark.parametrize(
    ("checks", "found"),
    [
        ("{metric: log_loss, op: '<', reference: baseline, severity: warn}", 1),
        ("log_loss < baseline, {metric: brier, op: '<', value: 0.1, severity: warn}", 0),
    ],
)
def test_check__a_gate_that_only_warns_is_told(tmp_path, checks, found):
    text = SPEC.replace("FEATURE", "{from: {rows: [bid]}, output: {bid: float}}")
    path = tmp_path / "mlspec.yaml"
    path.write_text(text.replace("log_loss < baseline", checks), encoding="utf-8")
    (analysed,) = validate(load(path))
    assert [one.code.id for one in analysed.diagnostics].count("ML203") == found


@pytest.mark.parametrize(("seed", "found"), [(1, 1), (2, 0)])
def test_check__test_rows_under_another_name(tmp_path, seed, found):
    text = SPEC.replace("FEATURE", "{from: {rows: [bid]}, output: {bid: float}}")
    text = text.replace("rows=100", "rows=100&seed=1")
    text = text.replace(
        "features:\n",
        f"""\
  fresh:
    source: "sample:ad-clicks?rows=100&seed={seed}"
    key: impression_id
    time: shown_at
    like: rows
features:
""",
    )
    text = text.replace("split: {by: time, test: 20%}", "evaluate: {data: fresh}")
    path = tmp_path / "mlspec.yaml"
    path.write_text(text, encoding="utf-8")
    (analysed,) = validate(load(path))
    errors = [one.code.id for one in analysed.diagnostics if one.is_error]
    assert errors == ["ML215"] * found
