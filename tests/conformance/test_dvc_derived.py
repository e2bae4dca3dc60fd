"""Derived steps on real DVC: exit codes, and why a store is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.backends.dvc import BACKEND
from mlspec.backends.legality import check_capabilities
from mlspec.ir.model import Application, Pipeline, Step
from tests.support.derived import ATTEMPTS, CODES, SUCCEEDS, leaves, tells
from tests.support.dvc import DvcProject

pytestmark = pytest.mark.engine("dvc")


def app_of(*steps: Step) -> Application:
    return Application(name="a", pipelines=(Pipeline(id="p", steps=steps),))


def test_exit_codes__one_is_tried_again(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    project = DvcProject(tmp_path / "p")
    project.write(
        app_of(*(leaves(name, str(marks / name), *codes) for name, codes in CODES.items()))
    )
    run = project.repro("--keep-going")
    assert run.code != 0
    left = {file.name: len(file.read_text(encoding="utf-8")) for file in marks.iterdir()}
    assert left == ATTEMPTS
    failed = run.output.rpartition("failed to reproduce stages:")[2]
    assert {name for name in CODES if f"'{name}'" in failed} == CODES.keys() - SUCCEEDS


def test_store__is_no_file_of_the_working_copy() -> None:
    found = check_capabilities(app_of(tells("told")), BACKEND)
    assert [d.is_error for d in found] == [True] * 4
    assert any("outlives a working copy" in d.message for d in found)
