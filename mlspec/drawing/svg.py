"""Draws a drawing as one self-contained SVG picture: every pipeline, a title, a legend.

Nothing is fetched, there is no script, text is real text. A picture follows the reader's light
or dark scheme.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mlspec.drawing.gather import Block, gather
from mlspec.drawing.layout import Box, Layout, Size, lay_out
from mlspec.drawing.legend import legend
from mlspec.drawing.markup import escaped, number, path, rect, text
from mlspec.drawing.measure import text_width, wrapped
from mlspec.drawing.model import Drawing, Edge, Graph, NodeKind
from mlspec.drawing.panel import Panel
from mlspec.drawing.shapes import SMALL, node_markup, node_size
from mlspec.drawing.style import style_sheet

_MARGIN = 24.0
_PAGE = (1600.0, 1000.0)
_NARROWEST = 560.0
_MANY = 800  # no page holds more; the second layout would only cost time
_FINAL = "finally"


def render_svg(drawing: Drawing) -> str:
    """Return the whole picture."""
    layouts = [best_layout(graph) for graph in drawing.graphs]
    broadest = max((placed.width for placed in layouts), default=0.0)
    panels = [
        graph_panel(graph, placed, f"g{place}", broadest=broadest)
        for place, (graph, placed) in enumerate(zip(drawing.graphs, layouts, strict=True))
    ]
    panels.append(legend(drawing.pipelines, max(broadest + 40, _NARROWEST)))
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
    graph: Graph, placed: Placed, key: str, *, broadest: float = 0.0, interactive: bool = False
) -> Panel:
    """Return one graph with its heading in a frame.

    Args:
        graph: what to draw.
        placed: its places.
        broadest: width of the broadest graph beside it, so that frames are equal.
        key: prefix of all ids, so that several pictures fit into one page.
        interactive: whether a page lets people select nodes.
    """
    pad = 20.0
    inner = max(placed.width, broadest, _NARROWEST - 2 * pad)
    heading, at = _heading(graph, inner)
    left = pad + (inner - placed.width) / 2
    parts = [rect(0, 0, inner + 2 * pad, at + placed.height + 2 * pad + 8, 10, "frame")]
    parts.append(f'<g transform="translate({number(pad)},{number(pad)})">{heading}</g>')
    top = at + pad + 8
    body = graph_body(graph, placed, key, interactive=interactive)
    parts.append(f'<g transform="translate({number(left)},{number(top)})">{body}</g>')
    return Panel(
        markup="".join(parts), width=inner + 2 * pad, height=at + placed.height + 2 * pad + 8
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A graph with all places: nodes, edges between nodes and blocks, frames of blocks."""

    layout: Layout
    edges: tuple[Edge, ...]
    blocks: tuple[Block, ...]

    @property
    def width(self) -> float:
        """Width of the picture."""
        return self.layout.width

    @property
    def height(self) -> float:
        """Height of the picture."""
        return self.layout.height


def best_layout(graph: Graph) -> Placed:
    """Return the layout that fits a page best: sideways while it is not too wide."""
    blocks, edges = gather(graph)
    sideways = _placed(graph, blocks, edges, sideways=True)
    fits = sideways.width <= _PAGE[0] and sideways.height <= _PAGE[1] * 1.5
    if fits or len(graph.nodes) > _MANY:
        return sideways
    down = _placed(graph, blocks, edges, sideways=False)
    return max((sideways, down), key=_scale)


def _scale(placed: Placed) -> float:
    return min(_PAGE[0] / max(placed.width, 1), _PAGE[1] / max(placed.height, 1))


def _placed(
    graph: Graph, blocks: tuple[Block, ...], edges: tuple[Edge, ...], *, sideways: bool
) -> Placed:
    last = next((node.id for node in graph.nodes if node.kind is NodeKind.FINAL), None)
    sizes = {node.id: node_size(node) for node in graph.nodes}
    homes = {member: block for block in blocks for member in block.members}
    standing: dict[str, Size] = {}
    for name, size in sizes.items():
        block = homes.get(name)
        if block is None:
            standing[name] = size
        else:
            standing.setdefault(block.id, block.size(sizes))
    layout = lay_out(
        standing,
        [(edge.source, edge.target, edge.label) for edge in edges],
        _label_size,
        sideways=sideways,
        last=last,
    )
    boxes = dict(layout.boxes)
    for block in blocks:
        boxes.update(block.boxes(sizes, boxes[block.id]))
    return Placed(layout=replace(layout, boxes=boxes), edges=edges, blocks=blocks)


def _label_size(label: str) -> Size:
    return Size(text_width(label, SMALL) + 8, 15)


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


def graph_body(graph: Graph, placed: Placed, key: str, *, interactive: bool) -> str:
    """Return frames, edges, labels and nodes of a graph; arguments as `graph_panel`."""
    layout = placed.layout
    lines, labels = [], []
    places = {node.id: f"{key}-{place}" for place, node in enumerate(graph.nodes)}
    ends: dict[str, tuple[str, ...]] = {name: (place,) for name, place in places.items()}
    ends |= {block.id: tuple(places[member] for member in block.members) for block in placed.blocks}
    drawn = zip(placed.edges, layout.routes, strict=True)
    for edge, route in sorted(drawn, key=lambda pair: pair[0].critical):
        kind = "crit" if edge.critical else edge.kind.value
        names = f"e {edge.kind.value}{' crit' if edge.critical else ''}"
        pair = " ".join(",".join(ends[name]) for name in (edge.source, edge.target))
        data = f' data-edge="{pair}"' if interactive else ""
        lines.append(path(route, names, f'{data} marker-end="url(#head-{kind})"'))
    for label in layout.labels:
        x, y = label.at
        wide = _label_size(label.text).width
        labels.append(rect(x - wide / 2, y - 7.5, wide, 15, 4, "lb"))
        labels.append(text(x, y + 3.6, label.text, "l", anchor="middle"))
    nodes = [
        node_markup(node, layout.boxes[node.id], places[node.id], interactive=interactive)
        for node in graph.nodes
    ]
    frames = [_frame(block, layout.boxes[block.id]) for block in placed.blocks]
    return "".join([*frames, *lines, _bar(graph, layout), *labels, *nodes])


def _frame(block: Block, box: Box) -> str:
    title = text(box.x + 14, box.y + 19, block.title, "c")
    return rect(box.x, box.y, box.width, box.height, 10, "block") + title


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
