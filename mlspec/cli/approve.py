"""`mlspec approve` and `mlspec approvals`: answer what versions and runs wait for."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlspec.cli.console import err, out
from mlspec.cli.exits import Exit
from mlspec.cli.load import spec_path
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.cli.wording import printable
from mlspec.ir.kinds import Kind
from mlspec.runtime import approvals as desk
from mlspec.runtime.approvals import Decision, Request
from mlspec.runtime.model import stamp

if TYPE_CHECKING:
    from mlspec.cli.waiting import Waiting


def approve(
    what: Annotated[
        str,
        typer.Argument(
            metavar="VERSION|RUN",
            help="A version that waits, such as `ctr@3`, or `models.ctr` for the newest one;"
            " or a run's id, or a part of it, with STEP.",
        ),
    ],
    step: Annotated[
        str | None, typer.Argument(metavar="[STEP]", help="The step of the run that waits.")
    ] = None,
    file: File = SPEC,
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")] = "",
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="ROLE", help="For which role; default: all in which you may answer."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Who says so; default: the user.")
    ] = None,
    env: Env = None,
) -> None:
    """Answer an approval that a version, or a run on this machine, waits for.

    The answer to a version is signed with your key, and counts for exactly the package and the
    verdict that were shown. A run's step checks nothing: different names are different people.
    """
    if step is None:
        from mlspec.cli.answer import Said, answer
        from mlspec.runtime.origin import actor_of

        said = Said(
            who=name or actor_of(os.environ),
            decision=desk.REJECT if reject else desk.APPROVE,
            reason=reason,
            roles=tuple(role or ()),
        )
        answer(file, env, what, said)
        return
    _answer_run(
        file,
        what,
        step,
        Decision(
            who=name or desk.user_name(),
            decision=desk.REJECT if reject else desk.APPROVE,
            reason=reason,
            when=stamp(datetime.now(UTC)),
            roles=tuple(role or ()),
            subject="",
        ),
    )


def _answer_run(file: Path, run: str, step: str, draft: Decision) -> None:
    """Answer what a step of a run on this machine waits for."""
    project = spec_path(file).parent.absolute()
    request = _find(project, run, step)
    roles = tuple(one.role for one in request.wanted)
    for one in draft.roles:
        if one not in roles:
            asked = ", ".join(roles)
            raise typer.BadParameter(f"`{one}` is not asked; {asked} is", param_hint="--role")
    decision = replace(
        draft, roles=draft.roles or roles, subject=request.subject, serial=request.serial
    )
    desk.decide(project, request, decision)
    standing = desk.standing(project, request, datetime.now(UTC))
    missing = ", ".join(f"{count} more of {one}" for one, count in standing.missing.items())
    rejected = decision.decision == desk.REJECT
    said = "rejected" if rejected else "approved"
    end = f"; still wanted: {missing}" if missing and not rejected else ""
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
    """List the approvals that versions, and runs on this machine, wait for."""
    one_of(output, ("text", "json"), "--format")
    project = spec_path(file).parent.absolute()
    waiting = desk.open_requests(project)
    versions = _waiting_versions(file)
    if output == "json":
        data = {
            "format_version": "1.0",
            "approvals": [asdict(one) for one in waiting],
            "versions": [one.data for one in versions],
        }
        out(json.dumps(data, indent=2))
        return
    if not waiting and not versions:
        err("nothing waits for approval")
    for one in waiting:
        standing = desk.standing(project, one, datetime.now(UTC))
        missing = ", ".join(f"{count} of {role}" for role, count in standing.missing.items())
        out(f"{one.run}  {one.pipeline}  {one.step}  wants {missing}  until {one.expires}")
    for each in versions:
        out(printable(each.text))


def _waiting_versions(file: Path) -> tuple[Waiting, ...]:
    """Return the versions that wait, of all environments; none where the spec makes none."""
    from mlspec.cli.place import all_places, told, unreachable

    found: list[Waiting] = []
    for place in all_places(file):
        if any(node.kind is Kind.APPROVE for node in place.nodes()):
            with told():
                from mlspec.cli.waiting import waiting_versions
                from mlspec.runtime.steps.contract import StepError, StepExit

                try:
                    found += waiting_versions(place)
                except StepError as error:
                    if error.exit is not StepExit.TEMPORARY:
                        raise
                    err(f"note: {printable(unreachable(place.environment, error))}")
    return tuple(found)
