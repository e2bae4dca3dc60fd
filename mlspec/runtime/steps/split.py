"""The step `split`: rows to three folders of rows.

Input `rows`; outputs `train`, `validation`, `test`. Columns that only the split needs end here.
"""

from __future__ import annotations

from dataclasses import replace

from mlspec.runtime.rows.division import Division, divide
from mlspec.runtime.rows.folder import SPLIT, Rows, read_rows, write_rows
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit


def run(call: StepCall) -> StepExit:
    """Divide the rows as the model's `split` says.

    Raises:
        StepError: a side is empty, a row belongs to two sides, or the split does not fit the rows.
    """
    model = call.node.model
    if model is None or model.split is None:
        raise StepError("the step `split` needs a model with a split")
    rows = read_rows(call.input("rows"))
    division = divide(rows, model.split)
    for side in Division.SIDES:
        write_rows(call.output(side), _side(rows, division, side))
    return StepExit.OK


def _side(rows: Rows, division: Division, side: str) -> Rows:
    taken = rows.take(division.sides == Division.SIDES.index(side))
    kept = [name for name in taken.table.column_names if not name.startswith(SPLIT)]
    dropped = {**rows.dropped, **division.dropped}
    return replace(taken, table=taken.table.select(kept), dropped=dropped)
