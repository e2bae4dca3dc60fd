"""What the emitted workflows do in a model of Argo agrees with the fine print, on every graph."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes import BACKEND
from mlspec.backends.kubernetes.names import EXPR_WORDS
from mlspec.ir.model import Application, Image, Step
from tests.support.argo_model import Ended, Oracle, Pod, Run, Workflow, oracle
from tests.support.graphs import TRAPS, expected, random_application
from tests.support.kubernetes_checks import ARGO_VALIDATE
from tests.support.stubs import behaviour_of

pytestmark = pytest.mark.engine("argo")

IMAGE = Image(reference="example.org/stub@sha256:" + "0" * 64)


@pytest.fixture(scope="module")
def ask() -> Iterator[Oracle]:
    with oracle(ARGO_VALIDATE) as found:
        yield found


def in_images(app: Application) -> Application:
    """Give every step an image: on Kubernetes there is none without."""

    def put(step: Step) -> Step:
        return replace(step, image=IMAGE)

    (pipeline,) = app.pipelines
    final = put(pipeline.final) if pipeline.final is not None else None
    changed = replace(pipeline, steps=tuple(put(s) for s in pipeline.steps), final=final)
    environment = replace(app.environment, store=None)
    return replace(app, pipelines=(changed,), environment=environment)


def workflow_of(app: Application) -> dict[str, Any]:
    """Return the WorkflowTemplate as its readers see it."""
    result = BACKEND.lower((app,), LowerOptions())
    assert result.value is not None, [d.message for d in result.diagnostics]
    text = next(a.text for a in BACKEND.emit(result.value) if a.path.endswith("pipeline-p.yaml"))
    return next(d for d in yaml.safe_load_all(text) if d["kind"] == "WorkflowTemplate")


class Stubs:
    """Acts as the stub steps would: reads their behaviour, not their script."""

    def __init__(self, app: Application) -> None:
        self.steps = {step.id: step for step in app.pipelines[0].all_steps}
        self.seen: dict[tuple[str, str], dict[str, Any]] = {}

    def __call__(self, pod: Pod) -> Ended:
        step = self.steps[pod.template.removeprefix("step-")]
        does = behaviour_of(step)
        entry = pod.parameters.get("entry", "")
        self.seen[step.id, entry] = {item.name: _look(pod, item.name) for item in step.inputs}
        if step.id == "finally":
            status = pod.env.get("MLSPEC_RUN_STATUS", pod.parameters.get("status", ""))
            self.seen["status", ""] = {"status": status}
        fails = entry in does.fail
        writes = not (fails and does.forgets())
        files = {}
        if does.output and writes:
            text = json.dumps(list(does.values)) if does.lists else f"{step.id}:{entry}"
            files[pod.env["MLSPEC_OUTPUTS_RESULT"]] = text
        if does.metrics is not None and writes:
            assert step.metrics is not None
            files[step.metrics] = does.text or json.dumps(does.metrics)
        return Ended(does.code if fails and not does.forgets() else 0, files)


def _look(pod: Pod, name: str) -> Any:
    path = pod.env[f"MLSPEC_INPUTS_{name.upper()}"]
    if not path:
        return ""
    if f"{path}/index.json" not in pod.inputs:
        return f"{Path(path).name}={pod.inputs[path]}"
    entries = {
        found.removeprefix(f"{path}/"): text
        for found, text in pod.inputs.items()
        if found.startswith(f"{path}/") and found != f"{path}/index.json"
    }
    return {"entries": entries, "index": json.loads(pod.inputs[f"{path}/index.json"])}


def differences(app: Application, ask: Oracle, seed: int) -> list[str]:
    """Return how a run differs from what must happen."""
    wanted = expected(app)
    stubs = Stubs(app)
    run = Workflow(workflow_of(app), ask, stubs, rng=random.Random(seed)).execute()
    found = []
    if run.failed is not wanted.failed:
        found.append(f"verdict: failed={run.failed}, must be {wanted.failed}")
    started = [(t.removeprefix("step-"), e) for t, e, kind in run.events if kind == "start"]
    must = {(step, name) for step, names in wanted.instances.items() for name in names}
    found += [f"started twice: {one}" for one in set(started) if started.count(one) > 1]
    found += [f"did not start: {one}" for one in sorted(must - set(started))]
    found += [f"started: {one}" for one in sorted(set(started) - must)]
    found += _order(app, run)
    for place, inputs in wanted.inputs.items():
        if place in stubs.seen and stubs.seen[place] != inputs:
            found.append(f"{place} saw {stubs.seen[place]}, must see {inputs}")
    status = stubs.seen.get(("status", ""), {}).get("status")
    if status and status != ("failed" if wanted.failed else "success"):
        found.append(f"finally was told {status}")
    return found


def _order(app: Application, run: Run) -> list[str]:
    above: dict[str, set[str]] = {}
    for step in app.pipelines[0].steps:
        above[step.id] = set(step.needs).union(*(above[need] for need in step.needs))
    above["finally"] = set(above)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, (template, _, _kind) in enumerate(run.events):
        first.setdefault(template, place)
        last[template] = place
    return [
        f"{step} started before {need} had ended"
        for step in first
        for need in above.get(step, ())
        if need in last and last[need] > first[step]
    ]


@pytest.mark.parametrize("block", range(10))
def test_random_graphs__run_as_the_fine_print_says(block: int, ask: Oracle) -> None:
    for seed in range(block * 30, block * 30 + 30):
        app = in_images(random_application(seed))
        assert differences(app, ask, seed) == [], f"seed {seed}"


@pytest.mark.parametrize("name", TRAPS)
def test_traps__run_as_the_fine_print_says(name: str, ask: Oracle) -> None:
    app = in_images(TRAPS[name])
    for seed in range(3):
        assert differences(app, ask, seed) == []


FUNCTIONS = ("all", "any", "one", "map", "filter", "count", "split", "join", "max", "date", "env")


def test_names__only_those_that_argo_cannot_evaluate_are_changed(ask: Oracle) -> None:
    for word in (*EXPR_WORDS, *FUNCTIONS, "not-in"):
        results = {word.replace("-", "_"): {"Succeeded": True}}
        made = ask.ask(op="depends", text=f"!({word}.Failed) && {word}.Succeeded", results=results)
        assert (made["error"] != "") is (word in EXPR_WORDS), word
