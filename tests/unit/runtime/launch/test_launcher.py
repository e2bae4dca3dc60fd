"""Training processes: none is left behind, the first answer counts, the environment is fixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.runtime.launch.job import Job, Outcome, read_job, read_outcome, write_job, write_outcome
from mlspec.runtime.launch.launcher import launch, tensorflow_cluster
from mlspec.runtime.launch.surroundings import process_environment, short_seed
from mlspec.runtime.steps.contract import StepError
from tests.support.training import folders, model, project

ROOT = Path(__file__).resolve().parents[4]


def job_in(place, text, **how):
    home = project(place / "home", train=text)
    inputs = folders(place, "binary", 40, 10)
    return Job(
        model=model(**how),
        project=str(home),
        train=str(inputs["train"]),
        validation=str(inputs["validation"]),
        output=str(place / "model"),
    )


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_launch__step_is_asked_to_end__so_is_the_training(tmp_path):
    text = (
        "import os, time, pathlib\n"
        "def fit(label):\n"
        f"    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(120)\n"
    )
    write_job(job_in(tmp_path, text), tmp_path / "job.json")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys; from pathlib import Path\n"
            "from mlspec.runtime.launch.job import read_job\n"
            "from mlspec.runtime.launch.launcher import launch\n"
            "launch(read_job(Path(sys.argv[1])), os.environ)",
            str(tmp_path / "job.json"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    child = tmp_path / "pid"
    until = time.monotonic() + 60
    while not (child.exists() and child.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    pid = int(child.read_text())
    assert alive(pid)
    parent.terminate()
    assert parent.wait(30) == 128 + signal.SIGTERM
    assert not alive(pid)
    assert not [one for one in tmp_path.iterdir() if one.name.endswith(".part")]


def test_launch__ends_early_without_answer__is_an_error(tmp_path):
    job = job_in(tmp_path, "import os\ndef fit(label): os._exit(0)")
    with pytest.raises(StepError, match="ended without an answer"):
        launch(job, os.environ)
    assert not (tmp_path / "model").exists()


def test_launch__no_entry_point__is_told(tmp_path):
    job = job_in(tmp_path, "")
    with pytest.raises(StepError, match=r"has no `train\.entrypoint`"):
        launch(replace(job, model=replace(job.model, train=None)), os.environ)


def test_job__goes_through_its_file(tmp_path):
    job = job_in(tmp_path, "", params={"a": [1, {"b": None}]}, engine="pytorch", workers=3)
    write_job(job, tmp_path / "job.json")
    assert read_job(tmp_path / "job.json") == job
    (tmp_path / "job.json").write_text('{"what": 1}')
    with pytest.raises(ValueError, match="has no `what`"):
        read_job(tmp_path / "job.json")


def test_outcome__the_first_one_counts(tmp_path):
    place = tmp_path / "outcome.json"
    assert read_outcome(place) is None
    write_outcome(Outcome(error="first"), place, 1)
    write_outcome(Outcome(error="because the other one is gone"), place, 0)
    assert read_outcome(place) == Outcome(error="first")


def test_environment__threads_and_hash_seed_are_fixed_and_the_project_comes_first(tmp_path):
    given = {"OMP_NUM_THREADS": "64", "KEPT": "1", "PYTHONPATH": "/elsewhere"}
    found = process_environment(given, threads=3, seed=2**32 + 5, project=tmp_path)
    assert {found[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS")} == {"3"}
    assert found["PYTHONHASHSEED"] == "5"
    assert short_seed(-1) == 2**32 - 1
    assert found["KEPT"] == "1"
    assert found["PYTHONPATH"].split(":") == [str(tmp_path), str(ROOT), "/elsewhere"]
    assert process_environment({}, threads=0, seed=0, project=tmp_path)["OMP_NUM_THREADS"] == "1"


def test_tensorflow__each_worker_knows_all_and_itself():
    found = tensorflow_cluster(3)
    told = [json.loads(one["TF_CONFIG"]) for one in found]
    assert len(set(told[0]["cluster"]["worker"])) == 3
    assert all(one["cluster"] == told[0]["cluster"] for one in told)
    assert [one["task"] for one in told] == [{"type": "worker", "index": k} for k in range(3)]
    assert [one["RANK"] for one in found] == ["0", "1", "2"]
    assert {one["WORLD_SIZE"] for one in found} == {"3"}
