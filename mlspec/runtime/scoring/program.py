"""A program of the user's that predicts (`evaluate: {run: …}`): called once for each model.

Duty: rows and a model folder in, predictions out, through files (`${inputs.model}`,
`${inputs.data}`, `${outputs.scores}`). Invariant: candidate, champion and baseline are predicted
by the same program.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.rows.folder import Rows
from mlspec.runtime.rows.plain import read_predictions, write_plain
from mlspec.runtime.scoring.own import call_program
from mlspec.runtime.steps.contract import StepCall, StepError

_OURS = "model.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A model folder, and the program that predicts with it.

    Attributes:
        model: the folder. call: of the step. threshold: of decisions.
    """

    model: Path
    call: StepCall
    threshold: float | None = None
    classes: tuple[Any, ...] | None = None
    whole_only: bool = True
    """Starting the program for single rows would measure its start."""

    def predict(self, features: pa.Table) -> AnyArray:
        """Return one prediction for each row.

        Raises:
            StepError: the program fails, or what it wrote does not fit the rows.
        """
        node = self.call.node
        with tempfile.TemporaryDirectory(prefix="mlspec-") as scratch:
            data = Path(scratch) / f"data.{node.table}"
            scores = Path(scratch) / f"scores.{node.table}"
            write_plain(
                Rows(table=features, columns=tuple(features.column_names)), data, node.table
            )
            values = {
                "inputs.model": str(_bytes_of(self.model)),
                "inputs.data": str(data),
                "outputs.scores": str(scores),
            }
            code = call_program(self.call, values)
            if code != 0:
                raise StepError(f"the program of `evaluate` ended with {code}")
            return read_predictions(scores, features.num_rows, node.table)


def _bytes_of(folder: Path) -> Path:
    """Return what the user's training wrote: the one entry besides our document, or the folder."""
    found = [one for one in sorted(folder.iterdir()) if one.name != _OURS]
    return found[0] if len(found) == 1 else folder
