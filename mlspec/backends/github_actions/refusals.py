"""What a pipeline asks that GitHub Actions would not accept or would do differently.

Input: finished IR; output: errors. Only what the capability table cannot say, because it depends
on values: names, sizes, paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlspec.backends.github_actions.jobs import HOSTED_MINUTES, TARGET
from mlspec.backends.github_actions.quoting import MAX_EXPRESSION
from mlspec.backends.github_actions.values import file_path, is_product, secret_name
from mlspec.backends.records import keeps_records
from mlspec.diagnostics.codes.targets import (
    NAME_CLASH,
    NO_STORE,
    PARTIAL,
    TARGET_LIMIT,
    UNSUPPORTED,
)
from mlspec.diagnostics.model import Code, Diagnostic, Severity
from mlspec.ir.joins import JoinClosure
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Approval, DataInput, Pipeline, Step
from mlspec.source import Origin

_MAX_INPUTS = 25
"""docs.github.com, "Workflow syntax", `on.workflow_dispatch.inputs` (10 until 2025)."""
MAX_FILE = 512_000
"""Bytes of a workflow file, as GitHub's own message says."""
_SMALLEST_JOB = 250
"""Bytes: no job is shorter, so a pipeline of very many steps is refused before it is lowered."""
_SHORTEST_RESULT = len("needs.a.result == 'failure'")
_TAKEN = ("GITHUB_", "RUNNER_", "ACTIONS_")
_ARTIFACT_UNSAFE = re.compile(r'[":<>|*?\r\n]')
"""Characters that `actions/upload-artifact` refuses in a path."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SECRET = re.compile(r"[A-Z_][A-Z0-9_]*\Z")


def check_pipeline(application: Application, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Yield an error for everything that cannot be written."""
    if len(pipeline.params) > _MAX_INPUTS:
        yield _error(
            TARGET_LIMIT,
            f"pipeline `{pipeline.id}` has {len(pipeline.params)} params; GitHub Actions takes "
            f"{_MAX_INPUTS}",
            pipeline.at / "params",
        )
    if len(pipeline.steps) * _SMALLEST_JOB > MAX_FILE:
        yield _error(
            TARGET_LIMIT,
            f"pipeline `{pipeline.id}` has {len(pipeline.steps):,} steps: its workflow would be "
            f"larger than the {MAX_FILE:,} bytes that GitHub reads",
            pipeline.at,
            "split the pipeline, or compile it for another target",
        )
    else:
        yield from _check_joins(pipeline)
    environment = application.environment
    if pipeline.triggers.push and environment.after is not None:
        yield _warning(
            f"a push starts pipeline `{pipeline.id}` in the first environment only; in "
            f"`{environment.name}` start it by hand after `{environment.after}` succeeded",
            pipeline.triggers.at,
        )
    yield from _check_secrets(pipeline)
    yield from _check_store(application, pipeline)
    for step in pipeline.all_steps:
        yield from _check_step(application, pipeline, step)


def _check_store(application: Application, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Yield an error when derived steps need a store that the runners do not share."""
    asking = [step for step in pipeline.all_steps if keeps_records(step)]
    if not asking:
        return
    store = application.environment.store
    at = application.environment.at / "store"
    if not any(step.kind in _REGISTERS for step in asking):
        if store is None or (store.lower().startswith("file:") and file_path(store) is None):
            yield _unshared(pipeline, asking[0].at, store)
        return
    if store is None:
        yield _error(
            NO_STORE,
            f"steps of `{pipeline.id}` keep versions and records in a store, and there is none",
            asking[0].at,
            "set `environments.<name>.store`, such as `s3://bucket/path/`",
        )
    elif store.lower().startswith("file:") and file_path(store) is None:
        yield _error(
            NO_STORE,
            f"runners do not share the store `{store}`: each has a checkout of its own",
            at,
            "use `s3://bucket/path/`, or `file:///…` on runners of your own that share that folder",
        )
    elif file_path(store) is not None:
        yield from _check_hosted(application, pipeline, asking, store, at)


_REGISTERS = frozenset({Kind.REGISTER, Kind.APPROVE, Kind.PROMOTE, Kind.DELIVER})


def _unshared(pipeline: Pipeline, at: Origin, store: str | None) -> Diagnostic:
    """Say that a candidate is judged without a champion: a fresh runner knows none."""
    where = f"`{store}` is empty" if store is not None else "there is no store"
    return Diagnostic(
        code=PARTIAL,
        message=f"`{pipeline.id}` judges without a champion to compare with: {where} on a runner",
        at=at,
        help=("use a registry that runners reach, such as `targets.registry: {kind: mlflow, …}`",),
        severity_override=Severity.WARNING,
    )


def _check_hosted(
    application: Application, pipeline: Pipeline, asking: list[Step], store: str, at: Origin
) -> Iterator[Diagnostic]:
    hosted = [step for step in asking if not _names_runner(application, pipeline, step)]
    if hosted:
        yield _error(
            NO_STORE,
            f"the store `{store}` is gone when a runner hosted by GitHub ends step "
            f"`{hosted[0].id}`",
            at,
            "use `s3://bucket/path/`, or runners of your own: "
            "`native: {github-actions: {runs-on: self-hosted}}`",
        )


def _names_runner(application: Application, pipeline: Pipeline, step: Step) -> bool:
    """Whether the spec names the runner of a step."""
    return any(
        isinstance(found := native.get(TARGET), dict) and "runs-on" in found
        for native in (step.native, pipeline.native, application.environment.native)
    )


def _check_joins(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Yield an error for each join too long to write: some double in length at each step."""
    closure = JoinClosure(pipeline)
    for step in pipeline.steps:
        if closure.may_start(step.id).size * _SHORTEST_RESULT > MAX_EXPRESSION:
            yield _error(
                TARGET_LIMIT,
                f"the join of step `{step.id}` depends on too many results: GitHub Actions allows "
                f"{MAX_EXPRESSION:,} characters for a condition",
                step.at,
                "put a step with `join: all_done` in between, or split the pipeline",
            )


def _check_step(application: Application, pipeline: Pipeline, step: Step) -> Iterator[Diagnostic]:
    yield from _check_names(step)
    yield from _check_own_folder(step)
    yield from _check_approvals(step)
    for item in step.inputs:
        if isinstance(item, DataInput) and application.dataset(item.data).source is None:
            yield _error(
                UNSUPPORTED,
                f"GitHub Actions cannot hand data `{item.data}` to step `{step.id}`: it is kept "
                "in the store, and artifacts do not outlive a run",
                item.at,
                "give the data a `source`, or run this pipeline on another target",
            )
    if step.matrix is not None and step.matrix.dynamic is not None and not is_product(step):
        yield _error(
            UNSUPPORTED,
            f"the run-time matrix of step `{step.id}` has rows that GitHub Actions cannot write",
            step.matrix.at,
        )
    is_native = _names_runner(application, pipeline, step)
    if step.timeout is not None and step.timeout.whole_minutes > HOSTED_MINUTES and not is_native:
        yield _error(
            TARGET_LIMIT,
            f"step `{step.id}` may take {step.timeout}; a runner hosted by GitHub ends a job "
            "after 6h",
            step.at / "timeout",
            "choose your own runner: `native: {github-actions: {runs-on: self-hosted}}`",
        )


def _check_approvals(step: Step) -> Iterator[Diagnostic]:
    """Yield what GitHub's environments do otherwise than the language says."""
    if step.approvals and step.allow_failure:
        yield _error(
            UNSUPPORTED,
            f"a rejected approval of step `{step.id}` would fail the run on GitHub Actions, in "
            "spite of `allow_failure`",
            step.at / "allow_failure",
            "put the approval on a step before it",
        )
    for approval in step.approvals:
        # A step that approves a version looks at the time of the answers itself.
        counts = step.kind is not Kind.APPROVE
        if counts and approval.within != Approval(role="").within:
            yield _warning(
                f"GitHub Actions lets an approval wait 30 days: `within: {approval.within}` of "
                f"step `{step.id}` is not kept",
                approval.at,
            )


def _check_names(step: Step) -> Iterator[Diagnostic]:
    names = [name for name, _ in step.env] + [secret.variable for secret in step.secrets]
    for name in names:
        if name.upper().startswith(_TAKEN):
            yield _error(
                TARGET_LIMIT,
                f"step `{step.id}` sets `{name}`; GitHub Actions keeps names that begin with "
                f"{', '.join(f'`{prefix}`' for prefix in _TAKEN)} for itself",
                step.at / "env",
            )
    paths = [output.path for output in step.outputs]
    paths += [step.metrics] if step.metrics else []
    paths += list(step.report)
    for path in paths:
        if _CONTROL.search(path):
            yield _error(
                TARGET_LIMIT,
                f"step `{step.id}` has a path with a control character",
                step.at,
            )
    for path in step.report:
        if _ARTIFACT_UNSAFE.search(path):
            yield _error(
                TARGET_LIMIT,
                f"an artifact on GitHub Actions cannot hold the file `{path}`: "
                'none of `" : < > | * ?` may stand in its name',
                step.at / "report",
            )
    if step.matrix is not None and {row.name for row in step.matrix.rows} & {".", ".."}:
        yield _error(
            TARGET_LIMIT,
            f"a combination of the matrix of step `{step.id}` gives no file name",
            step.matrix.at,
        )


def _check_own_folder(step: Step) -> Iterator[Diagnostic]:
    """Report files that a container would take with it: its working folder is the image's own."""
    if step.image is None:
        return
    written = {output.path for output in step.outputs}
    if step.metrics is not None and step.metrics not in written:
        yield _error(
            TARGET_LIMIT,
            f"the metrics of `{step.id}` stand in the image's own folder, which is gone when its "
            "container ends on GitHub Actions",
            step.at / "metrics",
            f"declare an output with the path `{step.metrics}`, and write to it",
        )
    for path in step.report:
        if path not in written:
            yield _warning(
                f"the report `{path}` of `{step.id}` stays in its container",
                step.at / "report",
                "declare an output with this path, and write to it",
            )


def _check_secrets(pipeline: Pipeline) -> Iterator[Diagnostic]:
    known: dict[str, str] = {}
    for step in pipeline.all_steps:
        for secret in step.secrets:
            name = secret_name(secret.name)
            if not _SECRET.match(name) or name.startswith("GITHUB_"):
                yield _error(
                    TARGET_LIMIT,
                    f"`{name}` cannot be the name of a secret on GitHub Actions",
                    step.at / "secrets",
                )
            if known.setdefault(name, secret.name) != secret.name:
                yield _error(
                    NAME_CLASH,
                    f"secrets `{known[name]}` and `{secret.name}` are both `{name}` on GitHub "
                    "Actions",
                    step.at / "secrets",
                )


def _warning(message: str, at: Origin, *advice: str) -> Diagnostic:
    return Diagnostic(
        code=PARTIAL, message=message, at=at, help=advice, severity_override=Severity.WARNING
    )


def _error(code: Code, message: str, at: Origin, *advice: str) -> Diagnostic:
    return Diagnostic(code=code, message=message, at=at, help=advice)
