"""The legend: what the signs mean that a picture uses, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlspec.drawing.markup import number, path, rect, text
from mlspec.drawing.measure import text_width
from mlspec.drawing.model import BadgeKind, EdgeKind, Graph, NodeKind
from mlspec.drawing.panel import Panel
from mlspec.drawing.shapes import ICONS, SMALL

_SIGN = 34.0

_MEANING = {
    BadgeKind.APPROVAL: "a person approves first",
    BadgeKind.CONDITION: "skipped when false",
    BadgeKind.JOIN: "when it starts, if not after success of all",
    BadgeKind.MATRIX: "one instance for each combination",
    BadgeKind.LOCK: "one at a time",
    BadgeKind.ALLOW_FAILURE: "its failure does not fail the run",
}


def legend(graphs: Sequence[Graph], room: float) -> Panel:
    """Return the legend of some graphs, in rows that fit into the room."""
    x, y = 0.0, 0.0
    widest = 0.0
    parts = []
    for sign, meaning in _entries(graphs):
        wide = _SIGN + text_width(meaning, SMALL) + 22
        if x and x + wide > room:
            x, y = 0.0, y + 22
        parts.append(f'<g transform="translate({number(x)},{number(y)})">{sign}')
        parts.append(text(_SIGN, 13, meaning, "c") + "</g>")
        x += wide
        widest = max(widest, x)
    return Panel(markup="".join(parts), width=widest, height=y + 20 if parts else 0.0)


def _entries(graphs: Sequence[Graph]) -> Iterator[tuple[str, str]]:
    edges = [edge for graph in graphs for edge in graph.edges]
    nodes = [node for graph in graphs for node in graph.nodes]
    if any(edge.kind is EdgeKind.DATA for edge in edges):
        yield _line("data"), "hands files on"
    if any(edge.kind is EdgeKind.ORDER for edge in edges):
        yield _line("order"), "order only"
    if any(edge.critical for edge in edges):
        yield _line("crit"), "longest chain"
    if any(node.kind is NodeKind.DATA for node in nodes):
        box = '<path class="box" d="M6,4a9,3 0 0 1 18,0V14a9,3 0 0 1 -18,0Z"/>'
        yield f'<g class="data">{box}<path class="rim" d="M6,4a9,3 0 0 0 18,0"/></g>', "data"
    used = {badge.kind for node in nodes for badge in node.badges}
    for kind, meaning in _MEANING.items():
        if kind in used:
            icon = f'<path class="i i-{kind.value}" transform="translate(10,4)" d="{ICONS[kind]}"/>'
            yield rect(5, 0, 20, 18, 9, f"p p-{kind.value}") + icon, meaning
    if any(node.kind is NodeKind.FINAL for node in nodes):
        yield path((((15.0, 0.0),), ((15.0, 18.0),)), "bar"), "after everything, whatever happened"


def _line(kind: str) -> str:
    names = f"e {kind}" if kind != "crit" else "e data crit"
    return path((((2.0, 9.0),), ((28.0, 9.0),)), names, f' marker-end="url(#head-{kind})"')
