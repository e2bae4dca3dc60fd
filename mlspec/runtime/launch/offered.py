"""What an entry point may ask for, by the names of its parameters.

In: rows and settings of a job. Out: the arguments that `call_by_name` chooses from. The names are
those of docs/how-to/train-with-your-library.md. Invariants: the test rows are not among them; keys,
times and slices of rows are not either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.runtime.launch.engines import SPARK
from mlspec.runtime.launch.job import Job
from mlspec.runtime.models.labels import labels_of
from mlspec.runtime.rows.folder import LABEL, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Rows and place of one training process.

    Attributes:
        rows: of training. validation: None if there are none.
        rank: of this process, from 0. workers: processes that train together.
    """

    job: Job
    rows: Rows
    validation: Rows | None
    rank: int = 0
    workers: int = 1


@contextmanager
def offered(offer: Offer, output: Path) -> Iterator[dict[str, Any]]:
    """Give the arguments; what belongs to them (a Spark session) ends with the block.

    Args:
        offer: what there is. output: an empty folder for the entry point.

    Raises:
        StepError: a label is missing, or Spark is not installed.
    """
    job = offer.job
    arguments: dict[str, Any] = {
        "features": offer.rows.features,
        "label": _label(offer.rows),
        "params": dict(job.params),
        "seed": job.how.seed,
        "validation": _pair(offer.validation),
        "threads": job.how.threads,
        "workers": offer.workers,
        "rank": offer.rank,
        "base": Path(job.base) if job.base else None,
        "method": job.how.method,
        "output": output,
    }
    if job.how.engine not in SPARK:
        yield arguments
        return
    from mlspec.runtime.models.spark_format import as_frame, session

    with session(max(job.how.threads, job.how.workers)) as spark:
        label = offer.rows.table[LABEL] if LABEL in offer.rows.table.column_names else None
        frame = as_frame(spark, offer.rows.features, label)
        yield {**arguments, "frame": frame, "spark": spark}


def _label(rows: Rows) -> Any:
    return labels_of(rows) if LABEL in rows.table.column_names else None


def _pair(rows: Rows | None) -> Any:
    return None if rows is None else (rows.features, _label(rows))
