"""Derived steps in a model of Argo that uses Argo's own evaluation: values, and exit codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes import BACKEND
from mlspec.backends.kubernetes.containers import CREATOR
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Approval, Environment, Image, Pipeline, Step
from tests.support.argo_model import Ended, Oracle, Pod, Workflow, oracle
from tests.support.derived import ATTEMPTS, CODES, SUCCEEDS, leaves, tells
from tests.support.kubernetes_checks import (
    ARGO_VALIDATE,
    argo_problems,
    objects,
    reference_problems,
    schema_problems,
    write,
)

pytestmark = pytest.mark.engine("argo")

IMAGE = Image(reference="example.org/stub@sha256:" + "0" * 64)


@pytest.fixture(scope="module")
def ask() -> Iterator[Oracle]:
    with oracle(ARGO_VALIDATE) as found:
        yield found


def app_of(*steps: Step, store: str | None = "s3://bucket/ml") -> Application:
    return Application(
        name="a",
        environment=Environment(store=store),
        pipelines=(Pipeline(id="p", steps=tuple(replace(s, image=IMAGE) for s in steps)),),
    )


def template_of(app: Application) -> dict[str, Any]:
    result = BACKEND.lower((app,), LowerOptions())
    assert result.value is not None, result.diagnostics
    text = next(a.text for a in BACKEND.emit(result.value) if "pipeline-p" in a.path)
    found = next(d for d in yaml.safe_load_all(text) if d["kind"] == "WorkflowTemplate")
    assert isinstance(found, dict)
    return found


def test_exit_codes__one_is_tried_again(ask: Oracle) -> None:
    template = template_of(app_of(*(leaves(name, "mark", *codes) for name, codes in CODES.items())))
    made: Counter[str] = Counter()

    def runner(pod: Pod) -> Ended:
        codes = (*CODES[pod.template], 0)
        made[pod.template] += 1
        return Ended(codes[made[pod.template] - 1])

    run = Workflow(template, ask, runner).execute()
    assert made == ATTEMPTS
    assert {name for name in CODES if run.phases[name] == "Succeeded"} == SUCCEEDS
    assert run.failed


def test_exit_codes__a_pod_that_was_lost_is_not_tried_again(ask: Oracle) -> None:
    template = template_of(app_of(leaves("one", "mark")))
    run = Workflow(template, ask, lambda _: Ended(-1)).execute()
    assert len(run.pods) == 1


def test_values__are_those_of_the_run(ask: Oracle, tmp_path: Path) -> None:
    asked = (Approval(role="ads", count=2),)
    app = app_of(tells("told"), tells("approve", Kind.APPROVE, approvals=asked))
    template = template_of(app)
    result = BACKEND.lower((app,), LowerOptions())
    assert result.value is not None
    assert not [d for d in result.diagnostics if "keep records" in d.message]
    assert argo_problems(write(BACKEND.emit(result.value), tmp_path)) == []
    (told,) = (t for t in template["spec"]["templates"] if t["name"] == "told")
    env = {one["name"]: one["value"] for one in told["container"]["env"]}
    assert {name: text for name, text in env.items() if name.startswith("MLSPEC_RUN_")} == {
        "MLSPEC_RUN_ACTOR": CREATOR,
        "MLSPEC_RUN_APPROVALS": "",
        "MLSPEC_RUN_COMMIT": "",
        "MLSPEC_RUN_ISSUER": "argo",
        "MLSPEC_RUN_STORE": "s3://bucket/ml",
    }


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ("null", ""),
        ('{"app": "x"}', ""),
        ('{"workflows.argoproj.io/creator": "b7-1"}', "b7-1"),
        (
            '{"workflows.argoproj.io/creator": "b7-1",'
            ' "workflows.argoproj.io/creator-preferred-username": "ann"}',
            "ann",
        ),
    ],
)
def test_actor__is_the_creators_label(labels: str, wanted: str, ask: Oracle) -> None:
    values = {"workflow.labels": labels, "workflow.labels.json": labels}
    made = ask.ask(op="text", text=CREATOR, values=values)
    assert (made["text"], made["error"], made["waits"]) == (wanted, "", False)


def test_store__is_the_volume_of_a_claim(tmp_path: Path) -> None:
    app = app_of(tells("told"), leaves("blind", "mark"), store=None)
    result = BACKEND.lower((app,), LowerOptions(settings={"store_claim": "ml-records"}))
    assert result.value is not None, result.diagnostics
    assert result.diagnostics == ()
    artifacts = BACKEND.emit(result.value)
    assert argo_problems(write(artifacts, tmp_path)) == []
    found = objects(artifacts)
    assert schema_problems(found) == []
    assert reference_problems(found) == []
    template = next(o for o in found if o["kind"] == "WorkflowTemplate")
    told, blind = (
        next(t for t in template["spec"]["templates"] if t["name"] == name)
        for name in ("told", "blind")
    )
    claim = {"name": "mlspec-store", "persistentVolumeClaim": {"claimName": "ml-records"}}
    assert claim in told["volumes"]
    assert {"name": "mlspec-store", "mountPath": "/mlspec/store"} in told["container"][
        "volumeMounts"
    ]
    env = {one["name"]: one.get("value") for one in told["container"]["env"]}
    assert env["MLSPEC_RUN_STORE"] == "file:///mlspec/store"
    assert claim not in blind["volumes"]


def test_store__only_the_cluster_knows_is_refused() -> None:
    result = BACKEND.lower((app_of(tells("told"), store=None),), LowerOptions())
    assert [d.code.id for d in result.diagnostics if d.is_error] == ["ML096"]
