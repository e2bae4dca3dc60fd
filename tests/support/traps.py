"""Hand-made traps: graphs on which a plausible lowering runs the wrong steps or lies about the run.

Each stands for a way in which one engine or one shortcut was seen, or could be expected, to go
wrong. Steps behave as their first argument says; see `tests.support.stubs`.
"""

from __future__ import annotations

import itertools
from typing import Any

from mlspec.ir.model import (
    Application,
    Combination,
    DynamicAxis,
    Join,
    Matrix,
    MetricCondition,
    Op,
    Pairing,
    ParamCondition,
    Step,
    StepInput,
)
from tests.support.stubs import KINDS, OUTPUT, SEEDS, Behaviour, application, stub, stub_finally

SLOW = 0.3
"""Seconds that a step takes whose lateness is the trap."""

NEVER = ParamCondition(param="mode", op=Op.EQ, value="quick")
ALWAYS = ParamCondition(param="mode", op=Op.NE, value="quick")


def ok(step_id: str, *needs: str, sleep: float = 0.0, **settings: Any) -> Step:
    """A step that succeeds."""
    return stub(step_id, Behaviour(sleep=sleep), needs=needs, **settings)


def bad(step_id: str, *needs: str, sleep: float = 0.0, code: int = 1, **settings: Any) -> Step:
    """A step that fails if it starts."""
    behaviour = Behaviour(fail=("",), code=code, sleep=sleep)
    return stub(step_id, behaviour, needs=needs, **settings)


def skip(step_id: str, *needs: str, **settings: Any) -> Step:
    """A step whose condition is false."""
    return stub(step_id, Behaviour(), needs=needs, when=(NEVER,), **settings)


def made(step_id: str, *needs: str, fail: tuple[str, ...] = (), **settings: Any) -> Step:
    """A step with an output."""
    does = Behaviour(output=True, fail=fail, **settings.pop("does", {}))
    return stub(step_id, does, needs=needs, **settings)


def measured(step_id: str, metrics: dict[str, Any], **settings: Any) -> Step:
    """A step with metrics."""
    does = Behaviour(metrics=metrics, **settings.pop("does", {}))
    return stub(step_id, does, **settings)


def reads(producer: str, pairing: Pairing = Pairing.PLAIN) -> tuple[StepInput, ...]:
    """The inputs of a step that reads one producer."""
    return (StepInput(name=f"from_{producer}", step=producer, output=OUTPUT, pairing=pairing),)


def score(step: str, op: Op = Op.GE, value: float = 0.5) -> tuple[MetricCondition, ...]:
    """The condition `step.score op value`."""
    return (MetricCondition(step=step, metric="score", op=op, value=value),)


J = Join
TRAPS: dict[str, Application] = {
    # Airflow's all_success skips `c` at once, before `b` has failed: `d` would then run.
    "early-skip-hides-later-failure": application(
        [skip("a"), bad("b", sleep=SLOW), ok("c", "a", "b"), ok("d", "c", join=J.NONE_FAILED)]
    ),
    # `c` is blocked at once; what follows must still wait for the slow need.
    "early-block-starts-all-done-early": application(
        [bad("a"), ok("b", sleep=SLOW), ok("c", "a", "b"), ok("d", "c", join=J.ALL_DONE)]
    ),
    "early-block-starts-one-failed-early": application(
        [bad("a"), ok("b", sleep=SLOW), ok("c", "a", "b"), ok("d", "c", join=J.ONE_FAILED)]
    ),
    "early-skip-starts-none-failed-early": application(
        [skip("a"), ok("b", sleep=SLOW), ok("c", "a", "b"), ok("d", "c", join=J.NONE_FAILED)]
    ),
    "early-block-starts-all-failed-early": application(
        [
            bad("a"),
            ok("b", sleep=SLOW),
            ok("c", "a", "b"),
            bad("d"),
            ok("e", "c", "d", join=J.ALL_FAILED),
        ]
    ),
    "one-success-waits-for-slow-need": application(
        [ok("a"), ok("b", sleep=SLOW), ok("c", "a", "b", join=J.ONE_SUCCESS)]
    ),
    "one-failed-waits-for-slow-need": application(
        [bad("a"), ok("b", sleep=SLOW), ok("c", "a", "b", join=J.ONE_FAILED)]
    ),
    "one-success-of-blocked-and-skipped": application(
        [
            bad("a"),
            ok("b", "a"),
            skip("c"),
            ok("d", "b", "c", join=J.ONE_SUCCESS),
            ok("e", "d", join=J.ONE_FAILED),
            ok("f", "d", join=J.NONE_FAILED),
        ]
    ),
    "one-success-of-skipped-only": application(
        [
            skip("a"),
            skip("b"),
            ok("c", "a", "b", join=J.ONE_SUCCESS),
            ok("d", "c", join=J.NONE_FAILED),
            ok("e", "c", join=J.ONE_FAILED),
        ]
    ),
    "one-success-with-failure-beside": application(
        [bad("a"), ok("b"), ok("c", "a", "b", join=J.ONE_SUCCESS), ok("d", "c")]
    ),
    "all-failed-counts-blocked": application(
        [
            bad("a"),
            ok("b", "a"),
            ok("c", "a", "b", join=J.ALL_FAILED),
            ok("d", "b", join=J.ALL_FAILED),
        ]
    ),
    "all-failed-with-skipped": application(
        [
            bad("a"),
            skip("b"),
            ok("c", "a", "b", join=J.ALL_FAILED),
            ok("d", "c", join=J.NONE_FAILED),
        ]
    ),
    "one-failed-counts-blocked": application(
        [bad("a"), ok("b", "a"), ok("c", "b", join=J.ONE_FAILED)]
    ),
    "one-failed-unmet-is-skipped": application(
        [ok("a"), ok("b", "a", join=J.ONE_FAILED), ok("c", "b", join=J.NONE_FAILED), ok("d", "b")]
    ),
    "none-failed-child-of-blocked": application(
        [bad("a"), ok("b", "a"), ok("c", "b", join=J.NONE_FAILED), ok("d", "c", join=J.ALL_DONE)]
    ),
    "none-failed-child-of-skipped": application(
        [skip("a"), ok("b", "a"), ok("c", "b", join=J.NONE_FAILED)]
    ),
    "none-failed-min-one-success-all-skipped": application(
        [
            skip("a"),
            skip("b"),
            ok("c", "a", "b", join=J.NONE_FAILED_MIN_ONE_SUCCESS),
            ok("d", "c", join=J.NONE_FAILED),
        ]
    ),
    "none-failed-min-one-success-mixed": application(
        [
            skip("a"),
            ok("b"),
            bad("c"),
            ok("d", "a", "b", join=J.NONE_FAILED_MIN_ONE_SUCCESS),
            ok("e", "a", "b", "c", join=J.NONE_FAILED_MIN_ONE_SUCCESS),
            ok("f", "e", join=J.ONE_FAILED),
        ]
    ),
    # Leaves decide some engines' verdicts; ours looks at every step.
    "failure-in-the-middle-handled": application([bad("a"), ok("b", "a", join=J.ONE_FAILED)]),
    "failure-in-the-middle-all-done": application([bad("a"), ok("b", "a", join=J.ALL_DONE)]),
    "skipped-leaf-with-failure-elsewhere": application([bad("a"), skip("b"), ok("c")]),
    "blocked-leaf-of-allowed-failure": application([bad("a", allow_failure=True), ok("b", "a")]),
    "allow-failure-leaf": application([ok("a"), bad("b", "a", allow_failure=True)]),
    "allow-failure-is-seen-by-joins": application(
        [
            bad("a", allow_failure=True),
            ok("b", "a", join=J.ONE_FAILED),
            ok("c", "a", join=J.NONE_FAILED),
            ok("d", "a", join=J.ALL_FAILED),
            ok("e", "c", join=J.ONE_FAILED),
        ]
    ),
    "allow-failure-deep-in-a-closure": application(
        [
            bad("a", allow_failure=True),
            ok("b", "a"),
            ok("c", "b", join=J.NONE_FAILED),
            ok("d", "c", join=J.ONE_FAILED),
            ok("e", "c", join=J.ALL_DONE),
        ]
    ),
    "failing-finally": application([ok("a")], stub_finally(Behaviour(fail=("",)))),
    "finally-after-failure": application(
        [bad("a"), ok("b", "a"), ok("c", sleep=SLOW)], stub_finally(Behaviour())
    ),
    "finally-after-everything-skipped": application([skip("a")], stub_finally(Behaviour())),
    "finally-with-absent-inputs": application(
        [made("a"), bad("b"), made("c", "b"), made("d", matrix=SEEDS, fail=("2",))],
        stub_finally(Behaviour(), inputs=(*reads("a"), *reads("c"), *reads("d", Pairing.FOLDER))),
    ),
    "long-chain-of-skips": application(
        [
            skip("a"),
            *(ok(f"s{i}", f"s{i - 1}" if i else "a") for i in range(6)),
            ok("z", "s5", join=J.NONE_FAILED),
            ok("y", "s5", join=J.ONE_FAILED),
        ]
    ),
    "long-chain-of-blocks": application(
        [
            bad("a"),
            *(ok(f"s{i}", f"s{i - 1}" if i else "a") for i in range(6)),
            ok("z", "s5", join=J.ONE_FAILED),
            ok("y", "s5", join=J.NONE_FAILED),
        ]
    ),
    "skip-then-block-down-a-chain": application(
        [
            skip("a"),
            bad("b"),
            ok("c", "a"),
            ok("d", "c", "b"),
            ok("e", "d", join=J.NONE_FAILED),
            ok("f", "d", join=J.ONE_FAILED),
        ]
    ),
    "diamond-with-one-failure": application(
        [ok("a"), bad("b", "a"), ok("c", "a"), ok("d", "b", "c"), ok("e", "d", join=J.ALL_DONE)]
    ),
    "diamond-with-one-skip": application(
        [ok("a"), skip("b", "a"), ok("c", "a"), ok("d", "b", "c"), ok("e", "d", join=J.NONE_FAILED)]
    ),
    "grandparent-and-parent": application(
        [bad("a"), ok("b", "a", join=J.ALL_DONE), ok("c", "a", "b", join=J.NONE_FAILED)]
    ),
    "unrelated-branch-goes-on": application(
        [bad("a"), ok("b", sleep=SLOW), ok("c", "b"), ok("d", "c")]
    ),
    "exit-code-99": application([bad("a", code=99), ok("b", "a"), ok("c", "b", join=J.ONE_FAILED)]),
    "exit-codes-of-decisions": application(
        [
            bad("a", code=10),
            bad("b", code=11),
            bad("c", code=12),
            ok("d", "a", "b", "c", join=J.ALL_FAILED),
        ]
    ),
    "when-is-asked-after-the-join": application(
        [bad("a"), ok("b", "a", when=(NEVER,)), ok("c", "b", join=J.ONE_FAILED)]
    ),
    "when-false-skips-despite-all-done": application(
        [bad("a"), ok("b", "a", join=J.ALL_DONE, when=(NEVER,)), ok("c", "b", join=J.NONE_FAILED)]
    ),
    "when-on-a-step-without-needs": application(
        [ok("a", when=(ALWAYS,)), ok("b", when=(ALWAYS, NEVER)), ok("c", "a", "b")]
    ),
    "when-on-metric": application(
        [
            measured("a", {"score": 0.5}),
            *(
                ok(f"is-{op.name.lower()}", "a", when=score("a", op))
                for op in (Op.GE, Op.GT, Op.LE, Op.LT, Op.EQ, Op.NE)
            ),
        ]
    ),
    "when-on-missing-metric": application(
        [
            measured("a", {"other": 1}),
            ok("b", "a", when=score("a")),
            ok("c", "b", join=J.ONE_FAILED),
            ok("d", "b"),
        ]
    ),
    "when-on-nan": application(
        [
            measured("a", {"score": float("nan")}),
            ok("b", "a", when=score("a", Op.NE)),
            ok("c", "b", join=J.NONE_FAILED),
        ]
    ),
    "when-on-text-and-truth": application(
        [
            measured("a", {"score": "0.9"}),
            measured("b", {"score": True}),
            ok("c", "a", when=score("a")),
            ok("d", "b", when=score("b")),
        ]
    ),
    "when-on-unreadable-metrics": application(
        [
            measured("a", {}, does={"text": "{not json"}),
            ok("b", "a", when=score("a"), allow_failure=True),
            ok("c", "b", join=J.ALL_FAILED),
        ]
    ),
    "when-on-metric-of-allowed-failure": application(
        [
            measured("a", {"score": 0.9}, does={"fail": ("",)}, allow_failure=True),
            ok("b", "a", join=J.ALL_DONE, when=score("a")),
            ok("c", "b", join=J.ALL_FAILED),
        ]
    ),
    "when-on-metric-of-skipped": application(
        [
            measured("a", {"score": 0.9}, when=(NEVER,)),
            ok("b", "a", join=J.NONE_FAILED, when=score("a")),
        ]
    ),
    "when-mixed-missing-and-false": application(
        [measured("a", {"other": 1}), ok("b", "a", when=(NEVER, *score("a")))]
    ),
    "when-on-integer-metric": application(
        [
            measured("a", {"score": 1}),
            ok("b", "a", when=score("a", Op.EQ, 1.0)),
            ok("c", "a", when=score("a", Op.GT, 1e-9)),
        ]
    ),
    "output-not-written": application(
        [
            made("a", fail=("",), does={"forget": True}),
            ok("b", "a"),
            made("c", "a", join=J.ONE_FAILED, inputs=reads("a")),
        ]
    ),
    "metrics-not-written": application(
        [
            measured("a", {"score": 1}, does={"fail": ("",), "forget": True}),
            ok("b", "a", join=J.ALL_DONE, when=score("a")),
        ]
    ),
    "output-of-a-failed-step-is-absent": application(
        [made("a", fail=("",)), made("b", "a", join=J.ALL_DONE, inputs=reads("a"))]
    ),
    "absent-input-of-skipped-and-blocked": application(
        [
            made("a", when=(NEVER,)),
            bad("x"),
            made("b", "x"),
            made("c", does={"folder": True}),
            stub(
                "d",
                Behaviour(),
                needs=("a", "b", "c"),
                join=J.ONE_SUCCESS,
                inputs=(*reads("a"), *reads("b"), *reads("c")),
            ),
        ]
    ),
    "matrix-with-one-failing-instance": application(
        [
            made("a", matrix=SEEDS, fail=("2",)),
            ok("b", "a"),
            ok("c", "a", join=J.ONE_FAILED),
            ok("d", "a", join=J.ONE_SUCCESS),
            stub(
                "e", Behaviour(), needs=("a",), join=J.ALL_DONE, inputs=reads("a", Pairing.FOLDER)
            ),
        ]
    ),
    "matrix-with-only-failing-instances": application(
        [
            made("a", matrix=SEEDS, fail=("1", "2", "3"), allow_failure=True),
            stub(
                "b", Behaviour(), needs=("a",), join=J.ALL_DONE, inputs=reads("a", Pairing.FOLDER)
            ),
        ]
    ),
    "matrix-skipped-as-one": application(
        [
            made("a", matrix=KINDS, when=(NEVER,)),
            made("b", "a", matrix=KINDS, join=J.NONE_FAILED, inputs=reads("a", Pairing.PARTNER)),
            ok("c", "a"),
        ]
    ),
    "matrix-partners-wait-for-the-group": application(
        [
            made("a", matrix=SEEDS, fail=("3",), does={"sleep": SLOW}),
            made("b", "a", matrix=SEEDS, inputs=reads("a", Pairing.PARTNER)),
            made("c", "a", matrix=SEEDS, join=J.ALL_DONE, inputs=reads("a", Pairing.PARTNER)),
        ]
    ),
    "matrix-folder-of-folders": application(
        [
            made("a", matrix=KINDS, does={"folder": True}),
            stub("b", Behaviour(), needs=("a",), inputs=reads("a", Pairing.FOLDER)),
        ]
    ),
    "run-time-matrix": application(
        [
            made("a", does={"lists": True, "values": ("x", "y.z", "a=b")}),
            made(
                "b",
                "a",
                matrix=Matrix(
                    keys=("item",),
                    rows=(Combination(()),),
                    dynamic=DynamicAxis(key="item", step="a", output=OUTPUT, max=10),
                ),
            ),
            stub("c", Behaviour(), needs=("b",), inputs=reads("b", Pairing.FOLDER)),
        ]
    ),
    "run-time-matrix-empty": application(
        [
            made("a", does={"lists": True}),
            ok(
                "b",
                "a",
                matrix=Matrix(
                    keys=("item",),
                    rows=(Combination(()),),
                    dynamic=DynamicAxis(key="item", step="a", output=OUTPUT, max=10),
                ),
            ),
            ok("c", "b", join=J.NONE_FAILED),
            ok("d", "b"),
        ]
    ),
}
"""All traps by name."""


def _table(join: Join) -> Application:
    """A join over every set of outcomes; what does not start is probed for skipped or blocked.

    Steps `s`, `f`, `k`, `u` end success, failed, skipped, blocked. A probe starts if and only if
    the step above it succeeded or was skipped.
    """
    steps = [ok("s"), bad("f"), skip("k"), ok("u", "f")]
    for size in (1, 2, 3, 4):
        for needs in itertools.combinations("sfku", size):
            name = f"on-{''.join(needs)}"
            steps += [ok(name, *needs, join=join), ok(f"probe-{name}", name, join=J.NONE_FAILED)]
    return application(steps)


TABLES: dict[str, Application] = {join.value: _table(join) for join in Join}
"""For each join its whole truth table: 34 steps each, so not among the traps."""
