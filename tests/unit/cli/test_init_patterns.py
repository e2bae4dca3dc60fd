"""`mlspec init --pattern`: every pattern is a project that validates."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from mlspec.cli.app import COMMANDS, build
from mlspec.cli.init import PATTERNS
from mlspec.frontend import load, validate


@pytest.mark.parametrize("pattern", PATTERNS)
def test_init__pattern_validates_under_its_new_name(pattern, tmp_path):
    folder = tmp_path / "shop"
    done = CliRunner().invoke(build(tuple(COMMANDS)), ["init", str(folder), "--pattern", pattern])
    assert done.exit_code == 0, done.output
    for analysed in validate(load(folder / "mlspec.yaml")):
        assert analysed.ok, [d.message for d in analysed.diagnostics]
        assert analysed.application.name == "shop"
        assert analysed.application.pipelines
    assert not list(folder.rglob("__pycache__"))


def test_init__unknown_pattern_is_named(tmp_path):
    done = CliRunner().invoke(build(("init",)), [str(tmp_path), "--pattern", "x"])
    assert done.exit_code != 0
