"""Trained models with everything that a package is made of, and their packages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from mlspec.ir.facts import CheckFacts, ColumnFacts, DataFacts, SplitFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.rows.folder import read_rows, write_rows
from mlspec.runtime.steps import package, train
from mlspec.runtime.steps.contract import StepExit
from tests.support import score_tables
from tests.support.training import call, model, project, rows

CODE = """
import json
import numpy as np

class Line:
    def __init__(self, weight): self.weight = weight
    def save(self, folder): (folder / "line.json").write_text(json.dumps(self.weight))
    @classmethod
    def load(cls, folder): return cls(json.loads((folder / "line.json").read_text()))
    def predict(self, features):
        return 1 / (1 + np.exp(-self.weight * features["amount"].to_numpy()))

class Restless(Line):
    def predict(self, features):
        return np.clip(super().predict(features) + np.random.default_rng().normal(0, .01, features.num_rows), 0, 1)

class Here(Line):
    def predict(self, features):
        import sys
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        away = spec is not None and "smoke" in spec.name
        return super().predict(features) * (0.5 if away else 1)

def fit(features, label): return Line(1.5)
def restless(features, label): return Restless(1.5)
def here(features, label): return Here(1.5)
"""
DATA = DataFacts(
    id="card-payments",
    source="https://me:hunter2@data.example.com/payments.parquet?sig=hunter3",
    columns=(ColumnFacts(name="amount", type="float", sensitivity="pii"),),
    checks=(CheckFacts(text="rows >= 10"),),
)


def facts(entrypoint: str = "fit", **more):
    return model(
        entrypoint=f"own.train:{entrypoint}",
        params={"weight": 1.5},
        checks=(CheckFacts(text="roc_auc by region >= 0.5"), CheckFacts(text="f1 >= 0.5")),
        split=SplitFacts(by="random", seed=3),
        **more,
    )


def inputs_for(place: Path, entrypoint: str) -> tuple[Path, dict[str, Path]]:
    home = project(place / "home", train=CODE)
    write_rows(place / "train", rows(300, seed=1))
    write_rows(place / "test", rows(250, seed=2))
    told = facts(entrypoint)
    train.run(call(Kind.TRAIN, told, home, {"train": place / "train"}, {"model": place / "model"}))
    test = read_rows(place / "test")
    predictor = load_model(place / "model", home)
    regions = np.where(np.arange(250) < 120, "north", "south")
    score_tables.write(
        place / "scores",
        {
            "_key": pa.array(test.keys),
            "_label": test.table["_label"],
            "_slice.region": pa.array(regions),
            "candidate": predictor.predict(test.features),
        },
        classes=[False, True],
    )
    (place / "snapshot").mkdir()
    snapshot = {
        "data": DATA.id,
        "source": DATA.source,
        "version": "delta:12",
        "sha256": "d" * 64,
        "rows": 550,
        "columns": {"amount": "double"},
    }
    (place / "snapshot" / "snapshot.json").write_text(json.dumps(snapshot), encoding="utf-8")
    (place / "explanation").mkdir()
    (place / "explanation" / "importance.json").write_text('{"inputs": []}', encoding="utf-8")
    names = ("model", "train", "test", "scores", "explanation")
    return home, {**{name: place / name for name in names}, "d_card_payments": place / "snapshot"}


def packaged(built, output: Path, told=None, **more) -> Path:
    home, inputs = built
    of_step = call(
        Kind.PACKAGE,
        told or facts(),
        home,
        {**inputs, **more},
        {"package": output},
        data=(DATA,),
        spec="sha256:" + "5" * 64,
    )
    assert (
        package.run(replace(of_step, commit="d20ace7968ba43c0219f62d71334c1095bab1602"))
        is StepExit.OK
    )
    return output
