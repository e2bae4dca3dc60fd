"""`mlspec audit`: what was done to versions, and whether the log of it is whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlspec.cli.console import err, out
from mlspec.cli.exits import Exit
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.cli.place import Place, all_places, open_place, told, unreachable
from mlspec.cli.wording import printable

if TYPE_CHECKING:
    from mlspec.runtime.audit import Anchor, Fault, Record, Verified

audit_app = typer.Typer(no_args_is_help=True)


@audit_app.command()
def verify(file: File = SPEC, env: Env = None, output: TextOrJson = "text") -> None:
    """Check that no record was changed, removed, added or moved.

    The log is also held against what versions remember of it, in all environments that share it.
    Those that cannot be reached are named in a note; the one that --env names must be.

    Exit codes: 0 the log is whole, 1 it is not, 75 it cannot be reached.
    """
    one_of(output, ("text", "json"), "--format")
    place = open_place(file, env, command="audit")
    with told():
        from mlspec.runtime import audit

        node = next(place.nodes(), None)
        to = node.policy.audit_to if node is not None else None
        copy = audit.copies_at(to, place.app, place.project)
        remembered = _remembered(file, place, must=env)
        found = audit.verify(place.store, place.app, remembered.anchors, copy=copy)
        found = replace(
            found,
            faults=(*found.faults, *remembered.faults),
            notes=(*found.notes, *remembered.notes),
        )
        if output == "json":
            _print_json(found, remembered.unchecked)
        else:
            _print_text(found)
    raise typer.Exit(Exit.ERRORS if found.faults else Exit.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """What versions remember; environments whose versions were not looked at, and why."""

    anchors: list[Anchor] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def _remembered(file: Any, place: Place, *, must: str | None) -> _Remembered:
    """Return what the versions of all environments that share the log remember of it.

    Raises:
        StepError: the registry of the environment `must` cannot be reached.
    """
    from mlspec.runtime.audit import Fault
    from mlspec.runtime.registry.model import DamagedError
    from mlspec.runtime.steps.contract import StepError
    from mlspec.runtime.steps.lifecycle import anchors_of

    found = _Remembered()
    for one in all_places(file):
        name = one.environment
        if one.store != place.store:
            found.notes.append(f"`{name}` has a log of its own: mlspec audit verify --env {name}")
            continue
        try:
            found.anchors.extend(anchors_of(one.registry()))
        except DamagedError as error:
            found.faults.append(Fault(line=0, message=f"versions of `{name}`: {error.message}"))
        except StepError as error:
            if name == must:
                raise
            found.notes.append(unreachable(name, error))
            found.unchecked.append(name)
    return found


def _print_json(found: Verified, unchecked: list[str]) -> None:
    data = {
        "format_version": "1.0",
        "whole": not found.faults,
        "records": found.count,
        "signed": found.signed,
        "faults": [{"line": one.line, "message": one.message} for one in found.faults],
        "notes": list(found.notes),
        "unchecked": unchecked,
    }
    out(json.dumps(data, indent=2))


def _print_text(found: Verified) -> None:
    for note in found.notes:
        err(f"note: {printable(note)}")
    for fault in found.faults:
        where = f"line {fault.line}: " if fault.line else ""
        err(f"error: {where}{printable(fault.message)}")
    counted = f"{found.count} records, {found.signed} signed"
    if found.faults:
        out(f"{counted}: not as they were written")
        err("  = help: restore the log from a backup; until then nothing is promoted")
    else:
        out(f"{counted}: whole")


@audit_app.command()
def show(
    file: File = SPEC,
    env: Env = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="VERSION", help="Only what concerns `ctr@3`, or `ctr`."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    output: TextOrJson = "text",
) -> None:
    """List the newest records, oldest of them first."""
    one_of(output, ("text", "json"), "--format")
    place = open_place(file, env, command="audit")
    with told():
        from mlspec.runtime import audit

        found = [
            one
            for one in audit.records(place.store, place.app)
            if version is None or _is_about(one, version.removeprefix("models."))
        ][-limit:]
    if output == "json":
        data = [json.loads(line_of(one)) for one in found]
        out(json.dumps({"format_version": "1.0", "records": data}, indent=2))
        return
    if not found:
        err("nothing is recorded")
    for one in found:
        out(printable(text_of(one)))


def _is_about(record: Record, version: str) -> bool:
    name = record.entry.subject.name.removeprefix("models.")
    return name == version or name.partition("@")[0] == version


def line_of(record: Record) -> bytes:
    """Return the JSON text of a record."""
    from mlspec.runtime.audit.model import canonical, data_of

    data = data_of(record.entry, record.seq, record.prev, record.key)
    return canonical({**data, "sig": record.sig})


def text_of(record: Record) -> str:
    """Return a record as one line for people."""
    entry = record.entry
    role = f" ({entry.actor.role})" if entry.actor.role else ""
    parts = [
        f"{record.seq:>4}",
        entry.time,
        entry.action,
        entry.subject.name,
        f"[{entry.environment}]",
        f"by {entry.actor.subject}{role}",
    ]
    if entry.outcome:
        parts.append(f"-> {entry.outcome}")
    if entry.reason:
        parts.append(f"({entry.reason})")
    return "  ".join(parts)
