"""Draws a drawing as one self-contained page to explore: pictures, a search box, a side panel.

Nothing is fetched. The page carries a content security policy that allows only its own script and
sheet, named by digest. Texts from outside reach the page escaped, or as JSON that the script puts
into text nodes; never as mark-up. Without scripts the pictures are still there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from mlspec.drawing.legend import legend
from mlspec.drawing.markup import escaped, number
from mlspec.drawing.model import Drawing, EdgeKind, Graph, NodeKind
from mlspec.drawing.page import SCRIPT, SHEET
from mlspec.drawing.style import style_sheet
from mlspec.drawing.svg import Placed, best_layout, graph_body, markers


def render_html(drawing: Drawing) -> str:
    """Return the text of a page."""
    graphs = drawing.graphs
    sheet = style_sheet() + SHEET
    keys = {f"pipeline:{graph.id}": f"g{place}" for place, graph in enumerate(graphs)}
    data = {"graphs": [_data(graph, f"g{place}", keys) for place, graph in enumerate(graphs)]}
    sections = "\n".join(
        _section(graph, best_layout(graph), f"g{place}") for place, graph in enumerate(graphs)
    )
    tabs = "".join(
        f'<button type="button" role="tab" id="tab-g{place}" aria-controls="view-g{place}"'
        f' aria-selected="{"true" if place == 0 else "false"}">{escaped(graph.title)}</button>'
        for place, graph in enumerate(graphs)
    )
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {_digest(sheet)}; script-src {_digest(SCRIPT)}"
    )
    subtitle = f"<p>{escaped(drawing.subtitle)}</p>" if drawing.subtitle else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escaped(drawing.title)}</title>
<style>{sheet}</style>
</head>
<body>
<svg width="0" height="0" aria-hidden="true">{markers()}</svg>
<header>
<div class="who"><h1>{escaped(drawing.title)}</h1>{subtitle}</div>
<label class="find">Find a step <input id="find" type="search" autocomplete="off"
 placeholder="name, command, badge ( / )"> <output id="hits"></output></label>
</header>
<nav role="tablist" aria-label="Pipelines"{"" if len(graphs) > 1 else " hidden"}>{tabs}</nav>
<main>
<div id="stage">
{sections}
<div class="zoom" role="group" aria-label="Zoom"><button type="button" id="zoom-in"
 aria-label="Zoom in">+</button><button type="button" id="zoom-out"
 aria-label="Zoom out">&#8722;</button><button type="button" id="zoom-fit">fit</button></div>
</div>
<aside id="side" aria-live="polite" aria-label="Details"></aside>
</main>
<footer>{_legend(drawing)}</footer>
<script type="application/json" id="data">{_json(data)}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _section(graph: Graph, placed: Placed, key: str) -> str:
    margin = 16
    width, height = placed.width + 2 * margin, placed.height + 2 * margin
    size = f'width="{number(width)}" height="{number(height)}"'
    view = f'viewBox="{-margin} {-margin} {number(width)} {number(height)}"'
    facts = [escaped(text) for text in (*graph.triggers, graph.chain) if text]
    about = f"<p>{escaped(graph.subtitle)}</p>" if graph.subtitle else ""
    chips = "".join(f"<li>{fact}</li>" for fact in facts)
    return (
        f'<section id="view-{key}" role="tabpanel" aria-labelledby="tab-{key}">'
        f'<div class="about"><h2>{escaped(graph.title)}</h2>{about}<ul>{chips}</ul></div>'
        f'<div class="canvas" tabindex="0" aria-label="Picture of {escaped(graph.title)}: drag or'
        f' use the arrow keys to move, plus and minus to zoom">'
        f'<svg {size} {view} role="group">{graph_body(graph, placed, key, interactive=True)}</svg>'
        "</div></section>"
    )


def _legend(drawing: Drawing) -> str:
    panel = legend(drawing.graphs, 1000.0)
    width, height = number(panel.width + 8), number(panel.height + 6)
    return (
        f'<svg width="{width}" height="{height}" viewBox="-4 -3 {width} {height}"'
        f' role="img" aria-label="Legend">{panel.markup}</svg>'
    )


def _data(graph: Graph, key: str, keys: Mapping[str, str]) -> dict[str, object]:
    places = {node.id: f"{key}-{place}" for place, node in enumerate(graph.nodes)}
    nodes = {
        places[node.id]: {
            "title": node.title,
            "kind": node.kind.value,
            "opens": keys.get(node.id) if node.kind is NodeKind.PIPELINE else None,
            "badges": [badge.text for badge in node.badges],
            "details": [list(pair) for pair in node.details],
            "find": " ".join(
                [node.title, node.subtitle, *(badge.text for badge in node.badges), *node.facts]
            ).lower(),
        }
        for node in graph.nodes
    }
    edges = [
        [places[edge.source], places[edge.target]]
        for edge in graph.edges
        if edge.kind is not EdgeKind.FINAL
    ]
    return {"key": key, "nodes": nodes, "edges": edges}


def _json(data: object) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
