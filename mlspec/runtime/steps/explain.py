"""`mlspec step explain`: what drives the model, on the test rows.

Inputs: `model` (folder), `test` (rows folder). Output: `explanation`, a folder with
`importance.json` (schemas/output/importance.v1.schema.json) and `report.md`. At most `MOST_ROWS`
rows are looked at, drawn with the model's seed. Where the champion has an explanation, the shift
of importances is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.explain.losses import measure_for
from mlspec.runtime.explain.permutation import REPEATS, permutation_importance
from mlspec.runtime.explain.results import Explanation, Shift, bytes_of, document_of, report_of
from mlspec.runtime.explain.shapley import shap_importance
from mlspec.runtime.explain.shift import shift_of
from mlspec.runtime.judging.recording import EXPLANATION
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.labels import labels_of
from mlspec.runtime.models.predictor import Predictor, load_model
from mlspec.runtime.rows.folder import CLUSTER, LABEL, Rows, read_rows
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder

MOST_ROWS = 5000
MOST_SHAP_ROWS = 200
"""SHAP asks for many predictions of each row."""


def run(call: StepCall) -> StepExit:
    """Explain the model.

    Raises:
        StepError: there are no test rows, the model does not load or predict, or `shap` is asked
            for and not installed.
        OSError: the disk refuses.
    """
    model = lifecycle.model_of(call)
    predictor = load_model(call.input("model"), call.project)
    rows = read_rows(call.input("test"))
    found = explained(model, predictor, rows)
    shift = _shift(call, model, found)
    with whole_folder(call.output("explanation")) as folder:
        document = document_of(found, model.explain_top, shift)
        (folder / "importance.json").write_bytes(bytes_of(document))
        (folder / "report.md").write_text(report_of(found, model.explain_top, shift), "utf-8")
    return StepExit.OK


def explained(model: ModelFacts, predictor: Predictor, rows: Rows) -> Explanation:
    """Return what drives a model on some rows.

    Raises:
        StepError: there are fewer than two rows, or no inputs; see `run`.
    """
    method = model.explain_method or "permutation"
    if method not in {"permutation", "shap"}:
        raise StepError(f"there is no method `{method}`; use permutation or shap")
    names = [one["name"] for one in predictor.facts["input"]] or list(rows.columns)
    if not names or len(rows) < 2:
        raise StepError(f"nothing to explain: {len(names)} inputs and {len(rows)} test rows")
    seed = _seed(model)
    rows = _some(rows, MOST_SHAP_ROWS if method == "shap" else MOST_ROWS, seed)
    missing = [name for name in names if name not in rows.table.column_names]
    if missing:
        raise StepError(f"the test rows have no column `{missing[0]}`, which the model reads")
    features = rows.table.select(names)
    if method == "shap":
        inputs = shap_importance(features, predictor.probabilities, seed=seed)
        metric, value, repeats = "mean size of the SHAP value", None, 0
    else:
        labels = labels_of(rows) if LABEL in rows.table.column_names else None
        measure = measure_for(
            model,
            labels,
            predictor.probabilities(features),
            classes=predictor.classes,
            threshold=predictor.threshold,
            queries=_queries(rows),
        )
        inputs = permutation_importance(
            features, predictor.probabilities, measure.loss, seed=seed, repeats=REPEATS
        )
        metric, value, repeats = measure.name, measure.value, REPEATS
    return Explanation(
        model=model.id,
        method=method,
        metric=metric,
        value=value,
        rows=len(rows),
        repeats=repeats,
        seed=seed,
        inputs=inputs,
    )


def _seed(model: ModelFacts) -> int:
    if model.train is not None:
        return model.train.seed
    return 0 if model.split is None else model.split.seed


def _some(rows: Rows, most: int, seed: int) -> Rows:
    """Return at most so many rows, drawn without replacement, in their order."""
    if len(rows) <= most:
        return rows
    drawn = np.random.default_rng(seed).choice(len(rows), most, replace=False)
    return rows.take(np.sort(drawn))


def _queries(rows: Rows) -> AnyArray | None:
    """Return the query of each row, for rankings: as the gate reads it from the score table."""
    for name in ("_query", CLUSTER):
        if name in rows.table.column_names:
            return np.asarray(rows.table[name].to_numpy())
    return None


def _shift(call: StepCall, model: ModelFacts, found: Explanation) -> Shift | None:
    """Return how the importances differ from the champion's, if it has some of the same kind."""
    if not call.store:
        return None
    registry = lifecycle.registry_of(call)
    champion = registry.find(model.id, "champion")
    if champion is None:
        return None
    kept = registry.attachments(champion, EXPLANATION)
    if not kept:
        return None
    theirs: Mapping[str, Any] = json.loads(kept[-1])
    if theirs.get("method") != found.method:
        return None
    return shift_of(found, theirs, str(champion.number))
