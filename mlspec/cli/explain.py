"""`mlspec explain`: the page of a code, or what a key of the language means; offline."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from mlspec.cli import console
from mlspec.cli.exits import Exit
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of

_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_LINK = re.compile(r"\[(ML\d{3})\]\(ML\d{3}\.md\)")


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CODE|NAME|KEY.PATH",
            help="ML060, dependency-cycle, or a place such as pipelines.*.steps.*.retry.",
        ),
    ] = "",
    effective: Annotated[
        bool,
        typer.Option(
            "--effective",
            help="Print the spec (or KEY.PATH of it) with defaults, origins, and checks in words.",
        ),
    ] = False,
    file: File = SPEC,
    env: Env = None,
    output: TextOrJson = "text",
) -> None:
    """Explain a diagnostic code, a key of the language, or the effective spec."""
    if effective:
        _effective(what, file, env, output)
        return
    if not what:
        raise typer.BadParameter("name a code or a key, or write --effective", param_hint="WHAT")
    from mlspec.cli.keys import explain_key
    from mlspec.diagnostics.codes import find_code

    code = find_code(what)
    page = page_of(code.id) if code is not None else explain_key(what)
    if page is None:
        console.err(_unknown(what))
        raise typer.Exit(Exit.USAGE)
    console.out(page)


def _effective(what: str, file: Path, env: str | None, output: str) -> None:
    """Print the values below a place with their origins."""
    from mlspec.cli.effective import as_data, effective_values, outline
    from mlspec.cli.load import analyse_or_exit

    one_of(output, ("text", "json"), "--format")
    analysed = analyse_or_exit(file, env, output=output, command="explain")
    route = tuple(
        int(step) if step.isdigit() else step
        for step in re.sub(r"\[(\d+)\]", r".\1", what).split(".")
        if step
    )
    document = analysed.document
    values = effective_values(document, route, env) if document is not None else ()
    if not values:
        console.err(f"error: the spec has nothing at `{what}`.")
        raise typer.Exit(Exit.USAGE)
    if output == "json":
        console.out(json.dumps({"format_version": "1.0", "values": as_data(values)}, indent=1))
    else:
        console.out(outline(values))


def page_of(code: str) -> str | None:
    """Return the page of a code as Markdown without links to files, or None."""
    from mlspec.resources import data_folder

    try:
        path = data_folder("diagnostics") / f"{code}.md"
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None
    return _LINK.sub(r"\1", _COMMENT.sub("", text))


def _unknown(what: str) -> str:
    from mlspec.cli.keys import places_of
    from mlspec.diagnostics.codes import all_codes
    from mlspec.diagnostics.render.visible import visible
    from mlspec.diagnostics.suggest import nearest

    codes = all_codes()
    words = [*codes, *(code.name for code in codes.values())]
    guesses = [nearest(what.upper(), codes), nearest(what, words)]
    near = [*dict.fromkeys(guess for guess in guesses if guess), *places_of(what)[:3]]
    hint = f" Did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    return f"error: `{visible(what)}` is neither a code nor a key of the language.{hint}"
