"""The only module that writes to the terminal: results to stdout, everything else to stderr.

Colour is on when the stream is a terminal and nothing says otherwise (`NO_COLOR`, `TERM=dumb`),
or when it is forced (`FORCE_COLOR`, `CLICOLOR_FORCE`, `--color always`).
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from mlspec import __version__
from mlspec.diagnostics.report import Report

_COLOR = "auto"
FORMATS = ("text", "concise", "json", "sarif", "github")


def set_color(when: str) -> None:
    """Choose colour for the whole process: `auto`, `always` or `never`."""
    global _COLOR  # noqa: PLW0603  one terminal for each process
    _COLOR = when


def use_color(stream: TextIO) -> bool:
    """Return whether colour may be written to a stream."""
    if _COLOR != "auto":
        return _COLOR == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width(default: int = 99) -> int:
    """Return the terminal's width in columns."""
    return shutil.get_terminal_size((default, 24)).columns


def out(text: str) -> None:
    """Write a result to stdout, with a newline at its end."""
    _write(sys.stdout, text)


def err(text: str) -> None:
    """Write a message to stderr, with a newline at its end."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    if not text:
        return
    if not text.endswith("\n"):
        text += "\n"
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def show_report(
    report: Report, output: str, command: str, *, application: str = "", complete: bool = True
) -> None:
    """Print findings in one of `FORMATS`: for people to stderr, for machines to stdout.

    Args:
        report: what was found.
        output: the format.
        command: the command's name, for machine formats.
        application: the application's name, for SARIF.
        complete: whether everything could be looked at.
    """
    match output:
        case "json":
            from mlspec.diagnostics.render.json import render_json

            out(render_json(report, command=command, version=__version__, complete=complete))
        case "sarif":
            from mlspec.cli.explain import page_of
            from mlspec.diagnostics.render.sarif import render_sarif

            out(render_sarif(report, app=application, version=__version__, page=page_of))
        case "github":
            from mlspec.diagnostics.render.github import render_github

            out(render_github(report))
        case "concise":
            from mlspec.diagnostics.render.concise import render_concise

            out(render_concise(report))
        case _:
            from mlspec.diagnostics.render.text import render_text

            err(render_text(report, color=use_color(sys.stderr)))
