"""From bytes that were brought to a model folder.

Duty: recognise a model, bring its files to the names that formats read, and write `model.json`.
In: a folder, the noun. Out: a filled model folder. Invariants: a model folder of ours is taken
whole, digests verified, and must have the input that the noun declares; a pickle is refused before
anything is read; what no format knows is kept as files only for tasks that need no `predict`.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.ensembles.own import PATH_TASKS
from mlspec.runtime.models.contract import Saved, Saving
from mlspec.runtime.models.document import (
    DOCUMENT,
    read_document,
    rewrite_document,
    write_document,
)
from mlspec.runtime.models.formats import FORMATS, adopt_files
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.steps.contract import StepError

FILES = "files"
"""Format of a folder that only a function, a server or a program of the project reads."""
_NAMES = {
    ".skops": "model.skops",
    ".onnx": "model.onnx",
    ".pt2": "model.pt2",
    ".keras": "model.keras",
}
_OF_FORMAT = {"xgboost": "booster.json", "lightgbm": "booster.txt"}
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
_WITHIN = ("", "model", "package/model")
"""Where a model folder of ours stands in what was brought: alone, in a package, in a run."""
_UNREAD_TASKS = PATH_TASKS | {"embedding", "ranking"}


def adopt(raw: Path, model: ModelFacts, draft: Path, project: Path, origin: str) -> None:
    """Fill a model folder.

    Args:
        raw: what was brought: our own model folder, or files of a format.
        model: the noun. draft: an empty folder. project: of the spec.
        origin: what the address resolved to.

    Raises:
        StepError: nothing is recognised, or it does not fit the noun.
    """
    ours = next((raw / one for one in _WITHIN if (raw / one / DOCUMENT).is_file()), None)
    if ours is not None:
        _take(ours, model, draft, origin)
    else:
        _refuse_pickles(raw)
        shutil.copytree(raw, draft, dirs_exist_ok=True)
        _rename(draft, model.format)
        saved = _recognised(draft, model, project)
        write_document(draft, model, saved, changes={"source": origin})
        if saved.format == FILES:
            return
    load_model(draft, project)


def keep(raw: Path, model: ModelFacts, draft: Path, origin: str) -> None:
    """Fill a model folder with files that only programs of the user's read.

    Nothing here ever loads them, so they may have any format, a pickle too.

    Args:
        raw: what was brought. model: the noun. draft: an empty folder.
        origin: what the address resolved to.
    """
    shutil.copytree(raw, draft, dirs_exist_ok=True)
    saved = Saved(format=FILES, engine=model.format or "", version="")
    write_document(draft, model, saved, changes={"source": origin})


def _take(raw: Path, model: ModelFacts, draft: Path, origin: str) -> None:
    """Take a model folder of ours: what it says of itself stays, but the noun's id is ours."""
    facts = read_document(raw)
    has = {one["name"]: one["type"] for one in facts["input"]}
    declared = {one.name: one.type for one in model.input}
    missing = [name for name in has if declared and name not in declared]
    if missing:
        raise StepError(
            f"the model reads `{missing[0]}`, which is no input of `{model.id}`",
            help=f"it reads {', '.join(has)}",
        )
    other = [name for name in has if declared and declared[name] != has[name]]
    if other:
        name = other[0]
        raise StepError(
            f"the model reads `{name}` as {has[name]}; `{model.id}` declares {declared[name]}"
        )
    if facts["task"] != model.task:
        raise StepError(f"the model is for the task `{facts['task']}`, not `{model.task}`")
    shutil.copytree(raw, draft, dirs_exist_ok=True)
    changes: dict[str, Any] = {"model": model.id, "source": origin}
    if model.threshold is not None:
        changes["threshold"] = model.threshold
    rewrite_document(draft, {**facts, **changes})


def _refuse_pickles(raw: Path) -> None:
    found = next((one for one in sorted(raw.rglob("*")) if one.suffix in _PICKLES), None)
    if found is not None:
        raise StepError(
            f"`{found.name}` is a pickle: loading it would run whatever it holds",
            help="save the model as skops, ONNX, safetensors or in its library's own format",
        )


def _rename(folder: Path, declared: str | None) -> None:
    """Give a single model file the name that its format reads; unpack a single folder."""
    inside = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    if len(inside) == 1 and inside[0].is_dir():
        for one in list(inside[0].iterdir()):
            one.rename(folder / one.name)
        inside[0].rmdir()
    for ending, name in _NAMES.items():
        found = sorted(folder.glob(f"*{ending}"))
        if len(found) == 1 and found[0].name != name:
            found[0].rename(folder / name)
    wanted = _OF_FORMAT.get(declared or "")
    if wanted is not None:
        suffix = Path(wanted).suffix
        found = [one for one in sorted(folder.glob(f"*{suffix}")) if one.name != DOCUMENT]
        if len(found) == 1 and found[0].name != wanted:
            found[0].rename(folder / wanted)


def _recognised(folder: Path, model: ModelFacts, project: Path) -> Saved:
    classes = model.output[0].enum if model.output else ()
    saving = Saving(model=model, project=project, classes=classes)
    declared = model.format if model.format in FORMATS else None
    if model.format is not None and declared is None and model.task not in _UNREAD_TASKS:
        known = ", ".join(sorted(FORMATS))
        raise StepError(f"`{model.format}` is no model format", help=f"there are {known}")
    try:
        saved = adopt_files(folder, saving, declared)
    except StepError:
        if model.task not in _UNREAD_TASKS or declared is not None:
            raise
        return Saved(format=FILES, engine=model.format or "", version="")
    if saved.classes is None and classes:
        saved = replace(saved, classes=tuple(classes))
    return saved
