"""Random pipelines and traps on real Airflow (`dag.test()`): what ran, its order, the verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.ir.features import Feature
from mlspec.ir.model import Application
from tests.support.airflow_harness import Job, renamed, run, write
from tests.support.everything import everything
from tests.support.graphs import TRAPS, features_of, problems, random_application, read_events

pytestmark = pytest.mark.engine("airflow")

GRAPHS = int(os.environ.get("MLSPEC_CONFORMANCE_GRAPHS", "200"))
BATCH = 25
"""Graphs for each Airflow process: starting one takes longer than a graph."""


def differences(
    apps: Mapping[str, Application], folder: Path, store: str = "file:../store"
) -> dict[str, list[str]]:
    """Run applications in one process; what differs from the expectation, by name."""
    named = {name: renamed(app, name, store) for name, app in apps.items()}
    write(list(named.values()), folder)
    events = {name: folder / f"{name}.events" for name in named}
    jobs = [
        Job(dag_id=f"{name}_p", env={"MLSPEC_TEST_EVENTS": str(events[name])}) for name in named
    ]
    ran = run(folder, jobs)
    found = {}
    for name, app in named.items():
        result = ran[f"{name}_p"]
        wrong = problems(app, read_events(events[name]), result.failed)
        if wrong:
            found[name] = [*wrong, f"{result.state}: {dict(result.tasks)}"]
    return found


@pytest.mark.parametrize("first", range(0, GRAPHS, BATCH))
def test_random_graphs(first: int, tmp_path: Path) -> None:
    seeds = range(first, min(first + BATCH, GRAPHS))
    assert differences({f"g{seed}": random_application(seed) for seed in seeds}, tmp_path) == {}


@pytest.mark.parametrize("part", range(3))
def test_traps(part: int, tmp_path: Path) -> None:
    chosen = {name: TRAPS[name] for name in sorted(TRAPS)[part::3]}
    assert differences(chosen, tmp_path) == {}


def test_traps__with_an_object_store(tmp_path: Path) -> None:
    """fsspec's other name for local files makes the support use it as it uses `s3://`."""
    names = [
        name
        for name, app in sorted(TRAPS.items())
        if Feature.STEP_INPUT in features_of(app) or Feature.WHEN_METRIC in features_of(app)
    ]
    chosen = {name: TRAPS[name] for name in names[::2]}
    assert differences(chosen, tmp_path, store=f"local://{tmp_path}/objects") == {}


def test_emitted_files__formatted_and_clean_under_ruff(tmp_path: Path) -> None:
    apps = [renamed(random_application(seed), f"g{seed}") for seed in range(20)]
    written = write([*apps, *(renamed(app, name) for name, app in TRAPS.items())], tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    files = [str(path) for path in written if path.suffix == ".py"]
    for words in (
        ["format", "--isolated", "--check", "--diff"],
        ["check", "--isolated", "--preview", "--select", "AIR,E4,E7,E9,F,I"],
    ):
        done = subprocess.run(
            [*ruff, *words, "--no-cache", *files], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_emitted_files__everything_imports_in_airflow(tmp_path: Path) -> None:
    app = everything()
    (pipeline, *others) = app.pipelines
    in_pods, in_processes = [], []
    for step in pipeline.steps:
        plain = replace(step, native={})
        in_processes.append(replace(plain, image=None))
        metrics = step.outputs[0].path if step.metrics is not None else None
        in_pods.append(replace(plain, image=pipeline.steps[0].image, metrics=metrics))
    made = [
        replace(app, name=name, pipelines=(replace(pipeline, steps=tuple(steps)), *others))
        for name, steps in (("pods", in_pods), ("processes", in_processes))
    ]
    write(made, tmp_path, staging_image="ghcr.io/acme/stage:1", approvers={"lead": ["7"]})
    assert run(tmp_path, []) == {}
