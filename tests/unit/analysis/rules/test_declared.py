"""Values that fit the schema one by one, and cannot hold together."""

from __future__ import annotations

import pytest

from mlspec.frontend import load, validate

SPEC = """\
mlspec: "1"
app: {name: shop, owner: ds}
roles: {ds: {members: [dana]}, ops: {members: [olga, omar]}}
data:
  rows:
    source: "sample:ad-clicks?rows=100"
    key: impression_id
    time: shown_at
    schema: {impression_id: string, shown_at: timestamp, bid: {type: float, min: 0}, clicked: bool}
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
    promote: {checks: [log_loss < baseline], approve: {by: ops, count: 2}}
"""


def _errors(tmp_path, old: str, new: str) -> list[tuple[str, str]]:
    path = tmp_path / "mlspec.yaml"
    assert old in SPEC
    path.write_text(SPEC.replace(old, new), encoding="utf-8")
    found = [one for analysed in validate(load(path)) for one in analysed.diagnostics]
    return [(one.code.id, one.message) for one in found if one.is_error]


def test_check__the_spec_is_fine(tmp_path):
    assert _errors(tmp_path, "binary", "binary") == []


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("min: 0", "min: zero", "ML022", "`min` of column `bid` must be a number, found `zero`"),
        ("min: 0", "min: 5, max: 2", "ML025", "`max` of column `bid` is less than its `min`"),
        ("time: shown_at", "time: bid", "ML022", "`bid` is of type `float`"),
        ("test: 20%", "test: 100%", "ML025", "leaves no rows to train on"),
        ("test: 20%", "test: 60%, validation: 40%", "ML025", "test and validation take 100%"),
        ("by: time", "by: group", "ML021", "key `group` is missing in `split` of model `m`"),
        (', entrypoint: "shop.train:fit"', "", "ML021", "key `entrypoint` is missing in `train`"),
        ("count: 2", "count: 3", "ML025", "3 of `ops` must agree, and it has 2"),
    ],
)
def test_check__what_cannot_hold(tmp_path, old, new, code, words):
    ((found, message),) = _errors(tmp_path, old, new)
    assert found == code
    assert words in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("test: 20%", "test: 60%, validation: 20%"),
        ("by: time", "by: group, group: impression_id"),
        ("[olga, omar]", '["@acme/ops"]'),
        ("min: 0", "min: 0, max: 0"),
    ],
)
def test_check__what_can_hold(tmp_path, old, new):
    assert _errors(tmp_path, old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "words", "help_"),
    [
        ("data:\n", "targets: {registry: mlfow}\ndata:\n", "ML092", "there is no registry `mlfow`",
         "did you mean `mlflow`?"),
        ("sample:ad", "smaple:ad", "ML023", "nothing reads `smaple:` here", "did you mean `sample`?"),
    ],
)  # fmt: skip
def test_check__names_of_tools_that_are_nearly_right(tmp_path, old, new, code, words, help_):
    path = tmp_path / "mlspec.yaml"
    path.write_text(SPEC.replace(old, new, 1), encoding="utf-8")
    found = [one for analysed in validate(load(path)) for one in analysed.diagnostics]
    (told,) = [one for one in found if one.code.id == code]
    assert words in told.message
    assert told.help == (help_,)
