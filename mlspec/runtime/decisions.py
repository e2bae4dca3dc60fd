"""What the exit codes of derived steps mean for a run: a decision is no fault.

Input: steps, and how attempts at them ended. Output: whether to try again, whether a version still
waits for people, and the exit code of a run that failed. A gate's no (10) and its "cannot tell"
(11) are results, an open approval (12) is neither success nor failure, and only what is temporary
(75, `Step.retry_exit`) is tried again. Rule: docs/reference/exit-codes.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mlspec.ir.kinds import Kind
from mlspec.ir.model import Step
from mlspec.ir.values import Duration
from mlspec.runtime import model

_WORDS: Mapping[int, str] = {
    model.GATE_FAILED: "it says no",
    model.INCONCLUSIVE: "it cannot tell: inconclusive",
    model.PENDING: "it waits for approval",
    75: "temporary",
}


def failure_text(step: Step, code: int) -> str:
    """Return why a process that ended with a code other than 0 is a failure."""
    word = _WORDS.get(code) if step.kind.is_derived else None
    return f"exit code {code}" + (f": {word}" if word else "")


def is_undecided(step: Step, code: int | None) -> bool:
    """Whether a step says that people have not answered yet."""
    return step.kind is Kind.APPROVE and code == model.PENDING


def pause_before_next(step: Step, code: int | None, tries: int) -> Duration | None:
    """Return how long to wait before another attempt; None: there is none.

    Args:
        step: whose attempt failed.
        code: the exit code; None: no process ran to its end.
        tries: how many attempts were made.
    """
    if step.retry is None or tries > step.retry.max:
        return None
    allowed = step.retry_exit is None or code == step.retry_exit
    return step.retry.delay_before(tries) if allowed else None


def exit_of_failure(failed: Iterable[tuple[Kind, Collection[int | None]]]) -> int:
    """Return the exit code of a run that failed: its gates' decision, or a fault.

    Args:
        failed: for each step that counts and failed, its kind and its instances' exit codes.
    """
    codes: set[int | None] = set()
    for kind, found in failed:
        codes.update(found if kind.is_derived else (None,))
    if not codes <= {model.GATE_FAILED, model.INCONCLUSIVE}:
        return model.STEP_FAILED
    return model.GATE_FAILED if model.GATE_FAILED in codes else model.INCONCLUSIVE
