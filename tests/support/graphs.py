"""Shared test input: random pipelines, hand-made traps, and what must happen when they run.

Stub steps are plain Bash. Each appends one JSON line to `$MLSPEC_TEST_EVENTS` when it starts and
one when it ends, with what it saw of its inputs, writes its outputs and metrics, and exits as
told. How a stub behaves stands as JSON in the first line of its script, so that `expected` is a
pure function of the application. `expected` is an interpretation of the fine print that shares no
code with `mlspec.ir.joins`, so that mlspec's own rules are tested against it as well.

An event: {"step", "combination" (`Combination.name` or ""), "event": "start" or "end",
"inputs": {name: what was seen}, "status": `${run.status}` in finally, else ""}. What a stub sees
of an input: "" when it is absent; `<base name>=<producer>:<combination>` for a file or folder; for
a FOLDER {"entries": {entry name: "<producer>:<combination>"}, "index": index.json}.

Decided here where the brief leaves it open: instances publish one by one (a FOLDER of a group of
which some instances failed holds the entries of the others, a PARTNER of a failed instance is
absent), and a FOLDER without any entry is absent, that is, the empty string.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlspec.ir.features import Feature, uses_of
from mlspec.ir.joins import Outcome
from mlspec.ir.model import (
    Application,
    Combination,
    Condition,
    Join,
    Matrix,
    MetricCondition,
    Op,
    Pairing,
    ParamCondition,
    Pipeline,
    Step,
    StepInput,
)
from tests.support.stubs import (
    KINDS,
    OUTPUT,
    PARAMS,
    SEEDS,
    Behaviour,
    application,
    behaviour_of,
    stub,
    stub_finally,
)
from tests.support.traps import TABLES, TRAPS

S, F, K, U = Outcome.SUCCESS, Outcome.FAILED, Outcome.SKIPPED, Outcome.BLOCKED


# ------------------------------------------------------------------ random applications

_METRICS: tuple[dict[str, Any], ...] = (
    {"score": 0.25},
    {"score": 0.75},
    {"score": 0.75},
    {"score": 0.5},
    {"score": float("nan")},
    {"other": 1},
    {"score": "0.9"},
    {"score": True},
)
_JOINS = (Join.ALL_SUCCESS, Join.ALL_SUCCESS, *Join)


def random_application(
    seed: int,
    *,
    without: Collection[Feature] = (),
    sleep: float = 0.0,
    store: str | None = None,
) -> Application:
    """Return an application with one pipeline `p` of 3 to 12 stub steps; same seed, same value.

    Args:
        seed: any integer.
        without: features that the pipeline must not use (for engines that lack them).
        sleep: upper bound, in seconds, of a random pause inside each step.
        store: `environment.store`, for engines that need one.
    """
    rng = random.Random(seed)
    made: list[Step] = []
    for index in range(rng.randint(3, 12)):
        made.append(_random_step(rng, f"s{index}", made, frozenset(without), sleep))
    final = _random_finally(rng, made, frozenset(without), sleep)
    return application(made, final, store=store)


def _random_step(
    rng: random.Random, step_id: str, made: list[Step], without: frozenset[Feature], sleep: float
) -> Step:
    matrix = rng.choice((SEEDS, SEEDS, KINDS)) if rng.random() < 0.22 else None
    if Feature.MATRIX in without:
        matrix = None
    needs = _random_needs(rng, made)
    when = _random_when(rng, [step for step in made if step.id in needs], without)
    inputs = tuple(
        found
        for step in made
        if step.id in needs and rng.random() < 0.7
        for found in _input(step, matrix, without)
    )
    joins = [join for join in _JOINS if Feature[f"JOIN_{join.name}"] not in without]
    join = rng.choice(joins) if needs else Join.ALL_SUCCESS
    names = [row.name for row in matrix.rows] if matrix else [""]
    failing = [name for name in names if rng.random() < 0.5] if rng.random() < 0.45 else []
    behaviour = Behaviour(
        fail=tuple(failing),
        code=rng.choice((1, 1, 99, 10, 12, 75)),
        forget=rng.random() < 0.1,
        metrics=rng.choice(_METRICS) if rng.random() < 0.6 else None,
        output=rng.random() < 0.7,
        folder=rng.random() < 0.25,
        sleep=round(rng.random() * sleep, 3),
    )
    if Feature.METRICS in without:
        behaviour = behaviour.changed(metrics=None)
    return stub(
        step_id,
        behaviour,
        needs=tuple(needs),
        join=join,
        when=when,
        inputs=inputs,
        matrix=matrix,
        allow_failure=Feature.ALLOW_FAILURE not in without and rng.random() < 0.2,
    )


def _random_needs(rng: random.Random, made: list[Step]) -> list[str]:
    if not made or rng.random() < 0.15:
        return []
    recent = made[-4:] if rng.random() < 0.7 else made
    chosen = {step.id for step in rng.sample(recent, min(len(recent), rng.choice((1, 1, 2, 2, 3))))}
    return [step.id for step in made if step.id in chosen]


def _random_when(
    rng: random.Random, needs: list[Step], without: frozenset[Feature]
) -> tuple[Condition, ...]:
    found: list[Condition] = []
    measured = [s for s in needs if s.metrics is not None and s.matrix is None]
    if measured and Feature.WHEN_METRIC not in without and rng.random() < 0.5:
        found.append(
            MetricCondition(
                step=rng.choice(measured).id,
                metric="score",
                op=rng.choice(tuple(Op)),
                value=rng.choice((0.5, 0.5, 0.75, 1.0)),
            )
        )
    if not {Feature.WHEN_PARAM, Feature.PARAMS} & without and rng.random() < 0.12:
        found.append(
            ParamCondition(
                param="mode", op=rng.choice((Op.EQ, Op.NE)), value=rng.choice(("full", "quick"))
            )
        )
    return tuple(found)


def _input(
    producer: Step, matrix: Matrix | None, without: frozenset[Feature]
) -> tuple[StepInput, ...]:
    """Return the input that a step with `matrix` may read from a producer: one or none."""
    if not producer.outputs or Feature.STEP_INPUT in without:
        return ()
    if producer.matrix is None:
        pairing = Pairing.PLAIN
    elif matrix is None:
        pairing = Pairing.FOLDER
        if Feature.MATRIX_FOLDER in without:
            return ()
    elif matrix == producer.matrix and Feature.MATRIX_PARTNER not in without:
        pairing = Pairing.PARTNER
    else:
        return ()
    name = "from_" + producer.id.replace("-", "_")
    return (StepInput(name=name, step=producer.id, output=OUTPUT, pairing=pairing),)


def _random_finally(
    rng: random.Random, made: list[Step], without: frozenset[Feature], sleep: float
) -> Step | None:
    if Feature.FINALLY in without or rng.random() < 0.6:
        return None
    seen = rng.sample(made, min(2, len(made)))
    inputs = tuple(found for step in seen for found in _input(step, None, without))
    behaviour = Behaviour(
        fail=("",) if rng.random() < 0.4 else (), sleep=round(rng.random() * sleep, 3)
    )
    return stub_finally(behaviour, inputs=inputs, status=Feature.RUN_STATUS not in without)


# ------------------------------------------------------------------ what must happen


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must happen when an application runs with default params.

    Attributes:
        outcomes: for each step, `finally` included.
        instances: for each step, the combinations that start ({""}: no matrix; empty: no start).
        failed: the verdict.
        inputs: for each (step, combination) that starts, what it must see of its inputs.
    """

    outcomes: Mapping[str, Outcome]
    instances: Mapping[str, frozenset[str]]
    failed: bool
    inputs: Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(slots=True)
class _World:
    """What is known so far while interpreting."""

    steps: dict[str, Step]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    started: dict[str, frozenset[str]] = field(default_factory=dict)
    published: dict[str, tuple[Combination, ...]] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


def expected(app: Application) -> Expected:
    """Interpret the fine print over an application of stub steps."""
    pipeline = app.pipelines[0]
    params = {param.name: param.default for param in pipeline.params}
    world = _World(steps={step.id: step for step in pipeline.all_steps})
    for step in pipeline.steps:
        letters = {world.outcomes[need] for need in step.needs}
        end = _kept_from_starting(step, letters, params, world)
        if end is not None:
            world.outcomes[step.id] = end
            world.started[step.id] = frozenset()
        else:
            _act(step, world)
    failed = any(world.outcomes[s.id] is F and not s.allow_failure for s in pipeline.steps)
    if pipeline.final is not None:
        _act(pipeline.final, world)
    return Expected(
        outcomes=world.outcomes,
        instances=world.started,
        failed=failed,
        inputs=world.inputs,
    )


def _kept_from_starting(
    step: Step, letters: set[Outcome], params: Mapping[str, str | None], world: _World
) -> Outcome | None:
    verdict = _join_table(step.join.value, letters)
    if verdict is not None:
        return verdict
    truths = [_condition(condition, params, world) for condition in step.when]
    if None in truths:  # rule 4: a metric that cannot be compared fails the consumer
        return F
    return None if all(truths) else K


def _join_table(join: str, letters: set[Outcome]) -> Outcome | None:
    """Rules 1 and 2 of the fine print as a table: how an unmet join ends."""
    if not letters:
        return None
    hurt = F in letters or U in letters
    table: dict[str, tuple[bool, Outcome]] = {
        "all_success": (letters == {S}, U if hurt else K),
        "none_failed": (not hurt, U),
        "none_failed_min_one_success": (not hurt and S in letters, U if hurt else K),
        "all_done": (True, U),
        "one_failed": (hurt, K),
        "one_success": (S in letters, K if letters == {K} else U),
        "all_failed": (letters <= {F, U}, K),
    }
    met, otherwise = table[join]
    return None if met else otherwise


def _condition(
    condition: Condition, params: Mapping[str, str | None], world: _World
) -> bool | None:
    """Return a condition's truth, or None when its metric cannot be compared."""
    if isinstance(condition, ParamCondition):
        return (params[condition.param] == condition.value) is (condition.op is Op.EQ)
    found = world.metrics.get(condition.step, {}).get(condition.metric)
    if isinstance(found, bool) or not isinstance(found, int | float) or math.isnan(found):
        return None
    signs = {
        Op.GE: found >= condition.value,
        Op.GT: found > condition.value,
        Op.LE: found <= condition.value,
        Op.LT: found < condition.value,
        Op.EQ: found == condition.value,
        Op.NE: found != condition.value,
    }
    return signs[condition.op]


def _act(step: Step, world: _World) -> None:
    """Run a stub step: all its instances."""
    behaviour = behaviour_of(step)
    if step.matrix is None:
        rows: tuple[Combination, ...] = (Combination(()),)
    elif step.matrix.dynamic is not None:
        rows = step.matrix.combinations(behaviour_of(world.steps[step.matrix.dynamic.step]).values)
        if world.outcomes[step.matrix.dynamic.step] is not S:
            rows = ()
    else:
        rows = step.matrix.rows
    good = tuple(row for row in rows if behaviour.succeeds(row.name))
    world.started[step.id] = frozenset(row.name for row in rows)
    world.outcomes[step.id] = K if not rows else S if len(good) == len(rows) else F
    world.published[step.id] = good if step.outputs else ()
    if world.outcomes[step.id] is S and behaviour.metrics is not None and step.metrics:
        world.metrics[step.id] = behaviour.metrics
    for row in rows:
        world.inputs[step.id, row.name] = {
            item.name: _seen(item, row, world)
            for item in step.inputs
            if isinstance(item, StepInput)
        }


def _seen(item: StepInput, row: Combination, world: _World) -> Any:
    found = world.published.get(item.step, ())
    if item.pairing is Pairing.FOLDER:
        if not found:
            return ""
        return {
            "entries": {one.name: f"{item.step}:{one.name}" for one in found},
            "index": [{"entry": one.name, "matrix": dict(one.values)} for one in found],
        }
    wanted = row if item.pairing is Pairing.PARTNER else Combination(())
    if wanted not in found:
        return ""
    output = world.steps[item.step].output(item.output)
    assert output is not None
    return f"{Path(output.path).name}={item.step}:{wanted.name}"


# ------------------------------------------------------------------ comparing with a real run


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the events of a run in the order they were written; a missing file has none."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def problems(
    app: Application, events: Sequence[Mapping[str, Any]], failed: bool, *, inputs: bool = True
) -> list[str]:
    """Return how a real run differs from the expectation; empty: not at all.

    Args:
        app: what ran, with default params.
        events: as `read_events` returns them.
        failed: the engine's verdict.
        inputs: whether to compare what steps saw of their inputs, and `${run.status}`.
    """
    wanted = expected(app)
    found = []
    if failed is not wanted.failed:
        found.append(f"verdict: failed={failed}, expected {wanted.failed}")
    found.extend(_wrong_instances(wanted, events))
    found.extend(_wrong_order(app.pipelines[0], events))
    if inputs:
        found.extend(_wrong_inputs(wanted, events))
    return found


def _wrong_instances(wanted: Expected, events: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for kind in ("start", "end"):
        seen = [(e["step"], e["combination"]) for e in events if e["event"] == kind]
        right = {(step, name) for step, names in wanted.instances.items() for name in names}
        found += [f"{kind} twice: {one}" for one in sorted(set(seen)) if seen.count(one) > 1]
        found += [f"no {kind}: {one}" for one in sorted(right - set(seen))]
        found += [f"unexpected {kind}: {one}" for one in sorted(set(seen) - right)]
    return found


def _wrong_order(pipeline: Pipeline, events: Sequence[Mapping[str, Any]]) -> list[str]:
    above: dict[str, set[str]] = {}
    for step in pipeline.steps:
        above[step.id] = set(step.needs).union(*(above[need] for need in step.needs))
    if pipeline.final is not None:
        above[pipeline.final.id] = set(above)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, event in enumerate(events):
        if event["event"] == "start":
            first.setdefault(event["step"], place)
        last[event["step"]] = place
    return [
        f"{step} started before {need} had ended"
        for step in sorted(first)
        for need in sorted(above.get(step, ()))
        if need in last and last[need] > first[step]
    ]


def _wrong_inputs(wanted: Expected, events: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for event in events:
        place = (event["step"], event["combination"])
        if event["event"] != "start" or place not in wanted.inputs:
            continue
        if event["inputs"] != wanted.inputs[place]:
            found.append(f"{place} saw {event['inputs']}, expected {wanted.inputs[place]}")
        status = "failed" if wanted.failed else "success"
        if event["status"] not in ("", status):
            found.append(f"finally saw status {event['status']}, expected {status}")
    return found


def features_of(app: Application) -> frozenset[Feature]:
    """Return the features that an application's pipelines use."""
    return frozenset(use.feature for pipeline in app.pipelines for use in uses_of(pipeline))


def traps(without: Collection[Feature] = ()) -> dict[str, Application]:
    """Return the hand-made traps that use none of the given features, by name."""
    return {name: app for name, app in TRAPS.items() if not features_of(app) & set(without)}


__all__ = [
    "KINDS",
    "PARAMS",
    "SEEDS",
    "TABLES",
    "TRAPS",
    "Behaviour",
    "Expected",
    "application",
    "expected",
    "features_of",
    "problems",
    "random_application",
    "read_events",
    "traps",
]
