"""A training process: reads a job, calls the entry point, writes the model folder.

Called as `python -m mlspec.runtime.launch.worker JOB OUTCOME`; not meant for people. In a training
of several processes each one calls the entry point, and the first one writes. Invariants: the
model was loaded again from its files and has predicted before the outcome is good.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mlspec.runtime.functions import call_by_name, load_function
from mlspec.runtime.launch.engines import TORCH
from mlspec.runtime.launch.job import Job, Outcome, read_job, write_outcome
from mlspec.runtime.launch.offered import Offer, offered
from mlspec.runtime.launch.surroundings import fix_seeds, short_seed
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saving
from mlspec.runtime.models.document import write_document
from mlspec.runtime.models.formats import adopt_files, save_model
from mlspec.runtime.models.labels import check_labels, classes_of, labels_of
from mlspec.runtime.models.libraries import library
from mlspec.runtime.models.objective import measured, objective_of
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.rows.folder import Rows, read_rows
from mlspec.runtime.steps.contract import StepError

EXTRA = "extra"
"""Folder of a model folder for what an entry point wrote beside the model that it returned."""
_SAMPLE = 64
"""Training rows that a format may trace a computation with."""
_TRIED = 1000
"""Training rows to try the model on where there are no validation rows."""


def main(arguments: list[str]) -> int:
    """Do one job; return the exit code of the process."""
    told, answer = Path(arguments[0]), Path(arguments[1])
    job = read_job(told)
    rank, workers = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    with _group(job, workers):
        try:
            outcome = train(job, rank, workers)
        except StepError as error:
            outcome = Outcome(error=error.message, help=error.help, exit=int(error.exit))
        # Written before the group ends: the others fail as soon as one is gone, and the first
        # answer is the one that counts.
        if rank == 0 or outcome.error:
            write_outcome(outcome, answer, rank)
    if not sys.stdout.closed:  # by the entry point
        sys.stdout.flush()
    return 1 if outcome.error else 0


def train(job: Job, rank: int = 0, workers: int = 1) -> Outcome:
    """Train, save, load again, predict.

    Args:
        job: what to do. rank: of this process, from 0. workers: processes that train together.

    Raises:
        StepError: no model came of it.
    """
    rows = read_rows(Path(job.train))
    if not len(rows):
        raise StepError("there are no training rows")
    if job.share < 1:
        rows = rows.take(_some(len(rows), job.share, job.how.seed))
    validation = read_rows(Path(job.validation)) if job.validation else None
    if validation is not None and not len(validation):
        validation = None
    check_labels(job.model, rows)
    place = Offer(job=job, rows=rows, validation=validation, rank=rank, workers=workers)
    if rank != 0:  # the first worker writes, the others only compute
        with (
            tempfile.TemporaryDirectory(prefix="mlspec-worker-") as scratch,
            _fitted(place, Path(scratch)),
        ):
            return Outcome()
    project = Path(job.project)
    draft = Path(job.output)
    extra = draft / EXTRA
    extra.mkdir()
    with _fitted(place, extra) as model:
        _write(place, model, draft, extra)
        return _tried(job, draft, rows, validation, project)


@contextmanager
def _fitted(offer: Offer, output: Path) -> Iterator[Any]:
    """Call the entry point and give what it returns; a model may live in a session of its own."""
    job = offer.job
    project = Path(job.project)
    entry = load_function(job.how.entrypoint or "", project)
    fix_seeds(job.how.seed, job.how.threads)
    with offered(offer, output) as arguments:
        yield call_by_name(entry, arguments, project=project)


def _write(offer: Offer, model: Any, draft: Path, extra: Path) -> None:
    """Save what was returned, or take over the files that the entry point has written."""
    job = offer.job
    saving = Saving(
        model=job.model,
        project=Path(job.project),
        classes=classes_of(job.model, offer.rows),
        sample=offer.rows.features.slice(0, _SAMPLE),
    )
    if model is None:
        for one in sorted(extra.iterdir()):
            one.rename(draft / one.name)
        extra.rmdir()
        if not any(draft.iterdir()):
            raise StepError(
                f"`{job.how.entrypoint}` returned nothing and wrote nothing into `output`",
                help="return the model, or write a model file such as `output / 'model.onnx'`",
            )
        saved = adopt_files(draft, saving, job.model.format)
    else:
        if not any(extra.iterdir()):
            extra.rmdir()
        saved = save_model(model, draft, saving)
    write_document(draft, job.model, saved, params=job.params, seed=job.how.seed)


def _tried(job: Job, folder: Path, rows: Rows, validation: Rows | None, project: Path) -> Outcome:
    """Load what was written and predict: a model that cannot is no model."""
    predictor = load_model(folder, project)
    chosen = validation if validation is not None else rows.take(np.arange(len(rows))[:_TRIED])
    predictions = predictor.probabilities(chosen.features)
    if job.objective is None:
        return Outcome(rows=len(chosen))
    if validation is None:
        raise StepError("there are no validation rows to measure the objective on")
    objective = objective_of(job.objective, job.metrics)
    value = measured(
        objective,
        labels_of(chosen),
        predictions,
        classes=predictor.classes,
        threshold=predictor.threshold,
        keys=chosen.keys,
        project=project,
    )
    return Outcome(rows=len(chosen), objective=value)


def _some(n: int, share: float, seed: int) -> AnyArray:
    """Return positions of a share of n rows, chosen by the seed, in their order."""
    count = max(1, math.ceil(share * n))
    return np.sort(np.random.default_rng(short_seed(seed)).permutation(n)[:count])


@contextmanager
def _group(job: Job, workers: int) -> Iterator[None]:
    """Join the process group of PyTorch, where there is one."""
    if workers <= 1 or job.how.engine not in TORCH:
        yield
        return
    torch = library("torch", "torch", "several workers of PyTorch train together")
    group = torch.distributed
    group.init_process_group("nccl" if job.how.gpu and torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        group.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
