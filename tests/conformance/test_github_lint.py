"""Emitted workflows before the judges: GitHub's own parser, actionlint, zizmor, the schema."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Approval, Environment, Image, Pipeline
from tests.support.act_lint import github_reads, schema_errors, write_all, zizmor
from tests.support.act_runner import emitted
from tests.support.derived import tells
from tests.support.github_apps import churn
from tests.support.graphs import TRAPS, random_application

pytestmark = [pytest.mark.engine("lint"), pytest.mark.engine("node")]


@pytest.fixture(scope="module")
def artifacts():
    found = list(emitted(churn(), project_path="ml"))
    found += [_renamed(artifact, "approve") for artifact in emitted(approving())]
    for number in range(12):
        app = random_application(number)
        found += [_renamed(artifact, f"r{number}") for artifact in emitted(app)]
    for name, app in sorted(TRAPS.items()):
        found += [_renamed(artifact, name) for artifact in emitted(app)]
    return found


def approving() -> Application:
    """An application whose approve jobs may read who reviewed the run."""
    asked = (Approval(role="ads", count=1),)
    image = Image(reference="ghcr.io/acme/steps@sha256:" + "0" * 64)
    steps = (
        tells("approve", Kind.APPROVE, approvals=asked),
        tells("boxed", Kind.APPROVE, approvals=asked, image=image),
        tells("promote", Kind.PROMOTE, needs=("approve", "boxed")),
    )
    store = Environment(name="prod", store="s3://bucket/ml")
    return Application(name="x", environment=store, pipelines=(Pipeline(id="p", steps=steps),))


def _renamed(artifact, name):
    from dataclasses import replace

    return replace(artifact, path=f".github/workflows/{name}.yml")


def test_github_parser_and_actionlint(artifacts) -> None:
    found = github_reads(artifacts)
    assert found["problems"] == []
    for artifact in artifacts:
        assert found["read"][artifact.path] == [yaml.safe_load(artifact.text)] * 2


def test_zizmor(artifacts, tmp_path: Path) -> None:
    assert zizmor(write_all(tmp_path, artifacts)) == ""


def test_schema(artifacts, tmp_path: Path) -> None:
    assert schema_errors(write_all(tmp_path, artifacts)) == ""
