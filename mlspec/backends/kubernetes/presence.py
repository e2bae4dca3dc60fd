"""Values that only a run knows: which inputs are there, and what stands in `index.json`.

They are `{{=…}}` expressions over the status of the producing tasks, given to the consuming task
as arguments. Where the join guarantees that the producer succeeded, they are plain text.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.backends.kubernetes.quoting import expr_string, json_text, kubernetes_text
from mlspec.ir.model import Combination, Join, Json, Matrix, Step, StepInput, combination_name


def is_sure(item: StepInput, step: Step) -> bool:
    """Whether the step's join guarantees that the producer succeeded."""
    return step.join is Join.ALL_SUCCESS and item.step in step.needs


def succeeded_expr(task: str) -> str:
    """Return the expression that is true when a task succeeded."""
    return f"tasks['{task}'].status == 'Succeeded'"


def path_value(path: str, tasks: Sequence[str]) -> str:
    """Return a parameter's value: the path if any of the tasks succeeded, else empty."""
    condition = " || ".join(succeeded_expr(task) for task in tasks)
    return f"{{{{=({condition}) ? {expr_string(kubernetes_text(path))} : ''}}}}"


def has_value(row: Combination, task: str) -> str:
    """Return what completes the key of a folder's entry: its name, or one that nothing has."""
    condition = succeeded_expr(task)
    return f"{{{{={condition} ? {expr_string(row.name)} : {expr_string(NOTHING)}}}}}"


NOTHING = "(absent)"
"""No entry is called so: entry names have no parentheses."""


def index_value(matrix: Matrix, tasks: Sequence[str], values: str, *, sure: bool) -> str:
    """Return the text of `index.json`, an expression where only a run knows it.

    Args:
        matrix: the producer's matrix.
        tasks: its instances' tasks, one for each row.
        values: for a run-time matrix, the expression for its list of values.
        sure: whether all instances succeeded whenever the consumer runs.
    """
    if matrix.dynamic is not None:
        rows = " + ', ' + ".join(_dynamic_entry(matrix, row) for row in matrix.rows)
        return f"{{{{='[' + join(map({values}, {rows}), ', ') + ']'}}}}"
    entries: list[Json] = [{"entry": row.name, "matrix": dict(row.values)} for row in matrix.rows]
    if sure:
        return json_text(entries)
    listed = ", ".join(
        f"({succeeded_expr(task)} ? {expr_string(json_text(entry))} : '')"
        for entry, task in zip(entries, tasks, strict=True)
    )
    return f"{{{{='[' + join(filter([{listed}], # != ''), ', ') + ']'}}}}"


def _dynamic_entry(matrix: Matrix, row: Combination) -> str:
    """Return the expression for one entry; `#` is the run-time value, of safe characters only."""
    known = dict(row.values)
    names: list[str] = []
    pairs: list[str] = []
    for key in matrix.keys:
        lead = expr_string(f"{json_text(key)}: ")
        if key in known:
            names.append(expr_string(combination_name([known[key]])))
            pairs.append(expr_string(f"{json_text(key)}: {json_text(known[key])}"))
        else:
            names.append("#")
            pairs.append(f"{lead} + '\"' + # + '\"'")
    entry = " + '-' + ".join(names)
    pairs_text = " + ', ' + ".join(pairs)
    start, middle, end = (
        expr_string('{ "entry": "'),
        expr_string('", "matrix": { '),
        expr_string(" } }"),
    )
    return f"{start} + {entry} + {middle} + {pairs_text} + {end}"
