"""The example of components, run: in a matrix step, and in training, evaluation and validation."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.patterns import copy_of

pytest.importorskip("sklearn")
pytest.importorskip("skops")


def test_example__components_run_in_steps_and_in_the_lifecycle(tmp_path, monkeypatch):
    # The example's programs are started as `python`.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    project = copy_of("components", tmp_path, app="prices")
    project.run("run", "--pipeline", "sweep")
    (run,) = (project.store / "runs" / "sweep").iterdir()
    lines = {
        one.name: json.loads((one / "model" / "model.json").read_text("utf-8"))
        for one in (run / "fit").iterdir()
        if one.is_dir()
    }
    assert sorted(lines) == ["0.1", "1.0", "10.0"]
    assert len({tuple(line) for line in lines.values()}) == 3  # each had its own parameter

    project.run("run", "models.price")
    verdict = project.verdict("model-price")
    assert verdict["verdict"] == "pass"
    assert project.champion("price") == 1
    (log,) = (project.folder / ".mlspec" / "runs").glob("*/logs/validate-houses/attempt-1.log")
    assert "300 rows, wanted 200" in log.read_text("utf-8")

    project.change("least: 200", "least: 301")
    told = project.run("run", "models.price", code=10)
    assert "the program of `validate` says no: it ended with 1" in told
