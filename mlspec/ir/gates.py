"""The approval of an environment (C11) as a step: "before anything runs there".

`gated` puts one step in front of all others. It carries the environment's approvals and does
nothing else; what used to start a run now needs it. A no fails that step; then no other step
starts, whatever its join (only `finally` does). The interpreter and drawings use this; back ends
that can say it in their own way do (Airflow and Argo Workflows: every task needs the admission).
"""

from __future__ import annotations

from dataclasses import replace

from mlspec.ir.model import Application, Join, Pipeline, Script, Step


def gated(application: Application) -> Application:
    """Return the application with the environment's approvals as first steps of its pipelines."""
    if not application.environment.approvals:
        return application
    return replace(
        application,
        environment=replace(application.environment, approvals=()),
        pipelines=tuple(_gated(pipeline, application) for pipeline in application.pipelines),
    )


def _gated(pipeline: Pipeline, application: Application) -> Pipeline:
    environment = application.environment
    taken = {step.id for step in pipeline.all_steps}
    gate_id = "environment"
    while gate_id in taken:
        gate_id += "-gate"
    gate = Step(
        id=gate_id,
        action=Script(text="true", at=environment.at),
        description=f"May this run use {environment.name}?",
        approvals=environment.approvals,
        at=environment.at,
    )
    # What needs nothing has no join; now that it needs the gate, only a yes may start it.
    steps = (
        replace(step, needs=(gate_id,), join=Join.ALL_SUCCESS) if not step.needs else step
        for step in pipeline.steps
    )
    return replace(pipeline, steps=(gate, *steps))
