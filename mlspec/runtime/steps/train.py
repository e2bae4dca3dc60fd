"""`mlspec step train`: a model from training rows, by the project's entry point.

In: `train` and `validation` rows folders, `params` (what tuning found; optional), `base` (a model
folder; optional). Out: `model`, a model folder. Invariants: the test rows are no input; the model
was loaded from its files and predicted the validation rows before it counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlspec.ir.facts import ModelFacts, TrainFacts
from mlspec.runtime.launch.job import Job
from mlspec.runtime.launch.launcher import launch
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit


def run(call: StepCall) -> StepExit:
    """Train the model of the node.

    Raises:
        StepError: an input is missing, or the training failed.
    """
    started = time.perf_counter()
    job = job_of(call, call.output("model"))
    params = call.inputs.get("params")
    if params is not None:
        job = with_params(job, tuned_params(call.input("params")))
    outcome = launch(job, call.environ)
    print(  # noqa: T201  the step's log
        f"trained `{job.model.id}` in {time.perf_counter() - started:.1f} s; "
        f"it predicts {outcome.rows} rows without a fault"
    )
    return StepExit.OK


def job_of(call: StepCall, output: Path) -> Job:
    """Return the training that a step's node and inputs describe.

    Raises:
        StepError: the node has no trained model, or an input is not there.
    """
    model = trained_model(call)
    how = model.train or TrainFacts()
    validation = call.inputs.get("validation")
    base = call.inputs.get("base")
    return Job(
        model=model,
        project=str(call.project.resolve()),
        train=str(call.input("train").resolve()),
        validation=None if validation is None else str(call.input("validation").resolve()),
        output=str(output.resolve()),
        params=dict(how.params),
        base=None if base is None else str(call.input("base").resolve()),
        metrics=call.node.metrics,
    )


def trained_model(call: StepCall) -> ModelFacts:
    """Return the model of a node that is trained by a function.

    Raises:
        StepError: there is none.
    """
    model = call.node.model
    if model is None or model.train is None or not model.train.entrypoint:
        raise StepError(f"`{call.node.subject}` is not trained by a function")
    return model


def with_params(job: Job, more: Mapping[str, Any]) -> Job:
    """Return the job with further parameters merged over its own."""
    from dataclasses import replace

    return replace(job, params={**job.params, **more})


def tuned_params(path: Path) -> dict[str, Any]:
    """Return what tuning found.

    Raises:
        StepError: the file is not what the tune step writes.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["params"]
    except (ValueError, KeyError, TypeError) as error:
        raise StepError(f"`{path.name}` does not hold what tuning found: {error}") from error
    if not isinstance(found, dict):
        raise StepError(f"`{path.name}` does not hold what tuning found")
    return found
