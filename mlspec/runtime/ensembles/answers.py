"""What members answer, brought to one form so that it can be combined.

Duty: arrays of predictions of several members to `Answers`. Invariants: all members speak of the
same rows; probabilities of classes stand in the same order of columns for all members; a class that
a member does not know has probability 0 with it; members of different kinds are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray, Floats
from mlspec.runtime.steps.contract import StepError

NUMBERS, BINARY, PROBABILITIES, CLASSES = "numbers", "binary", "probabilities", "classes"


class Member(Protocol):
    """A loaded model (`mlspec.runtime.models.predictor`)."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What its `model.json` says."""

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels of the columns of probabilities."""

    @property
    def threshold(self) -> float | None:
        """From which probability on a decision is positive."""

    def predict(self, features: pa.Table) -> AnyArray:
        """Return one prediction for each row."""

    def probabilities(self, features: pa.Table) -> AnyArray:
        """Return probabilities also where a class is declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers of all members.

    Attributes:
        kind: `numbers` and `binary` (probability of the second class): shape (n,) each;
            `probabilities`: shape (n, k) each; `classes`: shape (n,) each, labels.
        values: of each member, in the order of the members.
        classes: of the columns; for `binary` the two; empty for numbers.
        thresholds: of each member, for `binary`.
    """

    kind: str
    values: tuple[AnyArray, ...]
    classes: tuple[Any, ...] = ()
    thresholds: tuple[float, ...] = ()

    @property
    def stacked(self) -> Floats:
        """All values as one array, members first: shape (m, n) or (m, n, k)."""
        return np.stack([np.asarray(one, dtype=np.float64) for one in self.values])


def answers_of(members: Mapping[str, Member], features: pa.Table) -> Answers:
    """Return what members say of rows.

    Args:
        members: by id. features: has the input columns of all of them.

    Raises:
        StepError: a member fails, or they answer in different forms.
    """
    found = {name: np.asarray(one.probabilities(features)) for name, one in members.items()}
    kinds = {name: _kind(members[name], values) for name, values in found.items()}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items())
        raise StepError(f"the members answer in different forms: {told}")
    kind = next(iter(kinds.values()))
    values = tuple(found.values())
    if kind == NUMBERS:
        return Answers(kind=kind, values=values)
    known = {name: tuple(one.classes or ()) for name, one in members.items()}
    if kind == BINARY:
        classes = _of_two(known)
        levels = tuple(0.5 if one.threshold is None else one.threshold for one in members.values())
        return Answers(kind=kind, values=values, classes=classes, thresholds=levels)
    if kind == CLASSES:
        everything = {one for part in values for one in part.tolist()}
        return Answers(kind=kind, values=values, classes=_ordered(known.values(), everything))
    classes = _ordered(known.values(), ())
    aligned = tuple(
        columns_for(part, known[name], classes) for name, part in zip(known, values, strict=True)
    )
    return Answers(kind=kind, values=aligned, classes=classes)


def columns_for(values: AnyArray, known: Sequence[Any], classes: Sequence[Any]) -> Floats:
    """Return columns of probabilities in another order of classes; unknown ones are 0."""
    place = {one: number for number, one in enumerate(known)}
    made = [values[:, place[one]] if one in place else np.zeros(len(values)) for one in classes]
    return np.column_stack(made).astype(np.float64)


def _kind(member: Member, values: AnyArray) -> str:
    task = member.facts.get("task")
    if values.ndim == 2:
        return PROBABILITIES
    if values.dtype.kind != "f":
        return CLASSES
    output = (member.facts.get("output") or {}).get("type")
    return BINARY if task == "binary" and output in {"probability", "class"} else NUMBERS


def _of_two(known: Mapping[str, tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the two classes; members that do not name theirs mean the same."""
    named = {classes for classes in known.values() if classes}
    if len(named) > 1:
        told = ", ".join(f"`{name}` {classes}" for name, classes in known.items())
        raise StepError(f"the members know different classes: {told}")
    return next(iter(named), (False, True))


def _ordered(known: Any, more: Any) -> tuple[Any, ...]:
    """Return all classes, sorted, numbers before texts."""
    everything = {one for classes in known for one in classes} | set(more)
    return tuple(sorted(everything, key=lambda one: (isinstance(one, str), one)))
