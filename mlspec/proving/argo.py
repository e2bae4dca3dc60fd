"""When a task of an Argo DAG starts: `depends`, `dependencies`, `continueOn` and `when`."""

from __future__ import annotations

import re

from mlspec.ir.joins import Outcome
from mlspec.proving.conditions import NotUnderstoodError, parse
from mlspec.proving.documents import Doc
from mlspec.proving.graph import (
    SUCCESS,
    TRUE,
    UNKNOWN,
    Constant,
    Ended,
    Every,
    Flaw,
    Some,
    Start,
)

_STATES = {
    "Succeeded": frozenset({Outcome.SUCCESS}),
    "Skipped": frozenset({Outcome.SKIPPED}),
    "Omitted": frozenset({Outcome.BLOCKED}),
}
_YES = re.compile(r"tasks\['([A-Za-z0-9-]+)'\]\.outputs\.parameters\['approve'\] == 'yes'")
_ANSWERED = re.compile(r"\{\{=\((.*)\) \? 'true' : 'not-approved'\}\}", re.DOTALL)


def start_of(
    name: str, task: Doc, names: frozenset[str], asking: frozenset[str]
) -> tuple[Start, list[Flaw]]:
    """Return when a task starts.

    Args:
        task: as it stands in the DAG. names: all tasks.
        asking: tasks that wait for an answer; their success says nothing, only `when` does.
    """
    flaws: list[Flaw] = []
    if task.get("continueOn") is not None:
        text = f"`continueOn` of `{name}`: it counts as a success although it failed"
        flaws.append(Flaw(text, task.at, on_path=True))
    start = _depends(name, task, names, asking, flaws)
    when = task.get("when")
    if when is None:
        return start, flaws
    return Every((start, _when(str(when.value), asking))), flaws


def _depends(
    name: str, task: Doc, names: frozenset[str], asking: frozenset[str], flaws: list[Flaw]
) -> Start:
    before = task.texts("dependencies")
    if before:
        # Older than `depends`: each of them succeeded or was skipped.
        return Every(tuple(_atom(one, names, asking) for one in before))
    depends = task.get("depends")
    if depends is None:
        return TRUE
    try:
        found = parse(depends.text or "", lambda atom: _atom(atom, names, asking))
    except NotUnderstoodError as error:
        text = f"`depends` of `{name}` is not understood: {error}"
        flaws.append(Flaw(text, depends.at, on_path=True))
        return UNKNOWN
    return found


def _atom(text: str, names: frozenset[str], asking: frozenset[str]) -> Start:
    task, _, state = text.partition(".")
    if task not in names:
        raise NotUnderstoodError(f"there is no task `{task}`")
    every = Ended(task, frozenset(Outcome))
    if not state:
        if task in asking:
            return Every((every, UNKNOWN))
        return Some((Ended(task, SUCCESS), Ended(task, _STATES["Skipped"])))
    if task in asking or state not in _STATES:
        return Every((every, _either(task, state)))
    return Ended(task, _STATES[state])


def _either(task: str, state: str) -> Start:
    """Return what is not exactly known; a task that failed ended as Failed or as Errored."""
    if state in ("Failed", "Errored"):
        return Every((Ended(task, frozenset({Outcome.FAILED})), UNKNOWN))
    return Constant(frozenset({True, False}))


def _when(text: str, asking: frozenset[str]) -> Start:
    """Return what a `when` means: exactly our reading of answers, or anything at all."""
    answered = _ANSWERED.fullmatch(text)
    if answered is None:
        return UNKNOWN
    tests = [_YES.fullmatch(test) for test in answered[1].split(" && ")]
    tasks = [test[1] for test in tests if test is not None]
    if len(tasks) < len(tests) or not asking.issuperset(tasks):
        return UNKNOWN
    return Every(tuple(Ended(task, SUCCESS) for task in tasks))
