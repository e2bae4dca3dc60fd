"""How a run ends: what starts other pipelines, `finally` where it reads steps, the verdict.

The verdict is the only leaf. It runs (and succeeds) when no step without `allow_failure` failed.
Otherwise it is omitted, and an omitted leaf gives the DAG the phase of the branches above it,
failed ones first (assessDAGPhase in workflow/controller/dag.go, v3.6.19, v3.7.18, v4.1.2).
"""

from __future__ import annotations

from mlspec.backends.kubernetes.conditions import both, ended, went_wrong
from mlspec.backends.kubernetes.context import PipelineContext
from mlspec.backends.kubernetes.presence import succeeded_expr
from mlspec.backends.kubernetes.tasks import Plan, Task, input_parameters
from mlspec.ir.model import Step, StepInput


def close_plan(ctx: PipelineContext, plan: Plan, starters: tuple[Task, ...]) -> None:
    """Add what starts other pipelines, `finally` where it reads steps, and the verdict."""
    for task in starters:
        plan.add(task)
    failures = [
        term
        for step in ctx.pipeline.steps
        if not step.allow_failure
        for term in plan.results[step.id].failed
    ]
    for name in plan.gates:
        failures += went_wrong(name)
    good = f"!({' || '.join(failures)})" if failures else ""
    final = ctx.pipeline.final
    if final is None or not reads_steps(final):
        plan.verdict = _close(ctx, plan, "verdict", good)
        return
    outcome = _close(ctx, plan, "outcome", good)
    name = ctx.names.step(final.id)
    status = f"{{{{={succeeded_expr(outcome)} ? 'success' : 'failed'}}}}"
    plan.add(
        Task(
            name=name,
            template=name,
            depends=ended(outcome),
            parameters=(("status", status), *input_parameters(final, ctx, plan, None)),
        )
    )
    plan.verdict = ctx.names.fresh("verdict")
    depends = both(f"{outcome}.Succeeded", ended(name))
    plan.add(Task(name=plan.verdict, template=ctx.gate, depends=depends))


def _close(ctx: PipelineContext, plan: Plan, wanted: str, good: str) -> str:
    """Add a task that waits for every other one and runs if `good` holds."""
    named = " ".join((good, *(task.depends for task in plan.tasks)))
    words = set(named.replace("(", " ").replace(")", " ").replace("!", " ").split())
    seen = {word.partition(".")[0] for word in words}
    open_ends = [ended(task.name) for task in plan.tasks if task.name not in seen]
    name = ctx.names.fresh(wanted)
    plan.add(Task(name=name, template=ctx.gate, depends=both(good, *open_ends)))
    return name


def reads_steps(final: Step) -> bool:
    """Whether `finally` reads outputs, so that it has to be a task beside those that made them."""
    return any(isinstance(item, StepInput) for item in final.inputs)
