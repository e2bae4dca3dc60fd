"""The step `combine`: one model of several.

Inputs `m_<member>` (model folders) and `validation`; output `model`, a model folder of the format
`ensemble`. A stack is fitted on validation rows: members were not trained on them, and the test
rows are no input of this step. The model is loaded and predicts once before the step ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlspec.ir.facts import EnsembleFacts, ModelFacts
from mlspec.runtime.ensembles.answers import Answers, Member, answers_of
from mlspec.runtime.ensembles.meta import Meta, fit
from mlspec.runtime.ensembles.model import RULES, save_ensemble
from mlspec.runtime.ensembles.own import PATH_TASKS
from mlspec.runtime.functions import load_function
from mlspec.runtime.models.labels import labels_of
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.rows.folder import LABEL, Rows, read_rows
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder

_PROBE = 100
"""Rows that the finished model predicts, at most."""


def run(call: StepCall) -> StepExit:
    """Combine the members as the model's `ensemble` says.

    Raises:
        StepError: a member is missing or does not load, the members do not fit each other or the
            rule, or there are no validation rows for a stack.
    """
    model = call.node.model
    if model is None or model.ensemble is None:
        raise StepError("the step `combine` needs a model that is an ensemble")
    ensemble = model.ensemble
    if not ensemble.members:
        raise StepError(f"model `{model.id}` has no members")
    folders = {name: call.input(f"m_{name.replace('-', '_')}") for name in ensemble.members}
    validation = _rows(call, "validation")
    weights = _weights(model.id, ensemble)
    meta: Meta | None = None
    classes: tuple[Any, ...] = ()
    if ensemble.combine not in RULES:
        load_function(ensemble.combine, call.project)
    if ensemble.combine in RULES or model.task not in PATH_TASKS:
        members = {name: load_model(place, call.project) for name, place in folders.items()}
        meta = _fitted(model, ensemble, members, validation)
        classes = meta.classes if meta else _classes(members)
    with whole_folder(call.output("model")) as draft:
        save_ensemble(draft, model, folders, classes=classes, weights=weights, meta=meta)
        probe = validation if validation is not None else _rows(call, "train")
        if probe is not None:
            load_model(draft, call.project).predict(probe.features.slice(0, _PROBE))
    return StepExit.OK


def _rows(call: StepCall, name: str) -> Rows | None:
    """Return rows that were given and are not empty."""
    if call.inputs.get(name) is None:
        return None
    rows = read_rows(call.input(name))
    return rows if len(rows) else None


def _weights(name: str, ensemble: EnsembleFacts) -> tuple[float, ...]:
    if ensemble.combine != "weighted":
        return ()
    missing = [one for one in ensemble.members if one not in ensemble.weights]
    if missing:
        raise StepError(
            f"model `{name}` does not say the weight of member `{missing[0]}`",
            help="write `weights: {member: 0.7, …}` in `ensemble`",
        )
    weights = tuple(float(ensemble.weights[one]) for one in ensemble.members)
    if any(not math.isfinite(one) or one < 0 for one in weights) or not any(weights):
        raise StepError(f"the weights of model `{name}` are not positive numbers")
    return weights


def _fitted(
    model: ModelFacts,
    ensemble: EnsembleFacts,
    members: Mapping[str, Member],
    validation: Rows | None,
) -> Meta | None:
    if ensemble.combine != "stack":
        return None
    if validation is None or LABEL not in validation.table.column_names:
        raise StepError(
            f"the stack `{model.id}` needs validation rows with labels: rows that its members were "
            "not trained on",
            help="write `split: {…, validation: 15%}`",
        )
    answers = answers_of(members, validation.features)
    kind = ensemble.meta or _default_meta(answers)
    return fit(kind, answers, labels_of(validation))


def _default_meta(answers: Answers) -> str:
    return "linear" if answers.kind == "numbers" else "logistic"


def _classes(members: Mapping[str, Member]) -> tuple[Any, ...]:
    """Return all classes of the members, sorted."""
    found = {one for member in members.values() for one in member.classes or ()}
    return tuple(sorted(found, key=lambda one: (isinstance(one, str), one)))
