"""Rows, entry points and calls for tests of training."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from mlspec.ir.facts import AppFacts, ColumnFacts, ModelFacts, Node, TrainFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.rows.folder import Rows, write_rows
from mlspec.runtime.steps.contract import StepCall

INPUT = (
    ColumnFacts(name="amount", type="float"),
    ColumnFacts(name="hour", type="int"),
    ColumnFacts(name="foreign", type="bool"),
)
OUTPUT = {
    "binary": ColumnFacts(name="fraud", type="probability"),
    "multiclass": ColumnFacts(name="kind", type="class"),
    "regression": ColumnFacts(name="price", type="float"),
}


def table(n: int, seed: int = 0) -> pa.Table:
    """Features whose sum of the first two says most about the label."""
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "amount": rng.normal(size=n),
            "hour": rng.integers(0, 24, n),
            "foreign": rng.random(n) < 0.3,
        }
    )


def labels(features: pa.Table, task: str, seed: int = 0) -> pa.Array:
    rng = np.random.default_rng(seed + 1)
    n = features.num_rows
    score = features["amount"].to_numpy() + (features["hour"].to_numpy() - 12) / 8
    if task == "binary":
        return pa.array(score + rng.normal(scale=0.5, size=n) > 0)
    if task == "multiclass":
        return pa.array(np.array(["low", "mid", "top"])[np.digitize(score, (-0.5, 0.5))])
    return pa.array(score + rng.normal(scale=0.1, size=n))


def rows(n: int, task: str = "binary", seed: int = 0) -> Rows:
    features = table(n, seed)
    everything = features.append_column("_label", labels(features, task, seed)).append_column(
        "_key", pa.array([f"k{i}" for i in range(n)])
    )
    return Rows(table=everything, columns=tuple(one.name for one in INPUT), label="label")


def model(task: str = "binary", entrypoint: str = "own.train:fit", **more) -> ModelFacts:
    how = {
        name: more.pop(name)
        for name in ("engine", "params", "seed", "threads", "workers", "method")
        if name in more
    }
    return ModelFacts(
        id="fraud",
        task=task,
        input=more.pop("input", INPUT),
        output=(more.pop("output", OUTPUT[task]),),
        train=TrainFacts(entrypoint=entrypoint, **{"seed": 7, **how}),
        **more,
    )


def project(folder: Path, **files: str) -> Path:
    """A project with package `own`; each file is a module of it."""
    package = folder / "own"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    for name, text in files.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def call(kind: Kind, facts: ModelFacts, home: Path, inputs, outputs, **node) -> StepCall:
    """A call of a step of model `facts`."""
    return StepCall(
        node=Node(
            kind=kind,
            step=kind.value,
            pipeline="fraud",
            subject="models.fraud",
            environment="dev",
            app=AppFacts(name="shop"),
            model=facts,
            **node,
        ),
        inputs=inputs,
        outputs=outputs,
        store="",
        project=home,
        run_id="1",
        run_date="2026-01-01T00:00:00Z",
        environ=dict(os.environ),
    )


def folders(place: Path, task: str = "binary", train: int = 300, validation: int = 120):
    """Rows folders of training and validation."""
    write_rows(place / "train", rows(train, task, 1))
    write_rows(place / "validation", rows(validation, task, 2))
    return {"train": place / "train", "validation": place / "validation"}


def page_project(place: Path) -> Path:
    """The package of docs/how-to/train-with-your-library.md, as a project."""
    from tests.support.pages import DOCS, blocks

    home = place / "page"
    (home / "ctr").mkdir(parents=True, exist_ok=True)
    for block in blocks(DOCS / "how-to" / "train-with-your-library.md"):
        if block.kind == "python" and block.file:
            (home / block.file).write_text(block.text, encoding="utf-8")
    return home


def train_on_page(place: Path, module: str, **how) -> StepCall:
    """A training with the function `fit` of a module of that page."""
    params = {"params": {"C": 1.0}} if module == "train" else {}
    facts = model(entrypoint=f"ctr.{module}:fit", **params, **how)
    target = {"model": place / "model"}
    return call(Kind.TRAIN, facts, page_project(place), folders(place), target)
