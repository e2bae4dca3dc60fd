"""Options that several commands share, with one meaning and one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlspec.cli.console import FORMATS

File = Annotated[
    Path,
    typer.Option(
        "--file", "-f", metavar="FILE", help="The spec.", show_default=True, dir_okay=True
    ),
]
Env = Annotated[
    str | None,
    typer.Option("--env", "-e", metavar="NAME", help="The environment; its overlay is applied."),
]
Format = Annotated[
    str,
    typer.Option("--format", metavar="FORMAT", help=f"How to print: {', '.join(FORMATS)}."),
]
TextOrJson = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="How to print: text, json.")
]

SPEC = Path("mlspec.yaml")
"""Where a spec is looked for."""


def one_of(value: str, allowed: tuple[str, ...], option: str) -> str:
    """Return the value when it is allowed.

    Raises:
        typer.BadParameter: with a suggestion, otherwise.
    """
    if value in allowed:
        return value
    from mlspec.diagnostics.suggest import nearest

    guess = nearest(value, allowed)
    hint = f" Did you mean `{guess}`?" if guess else ""
    choices = ", ".join(allowed)
    raise typer.BadParameter(f"`{value}` is not one of {choices}.{hint}", param_hint=option)
