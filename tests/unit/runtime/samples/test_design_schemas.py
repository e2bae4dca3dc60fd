"""The samples keep the contracts that the design's files declare, as the compiler tells them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.frontend import analyse_file
from mlspec.ir.facts import NODE_VARIABLE, CheckFacts, DataFacts
from mlspec.ir.kinds import Kind
from mlspec.ir.node import read_node
from mlspec.ir.values import Literal
from mlspec.runtime.steps import snapshot, validate
from mlspec.runtime.tables import read_json
from tests.support.data_steps import call

DESIGN = Path(__file__).parents[3] / "inputs" / "design"


def facts_of(name: str, environment: str | None) -> dict[str, DataFacts]:
    """Return the data nouns of a spec as its snapshot steps are told of them."""
    found = {}
    application = analyse_file(DESIGN / f"{name}.yaml", environment).application
    for pipeline in application.pipelines:
        for step in pipeline.steps:
            if step.kind is Kind.SNAPSHOT:
                text = dict(step.env)[NODE_VARIABLE]
                node = read_node("".join(part.text for part in text if isinstance(part, Literal)))
                found |= {one.id: one for one in node.data}
    return found


@pytest.mark.parametrize(
    ("name", "environment", "noun", "source"),
    [
        ("fraud", "dev", "transactions", None),
        ("fraud", "dev", "chargebacks", None),
        ("i_credit", "dev", "applications", None),
        ("i_credit", "dev", "repayments", None),
        ("b_retraining", None, "clicks", "sample:ad-clicks?rows=20000&seed=1&end=run"),
    ],
)
def test_sample__keeps_the_declared_contract(tmp_path, name, environment, noun, source):
    facts = facts_of(name, environment)[noun]
    if source is not None:
        facts = replace(facts, source=source, format=None)
    assert facts.source.startswith("sample:")
    # The design's limits of rows and age are those of production.
    kept = [one for one in facts.checks if not one.text.startswith(("rows", "freshness"))]
    facts = replace(facts, checks=(*kept, CheckFacts(text="rows >= 10000")))
    for kind, step in ((Kind.SNAPSHOT, snapshot), (Kind.VALIDATE, validate)):
        made = call(
            kind,
            facts,
            tmp_path,
            inputs={} if kind is Kind.SNAPSHOT else {"data": tmp_path / "snapshot"},
            outputs={"data": tmp_path / kind.value},
        )
        step.run(made)
    verdict = read_json(tmp_path / "validate" / "verdict.json")
    assert verdict["rows"]["refused"] == 0
    assert {one["check"] for one in verdict["checks"] if one["verdict"] != "pass"} <= {
        "psi(amount) <= 0.2"  # nothing to compare with yet
    }
