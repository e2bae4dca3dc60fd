"""An emitted graph: tasks as an engine will see them, and when each of them starts.

Duty: the one form into which all readers turn artifacts. A start is an expression over how other
tasks ended; what a reader does not understand is `UNKNOWN`, which may be true and may be false.
Values are sets of booleans (Kleene's logic), so that a proof never says "safe" wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlspec.ir.dominance import NEVER, STARTED, Ends, Vertex
from mlspec.ir.joins import Outcome

# ------------------------------------------------------------------ when a task starts


@dataclass(frozen=True, slots=True)
class Ended:
    """True when a task ended in one of the outcomes."""

    task: str
    outcomes: frozenset[Outcome]


@dataclass(frozen=True, slots=True)
class Constant:
    """What can be known without looking at tasks: `{True}`, `{False}`, or nothing (both)."""

    values: frozenset[bool]


@dataclass(frozen=True, slots=True)
class Negation:
    """Not."""

    term: Start


@dataclass(frozen=True, slots=True)
class Every:
    """And; empty is true."""

    terms: tuple[Start, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Or; empty is false."""

    terms: tuple[Start, ...]


Start = Ended | Constant | Negation | Every | Some

TRUE = Constant(frozenset({True}))
FALSE = Constant(frozenset({False}))
UNKNOWN = Constant(frozenset({True, False}))

SUCCESS = frozenset({Outcome.SUCCESS})


def values(start: Start, ends: Ends) -> frozenset[bool]:
    """Return what an expression can be, given how tasks can end."""
    match start:
        case Constant(known):
            return known
        case Ended(task, outcomes):
            possible = ends.get(task)
            if possible is None:
                return UNKNOWN.values
            return frozenset(outcome in outcomes for outcome in possible)
        case Negation(term):
            return frozenset(not value for value in values(term, ends))
        case Every(terms):
            found = [values(term, ends) for term in terms]
            return frozenset(
                value
                for value in (True, False)
                if (all if value else any)(value in one for one in found)
            )
        case Some(terms):
            return values(Negation(Every(tuple(Negation(term) for term in terms))), ends)


def tasks_in(start: Start) -> Iterator[str]:
    """Yield the tasks that an expression names."""
    match start:
        case Ended(task):
            yield task
        case Negation(term):
            yield from tasks_in(term)
        case Every(terms) | Some(terms):
            for term in terms:
                yield from tasks_in(term)


def succeeded(tasks: Iterable[str]) -> Start:
    """Return the expression that all tasks succeeded."""
    return Every(tuple(Ended(task, SUCCESS) for task in tasks))


# ------------------------------------------------------------------ tasks and graphs


@dataclass(frozen=True, slots=True)
class Spot:
    """A line of an artifact; 0: the file as a whole."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        """As notes print it."""
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something forbidden, or something that a reader does not understand.

    Attributes:
        on_path: it also matters when the task only stands before a promotion; otherwise only when
            the task is one of those that the proof rests on.
    """

    text: str
    at: Spot
    on_path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """The engine's own question, which is part of a task.

    Attributes:
        role: who is asked. within: milliseconds that it waits; None: the engine does not say.
        alone: whether the task does nothing else, so that others must wait for it.
    """

    role: str
    within: int | None = None
    alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of an emitted graph.

    Attributes:
        runs: kinds of derived steps that its text names (`mlspec step promote`), wherever.
        words: the argument vector, with `${NAME}` for variables, when it runs exactly one program
            and ends as that does; None: not understood.
        node: text of `MLSPEC_NODE`; None: it has none.
        variables: names of its other environment variables, with texts where they are known.
        asked: the engine's questions whose answers it is told, with their roles; None: the
            engine tells no answers by name.
        distinct: questions that different people must have answered; None: the engine does not
            compare them, and the approve step alone counts.
    """

    id: str
    at: Spot
    start: Start = TRUE
    runs: frozenset[str] = frozenset()
    words: tuple[str, ...] | None = None
    node: str | None = None
    variables: Mapping[str, str | None] = field(default_factory=dict)
    image: str | None = None
    button: Button | None = None
    asked: Mapping[str, str] | None = None
    distinct: frozenset[str] | None = None
    flaws: tuple[Flaw, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The tasks that its start names, each once."""
        return tuple(dict.fromkeys(tasks_in(self.start)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The tasks of one DAG, workflow or workflow template.

    Attributes:
        flaws: what is wrong with the graph as a whole.
    """

    name: str
    at: Spot
    tasks: Mapping[str, Task]
    flaws: tuple[Flaw, ...] = ()

    def order(self) -> tuple[Task, ...] | None:
        """Return the tasks in topological order, None when there is a circle."""
        left = {task.id: {n for n in task.needs if n in self.tasks} for task in self.tasks.values()}
        after: dict[str, list[str]] = {}
        for task, needs in left.items():
            for need in needs:
                after.setdefault(need, []).append(task)
        ready = [task for task, needs in left.items() if not needs]
        made: list[Task] = []
        while ready:
            task = ready.pop()
            made.append(self.tasks[task])
            for other in after.get(task, ()):
                left[other].discard(task)
                if not left[other]:
                    ready.append(other)
        return tuple(made) if len(made) == len(self.tasks) else None

    def above(self, task: str) -> frozenset[str]:
        """Return the tasks that a task waits for, whatever is between them."""
        found: set[str] = set()
        todo = [task]
        while todo:
            for need in self.tasks[todo.pop()].needs:
                if need in self.tasks and need not in found:
                    found.add(need)
                    todo.append(need)
        return frozenset(found)


def vertex(task: Task) -> Vertex:
    """Return a task as the algorithm of `mlspec.ir.dominance` wants it.

    What does not start can also count as failed (Argo's `when`): only a success says it started.
    """

    def ends(found: Ends) -> frozenset[Outcome]:
        possible = values(task.start, found)
        started = STARTED if True in possible else frozenset()
        return started | (NEVER if False in possible else frozenset())

    return Vertex(id=task.id, needs=task.needs, ends=ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a reader found: graphs, and flaws of files that hold none."""

    graphs: tuple[Graph, ...] = ()
    flaws: tuple[Flaw, ...] = ()
