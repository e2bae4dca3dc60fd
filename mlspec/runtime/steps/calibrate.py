"""`mlspec step calibrate`: true probabilities and the threshold, from validation rows.

In: `model`, `validation`. Out: `model`, a copy with `calibration.json` and the threshold in its
`model.json`. Invariants: the test rows are no input; the files of the model are not touched; the
threshold is chosen on calibrated probabilities.
"""

from __future__ import annotations

import shutil

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.calibration import Calibration, fit, write_calibration
from mlspec.runtime.models.document import read_document, rewrite_document
from mlspec.runtime.models.labels import labels_of
from mlspec.runtime.models.objective import class_numbers, measured, objective_of
from mlspec.runtime.models.predictor import Predictor, load_model
from mlspec.runtime.models.thresholds import choose_threshold
from mlspec.runtime.rows.folder import read_rows
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder


def run(call: StepCall) -> StepExit:
    """Calibrate the model of the node, choose its threshold, or both.

    Raises:
        StepError: an input is missing, or the rows do not allow it.
    """
    model = call.node.model
    if model is None:
        raise StepError(f"`{call.node.subject}` is no model")
    folder = call.input("model")
    rows = read_rows(call.input("validation"))
    if not len(rows):
        raise StepError("there are no validation rows to calibrate on")
    predictor = load_model(folder, call.project)
    labels = labels_of(rows)
    chances = predictor.probabilities(rows.features)
    with whole_folder(call.output("model")) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        facts = read_document(draft)
        changes: dict[str, object] = {}
        if model.calibrate is not None:
            found = _calibrated(model, predictor, chances, labels)
            _say(predictor, labels, chances, found)
            chances = found.apply(chances)
            changes["calibration"] = write_calibration(draft, found)
        if model.threshold_metric is not None:
            objective = objective_of(model.threshold_metric, call.node.metrics)
            level, value = choose_threshold(
                objective, labels, chances, keys=rows.keys, project=call.project
            )
            changes["threshold"] = level
            print(f"threshold {level:.6g}: {objective.text} {value:.6g}")  # noqa: T201  the log
        elif model.threshold is not None:
            changes["threshold"] = model.threshold
        rewrite_document(draft, {**facts, **changes})
    return StepExit.OK


def _calibrated(
    model: ModelFacts, predictor: Predictor, chances: AnyArray, labels: AnyArray
) -> Calibration:
    if predictor.facts.get("calibration"):
        raise StepError(f"the model `{predictor.name}` is calibrated already")
    if chances.dtype.kind != "f" or model.task not in {"binary", "multiclass"}:
        raise StepError(
            f"the model `{predictor.name}` gives no probabilities to calibrate",
            help="`calibrate` is for `task: binary` and `multiclass`",
        )
    if chances.ndim == 1 and (chances.min() < 0 or chances.max() > 1):
        raise StepError(f"the model `{predictor.name}` gives scores, not probabilities")
    truth = labels if chances.ndim == 1 else class_numbers(labels, predictor.classes or ())
    return fit(str(model.calibrate), chances, truth)


def _say(predictor: Predictor, labels: AnyArray, chances: AnyArray, found: Calibration) -> None:
    """Print the loss before and after, on the same rows: how much there was to do."""
    objective = objective_of("log_loss")
    values = [
        measured(objective, labels, one, classes=predictor.classes)
        for one in (chances, found.apply(chances))
    ]
    print(  # noqa: T201  the step's log
        f"{found.method} calibration on {found.rows} validation rows: "
        f"log_loss {values[0]:.6g} before, {values[1]:.6g} after"
    )
