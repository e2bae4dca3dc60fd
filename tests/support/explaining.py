"""A model whose formula we wrote, with rows, for tests of the explain step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from mlspec.ir.facts import AppFacts, CheckFacts, ColumnFacts, ModelFacts, Node
from mlspec.ir.kinds import Kind
from mlspec.runtime.models.contract import Saved
from mlspec.runtime.models.document import write_document
from mlspec.runtime.rows.folder import Rows, write_rows
from mlspec.runtime.steps.contract import StepCall

MODULE = """\
import numpy as np

class Sum:
    classes = None

    def save(self, folder):
        (folder / "sum.txt").write_text("sum")

    @classmethod
    def load(cls, folder):
        return cls()

    def predict(self, features):
        total = 3 * features["spend"].to_numpy() + features["age"].to_numpy()
        return 1 / (1 + np.exp(-total))
"""
MODEL = ModelFacts(
    id="churn",
    task="binary",
    input=(ColumnFacts(name="age", type="float"), ColumnFacts(name="spend", type="float")),
    output=(ColumnFacts(name="churns", type="probability"),),
    checks=(CheckFacts(text="roc_auc >= 0.5"),),
    explain_top=1,
)


def explaining(tmp_path: Path, **changes: object) -> StepCall:
    """Write the project, the model and the rows; return the call of the step."""
    (tmp_path / "explained_model.py").write_text(MODULE, "utf-8")
    folder = tmp_path / "model"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "sum.txt").write_text("sum", "utf-8")
    loader = "explained_model:Sum"
    write_document(
        folder, MODEL, Saved(format="python", engine="python", version="", loader=loader)
    )
    random = np.random.default_rng(2)
    age, spend = random.normal(size=(2, 300))
    label = random.random(300) < 1 / (1 + np.exp(-(3 * spend + age)))
    table = {"_key": [str(i) for i in range(300)], "age": age, "spend": spend, "_label": label}
    write_rows(tmp_path / "test", Rows(table=pa.table(table), columns=("age", "spend")))
    return StepCall(
        node=Node(
            kind=Kind.EXPLAIN,
            step="explain:churn",
            pipeline="models.churn",
            subject="models.churn",
            environment="default",
            app=AppFacts(name="shop"),
            model=replace(MODEL, **changes),
        ),
        inputs={"model": folder, "test": tmp_path / "test"},
        outputs={"explanation": tmp_path / "explanation"},
        store=(tmp_path / "store").as_uri(),
        project=tmp_path,
        run_id="r",
        run_date="2026-03-01T00:00:00Z",
        environ={},
    )
