"""`mlspec step tune`: good parameters, searched for on training and validation rows.

In: `train`, `validation`. Out: `params`, a JSON file `{"params", "objective", "trials", …}`, and
`trials.jsonl` beside it, written line by line. Invariants: the test rows are no input; same rows,
spec and seed give the same trials; each trial is a training as `mlspec step train` does it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlspec.ir.facts import ModelFacts, TrainFacts, TuneFacts
from mlspec.runtime.launch.job import Job
from mlspec.runtime.launch.launcher import interruptible, launch
from mlspec.runtime.models.objective import Objective, objective_of
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_file
from mlspec.runtime.steps.log import say
from mlspec.runtime.steps.train import job_of, trained_model, with_params
from mlspec.runtime.tuning.search import Proposal, search_of
from mlspec.runtime.tuning.trials import Measure, Trial, best_of, run_trials

LOG = "trials.jsonl"


def run(call: StepCall) -> StepExit:
    """Search for parameters for the model of the node.

    Raises:
        StepError: an input is missing, the space cannot be searched, or no trial made a model.
    """
    model = trained_model(call)
    how = model.tune
    if how is None:
        raise StepError(f"`{call.node.subject}` has nothing to tune")
    call.input("validation")
    objective = objective_of(how.objective, call.node.metrics)
    search = search_of(how, maximise=objective.maximise)
    place = call.output("params")
    with (
        tempfile.TemporaryDirectory(prefix="mlspec-tune-") as scratch,
        whole_file(place.with_name(LOG)) as log,
        interruptible(),
    ):
        job = replace(job_of(call, Path(scratch)), objective=how.objective, model=_shared(model))
        trials = []
        with log.open("w", encoding="utf-8") as lines:
            for one in run_trials(
                search, _measure(job, Path(scratch), call.environ), parallel=how.parallel
            ):
                trials.append(one)
                lines.write(json.dumps(one.to_json(), sort_keys=True) + "\n")
                lines.flush()
                _say(one, objective)
    best = best_of(trials, objective)
    with whole_file(place) as draft:
        text = json.dumps(_document(how, objective, trials, best), indent=1, sort_keys=True)
        draft.write_text(text + "\n", encoding="utf-8")
    print(f"best of {len(trials)} trials is number {best.number}")  # noqa: T201  the step's log
    return StepExit.OK


def _shared(model: ModelFacts) -> ModelFacts:
    """Return the model with the threads that one of several trials at once has."""
    how, tune = model.train or TrainFacts(), model.tune or TuneFacts()
    return replace(model, train=replace(how, threads=max(1, how.threads // max(1, tune.parallel))))


def _measure(job: Job, scratch: Path, environ: Mapping[str, str]) -> Measure:
    def measure(one: Proposal, share: float) -> float:
        with tempfile.TemporaryDirectory(dir=scratch, prefix=f"trial-{one.number}-") as place:
            trial = replace(with_params(job, one.params), share=share)
            outcome = launch(replace(trial, output=str(Path(place) / "model")), environ)
        if outcome.objective is None:
            raise StepError("the trial has measured nothing")
        return outcome.objective

    return measure


def _document(
    how: TuneFacts, objective: Objective, trials: list[Trial], best: Trial
) -> dict[str, object]:
    return {
        "params": best.params,
        "objective": {
            "metric": objective.text,
            "better": "higher" if objective.maximise else "lower",
            "value": best.objective,
        },
        "best": best.number,
        "method": how.method,
        "seed": how.seed,
        "trials": [one.to_json() for one in trials],
    }


def _say(one: Trial, objective: Objective) -> None:
    shown = ", ".join(f"{name}={value}" for name, value in one.params.items())
    what = one.error if one.objective is None else f"{objective.text} {one.objective:.6g}"
    say(f"trial {one.number} ({one.state}): {shown}: {what}")
