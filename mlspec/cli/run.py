"""`mlspec run`: a pipeline on this machine, to its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlspec.cli.console import out, show_report
from mlspec.cli.exits import Exit
from mlspec.cli.load import analyse_or_exit
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.diagnostics.codes import names, running
from mlspec.diagnostics.model import Diagnostic
from mlspec.frontend import Analysed, documents_of, make_report

if TYPE_CHECKING:
    from mlspec.cli.run_view import PlainView
    from mlspec.runtime.model import RunOptions

Given = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A run parameter; may be repeated."),
]

Wait = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait",
        help="Wait for approvals, or end with 12 when nothing else is left to do;"
        " the default is to wait at a terminal.",
        show_default=False,
    ),
]


def run(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[NOUN|ID]",
            help="`models.NAME` or `data.NAME`: what to make. With --resume: which run;"
            " else the newest.",
        ),
    ] = None,
    file: File = SPEC,
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", metavar="NAME", help="Which pipeline.")
    ] = None,
    env: Env = None,
    param: Given = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Instances at a time."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was interrupted or failed.")
    ] = False,
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="`run.date`: fill a hole, or repeat a day."),
    ] = None,
    wait: Wait = None,
    output: TextOrJson = "text",
) -> None:
    """Run a pipeline on this machine.

    Exit codes: 0 the run succeeded, 20 a step failed, 10 only gates failed and one says no, 11
    they cannot tell, 12 an approval is pending or expired, 130 interrupted (`mlspec run --resume`
    goes on from there).
    """
    from mlspec.runtime.model import RunOptions

    one_of(output, ("text", "json"), "--format")
    noun, earlier = _noun_or_run(what, pipeline, resume=resume)
    params = _params(param or [])
    analysed = analyse_or_exit(file, env, output=output, command="run", first_environment=True)
    folder = analysed.loaded.folder
    options = RunOptions(
        params=params,
        jobs=jobs,
        date=date,
        resume=(earlier or "") if resume else None,
        wait=sys.stdin.isatty() if wait is None else wait,
    )
    if noun is not None:
        chosen = _of_noun(analysed, noun, output)
    else:
        wanted = pipeline or (_pipeline_of(folder, earlier) if resume else None)
        chosen = _choose(analysed, wanted, output)
    raise typer.Exit(_execute(analysed, chosen, options, output))


def _noun_or_run(
    what: str | None, pipeline: str | None, *, resume: bool
) -> tuple[str | None, str | None]:
    """Return the noun to make, or the run to resume, that the argument names."""
    if what is None:
        return None, None
    if resume and not is_noun(what):
        return None, what
    if pipeline is not None:
        why = "has its own pipeline" if is_noun(what) else "is no noun; a run's id needs --resume"
        raise typer.BadParameter(f"`{what}` {why}", param_hint="--pipeline")
    return what, None


def _execute(analysed: Analysed, pipeline: str, options: RunOptions, output: str) -> int:
    """Run, show how it ended, and return the exit code."""
    from mlspec.runtime.interpreter import run_pipeline
    from mlspec.runtime.records import as_data

    application, folder = analysed.application, analysed.loaded.folder
    assert application is not None  # noqa: S101  `analyse_or_exit` would have exited
    with _view(folder, output) as view:
        result = run_pipeline(application, pipeline, folder, options, view)
    if result.diagnostics:
        _show(analysed, result.diagnostics, output)
    elif result.record is not None and output == "json":
        head = {"format_version": "1.0", "exit_code": result.exit_code}
        out(json.dumps({**head, **as_data(result.record)}, indent=2))
    return result.exit_code


def _view(folder: Path, output: str) -> PlainView:
    """Return the view that suits where we print."""
    from mlspec.cli.run_view import LiveView, PlainView

    terminal = sys.stderr.isatty() and output == "text"
    return (LiveView if terminal else PlainView)(folder, summary=output == "text")


def _params(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"`{one}`: write NAME=VALUE", param_hint="--param")
        found[name] = value
    return found


def _pipeline_of(folder: Path, run_id: str | None) -> str | None:
    """Return the pipeline of the run that is to be resumed."""
    from mlspec.runtime.records import all_runs, find_run

    if run_id:
        found = find_run(folder.absolute(), run_id)
        return found[1].pipeline if found is not None else None
    return next((record.pipeline for _, record in all_runs(folder.absolute())), None)


_MAKES = {"models": "model", "data": "data"}
"""First words of the ids of the pipelines that the compiler derives, by kind of noun."""


def is_noun(text: str) -> bool:
    """Whether a text names something that a pipeline makes, such as `models.ctr`."""
    kind, dot, name = text.partition(".")
    return bool(dot and name) and kind in _MAKES


def _of_noun(analysed: Analysed, noun: str, output: str) -> str:
    """Return the id of the pipeline that makes a noun; exits when nothing makes it."""
    from mlspec.diagnostics.suggest import nearest

    application = analysed.application
    known = [pipeline.id for pipeline in application.pipelines] if application is not None else []
    kind, _, name = noun.partition(".")
    if is_noun(noun) and f"{_MAKES[kind]}-{name}" in known:
        return f"{_MAKES[kind]}-{name}"
    made = [
        f"{kind}.{one.removeprefix(f'{first}-')}"
        for kind, first in _MAKES.items()
        for one in known
        if one.startswith(f"{first}-")
    ]
    same = next((one for one in made if one.partition(".")[2] == noun), None)
    guess = f"--pipeline {noun}" if noun in known else same or nearest(noun, made)
    listed = ", ".join(f"`{one}`" for one in made) or "none"
    no_noun = f"`{noun}` is no noun such as `models.NAME`; a run's id needs --resume"
    problem = Diagnostic(
        code=names.UNKNOWN_PIPELINE,
        message=f"no pipeline makes `{noun}`" if is_noun(noun) else no_noun,
        notes=(f"what can be made: {listed}",),
        help=(f"did you mean `{guess}`?",) if guess else (),
    )
    _show(analysed, (problem,), output)
    raise typer.Exit(Exit.USAGE)


def _choose(analysed: Analysed, wanted: str | None, output: str) -> str:
    """Return the id of the pipeline to run; exits when it is not clear which."""
    from mlspec.diagnostics.suggest import nearest

    application = analysed.application
    known = [pipeline.id for pipeline in application.pipelines] if application is not None else []
    listed = ", ".join(f"`{one}`" for one in known) or "none"
    if wanted is not None:
        if wanted in known:
            return wanted
        guess = nearest(wanted, known)
        problem = Diagnostic(
            code=names.UNKNOWN_PIPELINE,
            message=f"there is no pipeline `{wanted}`",
            notes=(f"pipelines: {listed}",),
            help=(f"did you mean `{guess}`?",) if guess else (),
        )
    elif len(known) == 1:
        return known[0]
    else:
        many = "several pipelines and none was chosen" if known else "no pipeline to run"
        problem = Diagnostic(
            code=running.RUN_CHOOSE_PIPELINE,
            message=f"the spec has {many}",
            notes=(f"pipelines: {listed}",),
            help=(f"choose one: mlspec run --pipeline {known[0]}",) if known else (),
        )
    _show(analysed, (problem,), output)
    raise typer.Exit(Exit.USAGE)


def _show(analysed: Analysed, found: tuple[Diagnostic, ...], output: str) -> None:
    report = make_report(found, documents_of([analysed]))
    show_report(report, output, "run", complete=False)
