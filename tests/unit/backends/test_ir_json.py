from __future__ import annotations

import json
from dataclasses import replace

from mlspec.backends.base import LowerOptions, Native
from mlspec.backends.ir_json import BACKEND
from mlspec.backends.registry import load_backend
from mlspec.ir.dump import to_data
from mlspec.ir.features import Feature
from mlspec.ir.model import Environment
from tests.support.everything import everything


def test_ir_json__is_registered_and_total() -> None:
    assert load_backend("ir-json") is BACKEND
    assert all(isinstance(BACKEND.capabilities.of(feature), Native) for feature in Feature)


def test_ir_json__prints_one_document_for_each_environment() -> None:
    prod = everything()
    dev = replace(prod, environment=Environment(name="dev"))
    lowered = BACKEND.lower((dev, prod), LowerOptions())
    assert lowered.ok
    assert lowered.value is not None
    artifacts = BACKEND.emit(lowered.value)
    assert [a.path for a in artifacts] == ["ir/churn.dev.json", "ir/churn.prod.json"]
    assert [a.environment for a in artifacts] == ["dev", "prod"]
    assert json.loads(artifacts[1].text)["application"] == to_data(prod)
