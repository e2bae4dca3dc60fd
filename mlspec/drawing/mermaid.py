"""Draws a drawing as a Mermaid flowchart, which GitHub and GitLab show in Markdown.

Texts stand in quoted labels with everything that Mermaid, Markdown or HTML could read spelled as
character codes (`#34;`); nodes are named by number.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.drawing.model import BadgeKind, Drawing, Edge, EdgeKind, Graph, Node, NodeKind

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -.,:/()=+%")
_SIGNS = {
    BadgeKind.APPROVAL: "✋",
    BadgeKind.CONDITION: "◇",
    BadgeKind.JOIN: "⑂",
    BadgeKind.MATRIX: "▦",
    BadgeKind.LOCK: "🔒",
    BadgeKind.ALLOW_FAILURE: "⚠",
}


def render_mermaid(drawing: Drawing) -> str:
    """Return the text of a flowchart, to stand between Markdown's mermaid fences."""
    lines = ["flowchart LR"]
    shared: dict[str, str] = {}
    links: list[tuple[str, Edge]] = []
    for place, graph in enumerate(drawing.pipelines):
        ids = _ids(graph, place, shared)
        heading = " · ".join([graph.title, *graph.triggers])
        lines.append(f'  subgraph p{place} ["{_spelled(heading)}"]')
        lines.append("    direction LR")
        lines += (
            f"    {_node(node, ids[node.id])}"
            for node in graph.nodes
            if node.kind is not NodeKind.DATA
        )
        lines.append("  end")
        links += (
            (f"{ids[edge.source]} {_arrow(edge)} {ids[edge.target]}", edge) for edge in graph.edges
        )
    lines += (f'  {name}[("{_spelled(title)}")]:::data' for title, name in shared.items())
    lines += (f"  {link}" for link, _ in links)
    lines += _looks([edge for _, edge in links])
    return "\n".join(lines) + "\n"


def _ids(graph: Graph, place: int, shared: dict[str, str]) -> dict[str, str]:
    ids = {}
    for number, node in enumerate(graph.nodes):
        if node.kind is NodeKind.DATA:
            ids[node.id] = shared.setdefault(node.title, f"d{len(shared)}")
        else:
            ids[node.id] = f"p{place}s{number}"
    return ids


def _node(node: Node, name: str) -> str:
    lines = [f"<b>{_spelled(node.title)}</b>"]
    lines += (f"{_SIGNS[badge.kind]} {_spelled(badge.text)}" for badge in node.badges)
    if node.small_print:
        lines.append(_spelled(" · ".join(node.small_print)))
    label = "<br/>".join(lines)
    kinds = {badge.kind for badge in node.badges}
    if node.kind is NodeKind.FINAL:
        shape = f'{name}(["{label}"])'
    elif BadgeKind.APPROVAL in kinds:
        shape = f'{name}{{{{"{label}"}}}}'
    elif BadgeKind.MATRIX in kinds:
        shape = f'{name}[["{label}"]]'
    else:
        shape = f'{name}["{label}"]'
    return f"{shape}{_class(node, kinds)}"


def _class(node: Node, kinds: set[BadgeKind]) -> str:
    if BadgeKind.APPROVAL in kinds:
        return ":::approval"
    if node.critical:
        return ":::critical"
    return ":::mayfail" if BadgeKind.ALLOW_FAILURE in kinds else ""


def _arrow(edge: Edge) -> str:
    label = f'|"{_spelled(edge.label)}"|' if edge.label else ""
    match edge.kind:
        case EdgeKind.DATA:
            return f"-->{label}"
        case EdgeKind.ORDER:
            return f"-.->{label}"
        case EdgeKind.FINAL:
            return "-.-o"


def _looks(edges: list[Edge]) -> Iterator[str]:
    yield "  classDef data fill:#e7f6e9,stroke:#4c9659,color:#185427"
    yield "  classDef approval fill:#fff1d0,stroke:#b87a00,color:#6b4400"
    yield "  classDef critical fill:#e4f0ff,stroke:#0a57b8,stroke-width:2px,color:#1f2328"
    yield "  classDef mayfail stroke-dasharray:5 3"
    critical = ",".join(str(place) for place, edge in enumerate(edges) if edge.critical)
    if critical:
        yield f"  linkStyle {critical} stroke:#0a57b8,stroke-width:3px"


def _spelled(text: str) -> str:
    return "".join(char if char in _PLAIN else f"#{ord(char)};" for char in text)
