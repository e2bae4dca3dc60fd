"""A derived step with the user's own implementation (C7): its shape stays, what runs is theirs.

Input: the block (`run`, or a component that it uses) and the contract of the step. Output: what
runs, as the action of an IR step or as the text that a derived step calls, and its settings.
References other than those of the contract were no names: they are reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlspec.analysis.components import (
    Caller,
    Contract,
    Filled,
    fill,
    fit_contract,
    settings_of,
)
from mlspec.analysis.derive.steps import DeriveContext
from mlspec.analysis.settings import merge_settings
from mlspec.analysis.texts import Scope, resolve_argv, resolve_script
from mlspec.diagnostics.codes.names import REFERENCE_NOT_ALLOWED
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.ir.model import Action, Script
from mlspec.ir.values import Namespace, Ref, plain, refs_of, spell
from mlspec.spec.model import Located, SettingsSpec
from mlspec.spec.nouns import BlockSpec

CONTRACTS: Mapping[str, Contract] = {
    "train": Contract(inputs={"data": "table", "validation": "table"}, outputs={"model": "model"}),
    "evaluate": Contract(inputs={"model": "model", "data": "table"}, outputs={"scores": "table"}),
    "validate": Contract(inputs={"data": "table"}, outputs={}),
    "validate files": Contract(inputs={"data": "folder"}, outputs={}),
}
"""Inputs and outputs that a block may name; a contract check looks and leaves nothing."""

_RUN = ("id", "date", "attempt")
_TABLES = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "json": "jsonl", "parquet": "parquet"}


def table_format(label_data: str | None, ctx: DeriveContext) -> str:
    """Return the format of plain tables: that of the label's data noun, or CSV."""
    formats = {data.id: data.format for data in ctx.facts.catalogue.spec.data}
    return _TABLES.get(formats.get(label_data or "") or "csv", "parquet")


def block_action(
    block: BlockSpec, name: str, ctx: DeriveContext, found: list[Diagnostic]
) -> Action | None:
    """Return what a block runs; None when it says nothing, or its component cannot be read.

    Args:
        block: as written. name: of the contract, a key of `CONTRACTS`.
        ctx: constants and components. found: where problems go.
    """
    filled = _filled(block, ctx, found)
    if filled is not None and block.uses is not None:
        word = name.split(" ", maxsplit=1)[0]
        fit_contract(filled.component, block.uses, word, CONTRACTS[name], found)
        _check_env(filled, block, found)
        return filled.action()
    scope = _scope(f"the `{name}` block", ctx, CONTRACTS[name], _RUN)
    match block.run:
        case None:
            return None
        case str():
            return resolve_script(block.run, block.at / "run", scope, found)
        case _:
            return resolve_argv(block.run, block.at / "run", scope, found)


def program(
    block: BlockSpec | None, name: str, ctx: DeriveContext, found: list[Diagnostic]
) -> tuple[dict[str, Any], tuple[Ref, ...]]:
    """Return the program that a derived step of ours calls, and what it must know of the run.

    Args:
        block: as written. name: of the contract. ctx: constants. found: where problems go.

    Returns:
        Fields `script` or `words` of the node, none when the block has no program.
    """
    action = block_action(block, name, ctx, found) if block is not None else None
    if action is None:
        return {}, ()
    if isinstance(action, Script):
        fields: dict[str, Any] = {"script": action.text}
        refs = action.refs
    else:
        fields = {"words": tuple(spell(word) for word in action.words)}
        refs = tuple(ref for word in action.words for ref in refs_of(word))
    return fields, tuple(ref for ref in refs if ref.namespace is Namespace.RUN)


def asks(block: BlockSpec, name: str, ctx: DeriveContext) -> bool:
    """Whether a block's program reads an input."""
    filled = _filled(block, ctx, [])
    if filled is not None:
        return any(port.name == name for port in filled.component.inputs)
    words = block.run if isinstance(block.run, tuple) else (block.run or "",)
    return any("${inputs." + name + "}" in word for word in words)


def block_settings(block: BlockSpec, ctx: DeriveContext) -> SettingsSpec:
    """Return the run settings of a block; its component's are farther than its own."""
    filled = _filled(block, ctx, [])
    if filled is None:
        return block.settings
    env, given = [], []
    for name, item in filled.component.settings.env:
        text = plain(filled.env(name, item) or ())
        if text is not None:
            env.append((name, Located(text, item.at)))
    for name, value in filled.variables():
        given.append((name, Located(plain(value) or "", block.at)))
    far = replace(settings_of(filled.component, []), env=tuple(env))
    return merge_settings(far, block.settings, SettingsSpec(env=tuple(given)))


def _filled(block: BlockSpec, ctx: DeriveContext, found: list[Diagnostic]) -> Filled | None:
    uses = block.uses
    components = ctx.facts.catalogue.spec.components
    component = components.get(uses.component) if uses is not None else None
    if component is None or uses is None:
        return None
    owner = "`with` of a derived step"
    nothing = Contract(inputs={}, outputs={})
    caller = Caller(owner=owner, scope=_scope(owner, ctx, nothing, ()), params={})
    return fill(component, uses, caller, found)


def _scope(owner: str, ctx: DeriveContext, contract: Contract, run: tuple[str, ...]) -> Scope:
    return Scope(
        owner=owner,
        names={
            Namespace.PARAMS: (),
            Namespace.INPUTS: tuple(contract.inputs),
            Namespace.OUTPUTS: tuple(contract.outputs),
            Namespace.MATRIX: (),
            Namespace.RUN: run,
        },
        constants=ctx.constants,
    )


def _check_env(filled: Filled, block: BlockSpec, found: list[Diagnostic]) -> None:
    """Report variables of a component that only a running step could fill in."""
    settings_of(filled.component, found)
    for name, item in filled.component.settings.env:
        text = filled.env(name, item)
        if text is not None and plain(text) is None and block.uses is not None:
            found.append(
                Diagnostic(
                    code=REFERENCE_NOT_ALLOWED,
                    message=f"the variable `{name}` of a derived step cannot hold"
                    f" `{refs_of(text)[0].spelled}`",
                    at=item.at,
                    labels=(Label(block.uses.at, "used here"),),
                    help=("use the reference in `run`; `env` can hold `${params.…}`",),
                )
            )
