import pytest

import mlspec
from mlspec.errors import CompileError
from tests.support.specs import write_spec


def test_compile_spec__returns_artifacts_and_writes_nothing(tmp_path):
    path = write_spec(tmp_path, "pipelines: {p: {steps: {a: {run: ls}}}}")
    made = mlspec.compile_spec(path, ["ir-json", "github-actions"])
    assert [artifact.target for artifact in made] == ["github-actions", "ir-json"]
    assert [item.name for item in tmp_path.iterdir()] == ["mlspec.yaml"]


def test_compile_spec__raises_with_diagnostics(tmp_path):
    path = write_spec(tmp_path, "pipelines: {p: {steps: {a: {run: ls, needs: [b]}}}}")
    with pytest.raises(CompileError, match="needs a step `b`") as caught:
        mlspec.compile_spec(path, ["ir-json"])
    assert [d.code.id for d in caught.value.diagnostics] == ["ML040"]
