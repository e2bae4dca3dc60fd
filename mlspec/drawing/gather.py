"""Steps that need the same and are needed by the same stand together as a block.

Input: a graph. Output: blocks, and the edges between what is left. A fan-out of sixty steps is
then one block with one arrow to it, not sixty arrows; nothing is hidden.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.drawing.layout import Box, Size
from mlspec.drawing.model import Edge, EdgeKind, Graph, NodeKind

FEWEST = 7
"""Fewer steps than this are not gathered."""

_NUMBER = re.compile(r"([0-9]+)")
_GAP, _PAD, _HEAD = 14.0, 14.0, 20.0
_SHAPE = 1.6  # width of a block in terms of its height


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Steps side by side.

    Attributes:
        id: its name as an end of edges.
        members: ids of its steps, in order.
    """

    id: str
    members: tuple[str, ...]

    @property
    def title(self) -> str:
        """What stands above it."""
        return f"{len(self.members)} steps side by side"

    def size(self, sizes: Mapping[str, Size]) -> Size:
        """Return the size of the block."""
        cell, columns, rows = self._grid(sizes)
        return Size(
            columns * (cell.width + _GAP) - _GAP + 2 * _PAD,
            rows * (cell.height + _GAP) - _GAP + 2 * _PAD + _HEAD,
        )

    def boxes(self, sizes: Mapping[str, Size], at: Box) -> dict[str, Box]:
        """Return the place of each member when the block stands at a place."""
        cell, columns, _ = self._grid(sizes)
        size = self.size(sizes)
        left = at.x + (at.width - size.width) / 2 + _PAD
        top = at.y + (at.height - size.height) / 2 + _PAD + _HEAD
        return {
            member: Box(
                x=left + (number % columns) * (cell.width + _GAP),
                y=top + (number // columns) * (cell.height + _GAP),
                width=cell.width,
                height=cell.height,
            )
            for number, member in enumerate(self.members)
        }

    def _grid(self, sizes: Mapping[str, Size]) -> tuple[Size, int, int]:
        width = max(sizes[member].width for member in self.members)
        height = max(sizes[member].height for member in self.members)
        wanted = math.sqrt(len(self.members) * (height + _GAP) * _SHAPE / (width + _GAP))
        columns = max(1, min(len(self.members), round(wanted)))
        return Size(width, height), columns, math.ceil(len(self.members) / columns)


def gather(graph: Graph) -> tuple[tuple[Block, ...], tuple[Edge, ...]]:
    """Return the blocks of a graph, and its edges with blocks as ends.

    Edges to `finally` are left out: a bar stands for them.
    """
    edges = [edge for edge in graph.edges if edge.kind is not EdgeKind.FINAL]
    before: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    after: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in edges:
        after[edge.source].append(edge.target)
        before[edge.target].append(edge.source)
    alike: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for node in graph.nodes:
        if node.kind is NodeKind.STEP:
            around = (frozenset(before[node.id]), frozenset(after[node.id]))
            alike.setdefault(around, []).append(node.id)
    found = [
        tuple(sorted(members, key=_natural)) for members in alike.values() if len(members) >= FEWEST
    ]
    blocks = tuple(Block(id=f"block:{members[0]}", members=members) for members in found)
    home = {member: block.id for block in blocks for member in block.members}
    joined: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        ends = (home.get(edge.source, edge.source), home.get(edge.target, edge.target))
        joined.setdefault(ends, []).append(edge)
    return blocks, tuple(_joined(ends, several) for ends, several in joined.items())


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that puts `part-9` before `part-10`."""
    return [(int(one), "") if one.isdigit() else (-1, one) for one in _NUMBER.split(name)]


def _joined(ends: tuple[str, str], edges: list[Edge]) -> Edge:
    labels = list(dict.fromkeys(edge.label for edge in edges))
    return Edge(
        source=ends[0],
        target=ends[1],
        kind=max((edge.kind for edge in edges), key=lambda kind: kind is EdgeKind.DATA),
        label=labels[0] if len(labels) == 1 else f"{len(labels)} outputs",
        critical=any(edge.critical for edge in edges),
    )
