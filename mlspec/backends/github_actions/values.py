"""What references, inputs and matrices are on a runner: literals and expressions.

Input: references of the IR; output: `Value`s for `env`. Without an image paths lie in the
checkout, with one below the folder that the container sees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from mlspec.backends.github_actions import scripts
from mlspec.backends.github_actions.conditions import START, param_code
from mlspec.backends.github_actions.quoting import Code, Value
from mlspec.backends.records import APPROVALS, STORE, issuer
from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Application,
    Combination,
    DataInput,
    Pairing,
    Param,
    Pipeline,
    RepoInput,
    Script,
    Step,
    StepInput,
)
from mlspec.ir.values import Literal, Namespace, Ref, Text

TOKEN = "GITHUB_TOKEN"  # noqa: S105  the name of a variable
"""With it the reviews of the run are read; the job's permissions say what else it may do."""
WORKSPACE = Code("github.workspace")
TEMP = Code("runner.temp")

_FAILED = "(contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled'))"
_RUN: Mapping[str, Value] = {
    "id": (Code("github.run_id"),),
    "attempt": (Code("github.run_attempt"),),
    "date": (Code(f"needs.{START}.outputs.date"),),
    "status": (Code(f"{_FAILED} && 'failed' || 'success'"),),
    "url": (
        Code("github.server_url"),
        "/",
        Code("github.repository"),
        "/actions/runs/",
        Code("github.run_id"),
    ),
    "actor": (Code("github.triggering_actor || github.actor"),),
    "commit": (Code("github.sha"),),
    "approvals": ("",),
}


def file_path(address: str) -> str | None:
    """Return the absolute path that a `file:` address means, None for any other address."""
    scheme, _, rest = address.partition(":")
    if scheme.lower() != "file" or not rest.startswith("///"):
        return None
    return unquote(rest[2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What is looked up by step, computed once for a pipeline.

    Attributes:
        rank: the place of each step in the pipeline's order.
        succeeded: for each step, an expression that is true when it succeeded.
        compared: steps whose `when` reads metrics of a step.
        fanned: steps whose run-time matrix reads a list of a step.
    """

    steps: Mapping[str, Step]
    rank: Mapping[str, int]
    succeeded: Mapping[str, str]
    compared: Mapping[str, tuple[Step, ...]]
    fanned: Mapping[str, tuple[Step, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the steps of a job know about the rest.

    Attributes:
        folder: the spec's folder below the checkout, `.` for its root.
        by_hand_only: whether nothing but `workflow_dispatch` starts the workflow.
        index: what the jobs of the pipeline share.
        certain: needs that have surely succeeded when this step starts.
        tolerated: whether a failure must not fail the job.
        install: arguments of `pip install` that bring `mlspec` to the runner; empty: it is there.
        answers: expressions of the answers that `when` over metrics waits for.
    """

    application: Application
    pipeline: Pipeline
    folder: str
    by_hand_only: bool
    index: Index
    certain: frozenset[str]
    tolerated: bool
    install: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()

    @property
    def project(self) -> Value:
        """The spec's folder, as an absolute path."""
        return (WORKSPACE,) if self.folder == "." else (WORKSPACE, f"/{self.folder}")


def secret_name(name: str) -> str:
    """Return the name of a repository secret for a logical name (decision B34)."""
    return name.upper().replace("-", "_")


def param_value(param: Param, *, by_hand_only: bool) -> Value:
    """Return a run parameter's text."""
    return (Code(param_code(param, by_hand_only=by_hand_only)),)


def data_json(data: object) -> str:
    """Return JSON text that becomes a readable block in the workflow."""
    return json.dumps(data) + "\n"


def rows_json(rows: tuple[Combination, ...]) -> str:
    """Return combinations as the JSON that `scripts.GATHER` reads, one on each line."""
    lines = (json.dumps({"entry": row.name, "matrix": dict(row.values)}) for row in rows)
    return "[" + ",\n ".join(lines) + "]\n"


# ------------------------------------------------------------------ matrix


def is_product(step: Step) -> bool:
    """Return whether the matrix can be written as lists of harmless values.

    Otherwise it is written as rows (`include`) that carry their entry name. A run-time axis
    with rows that are no product is refused (`mlspec.backends.github_actions.refusals`).
    """
    matrix = step.matrix
    if matrix is None:
        return False
    rows = [dict(row.values) for row in matrix.rows]
    keys = [key for key in matrix.keys if matrix.dynamic is None or key != matrix.dynamic.key]
    size = 1
    for key in keys:
        size *= len({row[key] for row in rows})
    plain = all(row.name == "-".join(value for _, value in row.values) for row in matrix.rows)
    return plain and size == len(rows) and not {"include", "exclude"} & set(matrix.keys)


def entry_value(step: Step) -> Value:
    """Return the name of the running combination (`Combination.name`)."""
    assert step.matrix is not None  # noqa: S101 (callers ask first)
    if not is_product(step):
        return (Code("matrix._entry"),)
    parts: list[str | Code] = []
    for key in step.matrix.keys:
        parts += ["-", Code(f"matrix.{key}")] if parts else [Code(f"matrix.{key}")]
    return tuple(parts)


# ------------------------------------------------------------------ the environment of a step


def environment(step: Step, frame: Frame) -> list[tuple[str, Value]]:
    """Return the variables that a step gets besides what the runner has: references first."""
    env: list[tuple[str, Value]] = [
        (ref.variable, _reference(ref, step, frame)) for ref in step.refs
    ]
    if step.image is not None:
        env.append(("MLSPEC_IMAGE", (step.image.reference,)))
    given = {name for name, _ in step.env}
    if step.resources.cpu is not None and "OMP_NUM_THREADS" not in given:
        env.append(("OMP_NUM_THREADS", (str(max(1, step.resources.cpu.milli // 1000)),)))
    env += [(name, _text(text, step, frame)) for name, text in step.env]
    env += [
        (secret.variable, (Code(f"secrets.{secret_name(secret.name)}"),)) for secret in step.secrets
    ]
    env += [(name, (value,)) for name, value in issuer(step, "github")]
    if asks_github(step):
        env.append((TOKEN, (Code("github.token"),)))
    if step.image is not None and isinstance(step.action, Script):
        env.append(("MLSPEC_SCRIPT", (line_end(step.action.text),)))
    return env


def asks_github(step: Step) -> bool:
    """Whether a step asks GitHub who reviewed the run: `mlspec step approve` does."""
    return step.kind is Kind.APPROVE and APPROVALS in step.refs


def line_end(text: str) -> str:
    """Return a script with one line end at its end (more mean nothing to Bash)."""
    return text.rstrip("\n") + "\n"


def _text(text: Text, step: Step, frame: Frame) -> Value:
    parts: list[str | Code] = []
    for part in text:
        parts += [part.text] if isinstance(part, Literal) else _reference(part, step, frame)
    return tuple(parts) or ("",)


def _reference(ref: Ref, step: Step, frame: Frame) -> Value:
    match ref.namespace:
        case Namespace.PARAMS:
            param = next(p for p in frame.pipeline.params if p.name == ref.name)
            return param_value(param, by_hand_only=frame.by_hand_only)
        case Namespace.INPUTS:
            return _input(ref.name, step, frame)
        case Namespace.OUTPUTS:
            output = step.output(ref.name)
            assert output is not None  # noqa: S101 (the IR's references resolve)
            root: Value = frame.project if step.image is None else (f"{scripts.MOUNT}/work",)
            return (*root, f"/{output.path}")
        case Namespace.MATRIX:
            return (Code(f"matrix.{ref.name}"),)
        case Namespace.RUN if ref == STORE:
            return (frame.application.environment.store or "",)
        case Namespace.RUN:
            return _RUN[ref.name]


def _input(name: str, step: Step, frame: Frame) -> Value:
    match step.input(name):
        case RepoInput(path=path):
            if step.image is not None:
                return (f"{scripts.MOUNT}/inputs/{name}/{scripts.split_path(path)[1]}",)
            return (*frame.project, f"/{path}")
        case DataInput(data=data):
            return (frame.application.dataset(data).source or "",)
        case StepInput(pairing=Pairing.FOLDER):
            return (Code(f"steps.gather-{name}.outputs.place"),)
        case _:
            return (Code(f"steps.inputs.outputs.{name}"),)
