"""`mlspec graph`: pictures of the pipelines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlspec.cli import console
from mlspec.cli.exits import Exit
from mlspec.cli.load import analyse_or_exit
from mlspec.cli.options import SPEC, Env, File, one_of
from mlspec.source import Origin

if TYPE_CHECKING:
    from mlspec.drawing.model import Drawing
    from mlspec.frontend import Analysed
from mlspec.ir.gates import gated

KINDS = ("text", "mermaid", "dot", "svg", "html")
_MERMAID_EDGES, _MERMAID_SIZE = 500, 50_000  # defaults of `maxEdges`, `maxTextSize` (Mermaid 11)


def graph(
    file: File = SPEC,
    env: Env = None,
    pipeline: Annotated[
        list[str] | None,
        typer.Option("--pipeline", metavar="NAME", help="Draw only this one; may be repeated."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"What to draw: {', '.join(KINDS)}. Default: what the ending of -o says, or text.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file.")
    ] = None,
) -> None:
    """Draw the pipelines: steps, what flows between them, conditions, approvals.

    `svg` is a picture for documents, `html` a page to explore; both are single files that fetch
    nothing.
    """
    chosen = one_of(kind or _by_ending(output), KINDS, "--format")
    analysed = analyse_or_exit(file, env, command="graph")
    drawing = _drawing(analysed, tuple(pipeline or ()))
    text = _renderer(chosen)(drawing)
    edges = sum(len(one.edges) for one in drawing.pipelines)
    if chosen == "mermaid" and (edges > _MERMAID_EDGES or len(text) > _MERMAID_SIZE):
        console.err("note: most viewers of Mermaid refuse pictures of this size; svg has no limit")
    if output is None or output == Path("-"):
        console.out(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        console.err(f"error[ML905]: {output}: {(error.strerror or str(error)).lower()}")
        raise typer.Exit(Exit.WOULD_OVERWRITE) from None
    console.err(f"Wrote {output}")


def _by_ending(output: Path | None) -> str:
    endings = {".mmd": "mermaid", ".gv": "dot", ".htm": "html"}
    suffix = output.suffix.lower() if output is not None else ""
    named = endings.get(suffix, suffix.removeprefix("."))
    if named in KINDS:
        return named
    if named in ("", "txt", "md"):
        return "text"
    raise typer.BadParameter(
        f"`{suffix}` is no format; say which with --format ({', '.join(KINDS)})",
        param_hint="--output",
    )


def _drawing(analysed: Analysed, wanted: tuple[str, ...]) -> Drawing:
    from mlspec.drawing.build import draw

    application = analysed.application
    assert application is not None  # noqa: S101  `analyse_or_exit` would have exited
    known = tuple(pipeline.id for pipeline in application.pipelines)
    for name in wanted:
        if name not in known:
            _unknown_pipeline(name, known)
    return draw(gated(application), wanted, _where(analysed))


def _unknown_pipeline(name: str, known: tuple[str, ...]) -> None:
    from mlspec.diagnostics.codes.names import UNKNOWN_PIPELINE
    from mlspec.diagnostics.model import Diagnostic
    from mlspec.diagnostics.report import build_report
    from mlspec.diagnostics.suggest import did_you_mean

    problem = Diagnostic(
        code=UNKNOWN_PIPELINE,
        message=f"there is no pipeline `{name}`",
        notes=("pipelines: " + (", ".join(f"`{one}`" for one in known) or "none"),),
        help=did_you_mean(name, known),
    )
    console.show_report(build_report([problem], lambda _: None), "text", "graph")
    raise typer.Exit(Exit.USAGE)


def _where(analysed: Analysed) -> Callable[[Origin], str]:
    """Return what says where a thing was written: file, line, and route in the spec."""
    from mlspec.diagnostics.report import route_text
    from mlspec.frontend import documents_of
    from mlspec.yamlio.locate import locate

    documents = documents_of([analysed])
    folder = analysed.loaded.folder.as_posix()

    def where(origin: Origin) -> str:
        route = route_text(origin.route)
        document = documents.get(origin.document)
        found = locate(document, origin.key()) if document is not None else None
        if found is None:
            return route
        source, span = found
        # Relative to the spec, so that the picture is the same wherever the command runs.
        name = source.id.removeprefix(f"{folder}/")
        return f"{name}:{source.position(span.start).line}  {route}"

    return where


def _renderer(kind: str) -> Callable[[Drawing], str]:
    match kind:
        case "mermaid":
            from mlspec.drawing.mermaid import render_mermaid

            return render_mermaid
        case "dot":
            from mlspec.drawing.dot import render_dot

            return render_dot
        case "svg":
            from mlspec.drawing.svg import render_svg

            return render_svg
        case "html":
            from mlspec.drawing.html import render_html

            return render_html
    from mlspec.drawing.text import render_text_graph

    return lambda drawing: render_text_graph(drawing, columns=_columns())


def _columns() -> int | None:
    """Return the terminal's width, or None when the picture goes to a file or a pipe."""
    return console.width() if sys.stdout.isatty() else None
