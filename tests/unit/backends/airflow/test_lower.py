"""From applications to DAG files: names, limits, several environments, what the files say."""

from __future__ import annotations

import ast
import json
from dataclasses import replace

import pytest

from mlspec.backends.airflow import BACKEND
from mlspec.backends.airflow.names import task_id
from mlspec.backends.base import LowerOptions, Unsupported
from mlspec.diagnostics.codes import targets as codes
from mlspec.ir.features import Feature
from mlspec.ir.model import (
    Application,
    Approval,
    Combination,
    DataInput,
    DataSet,
    Environment,
    Join,
    Matrix,
    Op,
    Output,
    Param,
    ParamCondition,
    Pipeline,
    Resources,
    Schedule,
    Script,
    Step,
    Triggers,
)
from mlspec.ir.values import Duration, Memory, Namespace, Ref
from mlspec.source import Origin
from tests.support.everything import everything
from tests.support.graphs import TRAPS, random_application

SEED = Matrix(keys=("seed",), rows=(Combination((("seed", "1"),)),))


def one(step_id: str, **settings: object) -> Step:
    return Step(id=step_id, action=Script(text="true\n"), **settings)  # type: ignore[arg-type]


def app(*steps: Step, store: str | None = "file:s", **settings: object) -> Application:
    pipeline = Pipeline(id="p", steps=steps, **settings)  # type: ignore[arg-type]
    return Application(name="a", environment=Environment(store=store), pipelines=(pipeline,))


def emitted(made: Application, **options: object) -> dict[str, str]:
    lowered = BACKEND.lower((made,), LowerOptions(**options))  # type: ignore[arg-type]
    assert lowered.value is not None, lowered.diagnostics
    return {artifact.path: artifact.text for artifact in BACKEND.emit(lowered.value)}


def told(made: Application, **options: object) -> list[str]:
    lowered = BACKEND.lower((made,), LowerOptions(**options))  # type: ignore[arg-type]
    return [one.code.id for one in lowered.diagnostics]


def operators(text: str) -> dict[str, dict[str, ast.expr]]:
    """Return the keyword arguments of every call with a task id."""
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            keywords = {k.arg: k.value for k in node.keywords if k.arg is not None}
            if isinstance(value := keywords.get("task_id"), ast.Constant):
                found[str(value.value)] = keywords
    return found


def test_capabilities__classify_every_feature() -> None:
    for feature in Feature:
        assert BACKEND.capabilities.of(feature)
    refused = {f for f in Feature if isinstance(BACKEND.capabilities.of(f), Unsupported)}
    assert refused == {
        Feature.DATA_QUERY,
        Feature.TRIGGER_MODELS,
        Feature.PULL_REQUEST,
        Feature.PUSH,
    }


def test_emit__same_bytes_for_the_same_input() -> None:
    for made in (*TRAPS.values(), *(random_application(seed) for seed in range(10))):
        stored = replace(made, environment=Environment(store="s3://b/s"))
        assert emitted(stored) == emitted(stored)


def test_lower__several_environments_have_files_of_their_own() -> None:
    made = app(one("s", lock="gpu"))
    other = replace(made, environment=Environment(name="prod", store="s3://b/x"))
    lowered = BACKEND.lower((made, other), LowerOptions(project_path="../.."))
    assert lowered.value is not None
    artifacts = BACKEND.emit(lowered.value)
    assert [a.path for a in artifacts] == [
        "dags/default/a_p.py",
        "dags/prod/a_p.py",
        "dags/a_steps.py",
        "pools/a_default.json",
        "pools/a_prod.json",
    ]
    assert [a.environment for a in artifacts] == ["default", "prod", None, None, None]
    prod = artifacts[1].text
    assert 'dag_id="a_p_prod"' in prod
    assert 'project="../../../.."' in prod
    assert 'pool="a_gpu_prod"' in prod
    assert list(json.loads(artifacts[4].text)) == ["a_gpu_prod"]


@pytest.mark.parametrize(
    ("step_id", "name"),
    [("train", "train"), ("train-2", "train_2"), ("import", "import_"), ("pipeline", "pipeline_")],
)
def test_task_id__is_a_variable(step_id: str, name: str) -> None:
    assert task_id(step_id) == name
    assert name in operators(emitted(app(one(step_id)))["dags/a_p.py"])


def test_check_names__instances_and_other_tasks() -> None:
    assert told(app(one("train", matrix=SEED), one("train-1"))) == ["ML094"]
    assert told(app(one("a--approve"), one("a", approvals=(Approval(role="x"),)))) == ["ML094"]
    assert told(app(one("x" * 251))) == ["ML095"]
    assert told(replace(app(one("x")), name="n" * 250)) == ["ML095"]


def test_limits__are_told() -> None:
    output = (Output(name="o", path="out/x"),)
    assert told(app(one("s", outputs=output), store=None)) == [codes.NO_STORE.id]
    assert told(app(one("s"), store=None)) == []
    big = Step(id="s", action=Script(text="x" * 130_000))
    assert told(app(big)) == [codes.TARGET_LIMIT.id]
    schedule = Triggers(schedule=Schedule(cron="0 3 * * *"))
    params = (Param(name="x"),)
    assert told(app(one("s"), triggers=schedule, params=params)) == [codes.TARGET_LIMIT.id]
    assert told(app(one("s"), params=params)) == []
    pooled = one("s", lock="gpu", native={"airflow": {"pool": "x"}})
    assert told(app(pooled)) == [codes.BAD_NATIVE.id]
    warned = BACKEND.lower((app(one("s", resources=Resources(memory=Memory(1)))),), LowerOptions())
    assert [one.is_error for one in warned.diagnostics] == [False]
    assert warned.value is not None


def test_limits__sources_that_no_worker_can_bring() -> None:
    reads = Step(
        id="s",
        action=Script(text="true", refs=(Ref(Namespace.INPUTS, "x"),)),
        inputs=(DataInput(name="x", data="d"),),
    )
    for source, wanted in (("postgresql://h/d", ["ML099"]), ("s3://b/k", []), ("data/x", [])):
        made = replace(app(reads), data=(DataSet(id="d", source=source),))
        assert told(made) == wanted


def test_emit__every_makes_a_dag_that_looks() -> None:
    made = app(one("s"), triggers=Triggers(data=("d", "own"), every=Duration(900_000)))
    makes = Pipeline(id="q", steps=(one("m", outputs=(Output(name="o", path="x", data="own"),)),))
    data = (DataSet(id="d", source="s3://b/k"), DataSet(id="own"))
    made = replace(made, data=data, pipelines=(*made.pipelines, makes))
    text = emitted(made)["dags/a_p_watch.py"]
    assert "schedule=DeltaTriggerTimetable(timedelta(minutes=15))" in text
    assert list(operators(text)) == ["d"]
    assert 'outlets=[Asset("a/d")]' in text
    assert 'schedule=[Asset("a/d"), Asset("a/own")]' in emitted(made)["dags/a_p.py"]
    database = replace(made, data=(DataSet(id="d", source="postgresql://h/d"), data[1]))
    assert told(database) == [codes.TARGET_LIMIT.id]


def test_emit__approvals_never_default_to_yes() -> None:
    approval = Approval(role="lead", count=2, within=Duration(3_600_000))
    when = (ParamCondition(param="x", op=Op.EQ, value="1"),)
    made = app(one("s", approvals=(approval,), when=when), params=(Param(name="x", default="1"),))
    found = operators(emitted(made, settings={"approvers": {"lead": ["7"]}})["dags/a_p.py"])
    assert list(found) == ["s__approve_first", "s__approve_second", "s", "run__verdict"]
    for name in ("s__approve_first", "s__approve_second"):
        assert ast.unparse(found[name]["fail_on_reject"]) == "True"
        assert ast.unparse(found[name]["ignore_downstream_trigger_rules"]) == "True"
        assert ast.unparse(found[name]["response_timeout"]) == "timedelta(hours=1)"
        assert "defaults" not in found[name]
        assert ast.literal_eval(found[name]["assigned_users"]) == [{"id": "7", "name": "7"}]
    assert "trigger_rule" not in found["s"]


def test_emit__the_environment_is_approved_before_anything() -> None:
    steps = (one("a"), one("b", needs=("a",), join=Join.ALL_DONE), one("c", needs=("a",)))
    approval = Approval(role="lead", within=Duration(3_600_000))
    environment = Environment(name="prod", store="file:s", approvals=(approval,))
    text = emitted(replace(app(*steps), environment=environment))["dags/a_p.py"]
    assert "environment__approve >> a\n" in text
    assert text.count('admitted=["environment__approve"]') == 1  # b: the others are blocked
    two = replace(environment, approvals=(replace(approval, count=2),))
    text = emitted(replace(app(*steps), environment=two))["dags/a_p.py"]
    assert (
        "[environment__approve_first, environment__approve_second] >> environment__approved" in text
    )
    assert "environment__approved >> a\n" in text


def test_emit__the_verdict_stands_below_every_step() -> None:
    made = replace(app(one("a"), one("b")), name="x-y")
    final = replace(made.pipelines[0], final=one("finally"))
    text = emitted(replace(made, pipelines=(final,)))["dags/x-y_p.py"]
    assert "[a, b] >> finally_" in text
    assert "[a, b, finally_] >> run__verdict" in text
    assert "from x_y_steps import Pipeline, verdict" in text


def test_emit__everything_without_images() -> None:
    made = everything()
    steps = tuple(replace(s, image=None, native={}) for s in made.pipelines[0].steps)
    pipeline = replace(made.pipelines[0], steps=steps)
    files = emitted(replace(made, pipelines=(pipeline, *made.pipelines[1:])))
    for path, text in files.items():
        if path.endswith(".py"):
            found = list(ast.walk(ast.parse(text)))
            modules = {node.module for node in found if isinstance(node, ast.ImportFrom)}
            modules |= {a.name for n in found if isinstance(n, ast.Import) for a in n.names}
            assert not {name for name in modules if name and name.startswith("mlspec")}


def test_lower__one_place_for_what_several_steps_take_from_defaults() -> None:
    shared = Resources(gpu=1, at=Origin("m.yaml", ("defaults", "resources")))
    own = Resources(gpu=2, at=Origin("m.yaml", ("c", "resources")))
    made = app(one("a", resources=shared), one("b", resources=shared), one("c", resources=own))
    (found,) = BACKEND.lower((made,), LowerOptions()).diagnostics
    assert (found.at, [label.place for label in found.labels]) == (shared.at, [own.at])
