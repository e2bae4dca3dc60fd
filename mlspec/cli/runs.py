"""`mlspec runs`: what has run here, one run in full, two runs side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlspec.cli.console import err, out, use_color, width
from mlspec.cli.exits import Exit
from mlspec.cli.load import spec_path
from mlspec.cli.options import SPEC, File, TextOrJson, one_of
from mlspec.cli.run_view import summarise
from mlspec.cli.wording import duration, number, printable
from mlspec.runtime.locks import is_held, turn_lock
from mlspec.runtime.records import RUNNING, RunRecord, all_runs, as_data, find_run

runs_app = typer.Typer(invoke_without_command=True)

_EXITS = {"success": 0, "failed": 20, "interrupted": 130, "waiting": 12, "running": 0}


@runs_app.callback()
def runs(
    context: typer.Context,
    file: File = SPEC,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    output: TextOrJson = "text",
) -> None:
    """List the runs of this project, newest first."""
    one_of(output, ("text", "json"), "--format")
    context.obj = (spec_path(file).parent.absolute(), output)
    if context.invoked_subcommand is not None:
        return
    project = context.obj[0]
    found = [record for _, record in all_runs(project)][:limit]
    if output == "json":
        data = {"format_version": "1.0", "runs": [as_data(record) for record in found]}
        out(json.dumps(data, indent=2))
        return
    if not found:
        err("nothing has run here yet: `mlspec run` starts a run")
        return
    table = _new_table("run", "pipeline", "state", "took", "params", "metrics")
    for record in found:
        default = record.environment == "default"
        table.add_row(
            *_cells(
                record.id,
                record.pipeline if default else f"{record.pipeline} ({record.environment})",
                _state(project, record),
                _took(record),
                _pairs(record.params.items()),
                _pairs((name, number(value)) for name, value in _main_metrics(record)),
            )
        )
    _screen().print(table)


@runs_app.command()
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="ID", help="The run's id, or a part of it.")],
    output: Annotated[str | None, typer.Option("--format", metavar="FORMAT")] = None,
) -> None:
    """Show one run: steps, outcomes, metrics, where its logs are."""
    project, chosen = _context(context, output)
    record = _find(project, run)
    if chosen == "json":
        out(json.dumps({"format_version": "1.0", **as_data(record)}, indent=2))
        return
    out(f"pipeline {record.pipeline}, environment {record.environment}, run.date {record.date}")
    if record.params:
        out(f"params: {printable(_pairs(record.params.items()))}")
    summarise(record, _EXITS.get(record.state, 0), project)


@runs_app.command()
def compare(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A run's id, or a part of it.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one's.")],
    output: Annotated[str | None, typer.Option("--format", metavar="FORMAT")] = None,
) -> None:
    """Show params, outcomes and metrics of two runs side by side."""
    project, chosen = _context(context, output)
    one, other = _find(project, first), _find(project, second)
    sections: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
        "params": (one.params, other.params),
        "outcomes": (_outcomes(one), _outcomes(other)),
        "metrics": (metrics_of(one), metrics_of(other)),
    }
    if chosen == "json":
        document = {
            name: {key: _compared(a.get(key), b.get(key)) for key in _keys(a, b)}
            for name, (a, b) in sections.items()
        }
        data = {"format_version": "1.0", "runs": [one.id, other.id], **document}
        out(json.dumps(data, indent=2))
        return
    table = _new_table("", one.id, other.id, "difference")
    for name, (a, b) in sections.items():
        for key in _keys(a, b):
            left, right = a.get(key), b.get(key)
            table.add_row(
                *_cells(f"{name[:-1]} {key}", _shown(left), _shown(right), _gap(left, right))
            )
    if one.spec != other.spec:
        table.add_row(*_cells("spec", one.spec[:19], other.spec[:19], "changed"))
    _screen().print(table)


def _context(context: typer.Context, output: str | None) -> tuple[Path, str]:
    project, chosen = context.obj
    if output is not None:
        one_of(output, ("text", "json"), "--format")
    return project, output or chosen


def _find(project: Path, wanted: str) -> RunRecord:
    found = find_run(project, wanted)
    if found is None:
        _unknown(project, wanted)
    return found[1]


def _unknown(project: Path, wanted: str) -> NoReturn:
    several = [record.id for _, record in all_runs(project) if wanted and wanted in record.id]
    what = f"names {len(several)} runs" if several else "names no run"
    err(f"error[ML925]: `{printable(wanted)}` {what}")
    err("  = help: `mlspec runs` lists them; a part of an id is enough if it names only one")
    raise typer.Exit(Exit.NO_INPUT)


# ------------------------------------------------------------------ values


def metrics_of(record: RunRecord) -> dict[str, float | int]:
    """Return all metrics of a run as `step.metric`, or `step[combination].metric`."""
    found = {}
    for step in record.steps:
        for one in step.instances:
            place = f"{step.id}[{one.combination}]" if one.combination else step.id
            found.update({f"{place}.{name}": value for name, value in one.metrics.items()})
    return found


def _main_metrics(record: RunRecord) -> list[tuple[str, float | int]]:
    """Return a few metrics for the list: the last ones of steps without a matrix."""
    plain = [item for item in metrics_of(record).items() if "[" not in item[0]]
    return plain[-3:]


def _state(project: Path, record: RunRecord) -> str:
    """Return a run's state; one that is not going on, and did not end, was killed."""
    if record.state != RUNNING:
        return record.state
    lock = turn_lock(project, record.application, record.environment, record.pipeline)
    return "running" if is_held(lock) else "killed"


def _took(record: RunRecord) -> str:
    """Return how long a run took, from its first start to its last end."""
    if record.ended is None:
        return ""
    began, ended = (datetime.fromisoformat(one) for one in (record.started, record.ended))
    return duration((ended - began).total_seconds())


def _outcomes(record: RunRecord) -> dict[str, str]:
    return {step.id: step.outcome or "-" for step in record.steps}


def _keys(a: Iterable[str], b: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*a, *b)))


def _compared(a: object, b: object) -> dict[str, object]:
    found: dict[str, object] = {"a": a, "b": b}
    if isinstance(a, int | float) and isinstance(b, int | float):
        found["difference"] = b - a
    return found


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return number(value) if isinstance(value, int | float) else str(value)


def _gap(a: object, b: object) -> str:
    if a == b:
        return ""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return f"{b - a:+.5g}"
    return "changed"


def _pairs(items: Iterable[tuple[str, object]]) -> str:
    return "  ".join(f"{name}={value}" for name, value in items)


# ------------------------------------------------------------------ tables


def _screen() -> Console:
    color = use_color(sys.stdout)
    return Console(
        file=sys.stdout,
        highlight=False,
        width=max(60, width()),
        no_color=not color,
        force_terminal=color,
    )


def _new_table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "run")
    return table


def _cells(*texts: str) -> tuple[Text, ...]:
    return tuple(Text(printable(text)) for text in texts)
