"""From applications to workflows, and what only GitHub's own limits show.

Input: one application for each environment; output: a workflow for each pipeline and
environment. Jobs come from `jobs`; this module decides names, triggers and inputs, and refuses
what GitHub would not accept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mlspec.backends.base import LowerOptions
from mlspec.backends.github_actions.jobs import JobsMaker
from mlspec.backends.github_actions.limits import check_workflow
from mlspec.backends.github_actions.model import Concurrency, Workflow, Workflows
from mlspec.backends.github_actions.quoting import Code, Value, path_pattern
from mlspec.backends.github_actions.refusals import check_pipeline
from mlspec.backends.github_actions.values import secret_name
from mlspec.diagnostics.codes.targets import NAME_CLASH, TARGET_LIMIT
from mlspec.diagnostics.model import Diagnostic, Result, Severity, has_errors
from mlspec.ir.model import Application, Param, ParamType, Pipeline, Triggers
from mlspec.yamlio.dumper import Data

_INPUT_TYPES = {
    ParamType.STRING: "string",
    ParamType.INT: "number",
    ParamType.FLOAT: "number",
    ParamType.BOOL: "boolean",
}


def lower(applications: tuple[Application, ...], options: LowerOptions) -> Result[Workflows]:
    """Lower applications to workflows.

    Args:
        applications: one for each environment to emit, in `after` order.
        options: `settings.branch` (text) names the default branch; otherwise `main`.
            `settings.mlspec` is what pip installs for derived steps.

    Returns:
        The workflows, or the errors that keep one from being written.
    """
    found: list[Diagnostic] = []
    files: dict[str, Workflow] = {}
    folder = options.project_path
    if folder.startswith(("..", "/")):
        found.append(_OUTSIDE)
        folder = "."
    for application in applications:
        for pipeline in application.pipelines:
            refused = list(check_pipeline(application, pipeline))
            found += refused
            if has_errors(refused):
                continue
            workflow = _workflow(
                application, pipeline, options, folder, several=len(applications) > 1
            )
            found += check_workflow(workflow, pipeline)
            if workflow.path in files:
                found.append(_clash(workflow, pipeline))
            files[workflow.path] = workflow
    if has_errors(found):
        return Result(None, tuple(found))
    return Result(Workflows(files=tuple(files.values())), tuple(found))


_OUTSIDE = Diagnostic(
    code=TARGET_LIMIT,
    message="the spec lies outside of the output folder; the workflows are written for a "
    "repository whose root is the spec's folder",
    help=("let `-o` name the root of the repository, where GitHub looks for workflows",),
    severity_override=Severity.WARNING,
)


def _clash(workflow: Workflow, pipeline: Pipeline) -> Diagnostic:
    return Diagnostic(
        code=NAME_CLASH,
        message=f"two pipelines would both be written to `{workflow.path}`",
        at=pipeline.at,
        help=("rename the pipeline or the environment",),
    )


def _workflow(
    application: Application,
    pipeline: Pipeline,
    options: LowerOptions,
    folder: str,
    *,
    several: bool,
) -> Workflow:
    environment = application.environment.name
    suffix = f"-{environment}" if several else ""
    name = f"{application.name} / {pipeline.id}" + (f" ({environment})" if several else "")
    is_first = application.environment.after is None
    on = _triggers(pipeline, options, folder, is_first=is_first)
    jobs = JobsMaker(
        application,
        pipeline,
        folder,
        by_hand_only=list(on) == ["workflow_dispatch"],
        install=_install(options),
    ).make()
    return Workflow(
        path=f".github/workflows/{application.name}-{pipeline.id}{suffix}.yml",
        name=name,
        comment="\n".join(_comment(application, pipeline, options)),
        pipeline=pipeline.id,
        environment=environment if several else None,
        on=on,
        concurrency=Concurrency(group=_group(f"run {application.name} {pipeline.id}{suffix}", on)),
        folder=folder,
        jobs=jobs,
    )


def _install(options: LowerOptions) -> tuple[str, ...]:
    """Return what the setting `mlspec` says to install: one requirement, or words for pip."""
    match options.settings.get("mlspec"):
        case str() as requirement:
            return (requirement,)
        case list() | tuple() as words:
            return tuple(str(word) for word in words)
    return ()


def _group(name: str, on: Mapping[str, Data]) -> Value:
    """Return the group of a run: it waits for the one before, and at most one waits.

    Pull requests have a group each, or a newer one would take the place of another's that waits.
    """
    if "pull_request" not in on:
        return (name,)
    return (f"{name} ", Code("github.event.pull_request.number"))


def _comment(application: Application, pipeline: Pipeline, options: LowerOptions) -> Iterator[str]:
    yield f"generated by mlspec from {_one_line(options.spec_path)}; do not edit"
    if pipeline.description:
        yield ""
        yield _one_line(pipeline.description)
    wanted = [
        f"environment `{role}` with required reviewers"
        + (f" ({', '.join(members)})" if members else "")
        for role, members in _roles(application, pipeline).items()
    ]
    secrets = {secret_name(s.name) for step in pipeline.all_steps for s in step.secrets}
    wanted += [f"secret {name}" for name in sorted(secrets)]
    ours = any(step.kind.is_derived and step.image is None for step in pipeline.all_steps)
    if ours and not _install(options):
        yield ""
        yield "Needs mlspec with its `runtime` extra on the runners: the target's setting `mlspec`"
        yield "installs it."
    if wanted:
        yield ""
        yield "Needs, in the repository's settings:"
        yield from (f"- {_one_line(thing)}" for thing in wanted)


def _one_line(text: str) -> str:
    """Return text fit for a comment: printable, one line, not too long."""
    flat = re.sub(r"\s+", " ", text).strip()
    flat = "".join(c if c.isprintable() else "?" for c in flat)
    return flat if len(flat) <= 200 else f"{flat[:199]}…"


def _roles(application: Application, pipeline: Pipeline) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for approval in application.environment.approvals[:1]:
        found[approval.role] = approval.members
    for step in pipeline.steps:
        for approval in step.approvals:
            found[approval.role] = approval.members
    return dict(sorted(found.items()))


# ------------------------------------------------------------------ triggers


def _triggers(
    pipeline: Pipeline, options: LowerOptions, folder: str, *, is_first: bool
) -> dict[str, Data]:
    triggers: Triggers = pipeline.triggers
    inputs = {param.name: _input(param) for param in pipeline.params}
    on: dict[str, Data] = {"workflow_dispatch": {"inputs": inputs} if inputs else {}}
    if triggers.schedule is not None:
        schedule: dict[str, Data] = {"cron": triggers.schedule.cron}
        if triggers.schedule.timezone != "UTC":
            schedule["timezone"] = triggers.schedule.timezone
        on["schedule"] = [schedule]
    if triggers.push and is_first:
        branch = options.settings.get("branch", "main")
        on["push"] = {"branches": [path_pattern(str(branch))]}
    if triggers.pull_request is not None and is_first:
        paths = [pattern for path in triggers.pull_request for pattern in _patterns(path, folder)]
        on["pull_request"] = {"paths": paths} if paths else {}
    return on


def _patterns(path: str, folder: str) -> list[str]:
    """Return the filter patterns for a path prefix below the spec's folder."""
    full = path if folder == "." else f"{folder}/{path}"
    literal = path_pattern(full.rstrip("/"))
    return [f"{literal}/**"] if full.endswith("/") else [literal, f"{literal}/**"]


def _input(param: Param) -> Data:
    data: dict[str, Data] = {}
    if param.description:
        data["description"] = param.description
    data["required"] = param.default is None
    if param.default is not None:
        data["default"] = param.default if param.enum else _default(param.type, param.default)
    if param.enum:
        data["options"] = list(param.enum)
    data["type"] = "choice" if param.enum else _INPUT_TYPES[param.type]
    return data


def _default(kind: ParamType, text: str) -> Data:
    """Return a default as GitHub's type wants it; a number only if that keeps its spelling."""
    match kind:
        case ParamType.BOOL:
            return text == "true"
        case ParamType.INT if re.fullmatch(r"-?[1-9][0-9]{0,8}|0", text):
            return int(text)
        case ParamType.FLOAT if re.fullmatch(r"-?[0-9]{1,9}\.[0-9]{1,6}", text):
            return float(text) if repr(float(text)) == text else text
        case _:
            return text
