"""Reads GitHub workflows back: jobs, when they start, what they run.

Rules of the engine (docs.github.com, "Workflow syntax for GitHub Actions" and "Expressions"): a
job starts after its `needs` have ended, if its `if` is true; without a status function in it
`success()` is meant as well; a job fails when a step fails that has no `continue-on-error`; one
with an `environment` waits for its reviewers, and a refusal is the job's failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mlspec.emit.artifact import Artifact
from mlspec.ir.joins import Outcome
from mlspec.proving.conditions import NotUnderstoodError, parse
from mlspec.proving.documents import Doc, documents
from mlspec.proving.graph import (
    TRUE,
    UNKNOWN,
    Button,
    Ended,
    Every,
    Flaw,
    Graph,
    Negation,
    Read,
    Spot,
    Start,
    Task,
    succeeded,
)
from mlspec.proving.words import kinds_in, of_script

_NODE = "MLSPEC_NODE"
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
_BASH = re.compile(
    r"(?:timeout --kill-after=[0-9.]+ [0-9.]+ )?bash --noprofile --norc -euo pipefail \{0\}"
)
_RESULT = re.compile(r"needs\.([\w-]+)\.result (==|!=) '(success|failure|skipped|cancelled)'")
_OUTCOMES = {
    "success": frozenset({Outcome.SUCCESS}),
    "failure": frozenset({Outcome.FAILED}),
    "skipped": frozenset({Outcome.SKIPPED, Outcome.BLOCKED}),
}
_WORKFLOW = frozenset({"name", "on", "permissions", "concurrency", "defaults", "jobs"})
_JOB = frozenset(
    {
        "name",
        "needs",
        "if",
        "runs-on",
        "environment",
        "concurrency",
        "timeout-minutes",
        "outputs",
        "permissions",
        "steps",
    }
)
_STEP = frozenset({"name", "id", "shell", "working-directory", "env", "run"})


def read(artifacts: Sequence[Artifact]) -> Read:
    """Return the graph of each workflow."""
    graphs: list[Graph] = []
    flaws: list[Flaw] = []
    for artifact in artifacts:
        found, bad = documents(artifact)
        flaws += bad
        graphs += [_workflow(doc, artifact.path) for doc in found]
    return Read(graphs=tuple(graphs), flaws=tuple(flaws))


def _workflow(doc: Doc, path: str) -> Graph:
    flaws: list[Flaw] = [
        Flaw(f"`{key}` of the workflow is not understood", value.at, on_path=True)
        for key, value in doc.entries.items()
        if key not in _WORKFLOW
    ]
    shell = doc.get("defaults", "run", "shell")
    if shell is None or shell.text is None or not _BASH.fullmatch(shell.text):
        flaws.append(Flaw("the workflow's default shell is not strict Bash", doc.at, on_path=True))
    jobs = doc.get("jobs")
    for job in jobs.entries.values() if jobs is not None else ():
        flaws += _unpinned(job)
    names = frozenset(jobs.entries) if jobs is not None else frozenset()
    tasks = {name: _job(name, job, names) for name, job in (jobs.entries.items() if jobs else ())}
    return Graph(name=path, at=Spot(path), tasks=tasks, flaws=tuple(flaws))


def _unpinned(job: Doc) -> Iterator[Flaw]:
    for item in (job, *(step for step in _steps(job))):
        uses = item.get("uses")
        if uses is not None and not _PINNED.fullmatch(uses.text or ""):
            yield Flaw(f"the action `{uses.text}` is not pinned by the digest of a commit", uses.at)


def _steps(job: Doc) -> tuple[Doc, ...]:
    steps = job.get("steps")
    return steps.items if steps is not None else ()


def _job(name: str, job: Doc, names: frozenset[str]) -> Task:
    flaws = [*_on_path(name, job), *_unknown_keys(name, job)]
    start, bad = _start(name, job, names)
    flaws += bad
    ours = [step for step in _steps(job) if _kinds(step)]
    words, node = None, None
    variables: Mapping[str, str | None] = {}
    if len(ours) == 1:
        words, node, variables, more = _run_step(name, ours[0])
        flaws += more
    return Task(
        id=name,
        at=job.at,
        start=start,
        runs=_kinds(job),
        words=words,
        node=node,
        variables=variables,
        image=variables.get("MLSPEC_IMAGE"),
        button=_button(job, alone=not ours),
        flaws=tuple(flaws),
    )


def _kinds(doc: Doc) -> frozenset[str]:
    texts = (one.text for one in doc.walk())
    return kinds_in(text for text in texts if text is not None and not text.startswith("{"))


def _on_path(name: str, job: Doc) -> Iterator[Flaw]:
    """Yield what must not stand in a job on the way to a promotion, whatever it runs."""
    for item in (job, *_steps(job)):
        tolerated = item.get("continue-on-error")
        if tolerated is not None and tolerated.value is not False:
            text = f"`continue-on-error` in `{name}`: it succeeds although it failed"
            yield Flaw(text, tolerated.at, on_path=True)
    if job.get("uses") is not None:
        yield Flaw(f"`{name}` is a workflow of its own, which is not read", job.at, on_path=True)


def _unknown_keys(name: str, job: Doc) -> Iterator[Flaw]:
    for key, value in job.entries.items():
        if key not in _JOB:
            yield Flaw(f"`{key}` of the job `{name}` is not understood", value.at)


def _run_step(
    name: str, step: Doc
) -> tuple[tuple[str, ...] | None, str | None, Mapping[str, str | None], list[Flaw]]:
    flaws: list[Flaw] = []
    for key, value in step.entries.items():
        if key not in _STEP and key != "continue-on-error":
            text = f"`{key}` of the step that runs `{name}` is not understood"
            flaws.append(Flaw(text, value.at))
    shell = step.get("shell")
    if shell is not None and not _BASH.fullmatch(shell.text or ""):
        flaws.append(Flaw(f"`{name}` does not run in strict Bash", shell.at))
    env = step.get("env")
    variables = {key: item.text for key, item in env.entries.items()} if env is not None else {}
    script = step.get("run")
    words = of_script(_unescaped(script.text)) if script is not None and script.text else None
    node = variables.pop(_NODE, None)
    return words, _unescaped(node) if node is not None else None, variables, flaws


def _unescaped(text: str) -> str:
    """Return what GitHub makes of a text whose only expression is an escaped brace."""
    return text.replace("${{ '${{' }}", "${{")


def _button(job: Doc, *, alone: bool) -> Button | None:
    found = job.get("environment")
    role = found.text or _name_of(found) if found is not None else None
    return Button(role=role, alone=alone) if role is not None else None


def _name_of(environment: Doc) -> str | None:
    name = environment.get("name")
    return name.text if name is not None else None


# ------------------------------------------------------------------ when a job starts


def _start(name: str, job: Doc, names: frozenset[str]) -> tuple[Start, list[Flaw]]:
    needs = job.texts("needs")
    flaws = []
    if needs is None or not names.issuperset(needs):
        flaws.append(Flaw(f"the needs of `{name}` are not understood", job.at, on_path=True))
        needs = tuple(need for need in needs or () if need in names)
    condition = job.get("if")
    if condition is None:
        return succeeded(needs), flaws
    text = condition.text if condition.text is not None else str(condition.value).lower()
    if "always()" in re.sub(r"\s", "", text):
        said = f"`{name}` starts whatever happened: `if: always()`"
        flaws.append(Flaw(said, condition.at, on_path=True))
    inner = re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", text, re.DOTALL)
    try:
        found = parse(inner[1] if inner else text, lambda atom: _atom(atom, needs))
    except NotUnderstoodError as error:
        said = f"the condition of `{name}` is not understood: {error}"
        flaws.append(Flaw(said, condition.at, on_path=True))
        found = UNKNOWN
    if not re.search(r"\b(?:always|cancelled|failure|success)\s*\(", text):
        found = Every((succeeded(needs), found))
    return Every((found, _after(needs))), flaws


def _after(needs: tuple[str, ...]) -> Start:
    """Return a term that is always true and names the needs: the job waits for them."""
    every = frozenset(Outcome)
    return Every(tuple(Ended(need, every) for need in needs))


def _atom(text: str, needs: tuple[str, ...]) -> Start:
    if re.fullmatch(r"always\(\s*\)", text):
        return TRUE
    if re.fullmatch(r"success\(\s*\)", text):
        return succeeded(needs)
    if text in ("true", "false"):
        return TRUE if text == "true" else Negation(TRUE)
    found = _RESULT.fullmatch(text)
    if found is None or found[1] not in needs or found[3] not in _OUTCOMES:
        return UNKNOWN
    ended = Ended(found[1], _OUTCOMES[found[3]])
    return ended if found[2] == "==" else Negation(ended)
