from __future__ import annotations

from dataclasses import fields, replace

import pytest

from mlspec.ir.fingerprint import (
    DATA_FIELDS,
    METADATA_FIELDS,
    PARENT_FIELDS,
    RUNTIME_FIELDS,
    fingerprints,
)
from mlspec.ir.model import Join, Pipeline, Resources, Step
from mlspec.ir.values import Cpu, Duration
from mlspec.source import Origin
from tests.support.everything import everything

PARTS = ("data", "runtime", "metadata", "parents")


def _moved(old: Pipeline, new: Pipeline) -> dict[str, set[str]]:
    before, after = fingerprints(old), fingerprints(new)
    return {
        step: moved
        for step in before
        if (moved := {p for p in PARTS if getattr(before[step], p) != getattr(after[step], p)})
    }


def _change(step_id: str, **changes: object) -> Pipeline:
    pipeline = everything().pipelines[0]
    return replace(
        pipeline,
        steps=tuple(replace(s, **changes) if s.id == step_id else s for s in pipeline.steps),
    )


def test_fingerprint__every_field_of_a_step_has_one_part() -> None:
    named = DATA_FIELDS + RUNTIME_FIELDS + METADATA_FIELDS + PARENT_FIELDS
    assert sorted(named) == sorted({item.name for item in fields(Step)} - {"at"})


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"resources": Resources(cpu=Cpu(1))}, "runtime"),
        ({"timeout": Duration(1)}, "runtime"),
        ({"join": Join.ALL_DONE}, "runtime"),
        ({"description": "other"}, "metadata"),
    ],
)
def test_fingerprint__moves_one_part_only(changes: dict[str, object], part: str) -> None:
    assert _moved(everything().pipelines[0], _change("train", **changes)) == {"train": {part}}


def test_fingerprint__data_travels_down() -> None:
    moved = _moved(everything().pipelines[0], _change("train", env=()))
    assert moved["train"] == {"data"}
    assert moved["score"] == moved["ending"] == {"parents"}
    assert "prepare" not in moved
    assert "each" not in moved


def test_fingerprint__params_count_where_they_are_read() -> None:
    pipeline = everything().pipelines[0]
    other = replace(pipeline, params=(replace(pipeline.params[0], default="0.2"),))
    assert _moved(pipeline, other)["train"] == {"data"}
    assert "prepare" not in _moved(pipeline, other)


def test_fingerprint__origins_never_count() -> None:
    assert _moved(everything().pipelines[0], _change("train", at=Origin("x.yaml"))) == {}
