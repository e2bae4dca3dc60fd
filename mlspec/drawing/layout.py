"""Places: where boxes stand and how edges run, in pixels.

Input: sizes of nodes and of labels. Output: a `Layout`. Invariants: boxes never overlap; an
edge runs straight through a lane of its own wherever it passes a layer, so it never crosses a
box; the same input gives the same numbers.

Within this module "along" is the direction in which the graph flows, "across" the other one; a
sideways layout flows from left to right, others from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mlspec.drawing.layers import Layered, arrange

_GAP_ACROSS = 22.0
_GAP_LANES = 12.0
_GAP_ALONG = 54.0
_GAP_DOWN = 42.0
_OUTLET = 16.0
_STUB = 9.0  # straight piece before an arrow head
_ROUNDS = 24

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a box or a label; whether a box may become as wide as its column."""

    width: float
    height: float
    grows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A placed node, by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> Point:
        """The centre."""
        return (self.x + self.width / 2, self.y + self.height / 2)


Route = tuple[tuple[Point, ...], ...]
"""A placed edge: the first point, then one tuple for each piece. One point is a straight line to
it, three are the control points and the end of a cubic curve."""


@dataclass(frozen=True, slots=True)
class Label:
    """A placed text, by its centre."""

    text: str
    at: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All places: boxes by node, routes in the order of the edges."""

    boxes: Mapping[str, Box]
    routes: tuple[Route, ...]
    labels: tuple[Label, ...]
    width: float
    height: float
    sideways: bool


def lay_out(
    sizes: Mapping[str, Size],
    edges: Sequence[tuple[str, str, str]],
    label_size: Callable[[str], Size],
    *,
    sideways: bool,
    last: str | None = None,
) -> Layout:
    """Place nodes and edges.

    Edges of a node with the same label leave it through one outlet that carries the label once.

    Args:
        sizes: size of each node, in the order that decides ties.
        edges: source, target and label, which may be empty.
        label_size: measures a label.
        sideways: whether the graph flows from left to right.
        last: a node that stands behind everything else.
    """
    graph = arrange(tuple(sizes), [(source, target) for source, target, _ in edges], last)
    plan = _Plan(
        graph,
        [sizes[name] for name in graph.names],
        [label for _, _, label in edges],
        label_size,
        sideways=sideways,
    )
    if last is not None:
        plan.centre(graph.names.index(last))
    return plan.layout()


class _Plan:
    def __init__(
        self,
        graph: Layered,
        sizes: Sequence[Size],
        labels: Sequence[str],
        label_size: Callable[[str], Size],
        *,
        sideways: bool,
    ) -> None:
        self.graph = graph
        self.sideways = sideways
        self.labels = labels
        self.label_size = label_size
        self.outlets: dict[int, dict[str, list[int]]] = {}
        for number, chain in enumerate(graph.chains):
            self.outlets.setdefault(chain[0], {}).setdefault(labels[number], []).append(number)
        virtual = [0.0] * (len(graph.layer_of) - len(sizes))
        self.along_size = [s.width if sideways else s.height for s in sizes] + virtual
        self.across_size = [s.height if sideways else s.width for s in sizes] + virtual
        for node, outlets in self.outlets.items():  # room for all labels side by side
            wanted = sum(map(self._outlet_size, outlets)) + 16
            self.across_size[node] = max(self.across_size[node], wanted)
        self.across = _centres(graph, self.across_size)
        along = self.along_size
        self.extent = [max((along[n] for n in layer), default=0.0) for layer in graph.layers]
        if sideways:  # columns look calmer when their boxes have one width
            for node, size in enumerate(sizes):
                if size.grows:
                    along[node] = self.extent[graph.layer_of[node]]
        self.stem = self._stems()
        self.starts = self._starts()

    def centre(self, node: int) -> None:
        """Move a node that is alone in its layer to the middle."""
        if self.graph.layers[self.graph.layer_of[node]] == (node,):
            ends = [a + b / 2 for a, b in zip(self.across, self.across_size, strict=True)]
            self.across[node] = max(max(ends) / 2, self.across_size[node] / 2)

    def layout(self) -> Layout:
        boxes = {name: self._box(node) for node, name in enumerate(self.graph.names)}
        leave = self._leave_ports()
        enter = self._enter_ports()
        routes = []
        for number, chain in enumerate(self.graph.chains):
            pieces = self._pieces(chain, leave[number], enter[number])
            if number in self.graph.turned:
                pieces = _turned(pieces)
            routes.append(tuple(tuple(self._point(one) for one in piece) for piece in pieces))
        return Layout(
            boxes=boxes,
            routes=tuple(routes),
            labels=self._placed_labels(leave),
            width=max((box.x + box.width for box in boxes.values()), default=0.0),
            height=max((box.y + box.height for box in boxes.values()), default=0.0),
            sideways=self.sideways,
        )

    def _outlet_size(self, label: str) -> float:
        if not label:
            return _OUTLET
        size = self.label_size(label)
        return max(_OUTLET, size.height if self.sideways else size.width + 6)

    def _stems(self) -> list[float]:
        """Return, for each layer, how long edges leave it straight: the length of a label."""
        stems = [0.0] * len(self.graph.layers)
        for node, outlets in self.outlets.items():
            for label in outlets:
                if label:
                    size = self.label_size(label)
                    layer = self.graph.layer_of[node]
                    room = size.width if self.sideways else size.height
                    stems[layer] = max(stems[layer], room + 12)
        return stems

    def _starts(self) -> list[float]:
        """Return where layers begin; gaps make room for labels and for steep edges."""
        steep = [0.0] * len(self.graph.layers)
        for chain in self.graph.chains:
            for a, b in pairwise(chain):
                gap = self.graph.layer_of[b]
                steep[gap] = max(steep[gap], abs(self.across[a] - self.across[b]))
        starts = []
        at = 0.0
        for number, extent in enumerate(self.extent):
            if number:
                at += (
                    max(_GAP_ALONG if self.sideways else _GAP_DOWN, min(steep[number] / 7, 150.0))
                    + self.stem[number - 1]
                )
            starts.append(at)
            at += extent
        return starts

    def _box(self, node: int) -> Box:
        layer = self.graph.layer_of[node]
        along = self.starts[layer] + (self.extent[layer] - self.along_size[node]) / 2
        across = self.across[node] - self.across_size[node] / 2
        if self.sideways:
            return Box(
                x=along, y=across, width=self.along_size[node], height=self.across_size[node]
            )
        return Box(x=across, y=along, width=self.across_size[node], height=self.along_size[node])

    def _leave_ports(self) -> list[float]:
        """Return where each edge leaves its box: one place for each label."""
        ports = [0.0] * len(self.graph.chains)
        for node, outlets in self.outlets.items():
            ordered = sorted(
                outlets.items(),
                key=lambda item: (
                    _median([self.across[self.graph.chains[n][1]] for n in item[1]]),
                    item[0],
                ),
            )
            sizes = [self._outlet_size(label) for label, _ in ordered]
            at = self.across[node] - sum(sizes) / 2
            for size, (_, numbers) in zip(sizes, ordered, strict=True):
                for number in numbers:
                    ports[number] = at + size / 2
                at += size
        return ports

    def _enter_ports(self) -> list[float]:
        """Return where each edge enters its box, spread over the side, ordered by direction."""
        sides: dict[int, list[tuple[float, int]]] = {}
        for number, chain in enumerate(self.graph.chains):
            sides.setdefault(chain[-1], []).append((self.across[chain[-2]], number))
        ports = [0.0] * len(self.graph.chains)
        for node, found in sides.items():
            room = max(self.across_size[node] - 24.0, 0.0)
            step = min(16.0, room / max(len(found) - 1, 1))
            first = self.across[node] - step * (len(found) - 1) / 2
            for place, (_, number) in enumerate(sorted(found)):
                ports[number] = first + place * step
        return ports

    def _placed_labels(self, leave: Sequence[float]) -> tuple[Label, ...]:
        placed = []
        for node, outlets in self.outlets.items():
            for label, numbers in outlets.items():
                if label:
                    size = self.label_size(label)
                    layer = self.graph.layer_of[node]
                    begin = self.starts[layer] + self.extent[layer]
                    begin -= (self.extent[layer] - self.along_size[node]) / 2
                    along = begin + 6 + (size.width if self.sideways else size.height) / 2
                    placed.append(Label(label, self._point((along, leave[numbers[0]]))))
        return tuple(placed)

    def _pieces(
        self, chain: tuple[int, ...], leave: float, enter: float
    ) -> list[tuple[Point, ...]]:
        """Return the pieces of an edge in (along, across), ends included."""
        graph = self.graph
        first, last = graph.layer_of[chain[0]], graph.layer_of[chain[-1]]
        slack = (self.extent[first] - self.along_size[chain[0]]) / 2
        begin = self.starts[first] + self.extent[first] - slack
        at = begin + slack + self.stem[first]
        pieces: list[tuple[Point, ...]] = [((begin, leave),)]
        if at > begin + 0.01:
            pieces.append(((at, leave),))
        across = leave
        for node in chain[1:]:
            layer = graph.layer_of[node]
            target = enter if node == chain[-1] else self.across[node]
            start = self.starts[layer] - (_STUB if layer == last else 0.0)
            if abs(target - across) > 0.5:
                middle = (at + start) / 2
                pieces.append(((middle, across), (middle, target), (start, target)))
            across = target
            at = end = self.starts[layer] + self.extent[layer]
            if layer != last:
                at = end = at + self.stem[layer]
            else:
                end = self.starts[layer] + (self.extent[layer] - self.along_size[node]) / 2
            pieces.append(((end, target),))
        return pieces

    def _point(self, point: Point) -> Point:
        return point if self.sideways else (point[1], point[0])


def _centres(graph: Layered, size: Sequence[float]) -> list[float]:
    """Return the centre of each node across the flow: near its neighbours, never overlapping.

    Each sweep solves one layer exactly: least squares to the wanted places under the minimal
    distances (pool adjacent violators); bends weigh more, so that long edges are straight.
    """
    across = [0.0] * len(graph.layer_of)
    for layer in graph.layers:
        at = 0.0
        for left, node in enumerate(layer):
            if left:
                at += _distance(graph, layer[left - 1], node, size)
            across[node] = at
    rounds = min(_ROUNDS, max(8, 60_000 // max(len(across), 1)))
    for round_ in range(rounds):
        downward = round_ % 2 == 0
        both = round_ >= rounds - 4
        layers = graph.layers if downward else graph.layers[::-1]
        for layer in layers:
            wanted, weights = [], []
            for node in layer:
                around = graph.before[node] if downward else graph.after[node]
                if both or not around:
                    around = graph.before[node] + graph.after[node]
                wanted.append(_median([across[n] for n in around]) if around else across[node])
                weights.append(_weight(graph, node, around))
            gaps = [_distance(graph, a, b, size) for a, b in pairwise(layer)]
            for node, value in zip(layer, _spread(wanted, weights, gaps), strict=True):
                across[node] = value
    return _packed(across, size)


def _packed(across: Sequence[float], size: Sequence[float]) -> list[float]:
    """Return the places from 0, without empty bands between parts that do not hang together."""
    moved = list(across)
    shift, reached = 0.0, None
    for node in sorted(range(len(across)), key=lambda n: (across[n] - size[n] / 2, n)):
        begin, end = across[node] - size[node] / 2, across[node] + size[node] / 2
        if reached is None:
            shift = begin
        elif begin > reached + _GAP_ACROSS:
            shift += begin - reached - _GAP_ACROSS
        reached = end if reached is None else max(reached, end)
        moved[node] -= shift
    return moved


def _turned(pieces: Sequence[tuple[Point, ...]]) -> list[tuple[Point, ...]]:
    """Return the pieces from the other end."""
    ends = [piece[-1] for piece in pieces]
    found: list[tuple[Point, ...]] = [(ends[-1],)]
    for number in range(len(pieces) - 1, 0, -1):
        controls = pieces[number][:-1]
        found.append((*reversed(controls), ends[number - 1]))
    return found


def _weight(graph: Layered, node: int, around: Sequence[int]) -> float:
    if graph.is_virtual(node):
        return 8.0 if any(graph.is_virtual(other) for other in around) else 3.0
    return 1.0 if around else 0.1


def _distance(graph: Layered, a: int, b: int, size: Sequence[float]) -> float:
    lanes = graph.is_virtual(a) or graph.is_virtual(b)
    return (size[a] + size[b]) / 2 + (_GAP_LANES if lanes else _GAP_ACROSS)


def _median(values: list[float]) -> float:
    values.sort()
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _spread(
    wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]
) -> list[float]:
    """Return places as near as possible to the wanted ones, at least `gaps` apart."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, float, int]] = []  # weighted sum, weight, count
    for place, weight, offset in zip(wanted, weights, offsets, strict=True):
        block = ((place - offset) * weight, weight, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] > block[0] / block[1]:
            total, heavy, count = blocks.pop()
            block = (block[0] + total, block[1] + heavy, block[2] + count)
        blocks.append(block)
    means = [total / weight for total, weight, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
