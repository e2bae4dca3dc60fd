"""Ways to search: what is tried next, given what came of what was tried.

Methods are `grid` and `random` (of our own), `tpe`, `cmaes` and `hyperband` (of Optuna). Trials are
asked for and told in rounds, in the order of their numbers, so that the same seed and the same
`parallel` give the same trials however fast each one is. `hyperband` trains on 1/9 and 1/3 of the
training rows first, and goes on with those that do well. Source: Optuna documentation, "Ask-and-
Tell Interface" and `HyperbandPruner` (5.0); Li et al., JMLR 18, 2018.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlspec.ir.facts import Range, TuneFacts
from mlspec.runtime.models.libraries import library
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tuning.space import Point, check_space, draw, ends, grid

OWN = ("grid", "random")
OPTUNA = ("tpe", "cmaes", "hyperband")
_RUNGS = (1, 3, 9)
"""Parts of nine of the training rows that hyperband trains on, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Parameters to try.

    Attributes:
        number: from 0.
    """

    number: int
    params: Point


class Search(Protocol):
    """A way to search."""

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of the training rows that a trial trains on, one after the other."""
        ...

    def ask(self, count: int) -> list[Proposal]:
        """Return at most so many further proposals; none: the search is over."""
        ...

    def goes_on(self, number: int, rung: int, value: float) -> bool:
        """Tell the objective on a share of the rows; return whether the trial goes on."""
        ...

    def tell(self, number: int, value: float | None, *, pruned: bool = False) -> None:
        """Tell the objective of a trial; None: it failed."""
        ...


def search_of(how: TuneFacts, *, maximise: bool) -> Search:
    """Return the search that a spec asks for.

    Raises:
        StepError: the method is not known, the space cannot be searched, or Optuna is missing.
    """
    check_space(how.space)
    if how.method == "grid":
        return Listed(grid(how.space, how.trials))
    if how.method == "random":
        return Listed(draw(how.space, how.trials, how.seed))
    if how.method in OPTUNA:
        return OptunaSearch(how, maximise=maximise)
    raise StepError(
        f"`{how.method}` is no method of tuning", help=f"there are {', '.join(OWN + OPTUNA)}"
    )


class Listed:
    """Tries points that are known from the start."""

    shares = (1.0,)

    def __init__(self, points: Sequence[Point]) -> None:
        """Keep the points."""
        self._open = [Proposal(number=n, params=one) for n, one in enumerate(points)]

    def ask(self, count: int) -> list[Proposal]:
        """Return the next points."""
        taken, self._open = self._open[:count], self._open[count:]
        return taken

    def goes_on(self, number: int, rung: int, value: float) -> bool:
        """Go on: there is one rung."""
        del number, rung, value
        return True

    def tell(self, number: int, value: float | None, *, pruned: bool = False) -> None:
        """Learn nothing."""


class OptunaSearch:
    """Lets Optuna choose."""

    def __init__(self, how: TuneFacts, *, maximise: bool) -> None:
        """Make a study in memory.

        Raises:
            StepError: Optuna, or what the method needs besides, is not installed.
        """
        why = f"`tune.method: {how.method}` is done by it"
        self._optuna = library("optuna", "optuna", why)
        if how.method == "cmaes":
            library("cmaes", "cmaes", why)
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)
        self._left = how.trials
        self._space = {one.name: self._distribution(one) for one in how.space}
        self._trials: dict[int, Any] = {}
        hyperband = how.method == "hyperband"
        self.shares = tuple(part / _RUNGS[-1] for part in _RUNGS) if hyperband else (1.0,)
        pruners = self._optuna.pruners
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts that Optuna calls experimental
            self._study = self._optuna.create_study(
                study_name="tune",  # hyperband's brackets depend on it
                direction="maximize" if maximise else "minimize",
                sampler=self._sampler(how),
                pruner=pruners.HyperbandPruner(
                    min_resource=_RUNGS[0], max_resource=_RUNGS[-1], reduction_factor=3
                )
                if hyperband
                else pruners.NopPruner(),
            )

    def ask(self, count: int) -> list[Proposal]:
        """Return what Optuna proposes."""
        taken = min(count, self._left)
        self._left -= taken
        found = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts that Optuna calls experimental
            for _ in range(taken):
                trial = self._study.ask(self._space)
                self._trials[trial.number] = trial
                found.append(Proposal(number=trial.number, params=dict(trial.params)))
        return found

    def goes_on(self, number: int, rung: int, value: float) -> bool:
        """Report to the pruner, and ask it."""
        trial = self._trials[number]
        trial.report(value, step=_RUNGS[rung])
        return not trial.should_prune()

    def tell(self, number: int, value: float | None, *, pruned: bool = False) -> None:
        """Tell Optuna how a trial ended."""
        states = self._optuna.trial.TrialState
        if pruned:
            self._study.tell(self._trials[number], state=states.PRUNED)
        elif value is None:
            self._study.tell(self._trials[number], state=states.FAIL)
        else:
            self._study.tell(self._trials[number], value)

    def _sampler(self, how: TuneFacts) -> Any:
        samplers, seed = self._optuna.samplers, how.seed % 2**32
        if how.method == "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        # Beside others, a trial without a result counts as a poor one: they do not try the same.
        return samplers.TPESampler(seed=seed, constant_liar=how.parallel > 1)

    def _distribution(self, one: Range) -> Any:
        kinds = self._optuna.distributions
        if one.kind == "choice":
            return kinds.CategoricalDistribution(list(one.values))
        low, high = ends(one)
        if one.kind in {"int", "logint"}:
            return kinds.IntDistribution(int(low), int(high), log=one.kind == "logint")
        return kinds.FloatDistribution(low, high, log=one.kind == "loguniform")
