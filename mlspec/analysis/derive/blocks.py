"""A derived step with the user's own implementation (C7): its shape stays, what runs is theirs.

Input: the block and the contract of the step. Output: the action of an IR step, or the text that a
derived step calls. References other than those of the contract were no names: they are reported.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.analysis.derive.steps import DeriveContext
from mlspec.analysis.texts import Scope, resolve_argv, resolve_script
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Action
from mlspec.ir.values import Namespace
from mlspec.spec.nouns import BlockSpec

CONTRACTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "train": (("data", "validation"), ("model",)),
    "evaluate": (("model", "data"), ("scores",)),
}
"""Inputs and outputs that a block may name."""

_TABLES = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "json": "jsonl", "parquet": "parquet"}


def table_format(label_data: str | None, ctx: DeriveContext) -> str:
    """Return the format of plain tables: that of the label's data noun, or CSV."""
    formats = {data.id: data.format for data in ctx.facts.catalogue.spec.data}
    return _TABLES.get(formats.get(label_data or "") or "csv", "parquet")


def block_action(
    block: BlockSpec, name: str, ctx: DeriveContext, found: list[Diagnostic]
) -> Action | None:
    """Return what a block runs; None when it is a component.

    Args:
        block: as written. name: of the step, a key of `CONTRACTS`.
        ctx: constants. found: where problems go.
    """
    inputs, outputs = CONTRACTS[name]
    scope = Scope(
        owner=f"the `{name}` block",
        names={
            Namespace.PARAMS: (),
            Namespace.INPUTS: inputs,
            Namespace.OUTPUTS: outputs,
            Namespace.MATRIX: (),
            Namespace.RUN: ("id", "date", "attempt"),
        },
        constants=ctx.constants,
    )
    match block.run:
        case None:
            return None
        case str():
            return resolve_script(block.run, block.at / "run", scope, found)
        case _:
            return resolve_argv(block.run, block.at / "run", scope, found)
