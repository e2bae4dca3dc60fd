"""The files of the design compile, for the targets that they choose."""

from pathlib import Path

import pytest

from mlspec.compiler import compile_targets

FILES = sorted((Path(__file__).parents[1] / "inputs" / "design").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_compile__design_file(path):
    result = compile_targets(path)
    assert result.ok, [d.message for d in result.diagnostics if d.is_error]


@pytest.mark.parametrize(
    ("name", "targets"),
    [("f_scripts", ("github-actions", "kubernetes")), ("h_fanout", ("kubernetes",))],
)
def test_compile__design_file_gives_artifacts(name, targets):
    result = compile_targets(next(path for path in FILES if path.stem == name))
    assert result.targets == targets
    assert result.artifacts
