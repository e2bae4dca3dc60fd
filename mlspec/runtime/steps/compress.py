"""`mlspec step compress`: a smaller model of the same format, to be judged and served instead.

In: `model`, `validation`. Out: `model`. Invariants: the model that came in is not touched; the
smaller one was loaded from its files and predicted the validation rows; whether it is good enough
is decided by the gate, against `uncompressed`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from mlspec.runtime.compression.methods import Task, compress
from mlspec.runtime.models.document import DOCUMENT, read_document, rewrite_document
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.rows.folder import read_rows
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder

_SAMPLE = 64
"""Rows that a format may trace a computation with."""


def run(call: StepCall) -> StepExit:
    """Compress the model of the node.

    Raises:
        StepError: the method does not exist for the format, or the result does not predict.
    """
    model = call.node.model
    if model is None or model.compress is None:
        raise StepError(f"`{call.node.subject}` has nothing to compress")
    folder = call.input("model")
    rows = read_rows(call.input("validation"))
    if len(rows) < 2:
        raise StepError("there are no validation rows to try the compressed model on")
    before = load_model(folder, call.project).probabilities(rows.features)
    with whole_folder(call.output("model")) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        facts = read_document(draft)
        columns = [one["name"] for one in facts["input"]]
        done = compress(
            Task(
                folder=draft,
                facts=facts,
                method=model.compress.method,
                params=model.compress.params,
                project=call.project,
                sample=rows.features.select(columns).slice(0, _SAMPLE),
            )
        )
        sizes = {"bytes_before": _size(folder), "bytes": _size(draft)}
        note = {
            "method": model.compress.method,
            "params": dict(model.compress.params),
            "done": done,
            **sizes,
        }
        details = {**(facts.get("details") or {}), "compressed": note}
        rewrite_document(draft, {**facts, "details": details})
        after = load_model(draft, call.project).probabilities(rows.features)
    moved = f"; predictions move by at most {float(np.abs(after - before).max()):.4g}"
    print(  # noqa: T201  the step's log
        f"{done}: {sizes['bytes_before']} bytes before, {sizes['bytes']} after"
        + (moved if before.dtype.kind == "f" and before.shape == after.shape else "")
    )
    return StepExit.OK


def _size(folder: Path) -> int:
    """Return the bytes of a model's files, without its document."""
    return sum(
        one.stat().st_size
        for one in folder.rglob("*")
        if one.is_file() and one != folder / DOCUMENT
    )
