from __future__ import annotations

import json
import types
from dataclasses import fields, is_dataclass, replace

import pytest

from mlspec.errors import MlspecBug
from mlspec.ir import model
from mlspec.ir.dump import (
    KINDS,
    application_document,
    canonical_json,
    compact_json,
    to_data,
    to_spelled,
)
from mlspec.ir.model import Application, Script, Step
from mlspec.ir.values import Duration, Literal, Namespace, Ref
from mlspec.source import Origin
from tests.support.everything import everything


def test_to_data__is_json_and_total() -> None:
    data = to_data(everything())
    assert json.loads(compact_json(data)) == data


def test_to_data__has_no_origin() -> None:
    text = canonical_json(to_data(everything()))
    assert "mlspec.yaml" not in text
    assert '"at"' not in text


def test_to_data__does_not_see_origins() -> None:
    app = everything()
    moved = replace(app, at=Origin("other.yaml", ("x",)))
    assert to_data(app) == to_data(moved)


def test_to_data__tags_every_alternative_of_a_union() -> None:
    unions = [getattr(model, name) for name in ("Action", "Input", "Condition")]
    alternatives = {kind for union in unions for kind in union.__args__}
    assert all(isinstance(union, types.UnionType) for union in unions)
    assert alternatives <= set(KINDS)
    assert len(set(KINDS.values())) == len(KINDS)


def test_to_data__covers_every_field() -> None:
    data = to_data(everything())
    assert isinstance(data, dict)
    assert set(data) == {item.name for item in fields(Application)} - {"at"}
    step = data["pipelines"][0]["steps"][0]  # type: ignore[index, call-overload]
    assert set(step) == {item.name for item in fields(Step)} - {"at"}


def test_to_data__tells_an_escaped_reference_from_a_reference() -> None:
    ref = Step(id="a", action=Script(text=""), env=(("X", (Ref(Namespace.RUN, "id"),)),))
    text = Step(id="a", action=Script(text=""), env=(("X", (Literal("${run.id}"),)),))
    assert to_data(ref) != to_data(text)
    assert to_spelled(ref) == to_spelled(text)


def test_to_data__refuses_what_is_not_ir() -> None:
    with pytest.raises(MlspecBug, match="object"):
        to_data(object())


def test_to_spelled__writes_units() -> None:
    assert to_spelled(Duration(3_600_000)) == "1h"
    spelled = to_spelled(everything().pipelines[0].step("train"))
    assert isinstance(spelled, dict)
    assert spelled["resources"] == {
        "cpu": "2",
        "memory": "4Gi",
        "gpu": 1,
        "accelerator": "a100",
        "workers": 2,
    }
    assert spelled["env"] == {"OMP": "1", "WHERE": "at ${run.date}"}
    assert spelled["action"] == {
        "kind": "argv",
        "words": ["python", "--lr=${params.lr}", "${matrix.seed}"],
        "reads": [],
    }


def test_application_document__is_versioned_and_ascii() -> None:
    text = canonical_json(application_document(everything()))
    assert json.loads(text)["format_version"] == "1.0"
    assert text.isascii()
    assert text.endswith("}\n")


def test_everything__sets_every_field_somewhere() -> None:
    """The sample must keep up with the IR: each field differs from its default somewhere."""
    seen: set[tuple[type, str]] = set()
    classes: set[type] = set()

    def walk(value: object) -> None:
        if isinstance(value, tuple | list):
            for item in value:
                walk(item)
        elif is_dataclass(value) and not isinstance(value, type | Origin):
            classes.add(type(value))
            for item in fields(value):
                found = getattr(value, item.name)
                if found != item.default:
                    seen.add((type(value), item.name))
                if item.name != "at":
                    walk(found)

    walk(everything())
    wanted = {
        (kind, item.name)
        for kind in classes
        if kind.__module__ == model.__name__
        for item in fields(kind)
        if item.name != "at"
    }
    rarely = {"dockerfile", "requirements", "conda", "description", "native", "mode", "within"}
    assert {name for _, name in wanted - seen} <= rarely
