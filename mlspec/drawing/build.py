"""From the IR to a drawing: which nodes, edges, badges and details there are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from mlspec.diagnostics.render.visible import visible
from mlspec.diagnostics.report import route_text
from mlspec.drawing.describe import badges_of, details_of, facts_of, subtitle_of, triggers_of
from mlspec.drawing.model import (
    Drawing,
    Edge,
    EdgeKind,
    Graph,
    Node,
    NodeKind,
    Where,
)
from mlspec.ir.graph import critical_path, topological_order, transitive_reduction
from mlspec.ir.model import Application, DataInput, DataSet, Pipeline, Step, StepInput
from mlspec.ir.values import Duration
from mlspec.source import Origin


def where_in_spec(origin: Origin) -> str:
    """Return the route of an origin, for callers that know no lines."""
    return route_text(origin.route)


def draw(
    application: Application, pipelines: tuple[str, ...] = (), where: Where = where_in_spec
) -> Drawing:
    """Make the drawing of an application.

    Args:
        application: finished IR.
        pipelines: ids of those to draw; empty: all.
        where: says where a step was written.
    """
    chosen = tuple(p for p in application.pipelines if not pipelines or p.id in pipelines)
    environment = application.environment.name
    name = "" if environment == "default" else f"environment {visible(environment)}"
    return Drawing(
        title=visible(application.name),
        subtitle=" · ".join(
            text for text in (visible(" ".join(application.description.split())), name) if text
        ),
        overview=_overview(application, chosen, where) if len(chosen) > 1 else None,
        pipelines=tuple(_pipeline_graph(pipeline, application, where) for pipeline in chosen),
    )


def _pipeline_graph(pipeline: Pipeline, application: Application, where: Where) -> Graph:
    needs = {step.id: step.needs for step in pipeline.steps}
    order = topological_order(needs) or tuple(needs)
    chain, text = _longest_chain(pipeline, order)
    pairs = set(pairwise(chain))
    steps = {step.id: step for step in pipeline.steps}
    nodes = [_data_node(data, application, where) for data in _data_read(pipeline)]
    nodes += [_step_node(steps[one], where, critical=one in chain) for one in order]
    edges = [
        Edge(source=f"data:{item.data}", target=step.id, kind=EdgeKind.DATA)
        for step in pipeline.all_steps
        for item in step.inputs
        if isinstance(item, DataInput)
    ]
    reduced = transitive_reduction(needs, order)
    edges += [
        _edge(steps[one], need, critical=(need, one) in pairs)
        for one in order
        for need in reduced[one]
    ]
    for step in pipeline.all_steps:
        for output in step.outputs:
            if output.data is not None:
                node_id = f"new:{output.data}"
                if all(node.id != node_id for node in nodes):
                    nodes.append(_data_node(output.data, application, where, new=True))
                edges.append(Edge(source=step.id, target=node_id, kind=EdgeKind.DATA))
    if pipeline.final is not None:
        nodes.append(_step_node(pipeline.final, where, critical=False))
        needed = {need for step in pipeline.steps for need in step.needs}
        edges += [
            Edge(source=step.id, target=pipeline.final.id, kind=EdgeKind.FINAL)
            for step in pipeline.steps
            if step.id not in needed
        ]
    return Graph(
        id=pipeline.id,
        title=visible(pipeline.id),
        subtitle=" · ".join(
            visible(" ".join(part.split()))
            for part in (pipeline.description, f"owner {pipeline.owner}" if pipeline.owner else "")
            if part
        ),
        chain=text,
        triggers=triggers_of(pipeline),
        nodes=tuple(nodes),
        edges=tuple(edges),
        where=where(pipeline.at),
    )


def _step_node(step: Step, where: Where, *, critical: bool) -> Node:
    is_final = step.id == "finally"
    place = where(step.at)
    return Node(
        id=step.id,
        kind=NodeKind.FINAL if is_final else NodeKind.STEP,
        title=visible(step.id),
        subtitle=subtitle_of(step),
        facts=facts_of(step),
        badges=badges_of(step),
        critical=critical,
        where=place,
        cause=" ".join(place.split()) if step.kind.is_derived else "",
        details=details_of(step, place),
    )


def _data_node(data_id: str, application: Application, where: Where, *, new: bool = False) -> Node:
    dataset = next((one for one in application.data if one.id == data_id), DataSet(id=data_id))
    source = visible(dataset.source) if dataset.source else "kept in the store"
    place = where(dataset.at)
    details = [("Data", source)]
    if dataset.format:
        details.append(("Format", visible(dataset.format)))
    if dataset.query:
        details.append(("Query", visible(dataset.query)))
    return Node(
        id=f"{'new' if new else 'data'}:{data_id}",
        kind=NodeKind.DATA,
        title=visible(data_id),
        subtitle="new version" if new else "",
        where=place,
        details=(*details, ("Spec", place)),
    )


def _data_read(pipeline: Pipeline) -> tuple[str, ...]:
    found = (
        item.data
        for step in pipeline.all_steps
        for item in step.inputs
        if isinstance(item, DataInput)
    )
    return tuple(dict.fromkeys(found))


def _edge(step: Step, need: str, *, critical: bool) -> Edge:
    outputs = dict.fromkeys(
        item.output for item in step.inputs if isinstance(item, StepInput) and item.step == need
    )
    dynamic = step.matrix.dynamic if step.matrix is not None else None
    if dynamic is not None and dynamic.step == need:
        outputs.setdefault(dynamic.output)
    return Edge(
        source=need,
        target=step.id,
        kind=EdgeKind.DATA if outputs else EdgeKind.ORDER,
        label=visible(", ".join(outputs)),
        critical=critical,
    )


def _longest_chain(pipeline: Pipeline, order: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return the chain that bounds the run's length: by timeouts, else by number of steps."""
    steps = pipeline.steps
    if len(steps) < 2:
        return (), ""
    needs = {step.id: step.needs for step in steps}
    has_timeouts = all(step.timeout is not None for step in steps)
    weight = {
        step.id: _rounds(step) * step.timeout.milliseconds
        if has_timeouts and step.timeout is not None
        else 1
        for step in steps
    }
    chain = critical_path(needs, order, weight)
    if len(chain) < 2:
        return (), ""
    if has_timeouts:
        total = Duration(sum(weight[step_id] for step_id in chain))
        return chain, f"longest chain: {len(chain)} steps, at most {spelled(total)} by timeouts"
    return chain, f"longest chain: {len(chain)} of {len(steps)} steps"


def _rounds(step: Step) -> int:
    """Return how often a step's timeout can pass one after the other."""
    if step.matrix is None or step.matrix.parallel is None:
        return 1
    count = len(step.matrix.rows) * (step.matrix.dynamic.max if step.matrix.dynamic else 1)
    return -(-count // step.matrix.parallel)


def spelled(duration: Duration) -> str:
    """Return a length of time for people, in its two largest units: `2h 30m`."""
    rest = duration.whole_seconds
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def _overview(application: Application, chosen: tuple[Pipeline, ...], where: Where) -> Graph:
    nodes = [
        Node(
            id=f"pipeline:{pipeline.id}",
            kind=NodeKind.PIPELINE,
            title=visible(pipeline.id),
            subtitle=f"{len(pipeline.steps)} step{'' if len(pipeline.steps) == 1 else 's'}",
            facts=triggers_of(pipeline),
            where=where(pipeline.at),
            details=(("Spec", where(pipeline.at)),),
        )
        for pipeline in chosen
    ]
    edges = list(dict.fromkeys(_data_edges(chosen)))
    used = dict.fromkeys(
        end for edge in edges for end in (edge.source, edge.target) if end.startswith("data:")
    )
    nodes += [_data_node(end.removeprefix("data:"), application, where) for end in used]
    return Graph(id="", title="Pipelines and their data", nodes=tuple(nodes), edges=tuple(edges))


def _data_edges(chosen: tuple[Pipeline, ...]) -> Iterator[Edge]:
    for pipeline in chosen:
        node = f"pipeline:{pipeline.id}"
        for data in (*_data_read(pipeline), *pipeline.triggers.data):
            label = "starts" if data in pipeline.triggers.data else ""
            yield Edge(source=f"data:{data}", target=node, kind=EdgeKind.DATA, label=label)
        for step in pipeline.all_steps:
            for output in step.outputs:
                if output.data is not None:
                    yield Edge(source=node, target=f"data:{output.data}", kind=EdgeKind.DATA)
