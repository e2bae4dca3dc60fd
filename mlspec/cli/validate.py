"""`mlspec validate`: everything that can be found without running anything."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from mlspec.cli.console import FORMATS, err, show_report
from mlspec.cli.load import exit_code, spec_path
from mlspec.cli.options import SPEC, Env, File, Format, one_of
from mlspec.frontend import analyse, documents_of, load, make_report
from mlspec.frontend import validate as validate_all
from mlspec.ir.model import Application, Pipeline


def validate(
    file: File = SPEC,
    env: Env = None,
    output: Format = "text",
    day: Annotated[
        str | None,
        typer.Option(
            "--date", metavar="DATE", help="Waivers that ended before it do not hold; today."
        ),
    ] = None,
) -> None:
    """Check a spec: shape, names, graph, rules, every environment, names of targets."""
    one_of(output, FORMATS, "--format")
    today = _day(day)
    loaded = load(spec_path(file))
    analysed = (analyse(loaded, env, today),) if env is not None else validate_all(loaded, today)
    found = tuple(diagnostic for one in analysed for diagnostic in one.diagnostics)
    applications = [one.application for one in analysed if one.application is not None]
    if any(one.targets or _has_native(one) for one in applications):
        from mlspec.compiler import check_targets

        found += check_targets(applications)
    report = make_report(found, documents_of(analysed))
    complete = all(one.application is not None for one in analysed)
    name = loaded.spec.app.name if loaded.spec is not None else ""
    show_report(report, output, "validate", application=name, complete=complete)
    code = exit_code(found)
    application = analysed[0].application
    if output == "text" and not code and application is not None:
        err(_summary(application.name, application.pipelines, loaded.environments))
    raise typer.Exit(code)


def _day(written: str | None) -> date:
    """Return the day by which waivers are judged (docs/adr/0010).

    Raises:
        typer.BadParameter: when it is not a date.
    """
    if written is None:
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
        return now.date()
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise typer.BadParameter(
            f"`{written}` is not a date such as 2027-03-31.", param_hint="--date"
        ) from None


def _has_native(application: Application) -> bool:
    blocks = (step.native for one in application.pipelines for step in one.all_steps)
    return bool(application.environment.native) or any(blocks)


def _summary(app: str, pipelines: tuple[Pipeline, ...], environments: tuple[str, ...]) -> str:
    steps = sum(len(pipeline.all_steps) for pipeline in pipelines)
    count = len(pipelines)
    text = f"{app}: valid. {count} pipeline{'s' * (count != 1)}, {steps} step{'s' * (steps != 1)}"
    if environments:
        text += f", environments {', '.join(environments)}"
    return text + "."
