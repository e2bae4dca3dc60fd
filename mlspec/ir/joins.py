"""How steps end, when a join holds, and what a run's verdict is: the normative rules.

Four outcomes (Airflow's four states, given one meaning on every engine):
success, failed, skipped (its own `when` was false, or a skip came down), blocked (a failure came
down). `mlspec.runtime` interprets these functions; back ends lower them. Engines that only know
whether a step's result was failure or success (GitHub Actions, Argo Workflows) use the closure:
`JoinClosure` says, as a boolean expression over results of ancestors, when a step may start.

Source: docs/explanation/semantics.md; the closure was checked there against real Airflow and act.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from mlspec.ir.model import Join, Pipeline, Step


class Outcome(Enum):
    """How a step ended."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    BLOCKED = "blocked"

    @property
    def is_bad(self) -> bool:
        """Whether a failure comes down from here: joins count blocked as failed."""
        return self in (Outcome.FAILED, Outcome.BLOCKED)


def unmet_join(join: Join, needs: Sequence[Outcome]) -> Outcome | None:
    """Return how a step ends when its join does not hold, or None when it holds.

    Args:
        join: the step's join.
        needs: outcomes of its direct needs, all of them ended; empty: there is no join.
    """
    if not needs or join is Join.ALL_DONE:
        return None
    bad = any(outcome.is_bad for outcome in needs)
    succeeded = any(outcome is Outcome.SUCCESS for outcome in needs)
    skipped = any(outcome is Outcome.SKIPPED for outcome in needs)
    match join:
        case Join.ALL_SUCCESS:
            return Outcome.BLOCKED if bad else Outcome.SKIPPED if skipped else None
        case Join.NONE_FAILED:
            return Outcome.BLOCKED if bad else None
        case Join.NONE_FAILED_MIN_ONE_SUCCESS:
            return Outcome.BLOCKED if bad else None if succeeded else Outcome.SKIPPED
        case Join.ONE_FAILED:
            return None if bad else Outcome.SKIPPED
        case Join.ONE_SUCCESS:
            return None if succeeded else Outcome.BLOCKED if bad else Outcome.SKIPPED
        case Join.ALL_FAILED:
            return Outcome.SKIPPED if succeeded or skipped else None


def run_failed(pipeline: Pipeline, outcomes: Mapping[str, Outcome]) -> bool:
    """Return the verdict: a run fails if and only if a step without `allow_failure` failed."""
    return any(
        outcomes.get(step.id) is Outcome.FAILED and not step.allow_failure
        for step in pipeline.steps
    )


def group_outcome(instances: Iterable[Outcome]) -> Outcome:
    """Return the outcome of a matrix step whose join held: failed if any instance failed.

    An empty run-time matrix is skipped.
    """
    ended = list(instances)
    if not ended:
        return Outcome.SKIPPED
    return Outcome.FAILED if any(o is Outcome.FAILED for o in ended) else Outcome.SUCCESS


# ------------------------------------------------------------------ the closure


@dataclass(frozen=True, slots=True, order=True)
class Failed:
    """The step itself ran and failed."""

    step: str

    @property
    def size(self) -> int:
        """Results of steps in the expression when it is written out."""
        return 1


@dataclass(frozen=True, slots=True, order=True)
class Succeeded:
    """The step itself ran and succeeded."""

    step: str

    @property
    def size(self) -> int:
        """Results of steps in the expression when it is written out."""
        return 1


@dataclass(frozen=True, slots=True)
class _Compound:
    """An expression over others, which many expressions share: its tree may be exponential.

    Hence its hash and `size`, the results of steps in it when it is written out, are kept.
    """

    size: int = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __hash__(self) -> int:
        return self._hash

    def _keep(self, *parts: Expr) -> None:
        object.__setattr__(self, "size", sum(part.size for part in parts))
        object.__setattr__(self, "_hash", hash((type(self).__name__, parts)))


@dataclass(frozen=True, slots=True)
class Not(_Compound):
    """Negation."""

    term: Expr
    __hash__ = _Compound.__hash__

    def __post_init__(self) -> None:
        """Keep size and hash."""
        self._keep(self.term)


@dataclass(frozen=True, slots=True)
class All(_Compound):
    """Conjunction; empty is true."""

    terms: tuple[Expr, ...]
    __hash__ = _Compound.__hash__

    def __post_init__(self) -> None:
        """Keep size and hash."""
        self._keep(*self.terms)


@dataclass(frozen=True, slots=True)
class AnyOf(_Compound):
    """Disjunction; empty is false."""

    terms: tuple[Expr, ...]
    __hash__ = _Compound.__hash__

    def __post_init__(self) -> None:
        """Keep size and hash."""
        self._keep(*self.terms)


Expr = Failed | Succeeded | Not | All | AnyOf

TRUE = All(())
FALSE = AnyOf(())


def any_of(terms: Iterable[Expr]) -> Expr:
    """Disjunction, flattened, without repetitions, in order of first appearance."""
    seen: dict[Expr, None] = {}
    for term in terms:
        for part in term.terms if isinstance(term, AnyOf) else (term,):
            seen.setdefault(part)
    return next(iter(seen)) if len(seen) == 1 else AnyOf(tuple(seen))


def all_of(terms: Iterable[Expr]) -> Expr:
    """Conjunction, flattened, without repetitions, in order of first appearance."""
    seen: dict[Expr, None] = {}
    for term in terms:
        for part in term.terms if isinstance(term, All) else (term,):
            seen.setdefault(part)
    return next(iter(seen)) if len(seen) == 1 else All(tuple(seen))


def steps_in(expr: Expr) -> tuple[str, ...]:
    """Return the steps whose results an expression reads, in order of first appearance."""
    seen: dict[str, None] = {}
    todo = [expr]
    while todo:
        term = todo.pop()
        match term:
            case Failed(step) | Succeeded(step):
                seen.setdefault(step)
            case Not(inner):
                todo.append(inner)
            case All(terms) | AnyOf(terms):
                todo.extend(reversed(terms))
    return tuple(seen)


def holds(expr: Expr, failed: frozenset[str], succeeded: frozenset[str]) -> bool:
    """Evaluate an expression, given which steps failed and which succeeded."""
    match expr:
        case Failed(step):
            return step in failed
        case Succeeded(step):
            return step in succeeded
        case Not(inner):
            return not holds(inner, failed, succeeded)
        case All(terms):
            return all(holds(term, failed, succeeded) for term in terms)
        case AnyOf(terms):
            return any(holds(term, failed, succeeded) for term in terms)


_INHERITS = (Join.ALL_SUCCESS, Join.NONE_FAILED, Join.NONE_FAILED_MIN_ONE_SUCCESS)


class JoinClosure:
    """For each step, when it may start, over results (failed, succeeded) of ancestors alone.

    For engines that report a step that did not run without saying why. `bad(p)` is true exactly
    when p ended failed or blocked.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        """Prepare for the steps of a pipeline, in its topological order."""
        self._steps = {step.id: step for step in pipeline.steps}

    @cached_property
    def _bad(self) -> dict[str, Expr]:
        """`bad` of all steps, made when a join first needs it: every step names all above it."""
        found: dict[str, Expr] = {}
        for step in self._steps.values():
            found[step.id] = self._bad_of(step, found)
        return found

    def _bad_of(self, step: Step, found: Mapping[str, Expr]) -> Expr:
        came_down = any_of(found[need] for need in step.needs)
        own = Failed(step.id)
        if not step.needs or step.join not in (*_INHERITS, Join.ONE_SUCCESS):
            return own
        if step.join is Join.ONE_SUCCESS:
            none_succeeded = Not(any_of(Succeeded(need) for need in step.needs))
            return any_of((own, all_of((none_succeeded, came_down))))
        return any_of((own, came_down))

    def bad(self, step_id: str) -> Expr:
        """Return when the step ends failed or blocked."""
        return self._bad[step_id]

    def may_start(self, step_id: str) -> Expr:
        """Return when the step's join holds, all its transitive needs having ended.

        Look at its `size` before writing it out: chains of `one_success` double it at each step.
        """
        step = self._steps[step_id]
        if not step.needs:
            return TRUE
        if step.join is Join.ALL_SUCCESS:
            return all_of(Succeeded(need) for need in step.needs)
        bads = [self._bad[need] for need in step.needs]
        some_success = any_of(Succeeded(need) for need in step.needs)
        match step.join:
            case Join.NONE_FAILED:
                return Not(any_of(bads))
            case Join.NONE_FAILED_MIN_ONE_SUCCESS:
                return all_of((Not(any_of(bads)), some_success))
            case Join.ALL_DONE:
                return TRUE
            case Join.ONE_FAILED:
                return any_of(bads)
            case Join.ONE_SUCCESS:
                return some_success
            case Join.ALL_FAILED:
                return all_of(bads)
