"""`mlspec step`: one derived step, as the generated pipelines call it."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlspec.cli.console import err
from mlspec.cli.exits import Exit

if TYPE_CHECKING:
    from mlspec.ir.facts import Node


def step(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What to do, such as `train`.")],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--in",
            metavar="NAME=PATH",
            help="An input; an empty path: there is none; or an address.",
        ),
    ] = None,
    wanted: Annotated[
        list[str] | None, typer.Option("--out", metavar="NAME=PATH", help="An output.")
    ] = None,
) -> None:
    """Run one step of a pipeline that the compiler derived; generated pipelines call this.

    The node (what to do it with) is read from MLSPEC_NODE. Exit codes: 0 done or passed, 10 the
    gate says no, 11 inconclusive, 12 an approval is pending, 75 temporary, try again.
    """
    from mlspec.runtime.steps.contract import StepError

    # Before any numeric library starts: threads of two steps side by side wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    node = _node(kind)
    _let_import(node)
    try:
        code = _run(node, _pairs(given, "--in"), _pairs(wanted, "--out"))
    except StepError as error:
        _tell(error.message, error.help)
        raise typer.Exit(int(error.exit)) from None
    except OSError as error:
        _tell(*_refusal(error))
        raise typer.Exit(1) from None
    except RecursionError:
        if os.environ.get("MLSPEC_DEBUG"):
            raise
        _tell("what the step read is nested too deeply", "look at its inputs: none of ours is")
        raise typer.Exit(1) from None
    except MemoryError:
        _tell("the memory does not suffice", "raise `resources.memory`, or work on fewer rows")
        raise typer.Exit(1) from None
    except ImportError as error:
        if (error.name or "").split(".")[0] not in {"numpy", "scipy", "pyarrow", "cryptography"}:
            raise
        err(f"error: `{error.name}` is not installed")
        err("  = help: pip install 'mlspec[runtime]' where steps run")
        raise typer.Exit(1) from None
    finally:
        if sys.stdout.closed:  # by a function of the project: who comes after us may still print
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  to the end
    raise typer.Exit(code)


def _let_import(node: Node) -> None:
    """Let the step import the user's functions, from the checkout; never one that only verifies.

    A file of the project named like a library of ours would run instead of it.
    """
    from mlspec.ir.kinds import Kind

    project = str(Path.cwd())
    only_verifies = node.kind in {Kind.DELIVER, Kind.REGISTER, Kind.APPROVE, Kind.PROMOTE}
    if project not in sys.path and not only_verifies:
        sys.path.insert(0, project)


def _tell(message: str, help_: str) -> None:
    """Say what is wrong and what to do; values of data in it steer nothing."""
    from mlspec.runtime.steps.log import inert

    err(inert(f"error: {message}"))
    if help_:
        err(inert(f"  = help: {help_}"))


def _refusal(error: OSError) -> tuple[str, str]:
    """Return what a disk, or whatever else the system has, refused, and what to do."""
    why = error.strerror or str(error)
    where = f" `{error.filename}`" if error.filename else ""
    if error.errno == errno.ENOENT:
        return (
            f"a file is missing:{where or f' {why}'}",
            "restore it, or run the step that makes it",
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"the disk is full{where and ':'}{where} ({why})",
            "make room where steps work and where the store is, and run again: nothing is half "
            "written",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"the disk refused{where}: {why}",
            "let the step write there: the folder, its owner, or how it is mounted",
        )
    return f"the disk refused{where}: {why}", ""


def _node(kind: str) -> Node:
    """Return what the environment tells; exits when it does not belong to the command."""
    from mlspec.ir.facts import NODE_VARIABLE
    from mlspec.ir.kinds import Kind
    from mlspec.ir.node import NodeError, read_node

    text = os.environ.get(NODE_VARIABLE)
    if not text:
        err(f"error: {NODE_VARIABLE} is not set; `mlspec run models.NAME` runs a model's steps")
        raise typer.Exit(Exit.USAGE)
    try:
        node = read_node(text)
        if node.kind is not Kind(kind):
            err(f"error: the node is one of `{node.kind.value}`, not of `{kind}`")
            raise typer.Exit(Exit.USAGE)
    except (NodeError, ValueError, RecursionError) as error:
        _tell(str(error), "")
        raise typer.Exit(Exit.USAGE) from None
    return node


def _run(node: Node, given: dict[str, str], wanted: dict[str, str]) -> int:
    """Call the step; inputs and outputs that are addresses are brought and taken away."""
    from mlspec.runtime.documents.lineage_log import reported
    from mlspec.runtime.steps import distant
    from mlspec.runtime.steps.contract import StepCall

    with tempfile.TemporaryDirectory(prefix="mlspec-step-") as scratch:
        inputs: dict[str, Path | None] = {}
        for name, place in given.items():
            if distant.is_address(place):
                inputs[name] = distant.bring(place, Path(scratch) / "in" / name)
            else:
                inputs[name] = Path(place) if place else None
        outputs = {
            name: Path(scratch) / "out" / name if distant.is_address(place) else Path(place)
            for name, place in wanted.items()
        }
        (Path(scratch) / "out").mkdir()
        call = StepCall(
            node=node,
            inputs=inputs,
            outputs=outputs,
            store=os.environ.get("MLSPEC_RUN_STORE", ""),
            project=Path.cwd(),
            run_id=os.environ.get("MLSPEC_RUN_ID", ""),
            run_date=os.environ.get("MLSPEC_RUN_DATE", ""),
            actor=os.environ.get("MLSPEC_RUN_ACTOR", ""),
            approvals=os.environ.get("MLSPEC_RUN_APPROVALS", ""),
            commit=os.environ.get("MLSPEC_RUN_COMMIT", ""),
        )
        work = import_module(f"mlspec.runtime.steps.{node.kind.value}").run
        code = int(reported(call, work))
        for name, place in wanted.items():
            if code == 0 and distant.is_address(place) and distant.writes(os.environ):
                distant.take(outputs[name], place)
    return code


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for one in given or ():
        name, equals, path = one.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"`{one}`: write NAME=PATH", param_hint=option)
        found[name] = path
    return found
