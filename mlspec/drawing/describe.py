"""Steps in words: badges, facts, details. All texts are visible and on one line."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.diagnostics.render.visible import visible
from mlspec.drawing.model import Badge, BadgeKind
from mlspec.ir.facts import NODE_VARIABLE
from mlspec.ir.model import (
    Approval,
    Argv,
    DataInput,
    Input,
    Join,
    Matrix,
    Output,
    Pairing,
    Pipeline,
    RepoInput,
    Resources,
    Script,
    Step,
    StepInput,
)
from mlspec.ir.values import spell

TIMES = "\N{MULTIPLICATION SIGN}"


def subtitle_of(step: Step) -> str:
    """Return the description, or else the first line of what runs."""
    if step.description:
        return visible(" ".join(step.description.split()))
    lines = [line.strip() for line in run_text(step).splitlines()]
    meant = [line for line in lines if line and not line.startswith("#")]
    return visible(meant[0]) if meant else ""


def run_text(step: Step) -> str:
    """Return what runs as a user would write it: references, not variables."""
    match step.action:
        case Script(text=text, refs=refs):
            for ref in refs:
                text = text.replace(f'"${{{ref.variable}}}"', ref.spelled)
                text = text.replace(f"${{{ref.variable}}}", ref.spelled)
            return text
        case Argv(words=words):
            return " ".join(spell(word) for word in words)


def facts_of(step: Step) -> tuple[str, ...]:
    """Return timeout, retries and resources, shortly."""
    return tuple(_facts(step))


def _facts(step: Step) -> Iterator[str]:
    if step.timeout is not None:
        yield f"≤ {step.timeout}"
    if step.retry is not None and not step.kind.is_derived:  # those retry faults that pass, all
        yield f"{step.retry.max} {'retry' if step.retry.max == 1 else 'retries'}"
    if step.resources.gpu:
        yield f"{step.resources.gpu} GPU"
    if step.cache:
        yield "cached"


def badges_of(step: Step) -> tuple[Badge, ...]:
    """Return what a reviewer must not miss."""
    return tuple(_badges(step))


def _badges(step: Step) -> Iterator[Badge]:
    for approval in step.approvals:
        yield Badge(BadgeKind.APPROVAL, visible(_approval(approval)))
    for condition in step.when:
        yield Badge(BadgeKind.CONDITION, visible(f"when {condition}"))
    if step.needs and step.join is not Join.ALL_SUCCESS:
        yield Badge(BadgeKind.JOIN, f"join {step.join.value}")
    if step.matrix is not None:
        yield Badge(BadgeKind.MATRIX, visible(_matrix(step.matrix)))
    if step.lock is not None:
        yield Badge(BadgeKind.LOCK, visible(f"lock {step.lock}"))
    if step.allow_failure:
        yield Badge(BadgeKind.ALLOW_FAILURE, "may fail")


def _approval(approval: Approval) -> str:
    people = f"{approval.count} {TIMES} {approval.role}" if approval.count > 1 else approval.role
    return f"approval: {people}"


def _matrix(matrix: Matrix) -> str:
    keys = f" {TIMES} ".join(matrix.keys)
    count = len(matrix.rows)
    if matrix.dynamic is not None:
        most = count * matrix.dynamic.max
        return f"{TIMES} up to {most} ({keys})"
    return f"{TIMES} {count} ({keys})"


def triggers_of(pipeline: Pipeline) -> tuple[str, ...]:
    """Return what starts a run."""
    return tuple(visible(text) for text in _triggers(pipeline))


def _triggers(pipeline: Pipeline) -> Iterator[str]:
    triggers = pipeline.triggers
    if triggers.schedule is not None:
        yield f"schedule {triggers.schedule.cron} {triggers.schedule.timezone}"
    if triggers.data:
        yield f"new data: {', '.join(triggers.data)}"
    if triggers.every is not None:
        yield f"looks every {triggers.every}"
    if triggers.models:
        yield f"new champion: {', '.join(triggers.models)}"
    if triggers.pull_request is not None:
        paths = ", ".join(triggers.pull_request)
        yield f"pull request: {paths}" if paths else "pull request"
    if triggers.push:
        yield "push to the default branch"
    if triggers.by_hand_only:
        yield "by hand"


def details_of(step: Step, where: str) -> tuple[tuple[str, str], ...]:
    """Return everything about a step, as label and text; texts may have several lines."""
    return tuple((label, text) for label, text in _details(step, where) if text)


def _details(step: Step, where: str) -> Iterator[tuple[str, str]]:
    yield "Description", _lines(step.description)
    yield "Run", _lines(run_text(step))
    yield "Needs", visible(", ".join(step.needs))
    yield "Join", step.join.value if step.needs and step.join is not Join.ALL_SUCCESS else ""
    yield "When", "\n".join(visible(str(condition)) for condition in step.when)
    yield "Approval", "\n".join(_approval_details(approval) for approval in step.approvals)
    yield "Inputs", "\n".join(visible(_input(item)) for item in step.inputs)
    outputs = (f"{item.name}: {_target(item)}" for item in step.outputs)
    yield "Outputs", "\n".join(visible(text) for text in outputs)
    yield "Metrics", visible(step.metrics or "")
    yield "Report", visible(", ".join(step.report))
    yield "Matrix", "\n".join(_matrix_details(step.matrix)) if step.matrix is not None else ""
    yield "Image", visible(step.image.reference) if step.image is not None else ""
    env = (f"{name}={spell(text)}" for name, text in step.env if name != NODE_VARIABLE)
    yield "Environment", "\n".join(visible(text) for text in env)
    secrets = (f"{secret.variable}: {secret.name}" for secret in step.secrets)
    yield "Secrets", "\n".join(visible(text) for text in secrets)
    yield "Resources", visible(", ".join(_resources(step.resources)))
    yield "Timeout", str(step.timeout or "")
    yield "Retry", _retry(step)
    yield "Lock", visible(step.lock or "")
    yield "Failure", "does not fail the run" if step.allow_failure else ""
    yield "Cache", "reused while definition and inputs are unchanged" if step.cache else ""
    yield "Spec", where


def _lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.rstrip("\n").split("\n"))


def _target(output: Output) -> str:
    return f"{output.data} (new version)" if output.data else output.path


def _input(item: Input) -> str:
    match item:
        case RepoInput():
            return f"{item.name}: {item.path}"
        case StepInput():
            how = {
                Pairing.PLAIN: "",
                Pairing.PARTNER: " (its partner)",
                Pairing.FOLDER: " (all combinations)",
            }[item.pairing]
            return f"{item.name}: {item.step}.{item.output}{how}"
        case DataInput():
            return f"{item.name}: {item.data} ({item.mode.value})"


def _approval_details(approval: Approval) -> str:
    people = f" ({', '.join(approval.members)})" if approval.members else ""
    return visible(f"{approval.count} of {approval.role}{people} within {approval.within}")


def _matrix_details(matrix: Matrix) -> Iterator[str]:
    if matrix.dynamic is not None:
        axis = matrix.dynamic
        yield visible(f"{axis.key}: from {axis.step}.{axis.output}, at most {axis.max}")
    for row in matrix.rows[:20]:
        if row.values:
            yield visible(", ".join(f"{key}={value}" for key, value in row.values))
    if len(matrix.rows) > 20:
        yield f"and {len(matrix.rows) - 20} more"
    if matrix.parallel is not None:
        yield f"at most {matrix.parallel} at once"


def _resources(resources: Resources) -> Iterator[str]:
    if resources.cpu is not None:
        yield f"{resources.cpu} cpu"
    if resources.memory is not None:
        yield f"{resources.memory} memory"
    if resources.gpu:
        kind = f" {resources.accelerator}" if resources.accelerator else ""
        yield f"{resources.gpu} gpu{kind}"
    if resources.workers is not None:
        yield f"{resources.workers} workers"


def _retry(step: Step) -> str:
    if step.retry is None:
        return ""
    text = f"up to {step.retry.max}"
    if step.retry.delay.milliseconds:
        text += f", after {step.retry.delay}"
    if step.retry.factor != 1.0:
        text += f", factor {step.retry.factor:g}"
    return text
