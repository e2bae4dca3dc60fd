"""The step `evaluate`: the test rows, predicted by the candidate and all it is compared with.

Inputs `model`, `test`, `train` (for a built-in baseline), `uncompressed`, `m_<member>`,
`r_<model>`; the champion comes from the registry. Output `scores`: `scores.parquet` has a column
for each model, `scores.json` what is known of each. A model that there is not is in neither; why
not stands in `absent`. No other step reads the test rows before.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.baselines import BUILT_IN, baseline_predictions
from mlspec.runtime.digests import PREFIX, digest_of_file, digest_of_folder
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.registry.model import CHAMPION, Registry
from mlspec.runtime.rows.folder import (
    CLUSTER,
    KEY,
    LABEL,
    QUERY,
    SLICE,
    TIMES,
    Rows,
    read_rows,
)
from mlspec.runtime.scoring.measure import (
    FEW,
    MANY,
    Predicts,
    Scored,
    aligned,
    as_column,
    score,
    size_of,
)
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder

CANDIDATE, BASELINE, UNCOMPRESSED = "candidate", "baseline", "uncompressed"
RESERVED = {CANDIDATE, BASELINE, UNCOMPRESSED, CHAMPION, "challenger", "previous", *BUILT_IN}
KEPT = (KEY, TIMES, CLUSTER, QUERY, LABEL)

Load = Callable[[Path, Path], Predicts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model folder that is scored, and the name of its column."""

    name: str
    folder: Path
    version: int | None = None


def run(call: StepCall) -> StepExit:
    """Score the test rows with the real registry and the real models.

    Raises:
        StepError: see `evaluate`.
    """
    from mlspec.runtime.steps.lifecycle import registry_of

    return evaluate(call, registry_of(call), _loader(call))


def _loader(call: StepCall) -> Load:
    """Return what opens a model folder: ours, or the user's program around it."""
    if call.node.script is None and not call.node.words:
        return load_model
    from mlspec.runtime.scoring.program import Program

    threshold = call.node.model.threshold if call.node.model is not None else None
    return lambda folder, _: Program(model=folder, call=call, threshold=threshold)


def evaluate(call: StepCall, registry: Registry, load: Load) -> StepExit:
    """Score the test rows with every model, and write the scores folder.

    Args:
        call: the step's. registry: has the champion, or does not. load: opens a model folder.

    Raises:
        StepError: there are no test rows; a model does not load, or does not give one prediction
            for each of them.
    """
    model = call.node.model
    if model is None:
        raise StepError("the step `evaluate` needs a model")
    test = read_rows(call.input("test"))
    if not len(test):
        raise StepError("there are no test rows", help="look at `split` and at what it left out")
    _unique(test)
    singles = MANY if any("_latency" in check.text for check in model.checks) else FEW
    scored: dict[str, Scored] = {}
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="mlspec-") as scratch:
        for one in _contenders(call, model, registry, Path(scratch), absent):
            lacking = _lacking(one.folder, test) if one.name == CHAMPION else None
            if lacking is not None:
                absent[one.name] = f"it reads `{lacking}`, which is no feature any more"
                continue
            scored[one.name] = _scored(one, test, load, call.project, singles)
    classes = _classes(scored, test, model)
    if model.baseline in BUILT_IN:
        scored[BASELINE] = _built_in(call, model, test, classes)
    elif model.baseline is not None and model.baseline in scored:
        scored[BASELINE] = scored[model.baseline]
    _write(call.output("scores"), test, scored, classes, absent)
    return StepExit.OK


def _unique(test: Rows) -> None:
    """Refuse rows that cannot be told apart: comparisons are row by row."""
    keys = test.keys
    if len(set(keys)) < len(keys):
        seen: set[str] = set()
        twice = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # the idiom
        raise StepError(f"the key {twice!r} stands in two test rows")


def _contenders(
    call: StepCall,
    model: ModelFacts,
    registry: Registry,
    scratch: Path,
    absent: dict[str, str],
) -> Iterator[Contender]:
    """Give the model folders that are there, the candidate first."""
    yield Contender(name=CANDIDATE, folder=call.input("model"))
    champion = registry.find(model.id, CHAMPION)
    if champion is None:
        absent[CHAMPION] = "no version is the champion yet"
    else:
        package = registry.fetch(champion, scratch / CHAMPION)
        yield Contender(name=CHAMPION, folder=package / "model", version=champion.number)
    if call.inputs.get(UNCOMPRESSED) is not None:
        yield Contender(name=UNCOMPRESSED, folder=call.input(UNCOMPRESSED))
    members = model.ensemble.members if model.ensemble else ()
    others = [name for name in (model.baseline, *model.references) if name is not None]
    for name in dict.fromkeys((*members, *others)):
        word = name.replace("-", "_")
        given = next((f"{kind}_{word}" for kind in "mr" if call.inputs.get(f"{kind}_{word}")), None)
        if given is not None:
            yield Contender(name=name, folder=call.input(given))
        elif name not in RESERVED:
            absent[name] = "no such model was given to the step"


def _lacking(folder: Path, test: Rows) -> str | None:
    """Return an input column of a model that the rows do not have."""
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        names = [str(one["name"]) for one in facts["input"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StepError(f"the champion's model.json cannot be read: {error}") from error
    return next((name for name in names if name not in test.columns), None)


def _scored(one: Contender, test: Rows, load: Load, project: Path, singles: int) -> Scored:
    found = score(one.name, load(one.folder, project), test.features, singles=singles)
    facts = {
        "digest": digest_of_folder(one.folder),
        "version": one.version,
        "bytes": size_of(one.folder),
        **found.facts,
    }
    return replace(found, facts=facts)


def _classes(scored: Mapping[str, Scored], test: Rows, model: ModelFacts) -> tuple[Any, ...]:
    """Return the classes of all models: the candidate's first, then what others know besides."""
    found: dict[Any, None] = dict.fromkeys(scored[CANDIDATE].classes or ())
    if model.task not in {"binary", "multiclass"}:
        return tuple(found)
    if not found:
        found = (
            dict.fromkeys(np.unique(test.labels).tolist())
            if LABEL in test.table.column_names
            else {}
        )
        return (False, True) if model.task == "binary" and set(found) <= {0, 1} else tuple(found)
    if model.task == "multiclass":
        for one in scored.values():
            found |= dict.fromkeys(one.classes or ())
    return tuple(found)


def _built_in(call: StepCall, model: ModelFacts, test: Rows, classes: tuple[Any, ...]) -> Scored:
    name = str(model.baseline)
    train = read_rows(call.input("train"))
    said = baseline_predictions(name, model, train, test, classes)
    return Scored(
        predictions=said,
        classes=classes or None,
        facts={"built_in": name, "threshold": None, "digest": None, "version": None},
    )


def _write(
    place: Path,
    test: Rows,
    scored: Mapping[str, Scored],
    classes: tuple[Any, ...],
    absent: Mapping[str, str],
) -> None:
    kept = [name for name in test.table.column_names if name in KEPT or name.startswith(SLICE)]
    columns = {name: test.table[name] for name in kept}
    for name, one in scored.items():
        column = as_column(aligned(one, classes) if classes else one.predictions)
        if len(column) != len(test):
            raise StepError(f"`{name}` has {len(column):,} predictions for {len(test):,} rows")
        columns[name] = column
    keys = hashlib.sha256("\n".join(test.keys).encode()).hexdigest()
    facts = {
        "rows": len(test),
        "sha256_keys": keys,
        "models": {name: dict(one.facts) for name, one in scored.items()},
        "classes": [one.item() if isinstance(one, np.generic) else one for one in classes],
        "absent": dict(absent),
        "snapshots": dict(test.snapshots),
    }
    with whole_folder(place) as draft:
        pq.write_table(pa.table(columns), draft / "scores.parquet")
        facts["sha256"] = digest_of_file(draft / "scores.parquet").removeprefix(PREFIX)
        text = json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False)
        (draft / "scores.json").write_text(text + "\n", encoding="utf-8")
