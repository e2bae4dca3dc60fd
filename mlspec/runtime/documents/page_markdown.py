"""A page as Markdown; drawings are left out, their numbers stand beside them."""

from __future__ import annotations

from mlspec.runtime.documents.card import table
from mlspec.runtime.documents.inert import markdown, paragraphs
from mlspec.runtime.documents.page import Block, Heading, Page, Table, Text


def markdown_of(page: Page) -> str:
    """Return the page."""
    parts = [f"# {markdown(page.title)}", f"Verdict: **{markdown(page.verdict)}**"]
    parts += [_block(block) for block in page.blocks]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {markdown(block.text)}"
        case Text():
            return paragraphs(block.text)
        case Table():
            kept = [place for place, name in enumerate(block.head) if name]
            rows = [[_cell(row[place]) for place in kept] for row in block.rows]
            return table([markdown(block.head[place]) for place in kept], rows)


def _cell(cell: object) -> str:
    return markdown(cell) if isinstance(cell, str) else ""
