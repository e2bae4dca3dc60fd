"""What a picture of an application shows: pipelines as nodes and edges, nothing about looks.

Input: an application (finished IR). Output: a `Drawing`. Invariants: texts are visible and on one
line (user text was made safe to print, not to be mark-up: every format escapes for itself);
edges are the transitive reduction of the needs; order is the order of the IR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from mlspec.source import Origin

Where = Callable[[Origin], str]
"""Says where something was written: the route in the spec, with a line if the caller knows it."""


class NodeKind(Enum):
    """What a node stands for."""

    STEP = "step"
    FINAL = "finally"
    DATA = "data"
    PIPELINE = "pipeline"


class EdgeKind(Enum):
    """Why there is an edge."""

    DATA = "data"
    ORDER = "order"
    FINAL = "finally"


class BadgeKind(Enum):
    """What is special about a step."""

    APPROVAL = "approval"
    CONDITION = "condition"
    JOIN = "join"
    MATRIX = "matrix"
    LOCK = "lock"
    ALLOW_FAILURE = "allow_failure"


@dataclass(frozen=True, slots=True)
class Badge:
    """A mark on a node."""

    kind: BadgeKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box.

    Attributes:
        id: unique in its graph.
        title: never shortened.
        subtitle: what it does; may be shortened.
        facts: timeout, retries, resources: short texts.
        badges: marks.
        critical: on the longest chain.
        where: where it was written.
        cause: for a derived step, the place of the spec that caused it; else empty.
        details: everything else, as label and lines of text.
    """

    id: str
    kind: NodeKind
    title: str
    subtitle: str = ""
    facts: tuple[str, ...] = ()
    badges: tuple[Badge, ...] = ()
    critical: bool = False
    where: str = ""
    cause: str = ""
    details: tuple[tuple[str, str], ...] = ()

    @property
    def small_print(self) -> tuple[str, ...]:
        """Facts, and for a derived step the line of the spec that caused it."""
        return (*self.facts, *self.cause.split()[:1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A line from what comes first to what comes later."""

    source: str
    target: str
    kind: EdgeKind
    label: str = ""
    critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One picture.

    Attributes:
        id: name of the pipeline, or empty for the overview.
        chain: text about the longest chain, or empty.
        triggers: what starts a run, one text each.
        nodes: in topological order where there is one.
    """

    id: str
    title: str
    subtitle: str = ""
    chain: str = ""
    triggers: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    where: str = ""

    def node(self, node_id: str) -> Node:
        """Return a node by id; raises KeyError."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All pictures of an application.

    Attributes:
        overview: pipelines and the data between them; None when there is only one pipeline.
    """

    title: str
    subtitle: str = ""
    overview: Graph | None = None
    pipelines: tuple[Graph, ...] = ()

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """All pictures, the overview first when pipelines hand data to each other."""
        linked = self.overview is not None and self.overview.edges
        return (self.overview, *self.pipelines) if linked and self.overview else self.pipelines
