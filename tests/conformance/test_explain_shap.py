"""SHAP values by the real package: the explain step in an environment that has it."""

from __future__ import annotations

import json

import pytest

from tests.support.explaining import explaining
from tests.support.libraries import succeed

pytestmark = pytest.mark.engine("shap")


def test_shap__says_what_the_formula_says(tmp_path):
    call = explaining(tmp_path, explain_method="shap")
    succeed("shap", call)
    path = call.outputs["explanation"] / "importance.json"
    first = path.read_bytes()
    found = json.loads(first)
    assert (found["method"], found["rows"]) == ("shap", 200)
    assert [one["input"] for one in found["inputs"]] == ["spend", "age"]
    spend, age = (one["importance"] for one in found["inputs"])
    assert 2 < spend / age < 4.5  # the formula weighs it three times as much
    succeed("shap", call)
    assert path.read_bytes() == first
