"""A model that somebody registered on a real MLflow server becomes a model folder."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from mlspec.ir.kinds import Kind
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.registry.mlflow_http import Server
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.steps.fetch import run
from tests.conformance.test_mlflow_registry import address  # noqa: F401  the server
from tests.support.rows import call_of
from tests.support.toys import toy_facts, toy_model, toy_project

pytestmark = [pytest.mark.engine("mlflow"), pytest.mark.xdist_group("mlflow")]


def register(server: Server, name: str, folder) -> str:
    """Put a folder into MLflow as a version of a model; return its number."""
    experiment = server.send("experiments/create", {"name": name})["experiment_id"]
    told = server.send("runs/create", {"experiment_id": experiment, "start_time": 1})["run"]
    root = told["info"]["artifact_uri"]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = root.removeprefix("mlflow-artifacts:/")
            server.upload(f"{place}/model/{path.relative_to(folder).as_posix()}", path)
    server.send("registered-models/create", {"name": name})
    version = server.send(
        "model-versions/create",
        {"name": name, "source": f"{root}/model", "run_id": told["info"]["run_id"]},
    )["model_version"]["version"]
    alias = {"name": name, "alias": "champion", "version": version}
    server.send("registered-models/alias", alias)
    return str(version)


def test_fetch__registered_version_by_alias_and_number(address, tmp_path):  # noqa: F811
    project = toy_project(tmp_path)
    made = toy_model(project / "made", toy_facts("m"), slope=2.0)
    number = register(Server(address=address), "somebody.elses-model", made)
    rows = pa.table({"x": [0.0, 1.0]})
    for source in (
        "models:/somebody.elses-model@champion",
        f"models:/somebody.elses-model/{number}",
    ):
        call = call_of(
            Kind.FETCH, project, toy_facts("m", source=source), {}, {"model": project / "out"}
        )
        call.environ["MLFLOW_TRACKING_URI"] = address
        assert run(call) == 0
        expected = load_model(made, project).predict(rows)
        assert load_model(project / "out", project).predict(rows).tolist() == expected.tolist()
        told = json.loads((project / "out" / "model.json").read_text())["source"]
        assert told == f"models:/somebody.elses-model/{number}"


def test_fetch__version_that_is_not_there_is_told(address, tmp_path):  # noqa: F811
    facts = toy_facts("m", source="models:/nobodys@champion")
    call = call_of(Kind.FETCH, tmp_path, facts, {}, {"model": tmp_path / "out"})
    call.environ["MLFLOW_TRACKING_URI"] = address
    with pytest.raises(StepError, match="nobodys"):
        run(call)
