"""Pods as `KubernetesPodOperator` builds them: valid for Kubernetes, files brought and taken.

Nothing here talks to a cluster: `airflow_pods_run.py` calls the hooks and prints the pods.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.backends.airflow import BACKEND
from mlspec.backends.base import LowerOptions
from mlspec.ir.model import (
    Application,
    Argv,
    Combination,
    Environment,
    Image,
    Matrix,
    Output,
    Pairing,
    Pipeline,
    RepoInput,
    Resources,
    Script,
    Secret,
    Step,
    StepInput,
)
from mlspec.ir.values import Cpu, Literal, Memory, Namespace, Ref, literal
from tests.support.airflow_harness import airflow_env, airflow_python, engines, write
from tests.support.nasty import NASTY

pytestmark = pytest.mark.engine("airflow")

RUNNER = Path(__file__).resolve().parents[1] / "support" / "airflow_pods_run.py"
IMAGE = Image(reference="ghcr.io/acme/x@sha256:" + "0" * 64)
STAGE = "ghcr.io/acme/stage@sha256:" + "1" * 64
SEED = Matrix(keys=("seed",), rows=(Combination((("seed", "1"),)), Combination((("seed", "2"),))))
SCRIPT = "echo '{{ x }}' $(date) $$ $HOME $(HOME) > ${MLSPEC_OUTPUTS_OUT}\n"
OUT = Ref(Namespace.OUTPUTS, "out")
NOBODY = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "none",
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
}
"""A cluster that nobody asks: the operator only wants to know whether it runs inside of one."""
TEXTS = [text for text in NASTY if "\x00" not in text]


def app(store: str) -> Application:
    steps = (
        Step(
            id="make",
            image=IMAGE,
            action=Script(text=SCRIPT, refs=(OUT, Ref(Namespace.INPUTS, "raw"))),
            inputs=(RepoInput(name="raw", path="data/raw.csv"),),
            outputs=(Output(name="out", path="out/a.csv"),),
            metrics="out/a.csv",
            secrets=(Secret("TOKEN", "hub-token"),),
            resources=Resources(cpu=Cpu(1500), memory=Memory(1 << 30), gpu=1),
            native={
                "airflow": {
                    "queue": "q",
                    "pod": {
                        "labels": {"team": "ml"},
                        "nodeSelector": {"pool": "gpu"},
                        "tolerations": [{"key": "gpu", "operator": "Exists"}],
                    },
                }
            },
        ),
        Step(
            id="each",
            image=IMAGE,
            needs=("make",),
            action=Argv(
                words=(
                    literal("run"),
                    (Literal("--seed=$(TOKEN)$"), Ref(Namespace.MATRIX, "seed")),
                    (Ref(Namespace.INPUTS, "a"),),
                    (OUT,),
                    *(literal(text) for text in TEXTS),
                )
            ),
            env=(
                *((f"V{n}", literal(text)) for n, text in enumerate(TEXTS)),
                ("MIXED", (Literal("$(V1)"), Ref(Namespace.MATRIX, "seed"))),
            ),
            matrix=SEED,
            inputs=(StepInput(name="a", step="make", output="out"),),
            outputs=(Output(name="out", path="out/b"),),
        ),
        Step(
            id="last",
            image=IMAGE,
            needs=("each",),
            action=Argv(words=(literal("cat"), (Ref(Namespace.INPUTS, "all"),))),
            inputs=(StepInput(name="all", step="each", output="out", pairing=Pairing.FOLDER),),
        ),
        Step(id="alone", image=IMAGE, action=Argv(words=(literal("true"),))),
    )
    environment = Environment(
        store=store, namespace="ml", identity=(("service_account", "trainer"),)
    )
    return Application(
        name="a", environment=environment, pipelines=(Pipeline(id="p", steps=steps),)
    )


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("pods")
    # fsspec's other name for local files: the store is then used as an object store is.
    write([app(f"local://{folder}/store")], folder, staging_image=STAGE)
    (folder / "project" / "data").mkdir()
    (folder / "project" / "data" / "raw.csv").write_text("1,2\n")
    result = folder / "pods.json"
    (folder / "kube.json").write_text(json.dumps(NOBODY))
    done = subprocess.run(
        [airflow_python(), RUNNER, folder / "dags", result],
        env=airflow_env(folder) | {"KUBECONFIG": str(folder / "kube.json")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {"folder": folder, **json.loads(result.read_text())}


def containers(pod: dict[str, Any]) -> dict[str, Any]:
    spec = pod["spec"]
    return {one["name"]: one for one in (*spec.get("initContainers", []), *spec["containers"])}


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in container["env"]}


def expanded(text: str, variables: dict[str, Any]) -> str:
    """What Kubernetes makes of a command or a variable (its rules, written again)."""
    made, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            made, at = made + text[at], at + 1
        elif text[at + 1] == "$":
            made, at = made + "$", at + 2
        elif text[at + 1] == "(" and ")" in text[at:]:
            end = text.index(")", at)
            name = text[at + 2 : end]
            made += variables.get(name) or text[at : end + 1]
            at = end + 1
        else:
            made, at = made + text[at : at + 2], at + 2
    return made


def test_pods__are_valid_and_restricted(pods: dict[str, Any], tmp_path: Path) -> None:
    files = []
    for name, pod in pods["pods"].items():
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(pod))
    check = engines() / "lint" / "bin" / "kubernetes-validate"
    done = subprocess.run(
        [check, "--strict", "-k", "1.31", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for pod in pods["pods"].values():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        for one in containers(pod).values():
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_pods__have_what_the_step_asks_for(pods: dict[str, Any]) -> None:
    make = pods["pods"]["make"]
    assert list(containers(make)) == ["bring-files", "step", "base"]
    step = containers(make)["step"]
    assert step["image"] == IMAGE.reference
    assert containers(make)["base"]["image"] == STAGE
    assert step["resources"] == {
        "requests": {"cpu": "1500m", "memory": "1Gi"},
        "limits": {"memory": "1Gi", "nvidia.com/gpu": "1"},
    }
    token = next(one for one in step["env"] if one["name"] == "TOKEN")
    assert token["valueFrom"]["secretKeyRef"] == {"name": "hub-token", "key": "value"}
    assert step["command"] == ["bash", "-c"]
    script = expanded(step["args"][0], env_of(step))
    assert script.rstrip("\n") == "set -euo pipefail\n" + SCRIPT.rstrip("\n")
    assert env_of(step)["MLSPEC_INPUTS_RAW"] == "/mlspec/in/raw/raw.csv"
    assert env_of(step)["MLSPEC_OUTPUTS_OUT"] == "/mlspec/out/out/a.csv"
    assert make["spec"]["serviceAccountName"] == "trainer"
    assert make["spec"]["nodeSelector"] == {"pool": "gpu"}
    assert make["metadata"]["labels"]["team"] == "ml"
    assert make["metadata"]["namespace"] == "ml"
    assert list(containers(pods["pods"]["alone"])) == ["base"]
    assert list(containers(pods["pods"]["last"])) == ["bring-files", "base"]


def test_pods__argument_vectors_and_variables_arrive_unchanged(pods: dict[str, Any]) -> None:
    step = containers(pods["pods"]["each_1"])["step"]
    variables: dict[str, Any] = {}
    for one in step["env"]:
        variables[one["name"]] = expanded(one.get("value") or "", variables)
    words = [expanded(word, variables) for word in step["command"] + step.get("args", [])]
    assert words[:4] == [
        "run",
        "--seed=$(TOKEN)$2",
        "/mlspec/in/a/a.csv",
        "/mlspec/out/out/b",
    ]
    assert words[4:] == TEXTS
    assert [variables[f"V{n}"] for n in range(len(TEXTS))] == TEXTS
    assert variables["MIXED"] == "$(V1)2"


def test_pods__files_are_brought_and_taken(pods: dict[str, Any], tmp_path: Path) -> None:
    """Run the staging containers' program with /mlspec somewhere else."""
    bring = containers(pods["pods"]["make"])["bring-files"]
    take = containers(pods["pods"]["make"])["base"]
    root = tmp_path / "mlspec"
    staged(bring, root)
    assert (root / "in/raw/raw.csv").read_text() == "1,2\n"
    assert (root / "out/out").is_dir()
    missing = staged(take, root, check=False)
    assert missing.returncode != 0
    assert "declared output was not written: " in missing.stderr
    (root / "out/out/a.csv").write_text("made")
    staged(take, root)
    store = pods["folder"] / "store" / "a" / "runs" / "p" / "run"
    assert (store / "make/out/a.csv").read_text() == "made"
    assert (store / "make/metrics.json").read_text() == "made"
    staged(containers(pods["pods"]["last"])["bring-files"], root)
    entries = sorted(path.name for path in (root / "in/all/b").iterdir())
    assert entries == ["1", "2", "index.json"]
    index = json.loads((root / "in/all/b/index.json").read_text())
    assert index == [{"entry": n, "matrix": {"seed": n}} for n in ("1", "2")]


def staged(
    container: dict[str, Any], root: Path, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    files = env_of(container)["MLSPEC_FILES"].replace("/mlspec/", f"{root}/")
    done = subprocess.run(
        [airflow_python(), *container["command"][1:]],
        env={**os.environ, "MLSPEC_FILES": files},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def test_lower__says_what_a_pod_cannot_have() -> None:
    made = app("file:.mlspec/store")
    lowered = BACKEND.lower((made,), LowerOptions())
    told = " ".join(one.message for one in lowered.diagnostics)
    assert lowered.value is None
    assert "which image brings and takes them" in told
    assert "cannot reach the store" in told
    steps = made.pipelines[0].steps
    other = replace(
        steps[0],
        metrics="m.json",
        report=("r.md",),
        native={"airflow": {"pod": {"containers": []}}},
    )
    made = replace(made, pipelines=(replace(made.pipelines[0], steps=(other,)),))
    told = " ".join(one.message for one in BACKEND.lower((made,), LowerOptions()).diagnostics)
    assert "stand in the image's own folder" in told
    assert "stays in its pod" in told
    assert "`containers` cannot stand" in told
