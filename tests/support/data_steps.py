"""Calls of the data steps as the engines make them, without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlspec.ir.facts import AppFacts, CheckFacts, ColumnFacts, DataFacts, Node
from mlspec.ir.kinds import Kind
from mlspec.ir.node import read_node, write_node
from mlspec.runtime.steps.contract import StepCall

DATE = "2026-03-01T03:41:10Z"


def columns(**types: str | dict[str, Any]) -> tuple[ColumnFacts, ...]:
    """Return declared columns: `columns(amount={"type": "float", "min": 0})`."""
    return tuple(
        ColumnFacts(name=name, **({"type": given} if isinstance(given, str) else given))
        for name, given in types.items()
    )


def checks(*texts: str | CheckFacts) -> tuple[CheckFacts, ...]:
    return tuple(one if isinstance(one, CheckFacts) else CheckFacts(text=one) for one in texts)


def call(
    kind: Kind,
    facts: DataFacts,
    project: Path,
    *,
    outputs: dict[str, Path],
    inputs: dict[str, Path | None] | None = None,
    date: str = DATE,
    environ: dict[str, str] | None = None,
    store: str = "file:store",
    run_id: str = "r1",
) -> StepCall:
    node = Node(
        kind=kind,
        step=f"{kind.value}-{facts.id}",
        pipeline="train-m",
        subject=f"data.{facts.id}",
        environment="dev",
        app=AppFacts(name="shop"),
        data=(facts,),
    )
    return StepCall(
        node=read_node(write_node(node)),  # as a step gets it
        inputs=inputs or {},
        outputs=outputs,
        store=store,
        project=project,
        run_id=run_id,
        run_date=date,
        environ=environ or {},
    )
