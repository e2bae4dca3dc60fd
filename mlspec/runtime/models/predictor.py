"""One way to predict with any model: `load_model(folder, project).predict(features)`.

In: a model folder (`model.json` and files) and a table of features. Out: predictions in the shape
that the spec declares. Invariants: the digests are verified before anything is loaded; no pickle
is ever run; the input columns are chosen by name; a prediction that is missing, infinite or no
probability where one was declared is an error and never a number.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Scorer
from mlspec.runtime.models.document import does_not_load, read_document
from mlspec.runtime.models.formats import FORMATS, format_module
from mlspec.runtime.models.tabular import plain
from mlspec.runtime.steps.contract import StepError

_CLASSIFIES = frozenset({"binary", "multiclass", "multilabel"})
_SUM = 1e-3
"""How far the probabilities of a row may be from 1: float32 and quantised models round."""

Calibrate = Callable[[AnyArray], AnyArray]


def load_model(folder: Path, project: Path) -> Predictor:
    """Return the model of a folder, ready to predict.

    Args:
        folder: a model folder as a train, combine, fetch or package step wrote it.
        project: folder of the spec: classes and functions of the project are taken from here only.

    Raises:
        StepError: the folder is no model, a file is altered, cut off or missing, the library of
            the format is not installed, or the files do not give a model.
    """
    facts = read_document(folder)
    name = facts["model"]
    if facts["format"] not in FORMATS:
        raise does_not_load(name, f"its format `{facts['format']}` is not known here")
    module = format_module(facts["format"])
    try:
        scorer: Scorer = module.load(folder, facts, project)
        calibrate = _calibration(folder, facts)
    except StepError as error:
        if error.message.startswith("the model `"):
            raise
        raise does_not_load(name, error.message, help=error.help) from error
    except ImportError as error:
        package = facts.get("engine", {}).get("name") or error.name
        raise does_not_load(
            name, f"`{error.name}` is not installed", help=f"pip install {package}"
        ) from error
    except Exception as error:
        # Libraries raise anything over a damaged file; whatever it is, there is no model.
        why = f"{type(error).__name__}: {_one_line(error)}"
        raise does_not_load(name, why) from error
    return Predictor(facts, scorer, calibrate)


class Predictor:
    """A loaded model.

    Attributes:
        facts: what `model.json` says.
    """

    def __init__(
        self, facts: Mapping[str, Any], scorer: Scorer, calibrate: Calibrate | None = None
    ) -> None:
        """Keep the parts; `load_model` makes predictors."""
        self.facts = facts
        self._scorer, self._calibrate = scorer, calibrate
        known = scorer.classes if scorer.classes is not None else facts.get("classes")
        self._classes = None if known is None else tuple(plain(one) for one in known)
        self._columns = [one["name"] for one in facts["input"]]
        output = facts.get("output") or {}
        self._kind: str = output.get("type", "")

    @property
    def name(self) -> str:
        """Id of the model noun."""
        return str(self.facts["model"])

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels of the columns of probabilities, in their order; None where there are none."""
        return self._classes

    @property
    def threshold(self) -> float | None:
        """From which probability on a decision is positive; None: the default, 0.5."""
        found = self.facts.get("threshold")
        return None if found is None else float(found)

    def predict(self, features: pa.Table) -> AnyArray:
        """Return one prediction for each row.

        Args:
            features: a table that has the model's input columns, in any order, and maybe others.

        Returns:
            By the declared output: shape (n,) probabilities, scores or numbers as float64; shape
            (n,) classes; shape (n, k) probabilities in the order of `classes`, or embeddings.

        Raises:
            StepError: a column is missing, the model fails, or its answer is not what is declared.
        """
        answer = self.probabilities(features)
        if self._kind != "class" or answer.dtype.kind != "f":
            return answer
        if answer.ndim == 1 and self.facts["task"] != "binary":
            return answer
        names = np.asarray(self._classes if self._classes is not None else (False, True))
        if answer.ndim == 1:
            level = 0.5 if self.threshold is None else self.threshold
            return np.asarray(names[(answer >= level).astype(int)])
        if self.facts["task"] == "multilabel":
            return answer
        return np.asarray(names[answer.argmax(axis=1)])

    def probabilities(self, features: pa.Table) -> AnyArray:
        """Return what `predict` decides from: probabilities also where a class is declared.

        Args:
            features: see `predict`.

        Returns:
            Probabilities of shape (n,) or (n, k), calibrated, if the model has them; else what
            `predict` returns.

        Raises:
            StepError: see `predict`.
        """
        chosen = self._chosen(features)
        if not chosen.num_rows:
            return np.empty((0,), dtype=np.float64)
        try:
            # What a library has to say about its own future concerns nobody at this point.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.simplefilter("ignore", FutureWarning)
                raw = np.asarray(self._scorer.predict(chosen))
        except StepError:
            raise
        except Exception as error:
            raise StepError(
                f"the model `{self.name}` cannot predict: {type(error).__name__}: "
                f"{_one_line(error)}"
            ) from error
        answer = self._shaped(raw, chosen.num_rows)
        if self._calibrate is not None and answer.dtype.kind == "f":
            answer = self._calibrate(answer)
        return answer

    def _chosen(self, features: pa.Table) -> pa.Table:
        missing = [one for one in self._columns if one not in features.column_names]
        if missing:
            raise StepError(
                f"the model `{self.name}` reads the column `{missing[0]}`, which the rows lack",
                help=f"it reads {', '.join(self._columns)}",
            )
        return features.select(self._columns) if self._columns else features

    def _shaped(self, raw: AnyArray, rows: int) -> AnyArray:
        task = self.facts["task"]
        if raw.ndim == 0 or raw.shape[0] != rows:
            raise self._odd(f"{raw.shape[0] if raw.ndim else 1} predictions for {rows} rows")
        if raw.ndim == 2 and raw.shape[1] == 1 and not self._kind.startswith("embedding"):
            raw = raw[:, 0]
        if raw.dtype.kind not in "fiub":
            if self._kind in {"class", "string", "text", "json", ""}:
                return raw
            raise self._odd(f"`{_first(raw)}`, which is no {self._kind}")
        if self._kind == "class" and raw.ndim == 1 and raw.dtype.kind != "f":
            return raw
        numbers = raw.astype(np.float64)
        self._check_finite(numbers)
        if task == "binary" and numbers.ndim == 2 and numbers.shape[1] == 2:
            numbers = numbers[:, 1]
        if numbers.ndim == 2 and task in _CLASSIFIES:
            self._check_columns(numbers)
        elif self._kind == "probability":
            self._check_range(numbers)
        elif numbers.ndim != 1 and not self._kind.startswith(("embedding", "list")):
            raise self._odd(f"{numbers.shape[1]} numbers for each row, not one")
        return numbers

    def _check_finite(self, numbers: AnyArray) -> None:
        bad = ~np.isfinite(numbers)
        if bad.any():
            rows = bad.reshape(len(bad), -1).any(axis=1)
            raise StepError(
                f"the model `{self.name}` predicts no number (NaN or infinite) for "
                f"{int(rows.sum())} of {len(numbers)} rows, the first is row {int(rows.argmax())}",
                help="look for missing or extreme feature values, or a training that diverged",
            )

    def _check_range(self, numbers: AnyArray) -> None:
        outside = (numbers < 0) | (numbers > 1)
        if outside.any():
            raise self._odd(
                f"{numbers[outside][0]:g}, which is no probability",
                help="let the model end in a sigmoid or softmax, or declare `score`",
            )

    def _check_columns(self, numbers: AnyArray) -> None:
        if self._classes is None or numbers.shape[1] != len(self._classes):
            known = "no" if self._classes is None else str(len(self._classes))
            raise self._odd(f"{numbers.shape[1]} probabilities for {known} known classes")
        self._check_range(numbers)
        if self.facts["task"] == "multiclass":
            off = np.abs(numbers.sum(axis=1) - 1)
            if (off > _SUM).any():
                row = int(off.argmax())
                total = numbers[row].sum()
                raise self._odd(f"probabilities that add up to {total:g} in row {row}")

    def _odd(self, what: str, *, help: str = "") -> StepError:  # noqa: A002  as StepError
        kind = f"`{self._kind}`" if self._kind else "its output"
        return StepError(f"the model `{self.name}` gives {what}; declared is {kind}", help=help)


def _calibration(folder: Path, facts: Mapping[str, Any]) -> Calibrate | None:
    if not facts.get("calibration"):
        return None
    from mlspec.runtime.models.calibration import read_calibration

    return read_calibration(folder, facts["calibration"]).apply


def _first(raw: AnyArray) -> object:
    return raw.reshape(-1)[0]


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else "no reason given"
