"""Draws a drawing as one self-contained SVG picture: every pipeline, a title, a legend.

Nothing is fetched, there is no script, text is real text. A picture follows the reader's light
or dark scheme.
"""

from __future__ import annotations

from mlspec.drawing.layout import Layout, Size, lay_out
from mlspec.drawing.legend import legend
from mlspec.drawing.markup import escaped, number, path, rect, text
from mlspec.drawing.measure import text_width, wrapped
from mlspec.drawing.model import Drawing, Edge, EdgeKind, Graph, NodeKind
from mlspec.drawing.panel import Panel
from mlspec.drawing.shapes import SMALL, node_markup, node_size
from mlspec.drawing.style import style_sheet

_MARGIN = 24.0
_PAGE = (1600.0, 1000.0)
_NARROWEST = 560.0
_FINAL = "finally"


def render_svg(drawing: Drawing) -> str:
    """Return the whole picture."""
    layouts = [best_layout(graph) for graph in drawing.graphs]
    broadest = max((layout.width for layout in layouts), default=0.0)
    panels = [
        graph_panel(graph, layout, f"g{place}", broadest=broadest)
        for place, (graph, layout) in enumerate(zip(drawing.graphs, layouts, strict=True))
    ]
    panels.append(legend(drawing.pipelines))
    width = max([_NARROWEST, text_width(drawing.title, 22, bold=True)])
    width = max([width, *(panel.width for panel in panels)]) + 2 * _MARGIN
    lines = wrapped(drawing.subtitle, 12, width - 2 * _MARGIN) if drawing.subtitle else ()
    at = _MARGIN + 20
    parts = [text(_MARGIN, at, drawing.title, "h1")]
    for line in lines:
        at += 17
        parts.append(text(_MARGIN, at, line, "m"))
    at += 18
    for panel in panels:
        parts.append(f'<g transform="translate({number(_MARGIN)},{number(at)})">{panel.markup}</g>')
        at += panel.height + 20
    return document("".join(parts), Size(width, at), drawing.title)


def document(markup: str, size: Size, title: str) -> str:
    """Return markup as an SVG file."""
    width, height = number(size.width), number(size.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img">\n<title>{escaped(title)}</title>\n'
        f"<style>\n{style_sheet()}</style>\n{markers()}\n"
        f'<rect class="page" width="100%" height="100%"/>\n{markup}\n</svg>\n'
    )


def markers() -> str:
    """Return the arrow heads that edges refer to."""
    heads = "".join(
        f'<marker id="head-{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="{size}"'
        f' markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path class="h-{kind}" d="M0,0.8L10,5L0,9.2L2.2,5z"/></marker>'
        for kind, size in (("order", 10), ("data", 10), ("crit", 13))
    )
    return f"<defs>{heads}</defs>"


def graph_panel(
    graph: Graph, layout: Layout, key: str, *, broadest: float = 0.0, interactive: bool = False
) -> Panel:
    """Return one graph with its heading in a frame.

    Args:
        graph: what to draw.
        layout: its places.
        broadest: width of the broadest graph beside it, so that frames are equal.
        key: prefix of all ids, so that several pictures fit into one page.
        interactive: whether a page lets people select nodes.
    """
    pad = 20.0
    inner = max(layout.width, broadest, _NARROWEST - 2 * pad)
    heading, at = _heading(graph, inner)
    left = pad + (inner - layout.width) / 2
    parts = [rect(0, 0, inner + 2 * pad, at + layout.height + 2 * pad + 8, 10, "frame")]
    parts.append(f'<g transform="translate({number(pad)},{number(pad)})">{heading}</g>')
    top = at + pad + 8
    body = graph_body(graph, layout, key, interactive=interactive)
    parts.append(f'<g transform="translate({number(left)},{number(top)})">{body}</g>')
    return Panel(
        markup="".join(parts), width=inner + 2 * pad, height=at + layout.height + 2 * pad + 8
    )


def best_layout(graph: Graph) -> Layout:
    """Return the layout that fits a page best: sideways while it is not too wide."""
    sideways = _layout(graph, sideways=True)
    if sideways.width <= _PAGE[0] and sideways.height <= _PAGE[1] * 1.5:
        return sideways
    down = _layout(graph, sideways=False)
    return max((sideways, down), key=_scale)


def _scale(layout: Layout) -> float:
    return min(_PAGE[0] / max(layout.width, 1), _PAGE[1] / max(layout.height, 1))


def _layout(graph: Graph, *, sideways: bool) -> Layout:
    edges = _drawn(graph)
    last = next((node.id for node in graph.nodes if node.kind is NodeKind.FINAL), None)
    return lay_out(
        {node.id: node_size(node) for node in graph.nodes},
        [(edge.source, edge.target, edge.label) for edge in edges],
        _label_size,
        sideways=sideways,
        last=last,
    )


def _label_size(label: str) -> Size:
    return Size(text_width(label, SMALL) + 8, 15)


def _drawn(graph: Graph) -> list[Edge]:
    """Return the edges that are lines; a bar stands for those to `finally`."""
    return [edge for edge in graph.edges if edge.kind is not EdgeKind.FINAL]


def _heading(graph: Graph, width: float) -> tuple[str, float]:
    at = 13.0
    parts = [text(0, at, graph.title, "h2")]
    if graph.subtitle:
        for line in wrapped(graph.subtitle, 12, width):
            at += 17
            parts.append(text(0, at, line, "m"))
    x, at = 0.0, at + 10
    for trigger in graph.triggers:
        for line in wrapped(trigger, SMALL, width - 16):
            wide = text_width(line, SMALL) + 16
            if x and x + wide > width:
                x, at = 0.0, at + 23
            parts.append(rect(x, at, wide, 19, 9.5, "chip"))
            parts.append(text(x + wide / 2, at + 13, line, "c", anchor="middle"))
            x += wide + 6
    if graph.triggers:
        at += 19
    if graph.chain:
        for line in wrapped(graph.chain, SMALL, width):
            at += 16
            parts.append(text(0, at, line, "c"))
    return "".join(parts), at + 6


def graph_body(graph: Graph, layout: Layout, key: str, *, interactive: bool) -> str:
    """Return edges, labels and nodes of a graph; arguments as `graph_panel`."""
    lines, labels = [], []
    places = {node.id: f"{key}-{place}" for place, node in enumerate(graph.nodes)}
    drawn = zip(_drawn(graph), layout.routes, strict=True)
    for edge, route in sorted(drawn, key=lambda pair: pair[0].critical):
        kind = "crit" if edge.critical else edge.kind.value
        names = f"e {edge.kind.value}{' crit' if edge.critical else ''}"
        ends = f' data-edge="{places[edge.source]} {places[edge.target]}"' if interactive else ""
        lines.append(path(route, names, f'{ends} marker-end="url(#head-{kind})"'))
    for label in layout.labels:
        x, y = label.at
        wide = _label_size(label.text).width
        labels.append(rect(x - wide / 2, y - 7.5, wide, 15, 4, "lb"))
        labels.append(text(x, y + 3.6, label.text, "l", anchor="middle"))
    nodes = [
        node_markup(node, layout.boxes[node.id], places[node.id], interactive=interactive)
        for node in graph.nodes
    ]
    return "".join([*lines, _bar(graph, layout), *labels, *nodes])


def _bar(graph: Graph, layout: Layout) -> str:
    """Draw the line behind which `finally` waits for everything."""
    if all(node.kind is not NodeKind.FINAL for node in graph.nodes):
        return ""
    box = layout.boxes[_FINAL]
    middle = box.middle
    if layout.sideways:
        x = box.x - 30
        bar = (((x, 0.0),), ((x, max(layout.height, 40.0)),))
        arrow = (((x, middle[1]),), ((box.x, middle[1]),))
    else:
        y = box.y - 30
        bar = (((0.0, y),), ((layout.width, y),))
        arrow = (((middle[0], y),), ((middle[0], box.y),))
    return path(bar, "bar") + path(arrow, "e order", ' marker-end="url(#head-order)"')
