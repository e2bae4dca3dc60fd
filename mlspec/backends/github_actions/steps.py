"""The steps inside the job of one step: check out, fetch, run, pack, publish, decide.

Input: a `Step` and what its job knows about the pipeline (`Frame`); output: the job's steps in
order and the outputs that other jobs read. Steps run in the checkout, or in a container through
`docker run`; then everything the container sees lies below one mounted folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.backends.github_actions import scripts
from mlspec.backends.github_actions.conditions import START, param_code
from mlspec.backends.github_actions.model import Run, Use
from mlspec.backends.github_actions.pins import pin
from mlspec.backends.github_actions.quoting import Code, Value
from mlspec.backends.shell import argv_to_bash, command_to_bash, retry_loop, with_timeout
from mlspec.ir.model import (
    Application,
    Combination,
    DataInput,
    MetricCondition,
    Pairing,
    Param,
    Pipeline,
    RepoInput,
    Script,
    Step,
    StepInput,
)
from mlspec.ir.values import Literal, Namespace, Ref, Text

WORKSPACE = Code("github.workspace")
TEMP = Code("runner.temp")
RUN_URL: Value = (
    Code("github.server_url"),
    "/",
    Code("github.repository"),
    "/actions/runs/",
    Code("github.run_id"),
)
FAILED_RUN = "(contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the steps of a job know about the rest.

    Attributes:
        folder: the spec's folder below the checkout, `.` for its root.
        by_hand_only: whether nothing but `workflow_dispatch` starts the workflow.
        succeeded: for each step, the expressions that are all true when it succeeded.
        waits: producers that have surely succeeded when this step starts.
        tolerated: whether a failure must not fail the job.
    """

    application: Application
    pipeline: Pipeline
    folder: str
    by_hand_only: bool
    succeeded: Mapping[str, str]
    waits: frozenset[str]
    tolerated: bool
    answers: tuple[str, ...] = ()


@dataclass(slots=True)
class Made:
    """The steps of a job, and its outputs, as they are put together."""

    steps: list[Use | Run] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)


def entry_value(step: Step) -> Value:
    """Return the name of the running combination."""
    assert step.matrix is not None  # noqa: S101 (callers ask first)
    if not is_product(step):
        return (Code("matrix._entry"),)
    parts: list[str | Code] = []
    for key in step.matrix.keys:
        parts += ["-", Code(f"matrix.{key}")] if parts else [Code(f"matrix.{key}")]
    return tuple(parts)


def is_product(step: Step) -> bool:
    """Return whether the matrix can be written as lists of harmless values.

    Otherwise it is written as rows (`include`) that carry their entry name. A run-time axis
    with rows that are no product is refused before (`mlspec.backends.github_actions.lower`).
    """
    matrix = step.matrix
    if matrix is None:
        return False
    rows = [dict(row.values) for row in matrix.rows]
    keys = [key for key in matrix.keys if matrix.dynamic is None or key != matrix.dynamic.key]
    size = 1
    for key in keys:
        size *= len({row[key] for row in rows})
    plain = all(
        row.name == "-".join(v for _, v in row.values) and "${{" not in row.name
        for row in matrix.rows
    )
    return plain and size == len(rows) and not {"include", "exclude"} & set(matrix.keys)


def rows_json(rows: tuple[Combination, ...]) -> str:
    """Return combinations as the JSON that `GATHER` reads."""
    return json.dumps([{"entry": row.name, "matrix": dict(row.values)} for row in rows])


class StepsMaker:
    """Makes the steps of one job."""

    def __init__(self, step: Step, frame: Frame) -> None:
        """Remember the step and its surroundings."""
        self._step = step
        self._frame = frame
        self._in_container = step.image is not None
        self._made = Made()
        project = () if frame.folder == "." else ("/", frame.folder)
        self._project: Value = (WORKSPACE, *project)
        self._checkout_folder: Value | None = (project and (frame.folder,)) or None
        self._work: Value | None = (
            (TEMP, "/mlspec/work") if self._in_container else self._checkout_folder
        )

    def make(self) -> Made:
        """Return all steps and outputs."""
        self._guard()
        self._check_out()
        self._fetch()
        self._run()
        last = self._pack()
        self._decide(after=last)
        if self._step.allow_failure:
            self._made.outputs.insert(
                0, ("failed", f"steps.{last}.outcome != 'success' && 'true' || ''")
            )
        return self._made

    # -------------------------------------------------------------- before

    def _guard(self) -> None:
        if self._frame.answers:
            unknown = " || ".join(f"{answer} != 'true'" for answer in self._frame.answers)
            self._refuse(
                "guard-when",
                "Refuse an unknown metric",
                unknown,
                ("a metric that `when` compares does not exist or is not a number",),
            )
        matrix = self._step.matrix
        if matrix is not None and matrix.dynamic is not None:
            problem = f"needs.{matrix.dynamic.step}.outputs.problem-{self._step.id}"
            self._refuse(
                "guard-matrix", "Refuse an invalid list", f"{problem} != ''", (Code(problem),)
            )

    def _refuse(self, guard: str, name: str, condition: str, problem: Value) -> None:
        self._made.steps.append(
            Run(
                id=guard if self._frame.tolerated else None,
                name=name,
                condition=condition,
                env=(("PROBLEM", problem),),
                script=(scripts.REFUSE,),
                tolerated=self._frame.tolerated,
            )
        )

    def _check_out(self) -> None:
        asks = any(isinstance(item, RepoInput) for item in self._step.inputs)
        if not self._in_container or asks:
            self._made.steps.append(
                Use(
                    name="Check out",
                    action=pin("actions/checkout"),
                    arguments=(("persist-credentials", False),),
                )
            )

    def _fetch(self) -> None:
        for producer in dict.fromkeys(
            (item.step, item.pairing) for item in self._step.inputs if isinstance(item, StepInput)
        ):
            self._download(*producer)
        unpacked = [
            call
            for item in self._step.inputs
            if isinstance(item, StepInput) and item.pairing is not Pairing.FOLDER
            for call in [self._unpack_call(item)]
        ]
        copied = self._copied() if self._in_container else []
        folders = self._folders()
        if unpacked or copied or folders or self._in_container:
            is_partner = any('"$ENTRY"' in call for call in unpacked)
            self._made.steps.append(
                Run(
                    name="Prepare inputs and folders" if unpacked else "Prepare folders",
                    id="inputs" if unpacked else None,
                    folder=self._checkout_folder if copied or not self._in_container else None,
                    env=(("ENTRY", entry_value(self._step)),) if is_partner else (),
                    script=(
                        scripts.prepare(folders, unpacked, copied, in_container=self._in_container),
                    ),
                )
            )
        for item in self._step.inputs:
            if isinstance(item, StepInput) and item.pairing is Pairing.FOLDER:
                self._gather(item)

    def _download(self, producer: str, pairing: Pairing) -> None:
        certain = producer in self._frame.waits
        name: Value = (producer,)
        if pairing is Pairing.PARTNER:
            name = (f"{producer}.", *entry_value(self._step))
        elif pairing is Pairing.FOLDER:
            name = (f"{producer}.*",)
        by_pattern = pairing is Pairing.FOLDER or (pairing is Pairing.PARTNER and not certain)
        many: tuple[tuple[str, Value | bool], ...] = (("merge-multiple", True),)
        guarded = pairing is Pairing.PLAIN and not certain
        self._made.steps.append(
            Use(
                name=f"Fetch {producer}",
                action=pin("actions/download-artifact"),
                condition=self._frame.succeeded[producer] if guarded else None,
                arguments=(
                    ("pattern" if by_pattern else "name", name),
                    ("path", (TEMP, f"/mlspec/artifacts/{producer}")),
                    *(many if by_pattern else ()),
                ),
            )
        )

    def _unpack_call(self, item: StepInput) -> str:
        entry = '/"$ENTRY"' if item.pairing is Pairing.PARTNER else ""
        archive = f"artifacts/{item.step}{entry}/{item.output}.tar"
        return f"unpack {item.name} {archive} {scripts.own_path(self._file(item))}"

    def _file(self, item: StepInput) -> str:
        output = self._frame.pipeline.step(item.step).output(item.output)
        assert output is not None  # noqa: S101 (the IR's references resolve)
        return scripts.split_path(output.path)[1]

    def _gather(self, item: StepInput) -> None:
        producer = self._frame.pipeline.step(item.step)
        assert producer.matrix is not None  # noqa: S101 (FOLDER reads a matrix step)
        dynamic = producer.matrix.dynamic
        rows: Value = (rows_json(producer.matrix.rows),)
        if dynamic is not None:
            rows = (Code(f"needs.{dynamic.step}.outputs.combinations-{producer.id}"),)
        self._made.steps.append(
            Run(
                name=f"Gather {item.name} from every {item.step}",
                id=f"gather-{item.name}",
                shell=scripts.PYTHON,
                env=(
                    ("INPUT", (item.name,)),
                    ("PRODUCER", (item.step,)),
                    ("ARCHIVE", (f"{item.output}.tar",)),
                    ("FILE", (self._file(item),)),
                    ("ROOT", (scripts.MOUNT if self._in_container else "",)),
                    ("COMBINATIONS", rows),
                ),
                script=(scripts.GATHER,),
            )
        )

    def _folders(self) -> list[str]:
        paths = [output.path for output in self._step.outputs]
        paths += [self._step.metrics] if self._step.metrics else []
        paths += list(self._step.report)
        found = dict.fromkeys(scripts.split_path(path)[0] for path in paths)
        found.pop(".", None)
        return list(found)

    def _copied(self) -> list[str]:
        lines = []
        for item in self._step.inputs:
            if isinstance(item, RepoInput):
                place = f'"{scripts.HOME}/inputs/{item.name}"'
                lines.append(f"mkdir -p {place}")
                lines.append(f"cp -R {scripts.own_path(item.path)} {place}")
        return lines

    # -------------------------------------------------------------- the step itself

    def _run(self) -> None:
        step = self._step
        retried = step.retry is not None and step.retry.max > 0
        shell = None
        env = self._env()
        if not retried and not self._in_container:
            text = (
                step.action.text
                if isinstance(step.action, Script)
                else command_to_bash(step.action.words)
            )
            if step.timeout is not None:
                shell = with_timeout(f"{scripts.STRICT_BASH} {{0}}", step.timeout)
        else:
            if isinstance(step.action, Script):
                env.append(("MLSPEC_SCRIPT", (_line_end(step.action.text),)))
            text = retry_loop(self._attempt([name for name, _ in env]), step.retry)
            if self._in_container and step.timeout is not None:
                text = f"{_CONTAINER}\n{text}"
        guards = [s.id for s in self._made.steps if s.id in ("guard-when", "guard-matrix")]
        self._made.steps.append(
            Run(
                name=f"Run {step.id}",
                id="run",
                shell=shell,
                folder=self._work,
                condition=" && ".join(f"steps.{guard}.outcome != 'failure'" for guard in guards)
                or None,
                env=tuple(env),
                script=(_line_end(text),),
                tolerated=self._frame.tolerated,
            )
        )

    def _attempt(self, variables: list[str]) -> str:
        """Return the command line of one attempt, for a loop or a container."""
        step = self._step
        asks = any(ref.namespace is Namespace.RUN and ref.name == "attempt" for ref in step.refs)
        counted = asks and step.retry is not None and step.retry.max > 0
        attempt = 'env MLSPEC_RUN_ATTEMPT="$attempt" ' if counted else ""
        if not self._in_container:
            if isinstance(step.action, Script):
                command = f'{scripts.STRICT_BASH} -c "$MLSPEC_SCRIPT"'
            elif step.timeout is not None or counted:
                command = argv_to_bash(step.action.words)
            else:
                return f"({command_to_bash(step.action.words)})"
            return attempt + with_timeout(command, step.timeout)
        return attempt + self._docker(variables)

    def _docker(self, variables: list[str]) -> str:
        step = self._step
        assert step.image is not None  # noqa: S101 (the caller asked)
        gpus = f" --gpus {step.resources.gpu}" if step.resources.gpu else ""
        name = ' --name "$container"' if step.timeout is not None else ""
        passed = [name_ for name_ in variables if name_ != "MLSPEC_SCRIPT"]
        if isinstance(step.action, Script):
            tail = '--entrypoint bash "$MLSPEC_IMAGE" -euo pipefail -c "$MLSPEC_SCRIPT"'
        else:
            tail = f"--entrypoint '' \"$MLSPEC_IMAGE\" {argv_to_bash(step.action.words)}"
        lines = [
            f"docker run --rm --init{name}{gpus}",
            f'--volume "{scripts.HOME}:{scripts.MOUNT}"',
            *(f"--env {variable}" for variable in passed if variable != "MLSPEC_IMAGE"),
            tail,
        ]
        command = with_timeout(" \\\n  ".join(lines), step.timeout)
        return f"{_REMOVE}\n{command}" if step.timeout is not None else command

    def _env(self) -> list[tuple[str, Value]]:
        step = self._step
        env: list[tuple[str, Value]] = [(ref.variable, self._value(ref)) for ref in step.refs]
        if step.image is not None:
            env.append(("MLSPEC_IMAGE", (step.image.reference,)))
        given = {name for name, _ in step.env}
        if step.resources.cpu is not None and "OMP_NUM_THREADS" not in given:
            env.append(("OMP_NUM_THREADS", (str(max(1, step.resources.cpu.milli // 1000)),)))
        env += [(name, self._text(text)) for name, text in step.env]
        env += [
            (secret.variable, (Code(f"secrets.{secret_name(secret.name)}"),))
            for secret in step.secrets
        ]
        return env

    def _text(self, text: Text) -> Value:
        parts: list[str | Code] = []
        for part in text:
            parts += [part.text] if isinstance(part, Literal) else self._value(part)
        return tuple(parts) or ("",)

    def _value(self, ref: Ref) -> Value:
        match ref.namespace:
            case Namespace.PARAMS:
                param = next(p for p in self._frame.pipeline.params if p.name == ref.name)
                return param_value(param, by_hand_only=self._frame.by_hand_only)
            case Namespace.INPUTS:
                return self._input_value(ref.name)
            case Namespace.OUTPUTS:
                output = self._step.output(ref.name)
                assert output is not None  # noqa: S101 (the IR's references resolve)
                root: Value = (scripts.MOUNT, "/work") if self._in_container else self._project
                return (*root, "/", output.path)
            case Namespace.MATRIX:
                return (Code(f"matrix.{ref.name}"),)
            case Namespace.RUN:
                return _RUN_VALUES[ref.name]

    def _input_value(self, name: str) -> Value:
        match self._step.input(name):
            case RepoInput(path=path):
                if self._in_container:
                    return (f"{scripts.MOUNT}/inputs/{name}/{scripts.split_path(path)[1]}",)
                return (*self._project, "/", path)
            case DataInput(data=data):
                return (self._frame.application.dataset(data).source or "",)
            case StepInput(pairing=Pairing.FOLDER):
                return (Code(f"steps.gather-{name}.outputs.place"),)
            case _:
                return (Code(f"steps.inputs.outputs.{name}"),)

    # -------------------------------------------------------------- after

    def _after(self, step_id: str) -> str | None:
        return f"steps.{step_id}.outcome == 'success'" if self._frame.tolerated else None

    def _pack(self) -> str:
        """Add what checks and publishes; return the id of the step whose outcome counts."""
        step = self._step
        if not step.outputs and step.metrics is None and not step.report:
            return "run"
        is_matrix = step.matrix is not None
        self._made.steps.append(
            Run(
                name="Check and pack outputs" if step.outputs else "Keep results",
                id="outputs" if self._frame.tolerated else None,
                condition=self._after("run"),
                folder=self._work,
                env=(("ENTRY", entry_value(step)),) if is_matrix else (),
                script=(
                    scripts.pack(
                        [(output.name, output.path) for output in step.outputs],
                        step.metrics,
                        step.report,
                        title=step.id,
                        is_matrix=is_matrix,
                    ),
                ),
                tolerated=self._frame.tolerated,
            )
        )
        name: Value = (f"{step.id}.", *entry_value(step)) if is_matrix else (step.id,)
        self._made.steps.append(
            Use(
                name="Publish outputs" if step.outputs else "Publish results",
                action=pin("actions/upload-artifact"),
                condition=self._after("outputs"),
                arguments=(
                    ("name", name),
                    ("path", (TEMP, "/mlspec/outputs")),
                    ("include-hidden-files", True),
                    ("if-no-files-found", ("ignore" if not wants_files(step) else "error",)),
                    ("overwrite", True),
                ),
            )
        )
        return "outputs"

    def _decide(self, after: str) -> None:
        step, pipeline = self._step, self._frame.pipeline
        conditions = {
            other.id: found
            for other in pipeline.steps
            if (
                found := [
                    [c.metric, c.op.value, c.value]
                    for c in other.when
                    if isinstance(c, MetricCondition) and c.step == step.id
                ]
            )
        }
        if conditions and step.metrics is not None:
            env = (("METRICS", (step.metrics,)), ("CONDITIONS", (json.dumps(conditions),)))
            self._answer("Compare metrics", "compare", after, env, scripts.DECIDE)
            self._made.outputs += [
                (f"when-{name}", f"steps.compare.outputs.when-{name}") for name in conditions
            ]
        lists = _lists_of(step, pipeline)
        if lists:
            env = (("MATRICES", (json.dumps(lists),)),)
            self._answer("Check the list", "list", after, env, scripts.LIST)
            self._made.outputs += [
                (f"{what}-{name}", f"steps.list.outputs.{what}-{name}")
                for name in lists
                for what in ("matrix", "combinations", "problem")
            ]

    def _answer(
        self, name: str, step_id: str, after: str, env: tuple[tuple[str, Value], ...], script: str
    ) -> None:
        self._made.steps.append(
            Run(
                name=name,
                id=step_id,
                condition=self._after(after),
                shell=scripts.PYTHON,
                folder=self._work,
                env=env,
                script=(script,),
            )
        )


_RUN_VALUES: dict[str, Value] = {
    "id": (Code("github.run_id"),),
    "attempt": (Code("github.run_attempt"),),
    "date": (Code(f"needs.{START}.outputs.date"),),
    "status": (Code(f"{FAILED_RUN} && 'failed' || 'success'"),),
    "url": RUN_URL,
}
_CONTAINER = """\
container=mlspec-$GITHUB_RUN_ID-$RANDOM$RANDOM
trap 'docker rm --force "$container" > /dev/null 2>&1 || true' EXIT"""
_REMOVE = 'docker rm --force "$container" > /dev/null 2>&1 || true'


def _lists_of(step: Step, pipeline: Pipeline) -> dict[str, object]:
    """Return what `LIST` needs for each run-time matrix that reads an output of the step."""
    found: dict[str, object] = {}
    for other in pipeline.steps:
        axis = other.matrix.dynamic if other.matrix is not None else None
        if axis is None or axis.step != step.id or other.matrix is None:
            continue
        output = step.output(axis.output)
        assert output is not None  # noqa: S101 (the IR's references resolve)
        found[other.id] = {
            "file": output.path,
            "key": axis.key,
            "keys": list(other.matrix.keys),
            "rows": [dict(row.values) for row in other.matrix.rows],
            "max": axis.max,
        }
    return found


def param_value(param: Param, *, by_hand_only: bool) -> Value:
    """Return a run parameter's text."""
    return (Code(param_code(param, by_hand_only=by_hand_only)),)


def secret_name(name: str) -> str:
    """Return the name of a repository secret for a logical name (decision B34)."""
    return name.upper().replace("-", "_")


def wants_files(step: Step) -> bool:
    """Return whether a successful run surely leaves something to publish."""
    return bool(step.outputs) or step.metrics is not None


def _line_end(text: str) -> str:
    """Return a script with one line end at its end (more mean nothing to Bash)."""
    return text.rstrip("\n") + "\n"


__all__ = [
    "Frame",
    "Made",
    "StepsMaker",
    "entry_value",
    "is_product",
    "param_value",
    "rows_json",
    "secret_name",
]
