"""Spark ML as installed, in a local session."""

from __future__ import annotations

import numpy as np
import pytest

from mlspec.ir.kinds import Kind
from tests.support.libraries import predicted, succeed
from tests.support.training import call, folders, model, project

pytestmark = pytest.mark.engine("spark")

PIPELINE = """
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import LinearRegression

def fit(frame, features, params):
    assert frame.count() == features.num_rows
    columns = VectorAssembler(inputCols=features.column_names, outputCol="features")
    return Pipeline(stages=[columns, LogisticRegression(regParam=params["strength"])]).fit(frame)

def line(frame, features):
    columns = VectorAssembler(inputCols=features.column_names, outputCol="features")
    return Pipeline(stages=[columns, LinearRegression()]).fit(frame)
"""


@pytest.mark.parametrize(("task", "entry"), [("binary", "fit"), ("regression", "line")])
def test_pipeline__trained_by_the_step__is_loaded_by_a_new_process(tmp_path, task, entry):
    home = project(tmp_path / "home", train=PIPELINE)
    inputs = folders(tmp_path, task, 300, 101)
    target = tmp_path / "model"
    facts = model(
        task, engine="spark", threads=2, entrypoint=f"own.train:{entry}", params={"strength": 0.01}
    )
    succeed("spark", call(Kind.TRAIN, facts, home, inputs, {"model": target}))
    found = predicted("spark", target, inputs["validation"], home)
    assert found["facts"]["format"] == "spark"
    said, truth = np.array(found["predictions"]), np.array(found["labels"])
    assert said.shape == (101,)
    if task == "binary":
        assert ((said > 0.5) == truth).mean() > 0.85
    else:
        assert np.corrcoef(said, truth)[0, 1] > 0.95
