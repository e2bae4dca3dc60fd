"""The steps inside the job of one step: check out, fetch, run, pack, publish, decide.

Input: a `Step` and what its job knows about the pipeline (`Frame`); output: the job's steps in
order and the outputs that other jobs read. Steps run in the checkout, or in a container through
`docker run`; then everything the container sees lies below one mounted folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mlspec.backends.github_actions import scripts
from mlspec.backends.github_actions.commands import command, shell
from mlspec.backends.github_actions.model import Run, Use
from mlspec.backends.github_actions.pins import pin
from mlspec.backends.github_actions.quoting import Code, Value
from mlspec.backends.github_actions.values import (
    TEMP,
    Frame,
    data_json,
    entry_value,
    environment,
    rows_json,
)
from mlspec.ir.model import MetricCondition, Pairing, RepoInput, Step, StepInput


@dataclass(slots=True)
class Made:
    """The steps of a job, and its outputs, as they are put together."""

    steps: list[Use | Run] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)


class StepsMaker:
    """Makes the steps of one job."""

    def __init__(self, step: Step, frame: Frame) -> None:
        """Remember the step and its surroundings."""
        self._step = step
        self._frame = frame
        self._in_container = step.image is not None
        self._made = Made()
        self._checkout_folder: Value | None = None if frame.folder == "." else (frame.folder,)
        self._work: Value | None = (
            (TEMP, "/mlspec/work") if self._in_container else self._checkout_folder
        )

    def make(self) -> Made:
        """Return all steps and outputs."""
        self._guard()
        self._check_out()
        self._install()
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

    def _install(self) -> None:
        """Bring `mlspec`, and what the project's functions import, for a step that calls it."""
        words = self._frame.install
        if not words or self._in_container or not self._step.kind.is_derived:
            return
        self._made.steps.append(
            Run(
                name="Install mlspec",
                folder=self._checkout_folder,
                script=(scripts.install(words),),
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
        certain = producer in self._frame.certain
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
                condition=self._frame.index.succeeded[producer] if guarded else None,
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
        output = self._frame.index.steps[item.step].output(item.output)
        assert output is not None  # noqa: S101 (the IR's references resolve)
        return scripts.split_path(output.path)[1]

    def _gather(self, item: StepInput) -> None:
        producer = self._frame.index.steps[item.step]
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
        env = environment(self._step, self._frame)
        text = command(self._step, env)
        guards = [s.id for s in self._made.steps if s.id in ("guard-when", "guard-matrix")]
        passed = " && ".join(f"steps.{guard}.outcome != 'failure'" for guard in guards)
        self._made.steps.append(
            Run(
                name=f"Run {self._step.id}",
                id="run",
                shell=shell(self._step),
                folder=self._work,
                condition=passed or None,
                env=tuple(env),
                script=(text,),
                tolerated=self._frame.tolerated,
            )
        )

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
        step, index = self._step, self._frame.index
        conditions = {
            other.id: found
            for other in index.compared.get(step.id, ())
            if (
                found := [
                    [c.metric, c.op.value, c.value]
                    for c in other.when
                    if isinstance(c, MetricCondition) and c.step == step.id
                ]
            )
        }
        if conditions and step.metrics is not None:
            asked: Value = (data_json(conditions),)
            given = (("METRICS", (step.metrics,)), ("CONDITIONS", asked))
            self._answer("Compare metrics", "compare", after, given, scripts.DECIDE)
            self._made.outputs += [
                (f"when-{name}", f"steps.compare.outputs.when-{name}") for name in conditions
            ]
        lists = _lists_of(step, index.fanned.get(step.id, ()))
        if lists:
            env = (("MATRICES", (data_json(lists),)),)
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


def _lists_of(step: Step, readers: tuple[Step, ...]) -> dict[str, object]:
    """Return what `LIST` needs for each run-time matrix that reads an output of the step."""
    found: dict[str, object] = {}
    for other in readers:
        axis = other.matrix.dynamic if other.matrix is not None else None
        if axis is None or other.matrix is None:
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


def wants_files(step: Step) -> bool:
    """Return whether a successful run surely leaves something to publish."""
    return bool(step.outputs) or step.metrics is not None
