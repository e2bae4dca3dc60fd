"""`mlspec compile`: write the files that engines run, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mlspec import __version__
from mlspec.cli.console import err, out, show_report
from mlspec.cli.exits import Exit
from mlspec.cli.load import exit_code, spec_path
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.compiler import Compiled, compile_targets
from mlspec.diagnostics.codes.internal import BAD_LOCK, STALE, WRITE_FAILED
from mlspec.diagnostics.model import Diagnostic, has_errors
from mlspec.diagnostics.render.visible import visible
from mlspec.diagnostics.report import Report
from mlspec.frontend import documents_of, make_report
from mlspec.planning.apply import apply, exclusive, read_journal
from mlspec.planning.files import FileKind, FilePlan, Scope, plan_files, staleness
from mlspec.planning.lockfile import Destination, destination, read_lock

_SIGNS = {
    FileKind.CREATE: "+",
    FileKind.UPDATE: "~",
    FileKind.CONFLICT: "~",
    FileKind.FOREIGN: "~",
    FileKind.DELETE: "-",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What became of the artifacts: the plan, and what the writing side has to say."""

    plan: FilePlan | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def compile(  # noqa: A001  the command's name
    file: File = SPEC,
    env: Env = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", metavar="TARGET", help="The target; may be repeated."),
    ] = None,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Default: the spec's folder."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 4 when files are out of date.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that were edited or are not ours.")
    ] = False,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Accept what a target expresses only in part.")
    ] = False,
    verify_ir: Annotated[bool, typer.Option("--verify-ir", hidden=True)] = False,
    output: TextOrJson = "text",
) -> None:
    """Write the files that engines run; only what changed, and nothing that was edited by hand."""
    one_of(output, ("text", "json"), "--format")
    spec = spec_path(file)
    compiled = compile_targets(
        spec,
        tuple(target or ()),
        (env,) if env is not None else (),
        allow_partial=allow_partial,
        out=out_folder,
    )
    if verify_ir:
        _verify(compiled)
    place = destination(spec, out_folder)
    scope = Scope(
        targets=frozenset(target) if target else None,
        environments=frozenset({env}) if env is not None else None,
    )
    written = _Written()
    if compiled.ok:
        written = _write(compiled, place, scope, check=check, force=force)
    found = (*compiled.diagnostics, *written.diagnostics)
    report = make_report(found, documents_of(compiled.analysed))
    if output == "json":
        out(_json(compiled, written, report, is_check=check))
    else:
        if report.diagnostics:
            show_report(report, "text", "compile", complete=compiled.ok)
        if written.plan is not None and not has_errors(found):
            _show(written.plan, place)
    raise typer.Exit(_exit(compiled, written))


def _verify(compiled: Compiled) -> None:
    from mlspec.ir.verify import verify_application

    for one in compiled.analysed:
        if one.application is not None:
            verify_application(one.application)


def _write(
    compiled: Compiled, place: Destination, scope: Scope, *, check: bool, force: bool
) -> _Written:
    if check:
        plan = _plan(compiled, place, scope)
        if plan.plan is None:
            return plan
        return _Written(plan=plan.plan, diagnostics=staleness(plan.plan, place.lock.name))
    with exclusive(place) as is_held:
        if not is_held:
            message = f"another mlspec is writing to `{visible(str(place.root))}`"
            return _Written(diagnostics=(Diagnostic(code=WRITE_FAILED, message=message),))
        plan = _plan(compiled, place, scope)
        if plan.plan is None:
            return plan
        found = apply(plan.plan, place, force=force, written_by=__version__)
        return _Written(plan=plan.plan, diagnostics=found)


def _plan(compiled: Compiled, place: Destination, scope: Scope) -> _Written:
    lock, journal = read_lock(place.lock), read_journal(place)
    found = (*lock.diagnostics, *journal.diagnostics)
    if lock.value is None or journal.value is None:
        return _Written(diagnostics=found)
    plan = plan_files(
        compiled.artifacts,
        lock.value,
        place,
        scope=scope,
        announced=journal.value,
        components=compiled.components,
    )
    return _Written(plan=plan, diagnostics=found)


def _exit(compiled: Compiled, written: _Written) -> Exit:
    if not compiled.ok:
        return exit_code(compiled.diagnostics)
    errors = [found.code for found in written.diagnostics if found.is_error]
    if not errors:
        return Exit.OK
    if BAD_LOCK in errors:
        return Exit.ERRORS
    return Exit.STALE if STALE in errors else Exit.WOULD_OVERWRITE


# ------------------------------------------------------------------ what is printed


def _show(plan: FilePlan, place: Destination) -> None:
    """Print what happened to files: changes to stdout, the sum to stderr."""
    changed = [action for action in plan.actions if action.kind in _SIGNS]
    for action in changed:
        kept = action.kind is FileKind.CONFLICT and action.artifact is None
        out(f"{'!' if kept else _SIGNS[action.kind]} {visible(action.path)}")
    same = len(plan.actions) - len(changed)
    where = visible(str(place.root))
    if changed:
        err(f"{len(changed)} changed, {same} unchanged in {where}; digests in {place.lock.name}")
    elif not plan.actions:
        err("nothing to compile: no target is chosen, so that pipelines run here (`mlspec run`)")
        err("  = help: name one with --target, or under `targets.pipelines` of the spec")
    else:
        err(f"nothing to do: {same} file{'s' * (same != 1)} in {where} are up to date")


def _json(compiled: Compiled, written: _Written, report: Report, *, is_check: bool) -> str:
    from mlspec.diagnostics.render.json import report_data

    actions = {action.path: action for action in written.plan.actions} if written.plan else {}
    artifacts: list[dict[str, Any]] = [
        {
            "path": artifact.path,
            "target": artifact.target,
            "kind": artifact.kind,
            "pipeline": artifact.pipeline,
            "environment": artifact.environment,
            "digest": artifact.digest,
            "action": actions[artifact.path].kind.value if artifact.path in actions else None,
        }
        for artifact in compiled.artifacts
    ]
    removed = [path for path, action in actions.items() if action.kind is FileKind.DELETE]
    data = report_data(report, command="compile", version=__version__, complete=compiled.ok)
    data |= {
        "targets": list(compiled.targets),
        "environments": list(compiled.environments),
        "check": is_check,
        "written": not is_check and compiled.ok and not has_errors(written.diagnostics),
        "artifacts": artifacts,
        "removed": removed,
    }
    return json.dumps(data, indent=1) + "\n"
