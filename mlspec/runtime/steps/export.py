"""The step `export`: rows as a plain table, for a program of the user's.

Input `rows` (a rows folder), output `data`: a file with the features and the label under their own
names, in the format that the node says.
"""

from __future__ import annotations

from mlspec.runtime.rows.folder import read_rows
from mlspec.runtime.rows.plain import write_plain
from mlspec.runtime.steps.contract import StepCall, StepExit


def run(call: StepCall) -> StepExit:
    """Write the plain table.

    Raises:
        StepError: the rows cannot be read, or the label is named like a feature.
    """
    write_plain(read_rows(call.input("rows")), call.output("data"), call.node.table)
    return StepExit.OK
