"""Combining by a function of the project: chains, routes, cascades, retrieval (decision C10).

The function is called once for each request, `f(request, members)`: the request is a dict of the
model's input columns, `members` a dict by id. A member is called with a request (the same or one
that the function made) and answers like the model: a number, a class, or for several classes a
dict of probabilities by class. For `task: other` and `generation` members are the paths of their
folders instead. Invariants: a member that is called with the unchanged request answers from one
prediction of all rows, so that a cascade costs no more than its members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.ensembles.answers import Member
from mlspec.runtime.functions import user_code
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.tabular import plain
from mlspec.runtime.rows.types import plain_list
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import arrow_type

PATH_TASKS = frozenset({"other", "generation"})


class Asked:
    """A member as the function sees it: called with a request, it answers."""

    def __init__(self, name: str, member: Member, table: pa.Table) -> None:
        """Keep the member and the rows that requests come from."""
        self._name, self._member, self._table = name, member, table
        self._kinds = {one["name"]: one["type"] for one in member.facts["input"]}
        self._all: list[Any] | None = None
        self.row = 0  # what the function is working on
        self.request: dict[str, Any] = {}

    def __call__(self, request: Mapping[str, Any]) -> Any:
        """Return the member's answer to one request.

        Raises:
            StepError: a column is missing or of another type, or the member fails.
        """
        if request == self.request:
            if self._all is None:
                self._all = self._answers(self._table)
            return self._all[self.row]
        return self._answers(self._one(request))[0]

    def _one(self, request: Mapping[str, Any]) -> pa.Table:
        missing = [name for name in self._kinds if name not in request]
        if missing:
            raise StepError(f"member `{self._name}` reads `{missing[0]}`, which the request lacks")
        try:
            return pa.table(
                {
                    name: pa.array([request[name]], type=arrow_type(kind))
                    for name, kind in self._kinds.items()
                }
            )
        except (pa.ArrowException, OverflowError) as error:
            reason = str(error).splitlines()[0]
            raise StepError(f"member `{self._name}` cannot take the request: {reason}") from error

    def _answers(self, table: pa.Table) -> list[Any]:
        said = np.asarray(self._member.predict(table))
        classes = self._member.classes
        if said.ndim == 1:
            return [plain(one) for one in said]
        if classes is None:
            return list(said.tolist())
        return [dict(zip(classes, row, strict=True)) for row in said.tolist()]


def combine_by(
    function: Callable[..., Any],
    reference: str,
    members: Mapping[str, Member] | Mapping[str, Path],
    table: pa.Table,
    classes: tuple[Any, ...] | None,
    project: Path,
) -> AnyArray:
    """Return what a function makes of each row.

    Args:
        function: `f(request, members)`. reference: its name, for messages.
        members: loaded models, or their folders, by id. table: the rows.
        classes: of a dict of probabilities that the function may return.
        project: folder of the spec.

    Raises:
        StepError: the function raised, or its answers have different forms.
    """
    asked: dict[str, Any] = {
        name: one if isinstance(one, Path) else Asked(name, one, table)
        for name, one in members.items()
    }
    callables = [one for one in asked.values() if isinstance(one, Asked)]
    names = table.column_names
    lists = [plain_list(column) for column in table.columns]
    answers = []
    for row in range(table.num_rows):
        request = dict(zip(names, (values[row] for values in lists), strict=True))
        for one in callables:
            one.row, one.request = row, dict(request)
        with user_code(reference, project, doing=f"row {row}"):
            answers.append(function(request, asked))
    return _as_array(answers, classes, reference)


def _as_array(answers: list[Any], classes: tuple[Any, ...] | None, reference: str) -> AnyArray:
    missing = [row for row, one in enumerate(answers) if one is None]
    if missing:
        raise StepError(f"`{reference}` returned nothing for row {missing[0]}")
    if not any(isinstance(one, dict) for one in answers):
        return _plain_array(answers)
    if not classes:
        raise StepError(f"`{reference}` returned a dict, but no classes are known")
    odd = next((row for row, one in enumerate(answers) if not isinstance(one, dict)), None)
    if odd is not None:
        raise StepError(f"`{reference}` returned a dict for some rows, and none for row {odd}")
    unknown = next((name for one in answers for name in one if name not in classes), None)
    if unknown is not None:
        raise StepError(f"`{reference}` gave a probability of `{unknown}`, which is no class")
    return np.array([[one.get(name, 0.0) for name in classes] for one in answers])


def _plain_array(answers: list[Any]) -> AnyArray:
    if all(isinstance(one, (bool, int, float, np.generic, str)) for one in answers):
        return np.array(answers)
    found = np.empty(len(answers), dtype=object)
    found[:] = answers
    return found
