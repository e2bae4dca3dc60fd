"""Layered graphs: which layer each node stands in, and in which order within it.

Input: node names and edges, in an order that decides all ties. Output: a `Layered` graph in which
every edge leads from one layer to the next; edges over several layers pass through virtual nodes.
Method: longest path with sources pulled towards their consumers, then barycentre sweeps; the
order with the fewest crossings is kept (Sugiyama, Tagawa, Toda 1981).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 24  # fewer for graphs that nobody can take in anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered:
    """Nodes are numbers: first the real ones in input order, then virtual ones.

    Attributes:
        names: name of each real node.
        layers: nodes of each layer, in order.
        layer_of: layer of each node.
        before, after: neighbours of each node in the layers around it.
        chains: for each edge, all nodes it passes, ends included, from first layer to last.
        turned: edges that lead against the layers, because of a cycle.
    """

    names: tuple[str, ...]
    layers: tuple[tuple[int, ...], ...]
    layer_of: tuple[int, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]
    chains: tuple[tuple[int, ...], ...]
    turned: frozenset[int]

    def is_virtual(self, node: int) -> bool:
        """Return whether a node is only a bend of an edge."""
        return node >= len(self.names)


def arrange(
    names: Sequence[str], edges: Sequence[tuple[str, str]], last: str | None = None
) -> Layered:
    """Return the layered graph.

    Args:
        names: nodes; their order decides ties.
        edges: pairs of names; cycles are allowed.
        last: a node that stands in a layer behind all that do not come after it.
    """
    index = {name: number for number, name in enumerate(names)}
    pairs = [(index[a], index[b]) for a, b in edges]
    turned = _back_edges(len(names), pairs)
    forward = [(b, a) if number in turned else (a, b) for number, (a, b) in enumerate(pairs)]
    ranks = _ranks(len(names), forward, index.get(last) if last is not None else None)
    layer_of = list(ranks)
    chains = []
    for a, b in forward:
        between = range(ranks[a] + 1, ranks[b])
        chains.append((a, *range(len(layer_of), len(layer_of) + len(between)), b))
        layer_of.extend(between)
    before: list[list[int]] = [[] for _ in layer_of]
    after: list[list[int]] = [[] for _ in layer_of]
    for chain in chains:
        for a, b in pairwise(chain):
            after[a].append(b)
            before[b].append(a)
    layers: list[list[int]] = [[] for _ in range(max(layer_of, default=-1) + 1)]
    for node in _first_order(len(layer_of), before, after):
        layers[layer_of[node]].append(node)
    return Layered(
        names=tuple(names),
        layers=tuple(tuple(layer) for layer in _uncrossed(layers, before, after)),
        layer_of=tuple(layer_of),
        before=tuple(tuple(found) for found in before),
        after=tuple(tuple(found) for found in after),
        chains=tuple(chains),
        turned=turned,
    )


def _back_edges(count: int, pairs: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Return the edges to turn around so that no cycle is left."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for number, (a, b) in enumerate(pairs):
        out[a].append((b, number))
    state = [0] * count  # 1: on the path, 2: done
    found = set()
    for root in range(count):
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(out[root]))]
        while path:
            node, rest = path[-1]
            step = next(rest, None)
            if step is None:
                state[node] = 2
                path.pop()
            elif state[step[0]] == 1:
                found.add(step[1])
            elif state[step[0]] == 0:
                state[step[0]] = 1
                path.append((step[0], iter(out[step[0]])))
    return frozenset(found)


def _ranks(count: int, forward: Sequence[tuple[int, int]], last: int | None) -> list[int]:
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for a, b in forward:
        if a != b:
            after[a].append(b)
            before[b].append(a)
    order = _topological(count, before, after)
    ranks = [0] * count
    for node in order:
        ranks[node] = max((ranks[other] + 1 for other in before[node]), default=0)
    for node in reversed(order):
        # A node with more readers than sources stands near its readers: shorter edges.
        if after[node] and len(after[node]) >= len(before[node]):
            ranks[node] = max(ranks[node], min(ranks[other] for other in after[node]) - 1)
    if last is not None:
        behind = {last}
        for node in order:
            if any(other in behind for other in before[node]):
                behind.add(node)
        ranks[last] = max([ranks[n] + 1 for n in range(count) if n not in behind], default=0)
        for node in order:
            if node in behind and node != last:
                ranks[node] = max(ranks[other] + 1 for other in before[node])
    return ranks


def _topological(
    count: int, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> list[int]:
    waiting = [len(found) for found in before]
    ready = [node for node in range(count) if not waiting[node]]
    order = []
    while ready:
        node = ready.pop(0)
        order.append(node)
        for other in after[node]:
            waiting[other] -= 1
            if not waiting[other]:
                insort(ready, other)
    return order


def _first_order(
    count: int, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> list[int]:
    """Return nodes depth first, so that what hangs together starts together."""
    seen = [False] * count
    order = []
    for root in sorted(range(count), key=lambda node: (len(before[node]) > 0, node)):
        stack = [root]
        while stack:
            node = stack.pop()
            if seen[node]:
                continue
            seen[node] = True
            order.append(node)
            stack.extend(reversed(after[node]))
    return order


def _uncrossed(
    layers: list[list[int]], before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> list[list[int]]:
    best = [list(layer) for layer in layers]
    fewest = _crossings(best, after)
    current = [list(layer) for layer in layers]
    nodes = sum(map(len, layers))
    for sweep in range(min(_SWEEPS, max(4, 40_000 // max(nodes, 1)))):
        if fewest == 0:
            break
        downward = sweep % 2 == 0
        numbers = range(1, len(current)) if downward else range(len(current) - 2, -1, -1)
        for number in numbers:
            fixed = current[number - 1 if downward else number + 1]
            _sort_layer(current[number], fixed, before if downward else after)
        crossings = _crossings(current, after)
        if crossings < fewest:
            fewest, best = crossings, [list(layer) for layer in current]
    return best


def _sort_layer(
    layer: list[int], fixed: Sequence[int], neighbours: Sequence[Sequence[int]]
) -> None:
    at = {node: place for place, node in enumerate(fixed)}
    weights: Mapping[int, float] = {
        node: _mean(at[other] for other in neighbours[node]) if neighbours[node] else float(place)
        for place, node in enumerate(layer)
    }
    layer.sort(key=weights.__getitem__)


def _mean(values: Iterable[int]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _crossings(layers: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        at = {node: place for place, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted(at[other] for other in after[node])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total
