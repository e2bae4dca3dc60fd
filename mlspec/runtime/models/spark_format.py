"""Pipelines of Spark ML (`spark/`), run in a local Spark session.

The frame has the feature columns by name and, at training, `label`. Of what the pipeline adds,
`probability` is taken where the task has classes, else `prediction`. Source: Spark documentation,
"ML Pipelines" (4.0).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saved, Saving, TrainedClasses
from mlspec.runtime.models.libraries import library, made_by, version_of
from mlspec.runtime.steps.contract import StepError

FOLDER = "spark"
ROW = "_row"
_WHY = "the model is a pipeline of Spark"


def owns(model: Any, project: Path) -> bool:
    """Whether the object is a fitted pipeline or model of Spark ML."""
    del project
    return made_by(model, "pyspark") and callable(getattr(model, "transform", None))


def save(model: Any, folder: Path, saving: Saving) -> Saved:
    """Write `spark/`; a model that stands alone is wrapped in a pipeline of one stage."""
    ml = library("pyspark.ml", "pyspark", _WHY)
    if not isinstance(model, ml.PipelineModel):
        model = ml.PipelineModel([model])
    model.write().overwrite().save((folder / FOLDER).resolve().as_uri())
    return _saved(saving)


def finds(folder: Path) -> bool:
    """Whether the folder holds a pipeline in `spark/`."""
    return (folder / FOLDER / "metadata").is_dir()


def adopt(folder: Path, saving: Saving) -> Saved:
    """Describe a pipeline that somebody else wrote."""
    del folder
    return _saved(saving)


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> PipelineScorer:
    """Return the pipeline of a folder."""
    del project
    check_stages(folder / FOLDER)
    spark = _session(1)
    ml = library("pyspark.ml", "pyspark", _WHY)
    model = ml.PipelineModel.load((folder / FOLDER).resolve().as_uri())
    return PipelineScorer(spark, model, facts)


def check_stages(folder: Path) -> None:
    """Hold the classes that a pipeline names against those of Spark itself.

    Spark makes an object of whatever class the metadata of a stage names.

    Raises:
        StepError: a stage is of another class.
    """
    for path in sorted(folder.rglob("metadata/part-*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            name = str(json.loads(line)["class"])
            if not name.startswith(("org.apache.spark.ml.", "pyspark.ml.")):
                raise StepError(f"a stage of the pipeline is a `{name}`, which is not Spark's own")


class PipelineScorer(TrainedClasses):
    """Predicts with a pipeline of Spark ML."""

    def __init__(self, spark: Any, model: Any, facts: Mapping[str, Any]) -> None:
        """Keep the pipeline and its session."""
        self._spark, self._model = spark, model
        self._task = facts["task"]
        super().__init__(facts)

    def predict(self, features: pa.Table) -> AnyArray:
        """Return what the pipeline predicts, in the order of the rows.

        Raises:
            StepError: it adds neither `probability` nor `prediction`.
        """
        numbered = features.append_column(ROW, pa.array(np.arange(features.num_rows)))
        answer = self._model.transform(as_frame(self._spark, numbered))
        classifies = self._task in {"binary", "multiclass"}
        wanted = ["probability", "prediction"] if classifies else ["prediction"]
        name = next((one for one in wanted if one in answer.columns), None)
        if name is None:
            raise StepError(f"the pipeline adds no column `{wanted[-1]}`")
        rows = sorted(answer.select(ROW, name).collect(), key=lambda row: int(row[ROW]))
        values = [row[name] for row in rows]
        if name == "probability":
            return np.array([one.toArray() for one in values])
        return np.asarray(values)


@contextmanager
def session(threads: int) -> Iterator[Any]:
    """Give a Spark session of this machine; it ends with the block.

    Args:
        threads: tasks at once.

    Raises:
        StepError: Spark is not installed.
    """
    spark = _session(threads)
    try:
        yield spark
    finally:
        spark.stop()


def as_frame(spark: Any, features: pa.Table, label: pa.ChunkedArray | None = None) -> Any:
    """Return a table as a Spark frame.

    Args:
        spark: a session. features: columns. label: becomes the column `label`.
    """
    table = features if label is None else features.append_column("label", _number(label))
    return spark.createDataFrame(table)


def _number(label: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return truth values as doubles: Spark ML takes labels as numbers."""
    return label.cast(pa.int8()).cast(pa.float64()) if pa.types.is_boolean(label.type) else label


def _session(threads: int) -> Any:
    sql = library("pyspark.sql", "pyspark", _WHY)
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        # `spark-submit` started this program and decided where the work is done.
        return sql.SparkSession.builder.getOrCreate()
    return (
        sql.SparkSession.builder.master(f"local[{max(1, threads)}]")
        .appName("mlspec")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )


def _saved(saving: Saving) -> Saved:
    return Saved(
        format="spark",
        engine="pyspark",
        version=version_of("pyspark"),
        classes=saving.classes or None,
    )
