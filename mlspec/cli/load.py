"""Reading a spec for a command: the path, the findings, the exit when there are errors."""

from __future__ import annotations

from pathlib import Path

import typer

from mlspec.cli.console import show_report
from mlspec.cli.exits import Exit
from mlspec.diagnostics.codes import names, reading
from mlspec.diagnostics.model import Diagnostic
from mlspec.frontend import Analysed, analyse, load
from mlspec.ir.model import Application


def spec_path(file: Path) -> Path:
    """Return the spec that `--file` means: a folder means the `mlspec.yaml` in it."""
    return file / "mlspec.yaml" if file.is_dir() else file


def exit_code(diagnostics: tuple[Diagnostic, ...]) -> Exit:
    """Return how a command ends for these findings."""
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.is_error]
    if not errors:
        return Exit.OK
    missing = {reading.FILE_NOT_FOUND.id, names.UNKNOWN_ENVIRONMENT.id}
    if all(diagnostic.code.id in missing for diagnostic in errors):
        return Exit.NO_INPUT
    return Exit.ERRORS


def analyse_or_exit(
    file: Path,
    environment: str | None = None,
    *,
    output: str = "text",
    command: str,
    first_environment: bool = False,
) -> Analysed:
    """Read a spec and build its application; print findings; exit when there are errors.

    Args:
        file: the spec, or the folder it is in.
        environment: whose overlay is applied.
        output: format of the findings.
        command: the command's name, for machine formats.
        first_environment: without `environment`, take the first that the spec declares.

    Raises:
        typer.Exit: with 1 when the spec has errors, 66 when it or the environment is missing.
    """
    loaded = load(spec_path(file))
    if environment is None and first_environment and loaded.environments:
        environment = loaded.environments[0]
    analysed = analyse(loaded, environment)
    report = analysed.report()
    if not analysed.ok or (output == "text" and report.diagnostics):
        show_report(report, output, command, complete=analysed.ok)
    if not analysed.ok:
        raise typer.Exit(exit_code(analysed.diagnostics))
    return analysed


def load_application(
    file: Path, environment: str | None = None, *, output: str = "text", command: str = "run"
) -> Application:
    """Return the application of a spec; exits like `analyse_or_exit`."""
    analysed = analyse_or_exit(file, environment, output=output, command=command)
    if analysed.application is None:
        raise typer.Exit(Exit.ERRORS)
    return analysed.application
