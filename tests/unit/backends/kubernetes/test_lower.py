"""The lowering as a whole: what is emitted for each thing that can be asked, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from mlspec.backends.base import LowerOptions, Partial, Unsupported
from mlspec.backends.kubernetes import BACKEND
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.features import Feature
from mlspec.ir.model import (
    Application,
    Approval,
    Argv,
    Build,
    Combination,
    DataInput,
    DataSet,
    DynamicAxis,
    Environment,
    Image,
    Join,
    Matrix,
    Output,
    Pairing,
    Param,
    Pipeline,
    RepoInput,
    Resources,
    Retry,
    Schedule,
    Script,
    Secret,
    StageMode,
    Step,
    StepInput,
    Triggers,
)
from mlspec.ir.values import Cpu, Duration, Literal, Memory, Namespace, Ref, literal
from tests.support.everything import everything
from tests.support.kubernetes_text import environment, expand

IMAGE = Image(reference="example.org/stub@sha256:" + "0" * 64)


def step(step_id: str, *, text: str = "true", **settings: Any) -> Step:
    settings = {"image": IMAGE, "action": Script(text=text), **settings}
    return Step(id=step_id, **settings)


def app(*steps: Step, name: str = "churn", **settings: Any) -> Application:
    outer = {key: settings.pop(key) for key in ("environment", "data") if key in settings}
    pipeline = Pipeline(id=settings.pop("id", "p"), steps=steps, **settings)
    return Application(name=name, pipelines=(pipeline,), **outer)


def found(application: Application, **settings: Any) -> tuple[Diagnostic, ...]:
    return BACKEND.lower((application,), LowerOptions(settings=settings)).diagnostics


def objects(application: Application, **settings: Any) -> dict[str, Any]:
    """Return the emitted objects as `Kind/name`."""
    result = BACKEND.lower((application,), LowerOptions(settings=settings))
    assert result.value is not None, [d.message for d in result.diagnostics]
    return {
        f"{one['kind']}/{one['metadata']['name']}": one
        for artifact in BACKEND.emit(result.value)
        if artifact.path.startswith("k8s/base/")
        for one in yaml.safe_load_all(artifact.text)
        if one["kind"] != "Kustomization"
    }


def workflow(application: Application, **settings: Any) -> dict[str, Any]:
    return objects(application, **settings)["WorkflowTemplate/churn-p"]["spec"]


def template(spec: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in spec["templates"] if one["name"] == name)


def tasks(spec: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in template(spec, "pipeline")["dag"]["tasks"]}


# ------------------------------------------------------------------ table


def test_capabilities__classify_every_feature() -> None:
    for feature in Feature:
        BACKEND.capabilities.of(feature)


def test_capabilities__every_loss_has_a_reason() -> None:
    for support in BACKEND.capabilities.support.values():
        if isinstance(support, Partial | Unsupported):
            assert support.reason


# ------------------------------------------------------------------ what runs


def test_script__stands_in_a_config_map_byte_for_byte() -> None:
    text = "echo '{{workflow.name}}' $(date) ${X} {{=1}}\n"
    everything_made = objects(app(step("one", text=text)))
    container = template(everything_made["WorkflowTemplate/churn-p"]["spec"], "one")
    (volume,) = [v for v in container["volumes"] if v["name"] == "script"]
    config = everything_made[f"ConfigMap/{volume['configMap']['name']}"]
    assert config["immutable"] is True
    assert config["data"] == {"one.sh": "set -euo pipefail\n" + text}
    assert container["container"]["command"] == ["bash", "/mlspec/script/one.sh"]


def test_script__another_text_gives_another_config_map() -> None:
    first, second = (
        next(name for name in objects(app(step("one", text=text))) if "ConfigMap" in name)
        for text in ("a", "b")
    )
    assert first != second


WORDS = ("plain", "$(X)", "$$", "$", "{{x}}", "{{=1}}", "a b", "", "'\"\\", "é\n", "$(", "{{")


def test_argv__arrives_byte_for_byte() -> None:
    lr = Ref(Namespace.PARAMS, "lr")
    words = tuple(literal(word) for word in WORDS)
    mixed = (Literal("{{a}}$"), lr, Literal("$(X)"))
    made = objects(
        app(
            step("one", action=Argv(words=(*words, mixed))),
            params=(Param(name="lr", default="0.1"),),
        )
    )
    container = template(made["WorkflowTemplate/churn-p"]["spec"], "one")["container"]
    config = {
        name.partition("/")[2]: one.get("data", {})
        for name, one in made.items()
        if name.startswith("ConfigMap/")
    }
    assert not any("{{" in word for word in container["command"])
    known = {**environment(container, config), lr.variable: "0.1"}
    assert [expand(word, known) for word in container["command"]] == [
        *WORDS,
        "{{a}}$0.1$(X)",
    ]


def test_environment__own_values_may_hold_references_and_braces() -> None:
    lr = Ref(Namespace.PARAMS, "lr")
    made = objects(
        app(
            step(
                "one",
                env=(("A", (Literal("{{x}}="), lr)), ("B", literal("$(A)"))),
                secrets=(Secret("TOKEN", "hub-token"),),
            ),
            params=(Param(name="lr", default="0.1"),),
        )
    )
    container = template(made["WorkflowTemplate/churn-p"]["spec"], "one")["container"]
    config = {
        name.partition("/")[2]: one.get("data", {})
        for name, one in made.items()
        if name.startswith("ConfigMap/")
    }
    values = {v["name"]: v.get("value") for v in container["env"]}
    assert values["MLSPEC_PARAMS_LR"] == "{{=replace(workflow.parameters['lr'], '$', '$$')}}"
    known = environment(container, config)
    assert known["A"].startswith("{{x}}={{=replace(")
    assert known["B"] == "$(A)"
    assert known["TOKEN"] == "<hub-token>"


def test_environment__threads_follow_cpu() -> None:
    spec = workflow(app(step("one", resources=Resources(cpu=Cpu(2500)))))
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in template(spec, "one")["container"]["env"]
    mine = (("OMP_NUM_THREADS", literal("7")), ("HOME", literal("/x")))
    spec = workflow(app(step("one", resources=Resources(cpu=Cpu(2500)), env=mine)))
    values = [(v["name"], v["value"]) for v in template(spec, "one")["container"]["env"]]
    assert values == [("OMP_NUM_THREADS", "7"), ("HOME", "/x")]


def test_resources__are_requests_and_limits() -> None:
    asked = Resources(cpu=Cpu(500), memory=Memory(4 << 30), gpu=1)
    spec = workflow(app(step("one", resources=asked)))
    wanted = {"cpu": "500m", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert template(spec, "one")["container"]["resources"] == {
        "requests": wanted,
        "limits": wanted,
    }


def test_image__is_needed() -> None:
    (problem,) = found(app(step("one", image=None)))
    assert problem.code.id == "ML090"
    assert "has no image" in problem.message
    assert problem.help


# ------------------------------------------------------------------ policies


def test_retry__is_always_with_backoff() -> None:
    spec = workflow(app(step("one", retry=Retry(max=3, delay=Duration(30_000), factor=2.0))))
    assert template(spec, "one")["retryStrategy"] == {
        "limit": 3,
        "retryPolicy": "Always",
        "backoff": {"duration": "30s", "factor": 2},
    }


def test_retry__cap_only_where_it_can_be_reached() -> None:
    reached = Retry(max=4, delay=Duration(30_000), factor=2.0, max_delay=Duration(60_000))
    application = app(step("one", retry=reached))
    assert template(workflow(application), "one")["retryStrategy"]["backoff"]["cap"] == "60s"
    assert [d.severity.value for d in found(application)] == ["warning"]
    not_reached = replace(reached, max=2)
    application = app(step("one", retry=not_reached))
    assert "cap" not in template(workflow(application), "one")["retryStrategy"]["backoff"]
    assert found(application) == ()


def test_retry__factor_must_be_whole() -> None:
    (problem,) = found(app(step("one", retry=Retry(max=2, delay=Duration(1), factor=1.5))))
    assert problem.code.id == "ML099"


def test_timeout__is_the_pods() -> None:
    spec = workflow(app(step("one", timeout=Duration(1500))))
    assert template(spec, "one")["activeDeadlineSeconds"] == 2


def test_lock__is_a_mutex_of_the_application() -> None:
    spec = workflow(app(step("one", lock="gpu")))
    assert template(spec, "one")["synchronization"] == {"mutexes": [{"name": "churn-lock-gpu"}]}


def test_runs__of_a_pipeline_never_overlap() -> None:
    assert workflow(app(step("one")))["synchronization"] == {"mutexes": [{"name": "churn-run-p"}]}


def test_parallel__is_a_semaphore_with_its_limit() -> None:
    matrix = Matrix(keys=("k",), rows=(Combination((("k", "a"),)),), parallel=2)
    made = objects(app(step("one", matrix=matrix)))
    assert made["ConfigMap/churn-limits"]["data"] == {"p.one": "2"}
    one = template(made["WorkflowTemplate/churn-p"]["spec"], "one")
    reference = {"name": "churn-limits", "key": "p.one"}
    assert one["synchronization"]["semaphores"] == [{"configMapKeyRef": reference}]


# ------------------------------------------------------------------ graph


def test_dag__does_not_stop_at_the_first_failure() -> None:
    assert template(workflow(app(step("one"))), "pipeline")["dag"]["failFast"] is False


def test_dag__the_verdict_is_the_only_leaf_and_looks_at_failures() -> None:
    spec = workflow(app(step("one"), step("two", needs=("one",), allow_failure=True)))
    made = tasks(spec)
    assert made["two"]["depends"] == "one.Succeeded"
    assert made["verdict"]["depends"] == (
        "!(one.Failed || one.Errored) && "
        "(two.Succeeded || two.Failed || two.Errored || two.Skipped || two.Omitted)"
    )


def test_dag__steps_called_like_our_tasks_keep_their_names() -> None:
    spec = workflow(app(step("gate"), step("pipeline"), step("verdict"), step("on-exit")))
    names = [one["name"] for one in spec["templates"]]
    assert len(set(names)) == len(names)
    assert spec["entrypoint"] == "pipeline-x2"
    assert {"gate", "pipeline", "verdict", "on-exit"} <= set(names)


def test_approval__waits_and_then_says_no() -> None:
    approval = Approval(role="lead", within=Duration(3_600_000))
    spec = workflow(app(step("one", approvals=(approval,))))
    asked = template(spec, "one-approve")
    assert asked["suspend"] == {"duration": "3600s"}
    (answer,) = asked["outputs"]["parameters"]
    assert answer["valueFrom"] == {"supplied": {}, "default": "no"}
    (choice,) = asked["inputs"]["parameters"]
    assert choice["enum"] == ["no", "yes"]
    assert tasks(spec)["one"]["depends"] == "one-approve.Succeeded"
    assert "== 'yes'" in tasks(spec)["one"]["when"]
    assert "one-approve.Failed" in tasks(spec)["verdict"]["depends"]


def test_approval__of_the_environment_comes_before_everything() -> None:
    environment_ = Environment(name="prod", approvals=(Approval(role="lead"),))
    application = app(step("one"), step("two", needs=("one",)), environment=environment_)
    made = tasks(workflow(application))
    assert made["one"]["depends"] == "environment-approved.Succeeded"
    assert made["two"]["depends"].startswith("environment-approved.Succeeded && ")
    assert "environment-approved.Errored" in made["verdict"]["depends"]


def test_finally__is_an_exit_handler_that_cannot_fail_the_run() -> None:
    status = Ref(Namespace.RUN, "status")
    last = step("finally", action=Script(text="x", refs=(status,)))
    spec = workflow(app(step("one"), final=last))
    (task,) = template(spec, spec["onExit"])["dag"]["tasks"]
    assert task["continueOn"] == {"failed": True, "error": True}
    assert "workflow.status == 'Succeeded'" in task["arguments"]["parameters"][0]["value"]


def test_finally__that_reads_steps_is_a_task_before_the_verdict() -> None:
    producer = step("one", outputs=(Output(name="x", path="out/x"),))
    last = step("finally", inputs=(StepInput(name="x", step="one", output="x"),))
    spec = workflow(app(producer, final=last))
    assert "onExit" not in spec
    made = tasks(spec)
    assert made["finally"]["depends"].startswith("(outcome.Succeeded || ")
    assert made["verdict"]["depends"].startswith("outcome.Succeeded && (finally.Succeeded || ")


# ------------------------------------------------------------------ files


def test_metrics__beside_an_output_are_read_at_its_absolute_path() -> None:
    outputs = (Output(name="m", path="out/m.json"),)
    spec = workflow(app(step("one", outputs=outputs, metrics="out/m.json")))
    (parameter,) = template(spec, "one")["outputs"]["parameters"]
    assert parameter["valueFrom"] == {"path": "/mlspec/out/out/m.json"}


def test_metrics__alone_are_read_in_the_images_own_folder() -> None:
    made = objects(app(step("one", metrics="a b/m.json")))
    spec = made["WorkflowTemplate/churn-p"]["spec"]
    (parameter,) = template(spec, "one")["outputs"]["parameters"]
    assert parameter["valueFrom"] == {"path": "a b/m.json"}
    text = next(one for name, one in made.items() if "ConfigMap/churn-p-" in name)["data"]["one.sh"]
    assert text.startswith("set -euo pipefail\nmkdir -p -- 'a b'\n")


def test_repository__needs_to_be_named() -> None:
    raw = Ref(Namespace.INPUTS, "raw")
    action = Script(text='cat "${MLSPEC_INPUTS_RAW}"', refs=(raw,))
    inputs = (RepoInput(name="raw", path="data/raw.csv"),)
    application = app(step("one", action=action, inputs=inputs))
    (problem,) = found(application)
    assert problem.code.id == "ML099"
    assert found(app(step("one", inputs=inputs))) == (), "nobody asks where it is"
    built = app(
        step("one", action=action, inputs=inputs, image=Image(reference="a:1", build=Build()))
    )
    assert found(built) == (), "the checkout is in an image that is built from it"
    spec = workflow(application, repository="https://example.org/a.git", revision="v1")
    (artifact,) = template(spec, "one")["inputs"]["artifacts"]
    assert artifact["git"] == {"repo": "https://example.org/a.git", "revision": "v1"}


def test_data__is_read_from_its_source() -> None:
    data = (DataSet(id="d", source="s3://lake/d/"), DataSet(id="e", source="kafka://x"))
    inputs = (
        DataInput(name="d", data="d"),
        DataInput(name="e", data="e", mode=StageMode.URI),
    )
    refs = (Ref(Namespace.INPUTS, "d"), Ref(Namespace.INPUTS, "e"))
    spec = workflow(app(step("one", inputs=inputs, action=Script(text="x", refs=refs)), data=data))
    one = template(spec, "one")
    values = {v["name"]: v["value"] for v in one["container"]["env"]}
    assert values["MLSPEC_INPUTS_D"] == "/mlspec/in/d/d"
    assert values["MLSPEC_INPUTS_E"] == "kafka://x"
    (artifact,) = one["inputs"]["artifacts"]
    assert artifact["s3"]["bucket"] == "lake"
    assert "optional" not in artifact


def test_data__that_argo_cannot_read_is_refused() -> None:
    data = (DataSet(id="e", source="kafka://x"),)
    application = app(step("one", inputs=(DataInput(name="e", data="e"),)), data=data)
    (problem,) = found(application)
    assert "as: uri" in problem.help[0]


def test_data__written_here_starts_the_pipelines_that_wait_for_it() -> None:
    writer = Pipeline(
        id="p", steps=(step("one", outputs=(Output(name="x", path="o/x", data="d"),)),)
    )
    reader = Pipeline(
        id="q",
        steps=(step("two", inputs=(DataInput(name="d", data="d"),)),),
        triggers=Triggers(data=("d",)),
    )
    application = Application(name="churn", pipelines=(writer, reader), data=(DataSet(id="d"),))
    made = objects(application)
    spec = made["WorkflowTemplate/churn-p"]["spec"]
    assert tasks(spec)["start-q"]["depends"] == "one-publish-d.Succeeded"
    assert '"churn-q"' in template(spec, "start-q")["resource"]["manifest"]
    assert "one-publish-d.Errored" in tasks(spec)["verdict"]["depends"]
    assert "start-q.Errored" in tasks(spec)["verdict"]["depends"]
    verbs = {tuple(r["resources"]): r["verbs"] for r in made["Role/churn-executor"]["rules"]}
    assert verbs == {
        ("workflowtaskresults",): ["create", "patch"],
        ("configmaps",): ["get", "patch"],
        ("workflows",): ["create", "get"],
    }


def test_data__with_a_source_is_copied_there_after_the_step() -> None:
    output = Output(name="x", path="o/x.csv", data="d")
    data = (DataSet(id="d", source="s3://lake/d/"),)
    spec = workflow(app(step("one", outputs=(output,)), data=data))
    copies = template(spec, "one-publish-d")
    (came,) = copies["inputs"]["artifacts"]
    (went,) = copies["outputs"]["artifacts"]
    assert came["s3"]["key"].endswith("/one/x/x.csv")
    assert went["s3"]["bucket"] == "lake"
    assert went["s3"]["key"] == "d/x.csv"
    assert came["path"] == went["path"]
    assert tasks(spec)["one-publish-d"]["depends"] == "one.Succeeded"


def test_data__that_argo_cannot_write_is_refused() -> None:
    output = Output(name="x", path="o/x.csv", data="d")
    data = (DataSet(id="d", source="https://example.org/d"),)
    (problem,) = found(app(step("one", outputs=(output,)), data=data))
    assert "leave `source` out" in problem.help[0]


def test_data__written_to_an_address_gets_the_address() -> None:
    output = Output(name="x", path="o/x", data="d", mode=StageMode.URI)
    data = (DataSet(id="d", source="postgresql://h/d"),)
    action = Script(text="x", refs=(Ref(Namespace.OUTPUTS, "x"),))
    spec = workflow(app(step("one", outputs=(output,), action=action), data=data))
    values = {v["name"]: v["value"] for v in template(spec, "one")["container"]["env"]}
    assert values["MLSPEC_OUTPUTS_X"] == "postgresql://h/d"
    assert "outputs" not in template(spec, "one")


def test_data__several_triggers_are_refused() -> None:
    triggers = Triggers(data=("a", "b"))
    (problem,) = found(app(step("one"), triggers=triggers))
    assert problem.code.id == "ML099"


def test_store__must_be_shared() -> None:
    (problem,) = found(app(step("one"), environment=Environment(store="file:.mlspec/store")))
    assert problem.code.id == "ML096"


def test_store__is_the_artifact_repository() -> None:
    made = objects(app(step("one"), environment=Environment(store="s3://b/p/")))
    assert made["WorkflowTemplate/churn-p"]["spec"]["artifactRepositoryRef"] == {
        "configMap": "churn-artifacts",
        "key": "store",
    }
    stored = yaml.safe_load(made["ConfigMap/churn-artifacts"]["data"]["store"])
    assert stored["s3"]["bucket"] == "b"


def test_store__of_another_cloud() -> None:
    made = objects(app(step("one"), environment=Environment(store="gs://b")))
    stored = yaml.safe_load(made["ConfigMap/churn-artifacts"]["data"]["store"])
    assert stored == {"gcs": {"bucket": "b"}}


def test_identity__annotates_the_steps_account() -> None:
    identity = (
        ("service_account", "reader"),
        ("aws_role", "arn"),
        ("gcp_service_account", "x@y"),
        ("azure_client_id", "id"),
    )
    made = objects(app(step("one"), environment=Environment(identity=identity)))
    account = made["ServiceAccount/reader"]
    assert account["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn",
        "iam.gke.io/gcp-service-account": "x@y",
        "azure.workload.identity/client-id": "id",
    }
    assert account["automountServiceAccountToken"] is False
    spec = made["WorkflowTemplate/churn-p"]["spec"]
    assert spec["serviceAccountName"] == "reader"
    assert spec["executor"] == {"serviceAccountName": "churn-executor"}


def test_matrix__values_that_argo_reads_are_refused() -> None:
    matrix = Matrix(keys=("k",), rows=(Combination((("k", "{{x}}"),)),))
    (problem,) = found(app(step("one", matrix=matrix)))
    assert "`{{`" in problem.message


def test_matrix__known_at_run_time_needs_a_sure_join_to_be_read() -> None:
    first = step("one", outputs=(Output(name="list", path="o/l.json"),))
    axis = DynamicAxis(key="k", step="one", output="list", max=3)
    many = step(
        "many",
        needs=("one",),
        outputs=(Output(name="x", path="o/x"),),
        matrix=Matrix(keys=("k",), rows=(Combination(()),), dynamic=axis),
    )
    reader = step(
        "reader",
        needs=("many",),
        join=Join.ALL_DONE,
        inputs=(StepInput(name="x", step="many", output="x", pairing=Pairing.FOLDER),),
    )
    assert [d.code.id for d in found(app(first, many, reader))] == ["ML099"]
    assert found(app(first, many, replace(reader, join=Join.ALL_SUCCESS))) == ()


# ------------------------------------------------------------------ clocks and names


def test_schedule__is_a_cron_workflow() -> None:
    triggers = Triggers(schedule=Schedule(cron="0 3 * * *", timezone="Europe/Oslo"))
    made = objects(app(step("one"), triggers=triggers))
    spec = made["CronWorkflow/churn-p"]["spec"]
    assert spec["schedules"] == ["0 3 * * *"]
    assert spec["timezone"] == "Europe/Oslo"
    assert spec["workflowSpec"] == {"workflowTemplateRef": {"name": "churn-p"}}


def test_schedule__gives_the_run_its_date() -> None:
    triggers = Triggers(schedule=Schedule(cron="0 3 * * *"))
    dated = step("one", action=Script(text="x", refs=(Ref(Namespace.RUN, "date"),)))
    made = objects(app(dated, triggers=triggers))
    (given,) = made["CronWorkflow/churn-p"]["spec"]["workflowSpec"]["arguments"]["parameters"]
    assert given == {"name": "run-date", "value": "{{workflow.scheduledTime}}"}
    (declared,) = made["WorkflowTemplate/churn-p"]["spec"]["arguments"]["parameters"]
    assert declared == {"name": "run-date", "value": ""}


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [(15, "*/15 * * * *"), (60, "0 */1 * * *"), (360, "0 */6 * * *"), (1440, "0 0 * * *")],
)
def test_every__becomes_cron_where_it_divides(minutes: int, cron: str) -> None:
    triggers = Triggers(data=("d",), every=Duration(minutes * 60_000))
    made = objects(app(step("one"), triggers=triggers))
    assert made["CronWorkflow/churn-p"]["spec"]["schedules"] == [cron]


def test_every__is_refused_where_it_does_not() -> None:
    triggers = Triggers(data=("d",), every=Duration(7 * 60_000))
    assert [d.code.id for d in found(app(step("one"), triggers=triggers))] == ["ML099"]


def test_names__too_long_for_a_cron_workflow() -> None:
    triggers = Triggers(schedule=Schedule(cron="0 3 * * *"))
    application = app(step("one"), name="a" * 40, id="p" * 20, triggers=triggers)
    assert [d.code.id for d in found(application)] == ["ML095"]
    assert (
        found(
            replace(
                application, pipelines=(replace(application.pipelines[0], triggers=Triggers()),)
            )
        )
        == ()
    )


# ------------------------------------------------------------------ native


def test_native__is_merged_into_the_pod() -> None:
    pod = {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "labels": {"team": "a"},
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "containers": [{"name": "proxy", "image": "p"}],
        "runtimeClassName": "gvisor",
    }
    spec = workflow(app(step("one", native={"kubernetes": {"pod": pod}})))
    one = template(spec, "one")
    assert one["nodeSelector"] == {"pool": "gpu"}
    assert one["metadata"] == {"labels": {"team": "a"}}
    assert one["sidecars"] == pod["containers"]
    assert one["podSpecPatch"] == '{"runtimeClassName": "gvisor"}'
    assert {"name": "cache", "emptyDir": {}} in one["volumes"]


@pytest.mark.parametrize(
    "pod",
    [
        {"serviceAccountName": "x"},
        {"image": "x"},
        {"labels": {"app.kubernetes.io/name": "x"}},
        {"containers": [{"name": "main"}]},
        {"volumes": [{"name": "script"}]},
        {"tolerations": {}},
        {"annotations": {"a": "{{x}}"}},
    ],
)
def test_native__closed_list(pod: dict[str, Any]) -> None:
    problems = found(app(step("one", native={"kubernetes": {"pod": pod}})))
    assert {d.code.id for d in problems} == {"ML093"}


def test_native__pod_gc_of_the_pipeline() -> None:
    native: dict[str, Any] = {"kubernetes": {"podGC": {"strategy": "OnWorkflowSuccess"}}}
    spec = workflow(app(step("one"), native=native))
    assert spec["podGC"] == {"strategy": "OnWorkflowSuccess"}


@pytest.mark.parametrize("asked", [{"strategy": "Sometimes"}, {"labelSelector": {}}, {}])
def test_native__pod_gc_is_checked(asked: dict[str, Any]) -> None:
    native: dict[str, Any] = {"kubernetes": {"podGC": asked}}
    assert [d.code.id for d in found(app(step("one"), native=native))] == ["ML093"]


# ------------------------------------------------------------------ emission


def test_emit__same_input_same_bytes() -> None:
    whole = everything()
    whole = replace(
        whole,
        pipelines=tuple(
            replace(
                p,
                steps=tuple(replace(s, image=s.image or IMAGE) for s in p.steps),
                final=replace(p.final, image=IMAGE) if p.final else None,
            )
            for p in whole.pipelines
        ),
    )
    options = LowerOptions(settings={"repository": "https://example.org/a.git"})
    texts = []
    for _ in range(2):
        result = BACKEND.lower((whole,), options)
        assert result.value is not None
        texts.append([(a.path, a.text) for a in BACKEND.emit(result.value)])
    assert texts[0] == texts[1]
    assert all(text.startswith("# Generated by mlspec from mlspec.yaml") for _, text in texts[0])


@pytest.mark.parametrize("source", [None, "s3://lake/rides.csv"])
def test_data__written_by_one_step_is_read_by_the_next_where_it_is_kept(source: str | None) -> None:
    made = Output(name="rides", path="out/rides.csv", data="rides")
    write = step("write", outputs=(made, Output(name="log", path="out/log")))
    inputs = (
        StepInput(name="rides", step="write", output="rides"),
        StepInput(name="log", step="write", output="log"),
    )
    refs = tuple(Ref(Namespace.INPUTS, item.name) for item in inputs)
    read = step(
        "read",
        needs=("write",),
        inputs=inputs,
        env=tuple((ref.name.upper(), (ref,)) for ref in refs),
    )
    spec = workflow(app(write, read, data=(DataSet(id="rides", source=source),)))
    kept = {
        one["name"].removeprefix("out-"): (one["s3"]["key"], one.get("archive"))
        for one in template(spec, "write")["outputs"]["artifacts"]
    }
    found = {
        one["name"].removeprefix("in-"): (one["s3"]["key"], one.get("archive"))
        for one in template(spec, "read")["inputs"]["artifacts"]
    }
    assert found == kept
    assert kept["rides"][1] == {"none": {}}
