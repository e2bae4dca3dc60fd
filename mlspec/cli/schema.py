"""`mlspec schema`: the JSON Schema of the language and of components, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlspec.cli import console
from mlspec.cli.exits import Exit
from mlspec.schema.registry import COMPONENT, SPEC, schema_text

_MODELINE = "# yaml-language-server: $schema="


def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it to a file instead."),
    ] = None,
    component: Annotated[
        bool, typer.Option("--component", help="That of a component's file instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of mlspec.yaml: one self-contained file for editors."""
    text = schema_text(COMPONENT if component else SPEC)
    if output is None:
        console.out(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        console.err(f"error: {output}: {(error.strerror or str(error)).lower()}")
        raise typer.Exit(Exit.WOULD_OVERWRITE) from None
    where = "a component" if component else "the spec"
    console.err(f"Wrote {output}. First line of {where}: {_MODELINE}{output.as_posix()}")
