"""Model folders of a class of the project: small models whose answers are known beforehand.

`Toy` answers from a table by the whole part of column `x`, or a sigmoid of `slope * x`.
"""

from __future__ import annotations

import json
from pathlib import Path

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.models.contract import Saved
from mlspec.runtime.models.document import write_document
from tests.support.rows import columns

SOURCE = """
import json
import numpy as np


class Toy:
    def __init__(self, facts):
        self.facts = facts
        self.classes = facts.get("classes")

    @classmethod
    def load(cls, folder):
        return cls(json.loads((folder / "toy.json").read_text()))

    def predict(self, features):
        x = np.array(features[self.facts.get("column", "x")].to_pylist(), dtype=float)
        if "says" in self.facts:
            return np.array(self.facts["says"])[x.astype(int) % len(self.facts["says"])]
        if self.facts.get("plain"):
            return self.facts.get("slope", 1.0) * x + self.facts.get("level", 0.0)
        return 1 / (1 + np.exp(-self.facts.get("slope", 1.0) * x - self.facts.get("level", 0.0)))
"""


def toy_project(folder: Path) -> Path:
    (folder / "toys.py").write_text(SOURCE, encoding="utf-8")
    return folder


def toy_facts(name: str, task: str = "binary", output: str = "probability", **more) -> ModelFacts:
    facts = {"id": name, "task": task, "input": columns(x="float"), "output": columns(y=output)}
    return ModelFacts(**{**facts, **more})


def toy_model(folder: Path, facts: ModelFacts, **says) -> Path:
    """Write a model folder; `says` is what the toy knows."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "toy.json").write_text(json.dumps(says), encoding="utf-8")
    classes = says.get("classes")
    saved = Saved(
        format="python",
        engine="python",
        version="",
        loader="toys:Toy",
        classes=None if classes is None else tuple(classes),
    )
    write_document(folder, facts, saved)
    return folder
