"""`mlspec step package`: a model and everything that must stay with it, in one folder.

Inputs: `model` (folder), `train`, `test` (rows folders; a model that was made elsewhere may have
none), `scores`, `explanation` (folders; optional), `d_<data>` (data folders: their snapshots).
Output: `package`, a folder (docs/reference/package-and-statements.md). Invariants: what is
packaged predicts what was evaluated, also in a fresh process; the same inputs in the same run are
the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlspec.ir.facts import ModelFacts
from mlspec.ir.node import to_json
from mlspec.runtime.digests import digest_of_file, digest_of_folder, files_of_folder
from mlspec.runtime.documents.bom import bill_of_materials
from mlspec.runtime.documents.card import card
from mlspec.runtime.documents.facts import DataVersion, Made, data_version, hex_digest
from mlspec.runtime.documents.inert import json_bytes
from mlspec.runtime.documents.lock import installed, lock_json
from mlspec.runtime.documents.odcs import contract_yaml
from mlspec.runtime.documents.profile import reference_profile
from mlspec.runtime.documents.slsa import provenance
from mlspec.runtime.functions import is_inside
from mlspec.runtime.judging.scores import CANDIDATE, read_scores
from mlspec.runtime.models.document import read_document
from mlspec.runtime.models.formats import FORMATS
from mlspec.runtime.packaging.metrics import measured
from mlspec.runtime.packaging.sample import as_array, write_sample
from mlspec.runtime.packaging.smoke import smoke_test
from mlspec.runtime.rows.folder import Rows, read_rows
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder
from mlspec.runtime.steps.log import say
from mlspec.runtime.tables import read_rows as read_table

FORMAT_VERSION = "1.0"
_PERSONAL = frozenset({"pii", "special"})
_DATA = "d_"


def run(call: StepCall) -> StepExit:
    """Make the package.

    Raises:
        StepError: an input is missing or damaged, the model does not reproduce its evaluation, or
            does not work in a fresh process.
        OSError: the disk refuses.
    """
    model = call.node.model
    if model is None:
        raise StepError(f"the node of step `{call.node.step}` names no model")
    own_card = _own_card(call, model.card)
    source = call.input("model")
    document = read_document(source)
    train, test = _rows(call, "train"), _rows(call, "test")
    scores = _optional(call, "scores")
    digest = digest_of_folder(source)
    # A program of the project predicts with a format of its own (`evaluate.run`); nothing here can.
    loads = document["format"] in FORMATS
    with whole_folder(call.output("package")) as folder, ThreadPoolExecutor(1) as beside:
        shutil.copytree(source, folder / "model")
        if digest_of_folder(folder / "model") != digest:
            raise StepError("the model changed while it was packaged")
        table = None if scores is None else read_table(scores / "scores.parquet")
        if loads and table is not None and test is not None and len(test):
            inputs = [one["name"] for one in document["input"]]
            write_sample(folder / "sample.parquet", inputs, test, table)
        # The process mostly waits for imports; metrics and documents are made meanwhile.
        tried = beside.submit(_try, folder, call) if loads else None
        made = made_of(call, model, document)
        explanation = _optional(call, "explanation")
        if explanation is not None:
            shutil.copytree(explanation, folder / "explanation")
        _write_profile(folder, made, train or test, table)
        _write_documents(folder, call, made, own_card)
        said = "only its own program can load it" if tried is None else tried.result()
    say(f"packaged `{model.id}`: {said}")
    return StepExit.OK


def _try(folder: Path, call: StepCall) -> str:
    return smoke_test(folder, call.project, call.environ)


def made_of(call: StepCall, model: ModelFacts, document: Mapping[str, Any]) -> Made:
    """Return what the documents are made of.

    Args:
        call: of the step. model: its noun. document: content of `model.json`.

    Raises:
        StepError: a snapshot or the scores cannot be read.
    """
    source, scores = call.input("model"), _optional(call, "scores")
    metrics = () if scores is None else measured(model, read_scores(scores, model.task))
    return Made(
        node=call.node,
        run_id=call.run_id,
        run_date=call.run_date,
        commit=call.commit,
        model=document,
        digest=hex_digest(digest_of_folder(source)),
        files=files_of_folder(source),
        data=_snapshots(call),
        metrics=metrics,
        lock=installed(),
        scores="" if scores is None else hex_digest(digest_of_file(scores / "scores.parquet")),
    )


def _optional(call: StepCall, name: str) -> Path | None:
    """Return the path of an input that its producer may have left out."""
    return call.input(name) if call.inputs.get(name) is not None else None


def _rows(call: StepCall, name: str) -> Rows | None:
    path = _optional(call, name)
    return None if path is None else read_rows(path)


def _snapshots(call: StepCall) -> tuple[DataVersion, ...]:
    found = [
        data_version(path / "snapshot.json" if path.is_dir() else path)
        for name, path in call.inputs.items()
        if name.startswith(_DATA) and path is not None
    ]
    return tuple(sorted(found, key=lambda one: one.data))


def _write_profile(folder: Path, made: Made, rows: Rows | None, scores: pa.Table | None) -> None:
    """Write the reference: inputs of the training rows, predictions of the test rows."""
    if rows is None or not len(rows) or scores is None or CANDIDATE not in scores.column_names:
        return
    profile = reference_profile(
        rows.features,
        as_array(scores[CANDIDATE]),
        classes=tuple(str(one) for one in made.model.get("classes") or ()),
        personal={one.name for one in made.facts.input if one.sensitivity in _PERSONAL},
    )
    (folder / "profile.json").write_bytes(json_bytes(profile))


def _write_documents(folder: Path, call: StepCall, made: Made, own_card: str) -> None:
    documents = {
        "signature.json": signature(made),
        "lock.json": lock_json(made.lock),
        "bom.cdx.json": bill_of_materials(made),
        "provenance.json": provenance(made),
        "package.json": package_json(made),
    }
    for name, document in documents.items():
        (folder / name).write_bytes(json_bytes(document))
    text = card(made, own_card)
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
    contracts = folder / "contracts"
    for noun in call.node.data:
        if noun.columns:
            contracts.mkdir(exist_ok=True)
            place = contracts / f"{noun.id}.odcs.yaml"
            version = hex_digest(call.node.spec) or "1"
            place.write_text(contract_yaml(noun, call.node.app, version=version), "utf-8")


def signature(made: Made) -> dict[str, Any]:
    """Return the content of `signature.json`: what goes in and what comes out."""
    model, document = made.facts, made.model
    return {
        "format_version": FORMAT_VERSION,
        "model": model.id,
        "task": model.task,
        "inputs": [to_json(one) for one in model.input] or list(document["input"]),
        "outputs": [to_json(one) for one in model.output],
        "classes": document.get("classes"),
        "threshold": document.get("threshold"),
    }


def package_json(made: Made) -> dict[str, Any]:
    """Return the content of `package.json`: what the registry and people ask first."""
    facts = made.facts
    seeds = {"train": made.seed, "split": facts.split.seed if facts.split else None}
    seeds["tune"] = facts.tune.seed if facts.tune else None
    return {
        "format_version": FORMAT_VERSION,
        "model": facts.id,
        "application": made.node.app.name,
        "task": facts.task,
        "owner": made.owner,
        "environment": made.node.environment,
        "digest": f"sha256:{made.digest}",
        "files": {name: f"sha256:{digest}" for name, digest in made.files.items()},
        "spec": made.node.spec,
        "commit": made.commit,
        "image": made.node.image,
        "run": {"id": made.run_id, "date": made.run_date},
        "engine": made.model.get("engine"),
        "python": made.lock.python,
        "params": made.parameters,
        "seeds": {name: seed for name, seed in seeds.items() if seed is not None},
        "data": {one.data: one.version for one in made.data},
        "snapshots": {
            one.data: {"version": one.version, "sha256": one.sha256, "rows": one.rows}
            for one in made.data
        },
        "metrics": {one.metric: one.value for one in made.metrics if not one.slice},
        "measured": [
            {
                "metric": one.metric,
                "slice": one.slice,
                "value": one.value,
                "lower": one.low,
                "upper": one.high,
                "n": one.n,
                "confidence": one.confidence,
                "test": one.test,
            }
            for one in made.metrics
        ],
    }


def _own_card(call: StepCall, name: str | None) -> str:
    """Return the text of the project's own card; empty when the spec names none.

    Raises:
        StepError: it is not there, is no text, or lies outside the project.
    """
    if not name:
        return ""
    project = call.project.resolve()
    path = project / name
    if not is_inside(path, project):
        raise StepError(f"the card `{name}` lies outside the project")
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise StepError(f"there is no card `{name}` in the project") from None
    except UnicodeDecodeError:
        raise StepError(f"the card `{name}` is no UTF-8 text") from None
