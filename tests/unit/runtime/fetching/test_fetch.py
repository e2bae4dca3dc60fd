"""The fetch step: addresses, what is recognised, what is refused, and no secret in any message."""

from __future__ import annotations

import json
import stat
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import ModuleType
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pyarrow as pa
import pytest

from mlspec.ir.facts import RegistryFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.registry import open_registry
from mlspec.runtime.registry.model import Draft
from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.steps.fetch import run
from tests.support.rows import call_of, columns
from tests.support.toys import toy_facts, toy_model, toy_project

ROWS = pa.table({"x": [0.0, 1.0]})


@pytest.fixture
def project(tmp_path):
    return toy_project(tmp_path)


def call(project, facts, *, file=None, environ=None, **node):
    inputs = {} if file is None else {"file": file}
    made = call_of(Kind.FETCH, project, facts, inputs, {"model": project / "out/model"}, **node)
    made.environ.update(environ or {})
    return made


def fetch(project, facts, **more):
    assert run(call(project, facts, **more)) == 0
    return project / "out/model"


def skops_file(place):
    import skops.io
    from sklearn.linear_model import LogisticRegression

    place.parent.mkdir(parents=True, exist_ok=True)
    model = LogisticRegression().fit(np.array([[-1.0], [1.0]]), [0, 1])
    skops.io.dump(model, place)
    return model


def test_file__that_another_step_wrote(project):
    model = skops_file(project / "made" / "best.skops")
    folder = fetch(project, toy_facts("m"), file=project / "made" / "best.skops")
    expected = model.predict_proba(np.array([[0.0], [1.0]]))[:, 1]
    assert np.allclose(load_model(folder, project).predict(ROWS), expected)
    facts = json.loads((folder / "model.json").read_text())
    assert (facts["format"], facts["source"]) == ("skops", "file")


def test_source__path_of_the_project_to_a_folder(project):
    skops_file(project / "models" / "model.skops")
    folder = fetch(project, toy_facts("m", source="file:models"))
    assert load_model(folder, project).predict(ROWS).shape == (2,)
    assert json.loads((folder / "model.json").read_text())["source"] == "file:models"


def test_source__model_folder_of_ours_keeps_its_facts(project):
    toy_model(project / "made", toy_facts("other", threshold=0.3), slope=2.0)
    folder = fetch(project, toy_facts("m", source="made"))
    model = load_model(folder, project)
    assert (model.name, model.threshold) == ("m", 0.3)
    assert model.predict(ROWS)[1] == pytest.approx(1 / (1 + np.exp(-2.0)))
    folder = fetch(project, toy_facts("m", source="made", threshold=0.7))
    assert load_model(folder, project).threshold == 0.7


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"input": columns(z="float")}, "the model reads `x`, which is no input of `m`"),
        ({"input": columns(x="int")}, "reads `x` as float; `m` declares int"),
        ({"task": "regression", "output": "float"}, "is for the task `binary`, not `regression`"),
    ],
)
def test_source__model_folder_that_does_not_fit_is_refused(project, facts, words):
    toy_model(project / "made", toy_facts("other"), slope=2.0)
    with pytest.raises(StepError, match=words):
        fetch(project, toy_facts("m", **{"source": "made", **facts}))
    assert not (project / "out/model").exists()


def registered(project, name="ctr"):
    package = project / "package"
    toy_model(package / "model", toy_facts(name), slope=3.0)
    registry = open_registry(RegistryFacts(), (project / "store").as_uri(), "shop", "dev", {})
    return registry.register(Draft(model=name, created="2026-01-01T00:00:00Z"), package)


def test_source__version_of_the_own_registry(project):
    version = registered(project)
    for address in ("models:/ctr@candidate", "models:/ctr/1"):
        folder = fetch(project, toy_facts("m", source=address))
        assert load_model(folder, project).predict(ROWS)[1] == pytest.approx(1 / (1 + np.exp(-3)))
        facts = json.loads((folder / "model.json").read_text())
        assert facts["source"] == f"models:/ctr/1 {version.digest}"
        assert sorted(one.name for one in folder.iterdir()) == ["model", "model.json"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("models:/ctr@champion", "the registry has no `models:/ctr@champion`"),
        ("models:/ctr", "names no version"),
        ("file:nowhere", "there is no model at `file:nowhere`"),
        ("https://example.com/model", "cannot be brought from `https:`"),
        ("hf://justone", "names no model"),
    ],
)
def test_source__that_is_not_there_is_refused(project, source, words):
    registered(project)
    with pytest.raises(StepError, match=words):
        fetch(project, toy_facts("m", source=source))


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("hf://acme/rules@v1", "huggingface_hub"),
        ("s3://acme/models/m", "fsspec"),
        ("models:/ctr@champion", "mlflow"),
    ],
)
def test_source__library_that_is_missing_is_named(project, monkeypatch, source, package):
    for name in ("huggingface_hub", "fsspec", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StepError, match=f"needs `{package}`, which is not installed") as caught:
        fetch(
            project,
            toy_facts("m", source=source),
            environ={"MLFLOW_TRACKING_URI": "sqlite:///m.db"},
        )
    assert caught.value.help == f"pip install {package} where steps run"


def hub(project, monkeypatch, *, fails=None):
    asked = []
    place = project / "cache" / "abc123"
    toy_model(place, toy_facts("m"), slope=1.0)

    def snapshot_download(repo, **more):
        asked.append((repo, more))
        if fails is not None:
            raise fails
        return str(place)

    module = ModuleType("huggingface_hub")
    module.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return asked


def test_hub__gets_the_revision_and_the_secret(project, monkeypatch):
    asked = hub(project, monkeypatch)
    facts = toy_facts("m", source="hf://acme/rules@v1", secret_variable="TOKEN")
    folder = fetch(project, facts, environ={"TOKEN": "hf_secret"})
    assert asked == [
        ("acme/rules", {"revision": "v1", "token": "hf_secret", "allow_patterns": None})
    ]
    facts = json.loads((folder / "model.json").read_text())
    assert facts["source"] == "hf://acme/rules@abc123"
    assert "hf_secret" not in (folder / "model.json").read_text()


def test_hub__secret_that_is_not_set_is_refused(project):
    facts = toy_facts("m", source="hf://acme/rules@v1", secret_variable="TOKEN")
    with pytest.raises(StepError, match="TOKEN is empty"):
        fetch(project, facts)


class RepositoryNotFoundError(Exception):
    pass


class LocalEntryNotFoundError(Exception):
    """What the hub's client raises without a network and without a cached copy."""


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (ConnectionError("no route for hf_secret"), StepExit.TEMPORARY),
        (LocalEntryNotFoundError("cannot find it on disk"), StepExit.TEMPORARY),
        (RepositoryNotFoundError("no acme/rules"), StepExit.ERROR),
    ],
)
def test_hub__faults_are_temporary_unless_it_says_no(project, monkeypatch, error, ends):
    hub(project, monkeypatch, fails=error)
    facts = toy_facts("m", source="hf://acme/rules@v1", secret_variable="TOKEN")
    with pytest.raises(StepError, match="cannot be brought") as caught:
        fetch(project, facts, environ={"TOKEN": "hf_secret"})
    assert caught.value.exit is ends
    assert "hf_secret" not in caught.value.message


ORAS = """#!/bin/sh
read -r password
echo "$@" > "$LOG"
echo "$password" >> "$LOG"
[ -z "$FAIL" ] || { echo "Error: $FAIL" >&2; exit 1; }
cp -r "$MADE"/. "$4"
"""


def oras(project, **more):
    tool = project / "bin" / "oras"
    tool.parent.mkdir()
    tool.write_text(ORAS)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    toy_model(project / "made", toy_facts("m"), slope=1.0)
    path = f"{tool.parent}:/usr/bin:/bin"
    return {"PATH": path, "LOG": str(project / "log"), "MADE": str(project / "made"), **more}


SOURCE = "oci://ghcr.io/acme/rules@sha256:" + "0" * 64


def test_oci__password_goes_through_a_pipe(project):
    facts = toy_facts("m", source=SOURCE, secret_variable="AUTH")
    folder = fetch(project, facts, environ=oras(project, AUTH="me:pass-word"))
    words, password = (project / "log").read_text().splitlines()
    assert words.startswith(f"pull {SOURCE.removeprefix('oci://')} --output ")
    assert words.endswith("--username me --password-stdin")
    assert password == "pass-word"
    assert load_model(folder, project).name == "m"


@pytest.mark.parametrize(
    ("said", "ends"),
    [("unauthorized: pass-word", StepExit.ERROR), ("dial tcp: timeout", StepExit.TEMPORARY)],
)
def test_oci__faults_are_told_without_the_password(project, said, ends):
    facts = toy_facts("m", source=SOURCE, secret_variable="AUTH")
    with pytest.raises(StepError, match="cannot be brought") as caught:
        fetch(project, facts, environ=oras(project, AUTH="me:pass-word", FAIL=said))
    assert caught.value.exit is ends
    assert "pass-word" not in caught.value.message


def test_oci__without_the_program_is_told(project):
    with pytest.raises(StepError, match="needs the program `oras`"):
        fetch(project, toy_facts("m", source=SOURCE), environ={"PATH": str(project)})


@pytest.mark.parametrize("name", ["model.pkl", "inner/model.joblib"])
def test_file__pickle_is_refused(project, name):
    place = project / "made" / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(StepError, match="is a pickle"):
        fetch(project, toy_facts("m"), file=project / "made")


def test_file__that_no_format_knows(project):
    place = project / "made"
    place.mkdir()
    (place / "index.faiss").write_bytes(b"...")
    with pytest.raises(StepError, match="no model file that is known"):
        fetch(project, toy_facts("m"), file=place)
    folder = fetch(project, toy_facts("m", "other", "json"), file=place)
    facts = json.loads((folder / "model.json").read_text())
    assert facts["format"] == "files"
    assert sorted(facts["files"]) == ["index.faiss"]


def test_file__link_that_leads_out_is_refused(project):
    place = project / "made"
    place.mkdir()
    (place / "model.skops").symlink_to(project / "toys.py")
    with pytest.raises(StepError, match="link that leads out"):
        fetch(project, toy_facts("m"), file=place)


def test_file__of_an_unknown_format_is_refused(project):
    skops_file(project / "made" / "model.skops")
    with pytest.raises(StepError, match="`magic` is no model format"):
        fetch(project, toy_facts("m", format="magic"), file=project / "made")


def test_model__that_is_made_here_is_its_champion(project):
    with pytest.raises(StepError, match="`ctr` has no champion yet"):
        fetch(project, toy_facts("ctr"))
    registry = open_registry(RegistryFacts(), (project / "store").as_uri(), "shop", "dev", {})
    version = registered(project)
    registry.promote(registry.set_state(version, "validated"))
    folder = fetch(project, toy_facts("ctr"))
    assert load_model(folder, project).predict(ROWS)[1] == pytest.approx(1 / (1 + np.exp(-3)))


class Shelf:
    """What an MLflow server with one registered model answers; the files stand below `root`."""

    def __init__(self, root, place="mlflow-artifacts:/0/models/m-1/artifacts"):
        self.root, self.place, self.secrets = root, place, set()

    def answer(self, path, query):
        if path.endswith("registered-models/alias"):
            if query["name"] != "ctr":
                return 404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"})
            assert query == {"name": "ctr", "alias": "champion"}
            return 200, json.dumps({"model_version": {"name": "ctr", "version": "4"}})
        if path.endswith("model-versions/get-download-uri"):
            assert query == {"name": "ctr", "version": "4"}
            return 200, json.dumps({"artifact_uri": self.place})
        if path.endswith("mlflow-artifacts/artifacts"):
            folder = self.root / query["path"].removeprefix("0/models/m-1/artifacts").strip("/")
            names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
            return 200, json.dumps({"files": [{"path": name} for name in names]})
        within = path.split("/0/models/m-1/artifacts/")[1]
        return 200, (self.root / within).read_bytes()


@pytest.fixture
def serve():
    servers = []

    def start(shelf):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                shelf.secrets.add(self.headers.get("Authorization"))
                address = urlsplit(self.path)
                status, body = shelf.answer(unquote(address.path), dict(parse_qsl(address.query)))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else body.encode())

            def log_message(self, *_args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("within", ["", "model", "package/model"])
def test_mlflow__server_sends_the_version_that_the_alias_names(project, serve, within):
    toy_model(project / "made" / within, toy_facts("m"), slope=1.0)
    shelf = Shelf(project / "made")
    registry = RegistryFacts(kind="mlflow", uri=serve(shelf), secret_variable="TOKEN")
    facts = toy_facts("m", source="models:/ctr@champion")
    folder = fetch(project, facts, registry=registry, environ={"TOKEN": "t0p"})
    assert load_model(folder, project).predict(ROWS).shape == (2,)
    assert json.loads((folder / "model.json").read_text())["source"] == "models:/ctr/4"
    assert shelf.secrets == {"Bearer t0p"}


def test_mlflow__artifacts_that_are_elsewhere_are_brought_from_there(project, serve):
    toy_model(project / "bucket", toy_facts("m"), slope=1.0)
    address = serve(Shelf(project, place=(project / "bucket").as_uri()))
    facts = toy_facts("m", source="models:/ctr/4")
    folder = fetch(project, facts, environ={"MLFLOW_TRACKING_URI": address})
    assert load_model(folder, project).name == "m"


def test_mlflow__model_that_is_not_there_is_told(project, serve):
    address = serve(Shelf(project))
    facts = toy_facts("m", source="models:/nope@champion")
    with pytest.raises(StepError, match="MLflow refuses"):
        fetch(project, facts, environ={"MLFLOW_TRACKING_URI": address})
