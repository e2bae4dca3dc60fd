"""Draws a drawing in the DOT language of Graphviz: one cluster for each pipeline.

Every text is a double-quoted string in which `"` and the backslash are escaped; nodes are named
by number, so no text of a user is ever an identifier or an attribute.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.drawing.model import Drawing, Edge, EdgeKind, Graph, Node, NodeKind

_FILL = {
    NodeKind.STEP: "#f4f6f8",
    NodeKind.FINAL: "#ffffff",
    NodeKind.DATA: "#e7f6e9",
    NodeKind.PIPELINE: "#eef2fb",
}


def render_dot(drawing: Drawing) -> str:
    """Return the text of a `.dot` file."""
    lines = [
        "digraph mlspec {",
        f"  label={_quoted(drawing.title)}; labelloc=t; fontsize=20;",
        '  rankdir=LR; compound=true; fontname="Helvetica";',
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=10, color="#57606a"];',
    ]
    shared: dict[str, str] = {}
    for place, graph in enumerate(drawing.pipelines):
        lines += _cluster(graph, place, shared)
    for name, title in shared.items():
        lines.append(
            f"  {name} [label={_quoted(title)}, shape=cylinder, style=filled, "
            f'fillcolor="{_FILL[NodeKind.DATA]}"];'
        )
    for place, graph in enumerate(drawing.pipelines):
        ids = _ids(graph, place, shared)
        lines += (f"  {line}" for line in _edges(graph, ids))
    lines.append("}")
    return "\n".join(lines) + "\n"


def _ids(graph: Graph, place: int, shared: dict[str, str]) -> dict[str, str]:
    """Return the name of each node; data nouns are shared between pipelines."""
    ids = {}
    names = {title: name for name, title in shared.items()}
    for number, node in enumerate(graph.nodes):
        if node.kind is NodeKind.DATA:
            if node.title not in names:
                names[node.title] = f"d{len(names)}"
                shared[names[node.title]] = node.title
            ids[node.id] = names[node.title]
        else:
            ids[node.id] = f"p{place}_{number}"
    return ids


def _cluster(graph: Graph, place: int, shared: dict[str, str]) -> Iterator[str]:
    ids = _ids(graph, place, shared)
    heading = "\n".join([graph.title, *graph.triggers])
    yield f"  subgraph cluster_{place} {{"
    yield f'    label={_quoted(heading)}; fontsize=13; labelloc=t; color="#d0d7de"; style=rounded;'
    for node in graph.nodes:
        if node.kind is not NodeKind.DATA:
            yield f"    {ids[node.id]} [{_attributes(node)}];"
    yield "  }"


def _attributes(node: Node) -> str:
    lines = [node.title, *(badge.text for badge in node.badges)]
    if node.small_print:
        lines.append(" · ".join(node.small_print))
    kinds = {badge.kind.value for badge in node.badges}
    parts = [f"label={_quoted(chr(10).join(lines))}", f"tooltip={_quoted(node.where)}"]
    style = ["rounded", "filled"]
    if "allow_failure" in kinds or node.kind is NodeKind.FINAL:
        style.append("dashed")
    parts.append(f'style="{",".join(style)}"')
    fill = "#fff1d0" if "approval" in kinds else _FILL[node.kind]
    parts.append(f'fillcolor="{fill}"')
    if "matrix" in kinds:
        parts.append("shape=box3d")
    if node.critical:
        parts.append('color="#0a57b8", penwidth=2.4')
    return ", ".join(parts)


def _edges(graph: Graph, ids: dict[str, str]) -> Iterator[str]:
    for edge in graph.edges:
        yield f"{ids[edge.source]} -> {ids[edge.target]}{_edge_attributes(edge)};"


def _edge_attributes(edge: Edge) -> str:
    parts = []
    if edge.label:
        parts.append(f"label={_quoted(edge.label)}")
    if edge.kind is EdgeKind.ORDER:
        parts.append("style=dashed")
    if edge.kind is EdgeKind.FINAL:
        parts.append("style=dotted")
    if edge.critical:
        parts.append('color="#0a57b8", penwidth=2.4')
    return f" [{', '.join(parts)}]" if parts else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
