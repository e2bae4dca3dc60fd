"""What a training process is told, and what it tells back: two JSON files.

The parent (`launcher`) writes the job, the child (`worker`) reads it and writes the outcome.
Paths are absolute texts. Invariants: a job holds no secret; an outcome is written whole or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlspec.ir.facts import MetricFacts, ModelFacts, TrainFacts
from mlspec.ir.model import EMPTY, Json
from mlspec.ir.node import from_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training.

    Attributes:
        model: the noun; `model.train` says how.
        project: folder of the spec. train, validation: rows folders.
        output: where the model goes: for `launch` a path to make, for the worker an empty folder.
        params: of the spec, with tuned values merged over.
        base: model folder that training starts from.
        objective: metric to measure on the validation rows. metrics: the user's own.
        share: part of the training rows to use, from the first one on.
    """

    model: ModelFacts
    project: str
    train: str
    output: str
    validation: str | None = None
    params: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    base: str | None = None
    objective: str | None = None
    metrics: tuple[MetricFacts, ...] = ()
    share: float = 1.0

    @property
    def how(self) -> TrainFacts:
        """How the model is trained; all defaults if the spec says nothing."""
        return self.model.train or TrainFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a training ended.

    Attributes:
        error, help: why there is no model; empty: there is one.
        exit: exit code that the error asks for.
        objective: measured on the validation rows, if it was asked for.
        rows: predicted to see that the model works.
    """

    error: str = ""
    help: str = ""
    exit: int = 0
    objective: float | None = None
    rows: int = 0


def write_job(job: Job, path: Path) -> None:
    """Write a job as JSON."""
    path.write_text(json.dumps(to_json(job), sort_keys=True), encoding="utf-8")


def read_job(path: Path) -> Job:
    """Return the job of a file.

    Raises:
        ValueError: it is none.
    """
    found = from_json(Job, json.loads(path.read_text(encoding="utf-8")))
    assert isinstance(found, Job)  # noqa: S101  for the type checker: made by `Job(...)`
    return found


def write_outcome(outcome: Outcome, path: Path, rank: int = 0) -> None:
    """Write an outcome whole, unless another process of the training has written one before."""
    draft = path.with_suffix(f".part{rank}")
    draft.write_text(json.dumps(to_json(outcome), sort_keys=True), encoding="utf-8")
    with suppress(FileExistsError):
        path.hardlink_to(draft)


def read_outcome(path: Path) -> Outcome | None:
    """Return the outcome of a file; None: the process ended before it wrote one.

    Raises:
        ValueError: it is none.
    """
    if not path.is_file():
        return None
    found = from_json(Outcome, json.loads(path.read_text(encoding="utf-8")))
    assert isinstance(found, Outcome)  # noqa: S101  for the type checker: made by `Outcome(...)`
    return found
