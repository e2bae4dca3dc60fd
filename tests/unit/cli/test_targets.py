from __future__ import annotations

import pytest

from mlspec.backends.registry import backend_names
from mlspec.ir.features import Feature
from tests.support.commands import mlspec


def test_targets__lists_every_feature_of_every_target() -> None:
    done = mlspec("targets")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == list(backend_names())
    assert len(lines) == len(Feature) + 4


def test_targets__json_is_the_whole_table() -> None:
    found = mlspec("targets", "--format", "json").json
    assert [one["name"] for one in found["targets"]] == list(backend_names())
    for one in found["targets"]:
        assert set(one["features"]) == {feature.id for feature in Feature}
    dvc = next(one for one in found["targets"] if one["name"] == "dvc")["features"]
    assert dvc["approval"]["support"] == "unsupported"
    assert dvc["schedule"]["severity"] == "warning"


def test_targets__one_with_reasons() -> None:
    done = mlspec("targets", "dvc")
    assert done.code == 0
    assert "a stage always runs; it has no condition" in " ".join(done.out.split())
    assert len(mlspec("targets", "dvc", "--format", "json").json["targets"]) == 1


def test_targets__markdown_has_straight_tables() -> None:
    text = mlspec("targets", "--format", "markdown").out
    rows = [line for line in text.splitlines() if line.startswith("|")]
    columns = {line.replace("\\|", "").count("|") for line in rows}
    assert columns == {len(backend_names()) + 2, 4}


@pytest.mark.parametrize(("words", "code"), [(("dvcc",), 1), (("--format", "xml"), 64)])
def test_targets__exit_codes(words: tuple[str, ...], code: int) -> None:
    done = mlspec("targets", *words)
    assert done.code == code
    if code == 1:
        assert "did you mean `dvc`?" in done.err
