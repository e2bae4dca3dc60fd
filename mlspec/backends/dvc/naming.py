"""Names and places of stages: which stage an instance becomes, and where its files are.

Input: a pipeline; output: for each instance (a step, or a step with a combination) a stage name
and paths. An instance's files stand apart from its siblings': `out/model.pkl` of step `train` and
seed 1 becomes `out/train.matrix/1/model.pkl`. Everything else about a name is decided here once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import basename, dirname, join

from mlspec.ir.model import Combination, Pipeline, Step

HIDDEN = ".mlspec/dvc"
"""Folder for what is nobody's output: marks of order, folders of links."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A step, or one combination of its matrix."""

    pipeline: str
    step: Step
    combination: Combination | None
    prefix: str

    @property
    def stage(self) -> str:
        """Name of its stage."""
        name = f"{self.prefix}{self.step.id}"
        if self.combination is not None:
            name += f"_{self.combination.name}"
        return _UNSAFE.sub("_", name)

    @property
    def mark(self) -> str:
        """Path of the empty file that says that the stage has run."""
        return f"{HIDDEN}/{self.stage}.done"

    def place(self, path: str) -> str:
        """Return where a file that the step writes to `path` ends up."""
        if self.combination is None:
            return path
        group = f"{self.step.id}.matrix"
        return join(dirname(path), group, self.combination.name, basename(path))

    @property
    def outs(self) -> tuple[str, ...]:
        """Paths of all outputs."""
        return tuple(self.place(output.path) for output in self.step.outputs)

    @property
    def metrics(self) -> str | None:
        """Path of the metrics file."""
        return self.place(self.step.metrics) if self.step.metrics is not None else None

    @property
    def needs_mark(self) -> bool:
        """Whether the stage leaves nothing that an order could be tied to."""
        return not self.step.outputs and self.step.metrics is None

    @property
    def order(self) -> str:
        """A path that exists when the stage has run, for those that only come after it."""
        return next(iter(self.outs), None) or self.metrics or self.mark


def instances(pipeline: Pipeline, prefix: str) -> Iterator[Instance]:
    """Yield the instances of all steps, in order."""
    for step in pipeline.steps:
        rows = step.matrix.rows if step.matrix is not None else (None,)
        for row in rows:
            yield Instance(pipeline=pipeline.id, step=step, combination=row, prefix=prefix)
