"""Print workflow files: plain data, blank lines between sections and jobs, versions as comments.

Input: the model; output: artifacts. Pure. Each section is dumped by itself, so that blank lines
can stand between them; no section ends in a block scalar that would swallow one.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.backends.github_actions import scripts
from mlspec.backends.github_actions.model import (
    Concurrency,
    Job,
    Run,
    Strategy,
    Use,
    Workflow,
    Workflows,
)
from mlspec.backends.github_actions.quoting import Code, Value, render
from mlspec.emit.artifact import Artifact
from mlspec.yamlio.dumper import Commented, Data, dump


def emit(model: Workflows) -> tuple[Artifact, ...]:
    """Return one artifact for each workflow."""
    return tuple(
        Artifact(
            path=workflow.path,
            text=workflow_text(workflow),
            target="github-actions",
            kind="workflow",
            pipeline=workflow.pipeline,
            environment=workflow.environment,
        )
        for workflow in model.files
    )


def workflow_text(workflow: Workflow) -> str:
    """Return the text of a workflow file."""
    head: list[Mapping[str, Data]] = [
        {"name": workflow.name},
        {"on": workflow.on},
        {
            "permissions": {"contents": "read"},
            "concurrency": _concurrency(workflow.concurrency),
            "defaults": {"run": {"shell": f"{scripts.STRICT_BASH} {{0}}"}},
        },
    ]
    parts = [
        dump(part, workflow.comment if number == 0 else "") for number, part in enumerate(head)
    ]
    jobs = [_indent(dump({job.id: job_data(job)})) for job in workflow.jobs]
    return "\n".join([*parts, "jobs:\n" + "\n".join(jobs)])


def _indent(text: str) -> str:
    lines = text.split("\n")[:-1]
    return "".join(f"  {line}\n" if line else "\n" for line in lines)


def job_data(job: Job) -> dict[str, Data]:
    """Return a job as plain data, in the order in which people read one."""
    data: dict[str, Data] = {}
    if job.name is not None:
        data["name"] = job.name
    if len(job.needs) == 1:
        data["needs"] = job.needs[0]
    elif job.needs:
        data["needs"] = list(job.needs)
    if job.condition is not None:
        data["if"] = f"${{{{ {job.condition} }}}}"
    data["runs-on"] = _runs_on(job.runs_on)
    if job.permissions:
        data["permissions"] = dict(job.permissions)
    if job.environment is not None:
        data["environment"] = render(job.environment)
    if job.concurrency is not None:
        data["concurrency"] = _concurrency(job.concurrency)
    if job.timeout_minutes is not None:
        data["timeout-minutes"] = job.timeout_minutes
    if job.strategy is not None:
        data["strategy"] = _strategy(job.strategy)
    if job.outputs:
        data["outputs"] = {name: render((Code(code),)) for name, code in job.outputs}
    data["steps"] = [_use(step) if isinstance(step, Use) else _run(step) for step in job.steps]
    return data


def _runs_on(labels: Value | tuple[Value, ...]) -> Data:
    many = [render(label) for label in labels if isinstance(label, tuple)]
    single: Value = tuple(part for part in labels if not isinstance(part, tuple))
    return many or render(single)


def _concurrency(concurrency: Concurrency) -> Data:
    data: dict[str, Data] = {"group": render(concurrency.group), "cancel-in-progress": False}
    if concurrency.queue:
        data["queue"] = "max"
    return data


def _strategy(strategy: Strategy) -> Data:
    matrix: dict[str, Data] = {
        key: render((values,)) if isinstance(values, Code) else [render(v) for v in values]
        for key, values in strategy.axes
    }
    if strategy.include:
        matrix["include"] = [{key: render(value) for key, value in row} for row in strategy.include]
    data: dict[str, Data] = {"fail-fast": False}
    if strategy.max_parallel is not None:
        data["max-parallel"] = strategy.max_parallel
    data["matrix"] = matrix
    return data


def _use(step: Use) -> Data:
    data: dict[str, Data] = {"name": step.name}
    if step.id is not None:
        data["id"] = step.id
    if step.condition is not None:
        data["if"] = f"${{{{ {step.condition} }}}}"
    data["uses"] = Commented(step.action.uses, step.action.version)
    if step.arguments:
        data["with"] = {
            key: value if isinstance(value, bool) else render(value)
            for key, value in step.arguments
        }
    return data


def _run(step: Run) -> Data:
    data: dict[str, Data] = {"name": step.name}
    if step.id is not None:
        data["id"] = step.id
    if step.condition is not None:
        data["if"] = f"${{{{ {step.condition} }}}}"
    if step.tolerated:
        data["continue-on-error"] = True
    if step.shell is not None:
        data["shell"] = step.shell
    if step.folder is not None:
        data["working-directory"] = render(step.folder)
    if step.env:
        data["env"] = {name: render(value) for name, value in step.env}
    data["run"] = render(step.script)
    return data
