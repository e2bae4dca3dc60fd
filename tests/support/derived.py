"""Derived steps for tests on engines: what they are told, and which exit codes they end with."""

from __future__ import annotations

import sys
from typing import Any

from mlspec.ir.kinds import Kind
from mlspec.ir.model import Argv, Output, Retry, Step
from mlspec.ir.values import DERIVED_RUN_NAMES, Duration, Namespace, Ref, literal

TOLD = tuple(Ref(Namespace.RUN, name) for name in sorted(DERIVED_RUN_NAMES))
OUT = Ref(Namespace.OUTPUTS, "out")
ONCE_MORE = Retry(max=2, delay=Duration(100))

_TELL = (
    "import json, os; names = " + repr([ref.variable for ref in TOLD]) + "; "
    "json.dump({n: os.environ[n] for n in names}, open(os.environ['MLSPEC_OUTPUTS_OUT'], 'w'))"
)
_LEAVE = (
    "import os, pathlib, sys, time; mark = pathlib.Path(sys.argv[1]); "
    "n = len(mark.read_text()) if mark.exists() else 0; mark.write_text('x' * (n + 1)); "
    "time.sleep(float(sys.argv[2])); "
    "sys.exit(([int(c) for c in sys.argv[3:]] + [0] * 9)[n])"
)


def tells(step_id: str, kind: Kind = Kind.GATE, python: str = "python3", **more: Any) -> Step:
    """A derived step that writes what it is told of the run to its output `out`, as JSON."""
    return Step(
        id=step_id,
        kind=kind,
        subject="models.ctr",
        action=Argv(
            words=(literal(python), literal("-c"), literal(_TELL)),
            reads=tuple(sorted((*TOLD, OUT), key=lambda ref: ref.variable)),
        ),
        outputs=(Output(name="out", path="out/told.json"),),
        **more,
    )


def leaves(
    step_id: str,
    mark: str,
    *codes: int,
    python: str = sys.executable,
    sleep: float = 0,
    **more: Any,
) -> Step:
    """A derived step whose attempts end with the codes, one after the other, then with 0.

    Args:
        step_id: of the step.
        mark: path of a file that gets a letter for each attempt.
        codes: exit codes.
        python: the interpreter that runs it.
        sleep: seconds that an attempt takes.
        more: further fields of the step.
    """
    words = (python, "-c", _LEAVE, mark, str(sleep), *(str(code) for code in codes))
    return Step(
        id=step_id,
        kind=Kind.GATE,
        subject="models.ctr",
        action=Argv(words=tuple(literal(word) for word in words)),
        retry=ONCE_MORE,
        retry_exit=75,
        **more,
    )


CODES = {
    "passes": (),
    "says-no": (10,),
    "unsure": (11,),
    "pending": (12,),
    "broken": (1,),
    "busy": (75,),
    "too-busy": (75, 75, 75),
    "busy-then-no": (75, 10),
}
"""Exit codes of attempts, by the name of a step."""

ATTEMPTS = {
    "passes": 1,
    "says-no": 1,
    "unsure": 1,
    "pending": 1,
    "broken": 1,
    "busy": 2,
    "too-busy": 3,
    "busy-then-no": 2,
}
"""How many attempts each of them makes on every engine."""

SUCCEEDS = frozenset({"passes", "busy"})
