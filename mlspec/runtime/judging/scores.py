"""Reading a scores folder: labels, predictions of each model, slices, clusters.

In: `scores.parquet` and `scores.json` as `evaluate` writes them. Out: `Scores`. Invariants: every
array has one entry for each row, in the order of the file; labels have no missing values; values
of slices are text, a missing one is `(missing)`. Class labels become 0 and 1 (binary, 1 is the
second of `classes`) or numbers of the classes (multiclass), so that all models speak of the same
classes. Predictions are not judged here: a missing one is found by the metric that needs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mlspec.runtime.metrics.arrays import AnyArray, Floats, Integers, missing
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import check_digest

CANDIDATE = "candidate"
MISSING = "(missing)"
_SLICE = "_slice."
_NUMBERS = frozenset({"regression", "forecast"})
_WHAT_TO_DO = "the score table is what `evaluate` writes; run it again"


@dataclass(frozen=True, slots=True)
class Slices:
    """The values of a column, row by row.

    Attributes:
        names: distinct values as text, sorted. codes: shape (n,), index into `names`.
    """

    names: tuple[str, ...]
    codes: Integers

    def texts(self) -> AnyArray:
        """Return the value of each row, shape (n,)."""
        return np.array(self.names, dtype=str)[self.codes] if self.names else np.empty(0, dtype=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredModel:
    """What one model said about the rows.

    Attributes:
        predictions: shape (n,) or (n, classes); see the module for classes.
        bounds: shape (n, 2), its interval for each row; None when it gives none.
        threshold: at which a probability is a positive decision.
        facts: its entry in `scores.json`: digest, version, seconds_per_row, p99_latency, bytes …
    """

    name: str
    predictions: AnyArray
    bounds: Floats | None = None
    threshold: float = 0.5
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """A score table.

    Attributes:
        task: of the model. n: rows. labels: shape (n,); None without labels.
        unknown: labels that are none of the classes; they are -1 in `labels`.
        absent: why a model is not in the table, by name.
        clusters: shape (n,), entity of each row; None when rows are independent.
        queries: shape (n,), for rankings: the query of each row, or its entity; None for neither.
        table: as read, for the user's own metrics.
    """

    task: str
    n: int
    labels: AnyArray | None
    unknown: tuple[str, ...] = ()
    models: Mapping[str, ScoredModel]
    slices: Mapping[str, Slices]
    absent: Mapping[str, str] = field(default_factory=dict)
    clusters: AnyArray | None = None
    queries: AnyArray | None = None
    table: pa.Table


def read_scores(folder: Path, task: str) -> Scores:
    """Return the score table of a folder.

    Args:
        folder: with `scores.parquet` and `scores.json`. task: of the model.

    Raises:
        StepError: a file is missing or unreadable, the candidate's column is missing, labels are
            missing in some rows, or a label is none of the two classes of a binary model.
    """
    facts = _facts(folder / "scores.json")
    table = _table(folder / "scores.parquet")
    check_digest(folder / "scores.parquet", facts.get("sha256"))
    if CANDIDATE not in table.column_names:
        raise StepError(
            f"the score table has no column `{CANDIDATE}`: the candidate predicted nothing",
            help=_WHAT_TO_DO,
        )
    classes = tuple(_text(value) for value in facts.get("classes") or ())
    described: Mapping[str, Any] = facts.get("models") or {}
    names = [name for name in table.column_names if not name.startswith("_")]
    models = {
        name: _model(name, table.column(name), described.get(name) or {}, task, classes)
        for name in names
    }
    labels, unknown = _labels(table, task, classes)
    return Scores(
        task=task,
        n=table.num_rows,
        labels=labels,
        unknown=unknown,
        models=models,
        slices={
            name.removeprefix(_SLICE): _slices(table.column(name))
            for name in table.column_names
            if name.startswith(_SLICE)
        },
        absent={str(name): str(why) for name, why in (facts.get("absent") or {}).items()},
        clusters=_ids(table, "_cluster"),
        queries=_ids(table, "_query" if "_query" in table.column_names else "_cluster"),
        table=table,
    )


def _facts(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise StepError("the scores folder has no `scores.json`", help=_WHAT_TO_DO) from None
    except (ValueError, OSError, RecursionError) as error:
        raise StepError(f"`scores.json` cannot be read: {error}", help=_WHAT_TO_DO) from error
    if not isinstance(found, dict):
        raise StepError("`scores.json` is no mapping", help=_WHAT_TO_DO)
    models = found.get("models") or {}
    odd = not isinstance(models, dict) or any(
        one is not None and not isinstance(one, dict) for one in models.values()
    )
    if odd or not isinstance(found.get("absent") or {}, dict):
        raise StepError("`scores.json` does not describe models", help=_WHAT_TO_DO)
    if not isinstance(found.get("classes") or [], list):
        raise StepError("`scores.json` has no list of classes", help=_WHAT_TO_DO)
    return found


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except FileNotFoundError:
        raise StepError("the scores folder has no `scores.parquet`", help=_WHAT_TO_DO) from None
    except (pa.ArrowException, OSError) as error:
        raise StepError(f"`scores.parquet` cannot be read: {error}", help=_WHAT_TO_DO) from error


def _model(
    name: str,
    column: pa.ChunkedArray,
    facts: Mapping[str, Any],
    task: str,
    classes: tuple[str, ...],
) -> ScoredModel:
    predictions, bounds = _predictions(name, column, task, classes)
    threshold = facts.get("threshold")
    return ScoredModel(
        name=name,
        predictions=predictions,
        bounds=bounds,
        threshold=0.5 if threshold is None else float(threshold),
        facts=facts,
    )


def _predictions(
    name: str, column: pa.ChunkedArray, task: str, classes: tuple[str, ...]
) -> tuple[AnyArray, Floats | None]:
    """Return predictions and bounds; a list of a number is the prediction and its bounds."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        wide = _wide(name, column)
        if task in _NUMBERS and wide.shape[1] == 3:
            return wide[:, 0], wide[:, 1:]
        if task == "binary" and wide.shape[1] == 2:
            return wide[:, 1], None
        return wide, None
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        said = _slices(column)
        if task == "binary" and len(classes) == 2:
            return said.texts() == classes[1], None
        if task == "multiclass" and classes:
            return _numbered(said, classes)[0], None
        return said.texts(), None
    values = _plain(column)
    if task == "multiclass" and classes and values.dtype.kind in "iub":
        return _numbered(_slices(column), classes)[0], None
    if task == "binary" and len(classes) == 2 and values.dtype.kind in "iu":
        return (values if are_truths(values) else _slices(column).texts() == classes[1]), None
    return values, None


def _wide(name: str, column: pa.ChunkedArray) -> Floats:
    whole = column.combine_chunks()
    if not len(whole):
        return np.empty((0, 1))
    lengths = set(whole.value_lengths().to_pylist())
    if len(lengths) != 1 or None in lengths or 0 in lengths:
        raise StepError(
            f"the rows of `{name}` in the score table hold lists of different lengths",
            help="a model gives one number for each class, in every row",
        )
    values = whole.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    return np.asarray(values.reshape(len(whole), lengths.pop()), dtype=np.float64)


def _labels(
    table: pa.Table, task: str, classes: tuple[str, ...]
) -> tuple[AnyArray | None, tuple[str, ...]]:
    if "_label" not in table.column_names:
        return None, ()
    column = table.column("_label")
    if pa.types.is_nested(column.type):
        return np.array([*column.to_pylist(), None], dtype=object)[:-1], ()
    values = _plain(column)
    gone = int(missing(values).sum())
    if gone:
        raise StepError(
            f"{gone} of {values.size} labels in the score table are missing",
            help="rows without a label cannot be judged: drop them where the label is joined",
        )
    if task == "binary" and len(classes) == 2 and not are_truths(values):
        numbers, unknown = _numbered(_slices(column), classes)
        if unknown:
            raise StepError(
                f"the label `{unknown[0]}` is none of the model's classes "
                f"`{classes[0]}` and `{classes[1]}`"
            )
        return numbers == 1, ()
    if task == "multiclass" and classes:
        return _numbered(_slices(column), classes)
    return values, ()


def _plain(column: pa.ChunkedArray) -> AnyArray:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_boolean(column.type) and not column.null_count:
        return np.asarray(column.to_numpy()).astype(np.bool_)
    return np.asarray(column.to_numpy())


def are_truths(values: AnyArray) -> bool:
    """Whether all values are 0 and 1, or booleans."""
    return values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all())


def _numbered(values: Slices, classes: tuple[str, ...]) -> tuple[Integers, tuple[str, ...]]:
    """Return the number of the class of each row, -1 for none, and the values that are none."""
    place = {name: number for number, name in enumerate(classes)}
    numbers = np.array([place.get(name, -1) for name in values.names], dtype=np.int64)
    unknown = tuple(name for name in values.names if name not in place)
    empty = np.empty(0, dtype=np.int64)
    return (numbers[values.codes] if values.names else empty), unknown


def _slices(column: pa.ChunkedArray) -> Slices:
    if pa.types.is_nested(column.type):  # lists have no dictionaries; their text will do
        column = pa.chunked_array([pa.array(map(str, column.to_pylist()), pa.string())])
    whole = column.combine_chunks()
    encoded = whole.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    texts = [_text(value) for value in encoded.dictionary.to_pylist()] + [MISSING]
    raw = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
    # Two values may have the same text, and nobody may have the text of a missing one.
    codes = raw.astype(np.int64)
    used = sorted({texts[code] for code in np.unique(codes)})
    order = {name: number for number, name in enumerate(used)}
    renumbered = np.array([order.get(text, -1) for text in texts], dtype=np.int64)
    return Slices(tuple(used), renumbered[codes])


def _text(value: object) -> str:
    """Return a value as people write it: `true`, `3`, `DE`."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return MISSING
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _ids(table: pa.Table, name: str) -> npt.NDArray[np.int64] | None:
    """Return numbers for the entities of a column; a missing one is an entity of its own."""
    if name not in table.column_names:
        return None
    column = table.column(name)
    codes = _slices(column).codes.copy()
    alone = np.flatnonzero(column.is_null().to_numpy())
    codes[alone] = codes.max(initial=0) + 1 + np.arange(alone.size)
    return codes
