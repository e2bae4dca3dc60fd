"""Graph questions about steps, over ids only; the data stays in the IR.

Order is deterministic everywhere: topological orders break ties by the order of the input.
networkx is imported where a question needs an algorithm that is not three lines long.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

Needs = Mapping[str, Sequence[str]]
N = TypeVar("N", int, float)


def topological_order(needs: Needs) -> tuple[str, ...] | None:
    """Return ids so that each stands after all it needs, ties by input order; None on a cycle.

    Args:
        needs: for every id, the ids that it needs; ids that are not keys are ignored.
    """
    rank = {node: index for index, node in enumerate(needs)}
    waiting = {node: sum(1 for need in set(found) if need in rank) for node, found in needs.items()}
    dependants: dict[str, list[str]] = {node: [] for node in needs}
    for node, found in needs.items():
        for need in set(found):
            if need in rank:
                dependants[need].append(node)
    names = list(needs)
    ready = [rank[node] for node, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        node = names[heapq.heappop(ready)]
        order.append(node)
        for dependant in dependants[node]:
            waiting[dependant] -= 1
            if waiting[dependant] == 0:
                heapq.heappush(ready, rank[dependant])
    return tuple(order) if len(order) == len(names) else None


def ancestors(needs: Needs, order: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return, for each id, everything it needs directly or through others.

    Args:
        needs: direct needs.
        order: a topological order of the ids.
    """
    found: dict[str, frozenset[str]] = {}
    for node in order:
        mine: set[str] = set()
        for need in needs[node]:
            mine.add(need)
            mine |= found[need]
        found[node] = frozenset(mine)
    return found


def transitive_reduction(needs: Needs, order: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return direct needs without those that another need already implies (for drawings)."""
    above = ancestors(needs, order)
    return {
        node: tuple(
            need
            for need in found
            if not any(need in above[other] for other in found if other != need)
        )
        for node, found in needs.items()
    }


def cycles(needs: Needs) -> tuple[tuple[str, ...], ...]:
    """Return one shortest cycle for each strongly connected component that has one.

    A cycle starts at its first node in input order; the first node is not repeated at the end.
    Consecutive nodes (a, b) mean "a needs b".
    """
    import networkx as nx

    rank = {node: index for index, node in enumerate(needs)}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from(
        (node, need) for node, found in needs.items() for need in found if need in rank
    )
    found: list[tuple[str, ...]] = []
    for component in nx.strongly_connected_components(graph):
        if len(component) == 1:
            node = next(iter(component))
            if graph.has_edge(node, node):
                found.append((node,))
            continue
        part = graph.subgraph(component)
        best: tuple[str, ...] | None = None
        for start in sorted(component, key=rank.__getitem__):
            for need in sorted(part.successors(start), key=rank.__getitem__):
                path = tuple(nx.shortest_path(part, need, start))
                candidate = (start, *path[:-1])
                if best is None or len(candidate) < len(best):
                    best = candidate
            if best is not None and len(best) == 2:
                break
        if best is not None:
            first = min(range(len(best)), key=lambda index: rank[best[index]])
            found.append(best[first:] + best[:first])
    return tuple(sorted(found, key=lambda cycle: rank[cycle[0]]))


def critical_path(needs: Needs, order: Sequence[str], weight: Mapping[str, N]) -> tuple[str, ...]:
    """Return the heaviest chain of needs, first to last; ties by input order."""
    best: dict[str, N] = {}
    before: dict[str, str | None] = {}
    for node in order:
        chosen = max(needs[node], key=lambda need: best[need], default=None)
        before[node] = chosen
        best[node] = weight[node] + (best[chosen] if chosen is not None else 0)
    if not best:
        return ()
    at: str | None = max(order, key=lambda node: best[node])
    path = []
    while at is not None:
        path.append(at)
        at = before[at]
    return tuple(reversed(path))


def heaviest_antichain(needs: Needs, weight: Mapping[str, int]) -> tuple[str, ...]:
    """Return the heaviest set of ids of which none needs another, in input order.

    The weighted form of Dilworth's theorem: its weight is the total minus the largest flow from
    each id to those that need it (Ford and Fulkerson, Flows in Networks, 1962, section II.9).

    Args:
        needs: direct needs, without cycles.
        weight: whole, not negative; ids that weigh nothing are left out.
    """
    import networkx as nx

    order = topological_order(needs)
    if order is None:
        return ()
    above = ancestors(needs, order)
    heavy = [node for node in needs if weight[node] > 0]
    flow: nx.DiGraph[tuple[str, str]] = nx.DiGraph()
    start, end = ("", "start"), ("", "end")
    flow.add_nodes_from([start, end])
    for node in heavy:
        flow.add_edge(start, (node, "left"), capacity=weight[node])
        flow.add_edge((node, "right"), end, capacity=weight[node])
    flow.add_edges_from(
        ((node, "left"), (need, "right")) for node in heavy for need in heavy if need in above[node]
    )
    _, (reached, _) = nx.minimum_cut(flow, start, end)
    return tuple(
        node for node in heavy if (node, "left") in reached and (node, "right") not in reached
    )
