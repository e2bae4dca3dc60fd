"""Spark makes objects of the classes that a pipeline's files name: only its own are let through."""

from __future__ import annotations

import json

import pytest

from mlspec.runtime.models.spark_format import check_stages
from mlspec.runtime.steps.contract import StepError


@pytest.mark.parametrize(
    ("name", "fits"),
    [("org.apache.spark.ml.PipelineModel", True), ("os.system", False), ("pyspark.mlx.A", False)],
)
def test_stages__of_other_classes__are_refused(tmp_path, name, fits):
    place = tmp_path / "stages" / "0" / "metadata"
    place.mkdir(parents=True)
    (place / "part-00000").write_text(json.dumps({"class": name}) + "\n")
    if fits:
        check_stages(tmp_path)
        return
    with pytest.raises(StepError, match="which is not Spark's own"):
        check_stages(tmp_path)
