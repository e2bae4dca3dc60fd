"""`mlspec targets`: what each target can express, from the tables that the compiler obeys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mlspec import __version__
from mlspec.backends.base import Backend, Lowered, Native, Partial, Support, Unsupported
from mlspec.backends.registry import backend_names, built_in_names, load_backend
from mlspec.cli.console import err, out, width
from mlspec.cli.exits import Exit
from mlspec.cli.options import one_of
from mlspec.diagnostics.suggest import did_you_mean
from mlspec.ir.features import Feature

FORMAT_VERSION = "1.0"
_SIGNS = {"native": "yes", "lowered": "yes*", "partial": "part", "unsupported": "-"}
_LEGEND = (
    "yes: the engine's own · yes*: same meaning by other means"
    " · part: something is lost · -: refused"
)


def targets(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One target, with reasons.")
    ] = None,
    output: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="How to print: text, json, markdown."),
    ] = "text",
) -> None:
    """Show what each target can express, and how."""
    one_of(output, ("text", "json", "markdown"), "--format")
    names = backend_names()
    if name is not None and name not in names:
        hints = did_you_mean(name, names) or (f"installed: {', '.join(names)}",)
        err(f"error[ML092]: there is no target `{name}`\n  = help: {hints[0]}")
        raise typer.Exit(Exit.ERRORS)
    chosen = names if name is None else (name,)
    backends = [backend for one in chosen if (backend := load_backend(one)) is not None]
    match output:
        case "json":
            out(_json(backends))
        case "markdown":
            out(matrix_markdown(backends))
        case _ if name is not None:
            out(_one_text(backends[0]))
        case _:
            out(_matrix_text(backends))


def _kind(support: Support) -> tuple[str, str]:
    """Return what a table says of a feature: one word, and how or why not."""
    match support:
        case Native(how):
            return "native", how
        case Lowered(how):
            return "lowered", how
        case Partial(reason):
            return "partial", reason
        case Unsupported(reason):
            return "unsupported", reason


def _json(backends: Sequence[Backend[Any]]) -> str:
    ours = built_in_names()
    listed = []
    for backend in backends:
        table = backend.capabilities
        features = {}
        for feature in Feature:
            support = table.of(feature)
            kind, text = _kind(support)
            features[feature.id] = {"says": feature.value, "support": kind, "how": text}
            if isinstance(support, Partial):
                features[feature.id]["severity"] = "warning" if support.harmless else "error"
        listed.append(
            {
                "name": backend.name,
                "built_in": backend.name in ours,
                "features": features,
                "native_keys": dict(table.native_keys),
                "pipeline_native_keys": dict(table.pipeline_native_keys),
            }
        )
    data = {"format_version": FORMAT_VERSION, "mlspec_version": __version__, "targets": listed}
    return json.dumps(data, indent=1) + "\n"


def _matrix_text(backends: Sequence[Backend[Any]]) -> str:
    """Return one line for each feature, one column for each target."""
    rows = [["", *(backend.name for backend in backends)]]
    for feature in Feature:
        cells = [_SIGNS[_kind(backend.capabilities.of(feature))[0]] for backend in backends]
        rows.append([feature.value, *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", _LEGEND, "`mlspec targets NAME` says how, and why not."])


def _one_text(backend: Backend[Any]) -> str:
    """Return how one target expresses each feature."""
    import textwrap

    column = max(len(feature.value) for feature in Feature)
    lines = []
    for feature in Feature:
        kind, text = _kind(backend.capabilities.of(feature))
        lead = f"{feature.value.ljust(column)}  {_SIGNS[kind].ljust(4)}  "
        room = max(30, width() - len(lead))
        first, *rest = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
        lines.append(f"{lead}{first}".rstrip())
        lines += [" " * len(lead) + line for line in rest]
    for title, keys in (
        ("native keys of steps", backend.capabilities.native_keys),
        ("native keys of pipelines", backend.capabilities.pipeline_native_keys),
    ):
        if keys:
            shown = ", ".join(f"{key} ({kind})" for key, kind in keys.items())
            lines += ["", *textwrap.wrap(f"{title}: {shown}", max(60, width()))]
    return "\n".join([*lines, "", _LEGEND])


def matrix_markdown(backends: Sequence[Backend[Any]]) -> str:
    """Return the tables as Markdown, as the reference page has them."""
    head = ["feature", *(f"`{backend.name}`" for backend in backends)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for feature in Feature:
        cells = [_SIGNS[_kind(backend.capabilities.of(feature))[0]] for backend in backends]
        lines.append(f"| {' | '.join([_cell(feature.value), *map(_cell, cells)])} |")
    lines += ["", _LEGEND]
    for backend in backends:
        lines += [
            "",
            f"## `{backend.name}`",
            "",
            "| feature | | how, or why not |",
            "| --- | --- | --- |",
        ]
        for feature in Feature:
            kind, text = _kind(backend.capabilities.of(feature))
            lines.append(f"| {_cell(feature.value)} | {_cell(_SIGNS[kind])} | {_cell(text)} |")
        for title, keys in (
            ("steps", backend.capabilities.native_keys),
            ("pipelines and environments", backend.capabilities.pipeline_native_keys),
        ):
            if keys:
                shown = ", ".join(f"`{key}` ({kind})" for key, kind in keys.items())
                lines += ["", f"`native.{backend.name}` of {title}: {shown}"]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("${", "$\\{")
