"""Trainings with several workers: what operators get passes their schemas and Argo's validator."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes import BACKEND
from mlspec.emit.artifact import Artifact
from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Application,
    Argv,
    Environment,
    Image,
    Json,
    Output,
    Pipeline,
    Resources,
    Retry,
    Secret,
    Step,
    StepInput,
)
from mlspec.ir.values import Cpu, Duration, Literal, Memory, Namespace, Ref, literal
from tests.support.kubernetes_checks import (
    argo_problems,
    created,
    objects,
    reference_problems,
    schema_problems,
    write,
)

IMAGE = Image(reference="example.org/ctr@sha256:" + "0" * 64)
NODE = json.dumps({"model": {"text": "it's $(X) $$ {{x}} \" é"}})
ENGINES = {"pytorch": "TrainJob", "ray": "RayJob", "spark": "SparkApplication"}


def training(engine: str, workers: int = 3, **more: Any) -> Step:
    words = [literal(word) for word in ("mlspec", "step", "train")]
    words += [literal("--in"), (Literal("train="), Ref(Namespace.INPUTS, "train"))]
    words += [literal("--out"), (Literal("model="), Ref(Namespace.OUTPUTS, "model"))]
    step = Step(
        id="train",
        kind=Kind.TRAIN,
        subject="models.ctr",
        engine=engine,
        action=Argv(words=tuple(words), reads=(Ref(Namespace.RUN, "id"),)),
        needs=("split",),
        inputs=(StepInput(name="train", step="split", output="train"),),
        outputs=(Output(name="model", path="mlspec-out/model"),),
        image=IMAGE,
        env=(("MLSPEC_NODE", literal(NODE)),),
        secrets=(Secret("HUB_TOKEN", "hub-token"),),
        resources=Resources(workers=workers, cpu=Cpu(2000), memory=Memory(4 << 30), gpu=1),
        timeout=Duration(3_600_000),
        retry=Retry(max=3),
        retry_exit=75,
        lock="gpus",
    )
    return replace(step, **more)


def app_of(step: Step, store: str | None = "s3://bucket/ml") -> Application:
    split = Step(
        id="split",
        kind=Kind.SPLIT,
        subject="models.ctr",
        action=Argv(words=(literal("mlspec"),)),
        outputs=(Output(name="train", path="mlspec-out/train"),),
        image=IMAGE,
    )
    evaluate = Step(
        id="evaluate",
        kind=Kind.EVALUATE,
        subject="models.ctr",
        action=Argv(words=(literal("mlspec"), (Ref(Namespace.INPUTS, "model"),))),
        needs=("train",),
        inputs=(StepInput(name="model", step="train", output="model"),),
        image=IMAGE,
    )
    return Application(
        name="ads",
        environment=Environment(store=store, identity=(("aws_role", "arn:aws:iam::1:role/x"),)),
        pipelines=(Pipeline(id="model-ctr", steps=(split, step, evaluate)),),
    )


SETTINGS: dict[str, Json] = {"spark_version": "4.0.1"}


def emitted(step: Step, **more: Any) -> tuple[Artifact, ...]:
    result = BACKEND.lower((app_of(step, **more),), LowerOptions(settings=SETTINGS))
    assert result.value is not None, [d.message for d in result.diagnostics]
    return BACKEND.emit(result.value)


def problems(step: Step, settings: dict[str, Json] | None = None, **more: Any) -> list[str]:
    options = LowerOptions(settings=SETTINGS if settings is None else settings)
    result = BACKEND.lower((app_of(step, **more),), options)
    return [d.message for d in result.diagnostics if d.is_error]


def templates(artifacts: tuple[Artifact, ...]) -> dict[str, dict[str, Any]]:
    found = next(o for o in objects(artifacts) if o["kind"] == "WorkflowTemplate")
    return {one["name"]: one for one in found["spec"]["templates"]}


@pytest.mark.parametrize("engine", ENGINES)
def test_training__passes_the_schema_of_its_operator(engine: str) -> None:
    artifacts = emitted(training(engine))
    found = objects(artifacts)
    assert schema_problems(found) == []
    assert reference_problems(found) == []
    made = created(templates(artifacts)["train"])
    assert made is not None
    assert made["kind"] == ENGINES[engine]


@pytest.mark.engine("argo")
@pytest.mark.parametrize("engine", ENGINES)
def test_training__passes_argos_validator(engine: str, tmp_path: Path) -> None:
    assert argo_problems(write(emitted(training(engine)), tmp_path)) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_schemas__notice_what_an_operator_does_not_know(engine: str) -> None:
    found = objects(emitted(training(engine)))
    template = next(o for o in found if o["kind"] == "WorkflowTemplate")
    (train,) = (t for t in template["spec"]["templates"] if t["name"] == "train")
    manifest = json.loads(train["resource"]["manifest"])
    manifest["spec"]["unheard"] = 1
    train["resource"]["manifest"] = json.dumps(manifest)
    assert any("unheard" in one for one in schema_problems(found))


@pytest.mark.parametrize("engine", ENGINES)
def test_files__have_the_keys_that_argo_uses(engine: str) -> None:
    made = templates(emitted(training(engine)))
    root = "mlspec/ads/runs/model-ctr/{{workflow.uid}}"
    (written,) = made["split"]["outputs"]["artifacts"]
    (read,) = made["evaluate"]["inputs"]["artifacts"]
    text = made["train"]["resource"]["manifest"]
    assert f"train=s3://bucket/{written['s3']['key']}" in text
    assert f"model=s3://bucket/{read['s3']['key']}" in text
    assert written["s3"]["key"] == f"ml/{root}/split/train.tgz"
    assert "{{" not in text.replace("{{workflow.uid}}", "").replace("{{workflow.name}}", "")


def _env(made: dict[str, Any], kind: str) -> dict[str, Any]:
    spec = made["spec"]
    found = {
        "TrainJob": lambda: spec["trainer"]["env"],
        "RayJob": lambda: spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][
            0
        ]["env"],
        "SparkApplication": lambda: spec["driver"]["env"],
    }[kind]()
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in found}


@pytest.mark.parametrize("engine", ENGINES)
def test_environment__is_that_of_a_step(engine: str) -> None:
    artifacts = emitted(training(engine))
    made = created(templates(artifacts)["train"])
    assert made is not None
    env = _env(made, ENGINES[engine])
    assert env["MLSPEC_RUN_ID"] == "{{workflow.name}}"
    assert env["OMP_NUM_THREADS"] == "2"
    assert env["HUB_TOKEN"] == {"secretKeyRef": {"name": "hub-token", "key": "value"}}
    # The node holds what Argo would replace: it stands in a ConfigMap that exists.
    reference = env["MLSPEC_TEXT_MLSPEC_NODE_1"]["configMapKeyRef"]
    config = next(
        o
        for o in objects(artifacts)
        if o["kind"] == "ConfigMap" and o["metadata"]["name"] == reference["name"]
    )
    assert config["data"][reference["key"]] == NODE
    assert env["MLSPEC_NODE"] == "$(MLSPEC_TEXT_MLSPEC_NODE_1)"


def test_train_job__one_process_on_each_node_of_our_own_runtime() -> None:
    artifacts = emitted(training("pytorch"))
    template = templates(artifacts)["train"]
    made = created(template)
    assert made is not None
    spec = made["spec"]
    assert (spec["trainer"]["numNodes"], spec["trainer"]["numProcPerNode"]) == (3, 1)
    assert spec["trainer"]["command"][:3] == ["mlspec", "step", "train"]
    assert spec["activeDeadlineSeconds"] == 3600
    assert spec["trainer"]["resourcesPerNode"]["limits"]["nvidia.com/gpu"] == "1"
    runtime = next(o for o in objects(artifacts) if o["kind"] == "TrainingRuntime")
    assert spec["runtimeRef"]["name"] == runtime["metadata"]["name"]
    (job,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "ads"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["restartPolicy"] == "Never"
    assert "retryStrategy" not in template
    assert template["synchronization"]["mutexes"] == [{"name": "ads-lock-gpus"}]


def test_executor__may_create_what_is_emitted_and_nothing_else() -> None:
    for engine, plural in (("pytorch", "trainjobs"), ("ray", "rayjobs")):
        (role,) = (o for o in objects(emitted(training(engine))) if o["kind"] == "Role")
        assert [r["resources"] for r in role["rules"]] == [["workflowtaskresults"], [plural]]
        assert role["rules"][1]["verbs"] == ["create", "get"]
    roles = [o for o in objects(emitted(training("spark"))) if o["kind"] == "Role"]
    assert {role["metadata"]["name"] for role in roles} == {"ads-driver", "ads-executor"}


@pytest.mark.parametrize(
    ("engine", "workers"), [("pytorch", 1), ("tensorflow", 3), ("scikit-learn", 1)]
)
def test_training__of_one_pod_is_a_pod(engine: str, workers: int) -> None:
    made = templates(emitted(training(engine, workers)))["train"]
    assert "container" in made
    assert made["retryStrategy"]["expression"] == "asInt(lastRetry.exitCode) == 75"


def test_training__what_is_refused() -> None:
    native: dict[str, Json] = {"kubernetes": {"pod": {"initContainers": []}}}
    assert "which Spark its image holds" in problems(training("spark"), settings={})[0]
    assert "only the cluster knows which" in problems(training("pytorch"), store=None)[0]
    assert "cannot have `pod.initContainers`" in problems(training("ray", native=native))[0]


def test_native__says_where_the_pods_run() -> None:
    chosen: Json = {"nodeSelector": {"gpu": "a100"}, "tolerations": [{"operator": "Exists"}]}
    native: dict[str, Json] = {"kubernetes": {"pod": chosen}}
    for engine in ENGINES:
        artifacts = emitted(training(engine, native=native))
        assert schema_problems(objects(artifacts)) == []
        text = "".join(a.text for a in artifacts)
        assert yaml.safe_load(text.split("---")[0]) is not None
        assert "a100" in text
