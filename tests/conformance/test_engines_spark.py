"""Spark ML as installed, in a local session."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlspec.backends.kubernetes.trainings import DRIVER
from mlspec.ir.facts import NODE_VARIABLE
from mlspec.ir.kinds import Kind
from mlspec.ir.node import write_node
from tests.support.libraries import environment, predicted, python, succeed
from tests.support.training import call, folders, model, project, train_on_page

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


def test_page__its_function__makes_a_model(tmp_path):
    wanted = train_on_page(tmp_path, "with_spark", engine="spark")
    succeed("spark", wanted)
    found = predicted("spark", tmp_path / "model", tmp_path / "validation", wanted.project)
    assert len(found["predictions"]) == 120


def test_driver__started_by_spark_submit__uses_its_session(tmp_path):
    """As the Spark operator starts it: `spark-submit` with the driver's file and the words."""
    marked = PIPELINE.replace(
        "    assert frame.count()",
        "    assert frame.sparkSession.conf.get('spark.mark') == 'theirs'\n    assert frame.count()",
    )
    home = project(tmp_path / "home", train=marked)
    inputs = folders(tmp_path, "binary", 300, 101)
    target = tmp_path / "model"
    facts = model("binary", engine="spark", workers=2, params={"strength": 0.01})
    asked = call(Kind.TRAIN, facts, home, inputs, {"model": target})
    driver = tmp_path / "train.py"
    driver.write_text(DRIVER, encoding="utf-8")
    words = ["step", "train", "--out", f"model={target}"]
    words += [w for name, path in inputs.items() for w in ("--in", f"{name}={path}")]
    done = subprocess.run(
        [
            Path(python("spark")).with_name("spark-submit"),
            *(
                "--master",
                "local[2]",
                "--conf",
                "spark.mark=theirs",
                "--conf",
                "spark.ui.enabled=false",
            ),
            *(driver, *words),
        ],
        cwd=home,
        env=environment(
            **{NODE_VARIABLE: write_node(asked.node), "PYSPARK_PYTHON": python("spark")}
        ),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = predicted("spark", target, inputs["validation"], home)
    assert found["facts"]["format"] == "spark"
