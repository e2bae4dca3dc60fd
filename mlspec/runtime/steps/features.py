"""The step `features`: data folders to a rows folder.

Inputs are named like the data nouns, with `_` for `-`; the output is `rows`.
"""

from __future__ import annotations

from dataclasses import replace

from mlspec.ir.facts import FeatureFacts, ModelFacts
from mlspec.runtime.features.build import build_rows
from mlspec.runtime.features.checks import judge_features
from mlspec.runtime.rows.data import read_data
from mlspec.runtime.rows.folder import write_rows
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit
from mlspec.runtime.steps.snapshot import moment


def run(call: StepCall) -> StepExit:
    """Compute the features of a model point in time, join its label, check, write the rows.

    Raises:
        StepError: data and declaration do not fit, a function raised, a check fails, or no row is
            left.
    """
    model = call.node.model
    if model is None:
        raise StepError("the step `features` needs a model")
    data = {one.id: read_data(call.input(one.id.replace("-", "_")), one) for one in call.node.data}
    features = _on_given(_features(model, call.node.features), model, tuple(data))
    now = moment(call.run_date)
    rows, outputs = build_rows(model, features, data, project=call.project, run_date=now)
    if not len(rows):
        reasons = ", ".join(f"{count:,} {why}" for why, count in rows.dropped.items() if count)
        raise StepError(
            f"model `{model.id}` has no row left" + (f": {reasons}" if reasons else ""),
            help="an event needs a label, and must be older than the label's `delay`",
        )
    notes = judge_features(features, outputs, now)
    write_rows(call.output("rows"), rows.noted(notes))
    return StepExit.OK


def _features(model: ModelFacts, known: tuple[FeatureFacts, ...]) -> tuple[FeatureFacts, ...]:
    by_id = {one.id: one for one in known}
    missing = [name for name in model.features if name not in by_id]
    if missing:
        raise StepError(f"nothing was told of feature `{missing[0]}`")
    return tuple(by_id[name] for name in model.features)


def _on_given(
    features: tuple[FeatureFacts, ...], model: ModelFacts, given: tuple[str, ...]
) -> tuple[FeatureFacts, ...]:
    """Let features read the test rows of `evaluate.data` when these are all the data there is.

    They have the columns that the features read from their own data noun (`like` proves it).
    """
    if given != (model.label_data,):
        return features
    return tuple(
        replace(one, reads=tuple(replace(read, data=given[0]) for read in one.reads))
        for one in features
    )
