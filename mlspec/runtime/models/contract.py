"""What a module of a model format offers; the table of them is `mlspec.runtime.models.formats`.

A module of a format has:

- `load(folder, facts, project) -> Scorer`: reads a model folder whose digests were verified;
- for formats of libraries also `owns(model) -> bool`, without importing the library, and
  `save(model, folder, facts) -> Saved`, which writes files into an empty folder;
- `FILES`: names or endings of files that a user may write instead, with `adopt(folder, facts)`.

Invariants: loading never runs a pickle; a library is imported only when its format is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.metrics.arrays import AnyArray


class Scorer(Protocol):
    """A loaded model, before its answer is brought into the shape that the spec declares."""

    def predict(self, features: pa.Table) -> AnyArray:
        """Return the fullest answer: of each row a number, a class, or a row of probabilities.

        Args:
            features: the input columns in the order of the model's `input`.
        """
        ...

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels of the columns of probabilities; None: the format does not know them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a format may want to know of the model it writes.

    Attributes:
        model: the facts of the model noun. project: folder of the spec.
        classes: labels that the training rows have, sorted; empty unless the task has classes.
        sample: a few training rows: formats that trace a computation need them.
    """

    model: ModelFacts
    project: Path
    classes: tuple[Any, ...] = ()
    sample: pa.Table | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was written.

    Attributes:
        format: its name in the table of formats.
        engine: library, as spelled on the package index. version: of that library.
        loader: `module:Class` of the project, for the format `python`.
        classes: labels of the columns of probabilities, if the model knows them.
        details: further facts for the loader, JSON data.
    """

    format: str
    engine: str
    version: str
    loader: str | None = None
    classes: tuple[Any, ...] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class TrainedClasses:
    """The part of a scorer whose classes are those of the training rows, as `model.json` says."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        """Keep the classes of a document."""
        found = facts.get("classes")
        self._classes: tuple[Any, ...] | None = None if found is None else tuple(found)

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels of the training rows in their order: output number i is the i-th of them."""
        return self._classes
