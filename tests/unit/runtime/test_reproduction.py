"""What counts as the same model again."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlspec.runtime.reproduction import compare_packages
from mlspec.runtime.steps.contract import StepError

TOLD = {
    "data": {"clicks": "sha256:1"},
    "params": {"c": 1.0},
    "seeds": {"train": 1},
    "engine": {"name": "scikit-learn", "version": "1.7.2"},
    "python": "3.11.7",
    "metrics": {"log_loss": 0.2, "model": "a"},
}


def package(folder, predictions=(0.1, 0.2), keys=("a", "b"), **told):
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text(json.dumps({**TOLD, **told}), encoding="utf-8")
    table = pa.table({"_key": list(keys), "_prediction": list(predictions)})
    pq.write_table(table, folder / "sample.parquet")
    return folder


def differing(tmp_path, tolerance=1e-6, **more):
    found = compare_packages(package(tmp_path / "a"), package(tmp_path / "b", **more), tolerance)
    return [(one.what, one.decides) for one in found if not one.same]


def test_compare__the_same(tmp_path):
    assert differing(tmp_path) == []


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"predictions": (0.1, 0.2001)}, ("predictions", True)),
        ({"predictions": (0.1, float("nan"))}, ("predictions", True)),
        ({"keys": ("a", "c")}, ("predictions", True)),
        ({"keys": ("a", "b", "c"), "predictions": (0.1, 0.2, 0.3)}, ("predictions", True)),
        ({"metrics": {"log_loss": 0.21, "model": "a"}}, ("metric log_loss", True)),
        ({"metrics": {"log_loss": None, "model": "a"}}, ("metric log_loss", True)),
        ({"data": {"clicks": "sha256:2"}}, ("data clicks", True)),
        ({"seeds": {"train": 2}}, ("seeds train", False)),
        ({"python": "3.12.1"}, ("python", False)),
    ],
)
def test_compare__differs(tmp_path, more, what):
    assert differing(tmp_path, **more) == [what]


def test_compare__rows_in_another_order_and_within_the_tolerance(tmp_path):
    assert differing(tmp_path, keys=("b", "a"), predictions=(0.2, 0.1)) == []
    assert differing(tmp_path, predictions=(0.1, 0.2001), tolerance=0.001) == []


def test_compare__without_a_sample(tmp_path):
    before, now = package(tmp_path / "a"), package(tmp_path / "b")
    (now / "sample.parquet").unlink()
    with pytest.raises(StepError, match="no sample of predictions"):
        compare_packages(before, now, 1e-6)
