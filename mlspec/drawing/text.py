"""Draws a drawing for a terminal: steps in the order in which they can run, and what they need.

A step stands below everything it needs. Lines at the left lead from each step to those that need
it; where there would be too many of them, names alone say it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlspec.diagnostics.render.visible import width
from mlspec.drawing.model import Drawing, Edge, Graph, Node, NodeKind

MOST_LANES = 12
"""More lines side by side than this are not drawn."""

_CRITICAL, _PLAIN = "◆", "●"


def render_text_graph(drawing: Drawing, *, columns: int | None = None) -> str:
    """Return a picture made of characters; with `columns`, longer lines are continued below."""
    lines = [drawing.title + (f" — {drawing.subtitle}" if drawing.subtitle else "")]
    for graph in drawing.pipelines:
        lines += ["", *_graph(graph, columns)]
    links = list(_links(drawing.overview)) if drawing.overview else []
    if links:
        lines += ["", "data", *links]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _graph(graph: Graph, columns: int | None) -> Iterator[str]:
    steps = [node for node in graph.nodes if node.kind is NodeKind.STEP]
    count = f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
    yield f"{graph.title}  ({'; '.join((*graph.triggers, count))})"
    if graph.subtitle:
        yield f"  {graph.subtitle}"
    if graph.chain:
        yield f"  {_CRITICAL} {graph.chain}"
    yield ""
    ids = {node.id for node in steps}
    needs: dict[str, list[Edge]] = {node.id: [] for node in steps}
    for edge in graph.edges:
        if edge.source in ids and edge.target in ids:
            needs[edge.target].append(edge)
    gutters = _gutters(steps, needs)
    name_width = max((width(node.title) for node in steps), default=0)
    last = len(steps) - 1
    for place, (node, joint) in enumerate(zip(steps, gutters, strict=True)):
        name = node.title + " " * (name_width - width(node.title))
        parts = _described(node, needs[node.id], graph)
        below = _continued(gutters[place + 1] if place < last else " " * len(joint))
        first = f"  {joint} {name}"
        yield from _folded(first, f"  {below} {' ' * name_width}", parts, columns)
    for node in graph.nodes:
        if node.kind is NodeKind.FINAL:
            yield ""
            yield f"  finally  {node.subtitle}"


def _folded(first: str, below: str, parts: Sequence[str], columns: int | None) -> Iterator[str]:
    """Yield one line, or several when the parts do not fit into the columns."""
    line, empty = first, True
    for part in parts:
        longer = f"{line}  {part}"
        if columns is not None and not empty and width(longer) > columns:
            yield line
            longer = f"{below}  {part}"
        line, empty = longer, False
    yield line


def _continued(joint: str) -> str:
    """Return the lines that go on below a step, towards the next one."""
    return "".join("│" if sign in "│┼├┤┴┘└" else " " for sign in joint)


def _described(node: Node, needs: Sequence[Edge], graph: Graph) -> tuple[str, ...]:
    marks = [f"[{badge.text}]" for badge in node.badges]
    if node.facts:
        marks.append(" · ".join(node.facts))
    sources = [
        f"{edge.source}.{output}" if output else edge.source
        for edge in needs
        for output in edge.label.split(", ")
    ]
    data = [
        f"data {graph.node(edge.source).title}"
        for edge in graph.edges
        if edge.target == node.id and graph.node(edge.source).kind is NodeKind.DATA
    ]
    made = [
        graph.node(edge.target).title
        for edge in graph.edges
        if edge.source == node.id and graph.node(edge.target).kind is NodeKind.DATA
    ]
    if sources or data:
        marks.append(f"<- {', '.join((*data, *sources))}")
    if made:
        marks.append(f"-> data {', '.join(made)}")
    if node.cause:
        marks.append(f"({node.cause})")
    return tuple(marks)


def _gutters(steps: Sequence[Node], needs: Mapping[str, Sequence[Edge]]) -> list[str]:
    """Return, for each step, its sign with the lines beside it."""
    last_use: dict[str, int] = {}
    for place, node in enumerate(steps):
        for edge in needs[node.id]:
            last_use[edge.source] = place
    lanes: list[str | None] = []
    rows: list[str] = []
    for place, node in enumerate(steps):
        needed = {edge.source for edge in needs[node.id]}
        ending = {one for one in needed if last_use[one] == place}
        mine = _free(lanes, ending)
        if len(lanes) > MOST_LANES:
            return [_CRITICAL if one.critical else _PLAIN for one in steps]
        rows.append(_joint(lanes, needed, ending, mine, node))
        for lane, holder in enumerate(lanes):
            if holder in ending:
                lanes[lane] = None
        lanes[mine] = node.id if node.id in last_use else None
        while lanes and lanes[-1] is None:
            lanes.pop()
    widest = max(map(len, rows), default=0)
    return [joint.ljust(widest) for joint in rows]


def _free(lanes: list[str | None], ending: set[str]) -> int:
    """Return the lane of a step: one that ends here, else the first free one."""
    for lane, holder in enumerate(lanes):
        if holder in ending:
            return lane
    for lane, holder in enumerate(lanes):
        if holder is None:
            return lane
    lanes.append(None)
    return len(lanes) - 1


def _joint(
    lanes: Sequence[str | None], needed: set[str], ending: set[str], mine: int, node: Node
) -> str:
    touched = [lane for lane, holder in enumerate(lanes) if holder in needed]
    first, last = min([mine, *touched]), max([mine, *touched])
    drawn = []
    for lane, holder in enumerate(lanes):
        inside = first <= lane < last
        if lane == mine:
            sign = _CRITICAL if node.critical else _PLAIN
        elif holder in needed:
            goes_on = holder not in ending
            sign = _branch(goes_on, left=lane > first, right=lane < last)
        elif holder is not None:
            sign = "┼" if first < lane < last else "│"
        else:
            sign = "─" if first < lane < last else " "
        drawn.append(sign + ("─" if inside else " "))
    return "".join(drawn)


def _branch(goes_on: bool, *, left: bool, right: bool) -> str:  # noqa: FBT001  a lane's state
    if goes_on:
        return "┼" if left and right else "┤" if left else "├"
    return "┴" if left and right else "┘" if left else "└"


def _links(overview: Graph) -> Iterator[str]:
    for node in overview.nodes:
        if node.kind is NodeKind.DATA:
            writers = [_name(e.source, overview) for e in overview.edges if e.target == node.id]
            readers = [_name(e.target, overview) for e in overview.edges if e.source == node.id]
            made = f"{', '.join(dict.fromkeys(writers))} ─▶ " if writers else ""
            read = f" ─▶ {', '.join(dict.fromkeys(readers))}" if readers else ""
            yield f"  {made}({node.title}){read}"


def _name(node_id: str, graph: Graph) -> str:
    return graph.node(node_id).title
