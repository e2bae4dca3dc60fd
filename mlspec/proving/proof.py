"""The proof of approval dominance on emitted artifacts (rule ML801).

Duty: for each pipeline whose model needs an approval, hold the emitted graph against the IR. Input:
the applications that were lowered, and the artifacts of one target. What is proved:

* every approve, promote, gate and register step of the IR stands in one emitted graph, once, with
  exactly its command and its node, and there is no other promotion anywhere;
* no promotion can start when an approval, the gate, the registration or the engine's own question
  did not succeed: the algorithm of `mlspec.ir.dominance` (rule ML305), on the emitted graph;
* the engine asks as often and whom the IR says; nothing tolerates failures on the way.

What a reader does not understand there is a finding. Steps that a user wrote are outside: nobody
can see what their scripts do. DVC refuses approvals, and `ir-json` prints the IR, which is proved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from mlspec.diagnostics.codes.emitted import EMITTED_PROOF
from mlspec.diagnostics.model import Diagnostic, Severity
from mlspec.emit.artifact import Artifact
from mlspec.ir.dominance import ends_without, path_to
from mlspec.ir.facts import NODE_VARIABLE
from mlspec.ir.joins import Outcome
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Argv, Join, Pipeline, Step
from mlspec.ir.values import Literal, plain
from mlspec.proving.graph import Flaw, Graph, Read, Spot, Task, vertex

READERS = {
    "airflow": "mlspec.proving.airflow",
    "github-actions": "mlspec.proving.github_actions",
    "kubernetes": "mlspec.proving.kubernetes",
}
"""Modules with a function `read`, by target."""

NO_APPROVALS = frozenset({"dvc", "ir-json"})
"""DVC refuses `approve`; `ir-json` runs nothing."""

_HELD = (Kind.REGISTER, Kind.GATE, Kind.APPROVE, Kind.PROMOTE)
"""Kinds of the steps that the proof rests on."""

_OURS = frozenset({"HOME", "OMP_NUM_THREADS", "MLSPEC_IMAGE"})

_CONSTANT = {
    "MLSPEC_RUN_ISSUER": frozenset({"airflow", "argo", "github"}),
    "GITHUB_TOKEN": frozenset({"${{ github.token }}"}),
}
"""Variables that back ends add, and all values that they may have."""

_SAID = frozenset({"MLSPEC_RUN_ACTOR", "MLSPEC_RUN_APPROVALS", "MLSPEC_RUN_COMMIT"})
"""Variables whose value only the engine knows: who started the run, who answered."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who a derived task is, by its node."""

    app: str
    environment: str
    pipeline: str
    step: str


def prove_promotions(
    applications: Sequence[Application], artifacts: Sequence[Artifact], target: str
) -> tuple[Diagnostic, ...]:
    """Return what emitted artifacts do not keep.

    Args:
        applications: those that were lowered, one for each environment.
        artifacts: all of the target. target: its name.
    """
    wanted = [
        (application, pipeline)
        for application in applications
        for pipeline in application.pipelines
        if any(step.kind is Kind.APPROVE for step in pipeline.steps)
    ]
    if target in NO_APPROVALS:
        return ()
    if target not in READERS:
        return (_unread(wanted[0][1], target),)
    read: Read = import_module(READERS[target]).read(artifacts)
    proof = _Proof(applications, read, target)
    return tuple(dict.fromkeys(one for pair in wanted for one in proof.pipeline(*pair)))


def _unread(pipeline: Pipeline, target: str) -> Diagnostic:
    return Diagnostic(
        code=EMITTED_PROOF,
        message=f"nothing proves that the files for `{target}` keep the approvals",
        at=_approval(pipeline).at,
        notes=("mlspec reads back only what its own back ends print",),
        severity_override=Severity.WARNING,
    )


def _approval(pipeline: Pipeline) -> Step:
    return next(step for step in pipeline.steps if step.kind is Kind.APPROVE)


class _Proof:
    """Holds the graphs of one target against the IR."""

    def __init__(self, applications: Sequence[Application], read: Read, target: str) -> None:
        self._read = read
        self._target = target
        self.asks_once = target == "github-actions"
        self._steps = {
            _Owner(app.name, app.environment.name, pipeline.id, step.id): step
            for app in applications
            for pipeline in app.pipelines
            for step in pipeline.steps
        }
        self._owners = {
            (number, task.id): _owner(task)
            for number, graph in enumerate(read.graphs)
            for task in graph.tasks.values()
        }

    def pipeline(self, application: Application, pipeline: Pipeline) -> Iterator[Diagnostic]:
        """Yield the findings of one pipeline with approvals."""
        at = _approval(pipeline)
        for flaw in (*self._read.flaws, *self._foreign()):
            yield self.finding(flaw.text, flaw.at, at)
        mine = (application.name, application.environment.name, pipeline.id)
        numbers = [
            number
            for number, graph in enumerate(self._read.graphs)
            if any(self._is_of(mine, number, task) for task in graph.tasks)
        ]
        if not numbers:
            where = self._read.graphs[0].at if self._read.graphs else Spot("(no file)")
            yield self.finding(f"no graph holds the steps of `{pipeline.id}`", where, at)
        for number in numbers:
            tasks: dict[str, list[Task]] = {}
            for task in self._read.graphs[number].tasks.values():
                owner = self._owners[number, task.id]
                if owner is not None and self._is_of(mine, number, task.id):
                    tasks.setdefault(owner.step, []).append(task)
            yield from _GraphProof(self, self._read.graphs[number], pipeline, tasks).findings()

    def _is_of(self, mine: tuple[str, str, str], number: int, task: str) -> bool:
        owner = self._owners[number, task]
        return owner is not None and (owner.app, owner.environment, owner.pipeline) == mine

    def _foreign(self) -> Iterator[Flaw]:
        """Yield promotions that are none of the IR's."""
        for number, graph in enumerate(self._read.graphs):
            for task in graph.tasks.values():
                if not task.runs & {"promote"} and _kind(task) != "promote":
                    continue
                owner = self._owners[number, task.id]
                step = self._steps.get(owner) if owner is not None else None
                if step is None or step.kind is not Kind.PROMOTE:
                    yield Flaw(f"`{task.id}` is a promotion that the spec does not have", task.at)
                elif not _same_node(task, step):
                    yield Flaw(f"`{task.id}` promotes something else than the spec says", task.at)

    def finding(self, text: str, spot: Spot, step: Step, path: tuple[str, ...] = ()) -> Diagnostic:
        """Return a finding about an artifact; its place is the approval in the spec."""
        notes = (f"path: {' -> '.join(path)}",) if path else ()
        return Diagnostic(
            code=EMITTED_PROOF,
            message=f"emitted for `{self._target}`: {text}",
            at=step.at,
            label="this approval",
            notes=(*notes, f"in the artifact: {spot}"),
            help=(
                "if `native` is the cause, take it from the steps of the promotion",
                "otherwise the back end has a fault: report it",
            ),
        )


class _GraphProof:
    """One emitted graph against one pipeline."""

    def __init__(
        self, proof: _Proof, graph: Graph, pipeline: Pipeline, tasks: Mapping[str, list[Task]]
    ) -> None:
        self._proof = proof
        self._graph = graph
        self._pipeline = pipeline
        self._tasks = tasks
        self._approval = _approval(pipeline)

    def findings(self) -> Iterator[Diagnostic]:
        """Yield everything that does not hold."""
        for flaw in self._graph.flaws:
            yield self._say(flaw.text, flaw.at)
        found: dict[str, Task] = {}
        for step in self._pipeline.steps:
            if step.kind in _HELD:
                yield from self._held(step, found)
        order = self._graph.order()
        if order is None:
            yield self._say("tasks wait for each other in a circle", self._graph.at)
            return
        asking = {}
        for step in self._pipeline.steps:
            if step.kind is Kind.APPROVE and step.id in found:
                asking[step.id] = self._buttons(step, found[step.id])
                yield from self._asked(step, found[step.id], asking[step.id])
        seen: set[Flaw] = set()
        for step in self._pipeline.steps:
            if step.kind is Kind.PROMOTE and step.id in found:
                yield from self._dominated(step, found, asking, order)
                yield from self._way(found[step.id], seen)

    def _say(
        self, text: str, spot: Spot, step: Step | None = None, path: tuple[str, ...] = ()
    ) -> Diagnostic:
        return self._proof.finding(text, spot, step or self._approval, path)

    # -------------------------------------------------------------- the steps themselves

    def _held(self, step: Step, found: dict[str, Task]) -> Iterator[Diagnostic]:
        """Yield what is wrong with the task of one step; note the task."""
        tasks = self._tasks.get(step.id, [])
        place = step if step.kind is Kind.APPROVE else None
        if len(tasks) != 1:
            count = "no task" if not tasks else f"{len(tasks)} tasks"
            yield self._say(f"`{step.id}` of the graph has {count}", self._graph.at, place)
        for task in tasks:
            found.setdefault(step.id, task)
            for flaw in (*_content(task, step), *(f for f in task.flaws if not f.on_path)):
                yield self._say(flaw.text, flaw.at, place)

    # -------------------------------------------------------------- the engine's questions

    def _buttons(self, step: Step, task: Task) -> tuple[Task, ...]:
        """Return the tasks with the engine's questions for one approve step.

        What also stands above the steps that it needs asks for something else: an environment.
        """
        roles = {approval.role for approval in step.approvals}
        before = {one.id for need in step.needs for one in self._tasks.get(need, ())}
        above = self._graph.above(task.id) | {task.id}
        above -= before.union(*(self._graph.above(need) for need in before))
        return tuple(
            one
            for one in self._graph.tasks.values()
            if one.id in above and one.button is not None and one.button.role in roles
        )

    def _asked(self, step: Step, task: Task, buttons: tuple[Task, ...]) -> Iterator[Diagnostic]:
        for approval in step.approvals:
            mine = [b for b in buttons if b.button is not None and b.button.role == approval.role]
            # GitHub asks a role once, whatever the count: the approve step counts the answers.
            wanted = 1 if self._proof.asks_once else approval.count
            if len(mine) < wanted:
                text = f"the engine asks `{approval.role}` {len(mine)} times, not {wanted}"
                yield self._say(text, task.at, step)
            for one in mine:
                within = one.button.within if one.button is not None else None
                if within is not None and within != approval.within.milliseconds:
                    text = f"`{one.id}` does not wait as long as the spec says"
                    yield self._say(text, one.at, step)
                for flaw in one.flaws:
                    yield self._say(flaw.text, flaw.at, step)
        roles = {one.id: one.button.role for one in buttons if one.button is not None}
        if task.asked is not None and dict(task.asked) != roles:
            yield self._say(f"`{task.id}` is told other answers than were asked", task.at, step)
        if task.distinct is not None and len(roles) > 1 and not task.distinct >= set(roles):
            yield self._say(f"one person may answer every question of `{task.id}`", task.at, step)

    # -------------------------------------------------------------- dominance

    def _dominated(
        self,
        promote: Step,
        found: Mapping[str, Task],
        asking: Mapping[str, tuple[Task, ...]],
        order: Sequence[Task],
    ) -> Iterator[Diagnostic]:
        """Yield the ways to a promotion on which one guard did not succeed."""
        last = found[promote.id]
        for step in self._pipeline.steps:
            certain = promote.join is Join.ALL_SUCCESS and step.id in promote.needs
            approves = step.kind is Kind.APPROVE and step.subject == promote.subject
            if step.id not in found or not (approves or (certain and step.kind in _HELD)):
                continue
            guards = {found[step.id].id: f"`{step.id}`"}
            for one in asking.get(step.id, ()):
                if one.button is not None and one.button.alone:
                    guards[one.id] = f"an answer to `{one.id}`"
            for guard, what in guards.items():
                ends = ends_without([vertex(task) for task in order], {guard})
                if Outcome.SUCCESS in ends[last.id]:
                    path = path_to(last.id, lambda one: self._graph.tasks[one].needs, ends)
                    text = f"`{last.id}` can start without {what}"
                    place = step if step.kind is Kind.APPROVE else None
                    yield self._say(text, last.at, place, path)

    def _way(self, last: Task, seen: set[Flaw]) -> Iterator[Diagnostic]:
        """Yield what stands on the way to a promotion and must not."""
        above = self._graph.above(last.id)
        for task in (last, *(one for one in self._graph.tasks.values() if one.id in above)):
            for flaw in task.flaws:
                if flaw.on_path and flaw not in seen:
                    seen.add(flaw)
                    yield self._say(flaw.text, flaw.at)


# ------------------------------------------------------------------ a task and its step


def _content(task: Task, step: Step) -> Iterator[Flaw]:
    """Yield how a task differs from what its step runs."""
    if task.runs != {step.kind.value} or task.words != _words_of(step):
        yield Flaw(f"`{task.id}` does not run exactly the command of `{step.id}`", task.at)
    if not _same_node(task, step):
        yield Flaw(f"`{task.id}` is told other facts than `{step.id}`", task.at)
    if step.image is not None and task.image != step.image.reference:
        yield Flaw(f"`{task.id}` runs in another image than `{step.id}`", task.at)
    known = {ref.variable for ref in step.refs} | {name for name, _ in step.env} | _OURS
    known |= {secret.variable for secret in step.secrets}
    for name, text in task.variables.items():
        if name in _CONSTANT and name not in known:
            if text not in _CONSTANT[name]:
                yield Flaw(f"`{task.id}` is told another `{name}` than the engine's", task.at)
        elif name not in known and not name.startswith("MLSPEC_TEXT_"):
            yield Flaw(f"`{task.id}` gets the variable `{name}`, which is not ours", task.at)
        if name in _SAID and text and "{{" not in text:
            yield Flaw(f"`{task.id}` is told `{name}` by the file, not by the engine", task.at)


def _words_of(step: Step) -> tuple[str, ...]:
    """Return the argument vector of a step, with `${NAME}` for references."""
    words = step.action.words if isinstance(step.action, Argv) else ()
    return tuple(
        "".join(p.text if isinstance(p, Literal) else f"${{{p.variable}}}" for p in word)
        for word in words
    )


def _same_node(task: Task, step: Step) -> bool:
    expected = plain(dict(step.env).get(NODE_VARIABLE, ()))
    return bool(expected) and task.node == expected


def _owner(task: Task) -> _Owner | None:
    node = _node(task)
    app = node.get("app")
    parts = [app.get("name") if isinstance(app, dict) else None]
    parts += [node.get(key) for key in ("environment", "pipeline", "step")]
    texts = [part for part in parts if isinstance(part, str)]
    return _Owner(*texts) if len(texts) == len(parts) else None


def _kind(task: Task) -> str | None:
    found = _node(task).get("kind")
    return found if isinstance(found, str) else None


def _node(task: Task) -> dict[str, object]:
    try:
        found = json.loads(task.node or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
