"""Limits that only the finished workflow shows: long expressions, large scripts, large files.

Sources: the runner's ExpressionConstants (21,000 characters); Linux MAX_ARG_STRLEN (128 KiB for
one environment variable); `refusals.MAX_FILE` for the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.backends.github_actions.emit import workflow_text
from mlspec.backends.github_actions.model import Job, Run, Workflow
from mlspec.backends.github_actions.quoting import (
    MAX_EXPRESSION,
    Value,
    is_evaluated,
    render,
)
from mlspec.backends.github_actions.refusals import MAX_FILE
from mlspec.diagnostics.codes.targets import TARGET_LIMIT
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Pipeline
from mlspec.source import Origin

MAX_VARIABLE = 120_000
"""Bytes of one environment variable: below Linux's 131,072 for name and value together."""
_MANY_JOBS = 100
"""Below this many jobs a file cannot be too large unless a script is."""


def check_workflow(workflow: Workflow, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Yield an error for each limit that a workflow exceeds."""
    places = {step.id: step.at for step in pipeline.all_steps}
    for job in workflow.jobs:
        yield from _check_job(job, places.get(job.id.partition("_")[0], pipeline.at))
    size = len(workflow.jobs)
    scripts = sum(
        len(render(s.script)) for j in workflow.jobs for s in j.steps if isinstance(s, Run)
    )
    if size > _MANY_JOBS or scripts > MAX_FILE // 4:
        written = len(workflow_text(workflow).encode("utf-8"))
        if written > MAX_FILE:
            yield _limit(
                f"the workflow of pipeline `{pipeline.id}` has {written:,} bytes; GitHub reads "
                f"{MAX_FILE:,}",
                pipeline.at,
                "split the pipeline, or move long scripts into files of the repository",
            )


def _check_job(job: Job, at: Origin) -> Iterator[Diagnostic]:
    if job.condition is not None and len(job.condition) > MAX_EXPRESSION:
        yield _limit(
            f"the condition of step `{job.id}` needs {len(job.condition):,} characters on GitHub "
            f"Actions, which allows {MAX_EXPRESSION:,}",
            at,
            "put a step with `join: all_done` in between, or split the pipeline",
        )
    for step in job.steps:
        if not isinstance(step, Run):
            continue
        for value in (step.script, *(value for _, value in step.env)):
            yield from _check_value(value, job.id, at)
        for name, value in step.env:
            size = len(render(value).encode("utf-8"))
            if size > MAX_VARIABLE:
                yield _limit(
                    f"`{name}` of step `{job.id}` has {size:,} bytes; an environment variable "
                    f"holds {MAX_VARIABLE:,}",
                    at,
                    "move the script into a file of the repository",
                )


def _check_value(value: Value, job: str, at: Origin) -> Iterator[Diagnostic]:
    if is_evaluated(value) and len(render(value)) > MAX_EXPRESSION:
        yield _limit(
            f"a text of step `{job}` contains `${{{{` and is longer than the {MAX_EXPRESSION:,} "
            "characters that GitHub Actions evaluates",
            at,
            "move the script into a file of the repository",
        )


def _limit(message: str, at: Origin, advice: str) -> Diagnostic:
    return Diagnostic(code=TARGET_LIMIT, message=message, at=at, help=(advice,))
