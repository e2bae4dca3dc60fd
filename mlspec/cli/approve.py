"""`mlspec approve` and `mlspec approvals`: answer what runs ask, from anywhere in the project."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mlspec.cli.console import err, out
from mlspec.cli.exits import Exit
from mlspec.cli.load import spec_path
from mlspec.cli.options import SPEC, File, TextOrJson, one_of
from mlspec.cli.wording import printable
from mlspec.runtime import approvals as desk
from mlspec.runtime.approvals import Decision, Request
from mlspec.runtime.model import stamp


def approve(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or a part of it.")],
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step that waits.")],
    file: File = SPEC,
    reject: Annotated[bool, typer.Option("--reject", help="Say no: the step fails.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")] = "",
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="For which role; default: all that are asked."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Who says so; default: the user.")
    ] = None,
) -> None:
    """Answer an approval that a run on this machine waits for.

    Different names count as different people; nothing here can check who somebody is.
    """
    project = spec_path(file).parent.absolute()
    request = _find(project, run, step)
    roles = tuple(one.role for one in request.wanted)
    for one in role or ():
        if one not in roles:
            asked = ", ".join(roles)
            raise typer.BadParameter(f"`{one}` is not asked; {asked} is", param_hint="--role")
    decision = Decision(
        who=name or desk.user_name(),
        decision=desk.REJECT if reject else desk.APPROVE,
        reason=reason,
        when=stamp(datetime.now(UTC)),
        roles=tuple(role) if role else roles,
        subject=request.subject,
        serial=request.serial,
    )
    desk.decide(project, request, decision)
    standing = desk.standing(project, request, datetime.now(UTC))
    missing = ", ".join(f"{count} more of {one}" for one, count in standing.missing.items())
    said = "rejected" if reject else "approved"
    end = f"; still wanted: {missing}" if missing and not reject else ""
    out(f"{said} `{request.step}` of run {request.run} as {printable(decision.who)}{end}")


def _find(project: Path, run: str, step: str) -> Request:
    """Return the open request that is meant; exits when there is none, or more than one."""
    waiting = desk.open_requests(project)
    found = [one for one in waiting if run in one.run and one.step == step]
    exact = [one for one in found if one.run == run]
    found = exact or found
    if len(found) == 1:
        return found[0]
    what = "several runs ask" if found else "no run asks"
    err(f"error[ML929]: {what} for approval of `{printable(step)}` in run `{printable(run)}`")
    for one in waiting:
        err(f"  = note: mlspec approve {one.run} {one.step}")
    err("  = help: `mlspec approvals` lists what is asked")
    raise typer.Exit(Exit.NO_INPUT)


def approvals(file: File = SPEC, output: TextOrJson = "text") -> None:
    """List the approvals that runs on this machine wait for."""
    one_of(output, ("text", "json"), "--format")
    project = spec_path(file).parent.absolute()
    waiting = desk.open_requests(project)
    if output == "json":
        data = {"format_version": "1.0", "approvals": [asdict(one) for one in waiting]}
        out(json.dumps(data, indent=2))
        return
    if not waiting:
        err("nothing waits for approval")
    for one in waiting:
        standing = desk.standing(project, one, datetime.now(UTC))
        missing = ", ".join(f"{count} of {role}" for role, count in standing.missing.items())
        out(f"{one.run}  {one.pipeline}  {one.step}  wants {missing}  until {one.expires}")
