"""Pictures of the graph: text, mermaid, dot, SVG, HTML."""
