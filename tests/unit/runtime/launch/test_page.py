"""The functions on the page about training are trained with; further libraries in conformance."""

from __future__ import annotations

import pytest

from mlspec.runtime.models.predictor import load_model
from tests.support.training import page_project, train_on_page


@pytest.mark.parametrize(("entry", "form"), [("train", "skops"), ("by_hand", "python")])
def test_page__its_function__makes_a_model(tmp_path, entry, form):
    from mlspec.runtime.steps import train

    call = train_on_page(tmp_path, entry)
    train.run(call)
    found = load_model(call.outputs["model"], page_project(tmp_path))
    assert found.facts["format"] == form
