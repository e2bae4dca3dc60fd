"""What mlspec prints and writes for machines follows the published schemas, key for key."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlspec.resources import data_folder

SPEC = """\
mlspec: "1"
app: {name: demo}
pipelines:
  p:
    params: {x: {type: int, default: 1}}
    steps:
      a: {run: 'echo "{\\"n\\": 1}" > m.json; echo x > o', outputs: {o: ./o}, metrics: ./m.json}
      b: {run: 'echo ${inputs.o}', inputs: {o: a.o}, matrix: {k: [1, 2]}}
      c: {run: exit 3, needs: [b], allow_failure: true, retry: {max: 1}}
      d: {run: 'true', when: params.x == 2}
    finally: {run: 'true'}
"""
BAD = """\
mlspec: "1"
app: {name: demo}
pipelines:
  p:
    steps:
      a: {run: x, uses: y, retires: 1}
      b: {run: x, secrets: {TOKEN: "not a name!"}}
"""


def published(name: str) -> dict[str, Any]:
    path = data_folder("schemas") / "output" / f"{name}.v1.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def closed(schema: Any) -> Any:
    """Return a schema that refuses undocumented keys, which readers have to accept."""
    schema = copy.deepcopy(schema)

    def close(node: Any) -> None:
        if isinstance(node, dict):
            if "properties" in node and isinstance(node.get("type"), str):
                node.setdefault("additionalProperties", False)
            for value in node.values():
                close(value)
        elif isinstance(node, list):
            for value in node:
                close(value)

    close(schema)
    return schema


def follows(document: Any, name: str) -> None:
    jsonschema.Draft202012Validator(closed(published(name))).validate(document)


def mlspec(folder: Path, *words: str) -> str:
    found = subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in found.stderr, found.stderr
    return found.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mlspec.yaml").write_text(SPEC, "utf-8")
    return tmp_path


@pytest.mark.parametrize("text", [SPEC, BAD, "a: [", ""], ids=["good", "bad", "syntax", "empty"])
def test_validate__json(tmp_path: Path, text: str) -> None:
    (tmp_path / "mlspec.yaml").write_text(text, "utf-8")
    document = json.loads(mlspec(tmp_path, "validate", "--format", "json"))
    follows(document, "diagnostics")
    assert document["valid"] is (text == SPEC)


def test_compile__json_and_lock(project: Path) -> None:
    document = json.loads(mlspec(project, "compile", "--target", "ir-json", "--format", "json"))
    follows(document, "compile")
    assert document["written"]
    assert document["artifacts"]
    follows(json.loads((project / "mlspec.lock").read_text("utf-8")), "lock")
    follows(json.loads(mlspec(project, "compile", "-t", "nonsense", "--format", "json")), "compile")


def test_run__record(project: Path) -> None:
    mlspec(project, "run", "--format", "json")
    [record] = (project / ".mlspec" / "runs").glob("*/run.json")
    document = json.loads(record.read_text("utf-8"))
    follows(document, "run")
    outcomes = {step["id"]: step["outcome"] for step in document["steps"]}
    assert outcomes["c"] == "failed"
    assert outcomes["d"] == "skipped"


def test_plan__json(project: Path) -> None:
    before = SPEC.replace("default: 1", "default: 3").replace("when: params.x == 2", "cache: true")
    before = before.replace("b: {run", "bb: {run").replace("needs: [b]", "needs: [bb]")
    (project / "before.yaml").write_text(before, "utf-8")
    words = ("plan", "--format", "json", "--against")
    document = json.loads(mlspec(project, *words, "./before.yaml"))
    follows(document, "plan")
    assert {"add", "remove", "update"} <= {change["action"] for change in document["changes"]}
    follows(json.loads(mlspec(project, *words, "./mlspec.yaml")), "plan")
    (project / "before.yaml").write_text(BAD, "utf-8")
    follows(json.loads(mlspec(project, *words, "./before.yaml")), "diagnostics")
