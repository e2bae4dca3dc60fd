"""`mlspec versions`: which versions of models there are, their states and aliases."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlspec.cli.console import err, out, use_color, width
from mlspec.cli.exits import Exit
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.cli.place import open_place, told
from mlspec.cli.wording import number, printable

if TYPE_CHECKING:
    from mlspec.runtime.registry import Registry, Version

_METRICS = 3
"""Metrics that the list shows; all are in the JSON."""


def versions(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Only of this model.")
    ] = None,
    file: File = SPEC,
    env: Env = None,
    output: TextOrJson = "text",
) -> None:
    """List versions of models, newest first: their states, and which one is the champion."""
    one_of(output, ("text", "json"), "--format")
    place = open_place(file, env, command="versions")
    with told():
        registry = place.registry()
        known = registry.models()
        wanted = None if model is None else model.removeprefix("models.")
        if wanted is not None and wanted not in known:
            err(f"error: model `{printable(wanted)}` has no version in `{place.environment}`")
            if known:
                err(f"  = note: {', '.join(known)} {'have' if len(known) > 1 else 'has'}")
            raise typer.Exit(Exit.NO_INPUT)
        rows = list(_rows(registry, known if wanted is None else (wanted,)))
    if output == "json":
        data = {"format_version": "1.0", "environment": place.environment, "versions": rows}
        out(json.dumps(data, indent=2))
    elif rows:
        _show(rows)
    else:
        err(f"there are no versions in `{place.environment}` yet: `mlspec run models.NAME`")


def _rows(registry: Registry, models: Iterable[str]) -> Iterable[dict[str, Any]]:
    for model in models:
        aliases = registry.aliases(model)
        for version in reversed(registry.versions(model)):
            yield row_of(version, aliases)


def row_of(version: Version, aliases: Mapping[str, int]) -> dict[str, Any]:
    """Return a version as JSON data."""
    named = sorted(alias for alias, number in aliases.items() if number == version.number)
    return {
        "version": version.name,
        "state": version.state.value,
        "aliases": named,
        "created": version.created,
        "digest": version.digest,
        "metrics": metrics_of(version),
        "provenance": dict(version.provenance),
        "run": version.facts.get("run", ""),
    }


def metrics_of(version: Version) -> dict[str, float | int]:
    """Return the numbers that the package names, whatever form it gives them."""
    told = version.facts.get("metrics")
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(told, dict):
        items = told.items()
    elif isinstance(told, list):
        items = [(one.get("metric"), one.get("value")) for one in told if isinstance(one, dict)]
    return {
        str(name): value
        for name, value in items
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("version", "state", "aliases", "created", "digest", "metrics"):
        table.add_column(column, overflow="fold", no_wrap=column == "version")
    for row in rows:
        shown = list(row["metrics"].items())[:_METRICS]
        cells = (
            row["version"],
            row["state"],
            ", ".join(row["aliases"]),
            row["created"],
            row["digest"].removeprefix("sha256:")[:12],
            "  ".join(f"{name}={number(value)}" for name, value in shown),
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    color = use_color(sys.stdout)
    Console(
        file=sys.stdout,
        highlight=False,
        width=max(60, width()),
        no_color=not color,
        force_terminal=color,
    ).print(table)
