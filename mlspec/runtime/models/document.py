"""`model.json`: what a model folder says about itself, and whether its files are still those.

In: facts and a folder of files. Out: the document, with the SHA-256 of each other file of the
folder. Invariants: same facts and files, same bytes; a folder that is read has exactly the files
that the document names, unaltered; the document is read before any byte of the model is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.digests import files_of_folder
from mlspec.runtime.models.contract import Saved
from mlspec.runtime.steps.contract import StepError

DOCUMENT = "model.json"
_NEEDED = ("model", "format", "task", "input", "files")


def write_document(
    folder: Path,
    model: ModelFacts,
    saved: Saved,
    *,
    params: Mapping[str, Any] | None = None,
    seed: int | None = None,
    changes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `model.json` over the files of a folder, and return what it says.

    Args:
        folder: holds the files of the model, and nothing else.
        model: the noun. saved: what the format wrote.
        params, seed: what the model was trained with, if it was trained here.
        changes: keys to set or to replace, such as `calibration`.

    Raises:
        OSError: the disk refuses. StepError: a link leads out of the folder.
    """
    output = model.output[0] if model.output else None
    facts: dict[str, Any] = {
        "model": model.id,
        "format": saved.format,
        "loader": saved.loader,
        "task": model.task,
        "input": [{"name": one.name, "type": one.type} for one in model.input],
        "output": None if output is None else {"name": output.name, "type": output.type},
        "classes": None if saved.classes is None else list(saved.classes),
        "threshold": model.threshold,
        "engine": {"name": saved.engine, "version": saved.version},
        "params": dict(params or {}),
        "seed": seed,
        "calibration": None,
        "details": dict(saved.details),
        **(changes or {}),
    }
    return rewrite_document(folder, facts)


def rewrite_document(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the facts with the digests of the files as they are now; return what was written.

    Raises:
        OSError: the disk refuses. StepError: a link leads out of the folder.
    """
    try:
        files = files_of_folder(folder, [DOCUMENT])
    except ValueError as error:
        raise StepError(f"the model folder cannot be kept: {error}") from error
    document = {**facts, "files": files}
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / DOCUMENT).write_text(text + "\n", encoding="utf-8")
    return document


def read_document(folder: Path, *, verify: bool = True) -> dict[str, Any]:
    """Return what `model.json` of a folder says.

    Args:
        folder: a model folder.
        verify: whether the files are held against their digests.

    Raises:
        StepError: there is no such document, it is not one, or a file is missing, altered or new.
    """
    try:
        facts = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(
            f"`{folder.name}` is no model: it has no {DOCUMENT}",
            help="a model folder is what the train, combine, fetch or package step wrote",
        ) from None
    except (ValueError, RecursionError) as error:
        raise does_not_load(folder.name, f"{DOCUMENT} is damaged ({error})") from error
    if not isinstance(facts, dict) or any(key not in facts for key in _NEEDED):
        raise does_not_load(folder.name, f"{DOCUMENT} does not say {', '.join(_NEEDED)}")
    if not _is_whole(facts):
        raise does_not_load(folder.name, f"{DOCUMENT} is not what this program writes")
    if verify:
        _verify(folder, facts)
    return facts


def _is_whole(facts: Mapping[str, Any]) -> bool:
    """Whether what every reader relies on has its form."""
    names, files = facts["input"], facts["files"]
    return (
        all(isinstance(facts[key], str) for key in ("model", "format", "task"))
        and isinstance(names, list)
        and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in names)
        and isinstance(files, dict)
        and all(isinstance(one, str) for one in files.values())
    )


def does_not_load(name: object, why: str, *, help: str = "") -> StepError:  # noqa: A002  as StepError
    """Return the error for a model that cannot be used."""
    return StepError(f"the model `{name}` does not load: {why}", help=help)


def _verify(folder: Path, facts: Mapping[str, Any]) -> None:
    try:
        found = files_of_folder(folder, [DOCUMENT])
    except ValueError as error:
        raise does_not_load(facts["model"], str(error)) from error
    said = facts["files"]
    for path in sorted({*found, *said}):
        if path not in found:
            why = f"the file `{path}` is missing"
        elif path not in said:
            why = f"the file `{path}` does not belong to it"
        elif found[path] != said[path]:
            size = (folder / path).stat().st_size
            why = f"the file `{path}` is not the one that was written ({size} bytes are there)"
        else:
            continue
        raise does_not_load(facts["model"], why, help="take the model folder whole, or train again")
