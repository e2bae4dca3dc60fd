"""Checks of a pipeline's graph: cycles, outputs that overlap (B18), two producers of one noun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlspec.analysis.paths import overlaps
from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.ir.graph import cycles
from mlspec.ir.model import Pipeline, Step, StepInput
from mlspec.source import Origin


def check_cycles(
    steps: Mapping[str, Step], needs: Mapping[str, Sequence[str]], found: list[Diagnostic]
) -> None:
    """Report one shortest cycle for each group of steps that need each other."""
    for cycle in cycles(needs):
        pairs = list(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
        places = [(*_edge(steps[one], other), one, other) for one, other in pairs]
        shown = " -> ".join((cycle[0], *reversed(cycle[1:]), cycle[0]))
        first_at, first_text, _, _ = places[0]
        found.append(
            Diagnostic(
                code=codes.CYCLE,
                message=f"dependency cycle: {shown}",
                at=first_at,
                label=first_text,
                labels=tuple(Label(at, text) for at, text, _, _ in places[1:]),
                help=("remove one of these, so that one step can start first",),
            )
        )


def _edge(step: Step, need: str) -> tuple[Origin, str]:
    """Return where a step says that it needs another, and what it says."""
    for item in step.inputs:
        if isinstance(item, StepInput) and item.step == need:
            return item.at, f"`{step.id}` reads `{need}.{item.output}`"
    if step.matrix is not None and step.matrix.dynamic is not None:
        axis = step.matrix.dynamic
        if axis.step == need:
            return axis.at, f"`{step.id}` takes its matrix from `{need}`"
    return step.at / "needs", f"`{step.id}` needs `{need}`"


def check_outputs(steps: Sequence[Step], found: list[Diagnostic]) -> None:
    """Report output paths that equal or contain each other."""
    paths = sorted(
        (
            (output.path, step.id, output.name, output.at)
            for step in steps
            for output in step.outputs
            if output.data is None
        ),
        key=lambda found_path: (found_path[0].split("/"), found_path[1], found_path[2]),
    )
    open_: list[tuple[str, str, str, Origin]] = []
    for path, step_id, name, at in paths:
        # Sorted paths: what contains this one is among the prefixes that are still open.
        while open_ and not overlaps(open_[-1][0], path):
            open_.pop()
        if open_:
            other, other_step, other_name, other_at = open_[-1]
            relation = "is" if other == path else "lies inside"
            found.append(
                Diagnostic(
                    code=codes.OUTPUT_OVERLAP,
                    message=f"output `{step_id}.{name}` {relation} output"
                    f" `{other_step}.{other_name}`",
                    at=at,
                    labels=(Label(other_at, f"`{other}` here"),),
                    help=("give every output a path of its own",),
                )
            )
            continue
        open_.append((path, step_id, name, at))


def check_producers(pipelines: Sequence[Pipeline], found: list[Diagnostic]) -> None:
    """Report data nouns that two steps of the application produce (C4)."""
    seen: dict[str, tuple[str, Origin]] = {}
    for pipeline in pipelines:
        for step in pipeline.all_steps:
            for output in step.outputs:
                if output.data is None:
                    continue
                here = f"{pipeline.id}.{step.id}"
                if output.data in seen:
                    other, at = seen[output.data]
                    found.append(
                        Diagnostic(
                            code=codes.TWO_PRODUCERS,
                            message=f"`{output.data}` is produced by `{other}` and by `{here}`",
                            at=output.at,
                            labels=(Label(at, "produced here too"),),
                            help=("let one step write it, or declare two data nouns",),
                        )
                    )
                else:
                    seen[output.data] = (here, output.at)
