"""`mlspec explain`: the page of a code, or what a key of the language means; offline."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from mlspec.cli import console
from mlspec.cli.exits import Exit

_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_LINK = re.compile(r"\[(ML\d{3})\]\(ML\d{3}\.md\)")


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CODE|NAME|KEY.PATH",
            help="ML060, dependency-cycle, or a place such as pipelines.*.steps.*.retry.",
        ),
    ],
) -> None:
    """Explain a diagnostic code or a key of the language."""
    from mlspec.cli.keys import explain_key
    from mlspec.diagnostics.codes import find_code

    code = find_code(what)
    page = page_of(code.id) if code is not None else explain_key(what)
    if page is None:
        console.err(_unknown(what))
        raise typer.Exit(Exit.USAGE)
    console.out(page)


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
