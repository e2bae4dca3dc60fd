"""One check as it is asked: read, with what its long form adds.

Duty: `CheckFacts` to `Question`; the metric's entry, built-in or the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.expr.check import Check, CheckProblem
from mlspec.expr.check_parser import parse_check
from mlspec.expr.metric import Better, Family, Metric, Producer, Unit
from mlspec.expr.metrics import METRICS
from mlspec.ir.facts import CheckFacts, MetricFacts, ModelFacts
from mlspec.runtime.steps.contract import StepError

_UNITS = {"%": Unit.SHARE, "share": Unit.SHARE, "s": Unit.SECONDS, "rows": Unit.COUNT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A check that a candidate must answer.

    Attributes:
        check: as parsed. metric: its entry. facts: severity, confidence, test, least samples.
        place: `promote` or `compress`, where the spec asks it.
        own: the user's own metric; None for a built-in one.
    """

    check: Check
    metric: Metric
    facts: CheckFacts
    place: str = "promote"
    own: MetricFacts | None = None

    @property
    def least(self) -> int:
        """Rows (of each class, where there are classes) below which nothing is decided."""
        given = self.facts.min_samples
        return self.metric.tests.min_samples if given is None else given


def questions_of(model: ModelFacts, metrics: tuple[MetricFacts, ...]) -> tuple[Question, ...]:
    """Return all checks of a model, those of its promotion first.

    Raises:
        StepError: a text is no check, or names a metric that is neither built in nor given.
    """
    own = {metric.name: metric for metric in metrics}
    compress = () if model.compress is None else model.compress.checks
    asked = [("promote", facts) for facts in model.checks]
    asked += [("compress", facts) for facts in compress if facts not in model.checks]
    return tuple(_question(place, facts, own) for place, facts in asked)


def _question(place: str, facts: CheckFacts, own: Mapping[str, MetricFacts]) -> Question:
    check = parse_check(facts.text)
    if isinstance(check, CheckProblem):
        raise StepError(f"`{facts.text}` is no check: {check.message}", help=check.help)
    mine = own.get(check.metric)
    metric = METRICS.get(check.metric) if mine is None else _entry(mine)
    if metric is None:
        raise StepError(
            f"there is no metric `{check.metric}`, which the check `{facts.text}` names",
            help=f"declare it: `metrics: {{{check.metric}: {{function: module:function}}}}`",
        )
    if not 0.5 < facts.confidence < 1:
        raise StepError(f"`{facts.text}`: confidence lies between 0.5 and 1")
    return Question(check=check, metric=metric, facts=facts, place=place, own=mine)


def _entry(metric: MetricFacts) -> Metric:
    """Return the entry of a user's own metric: any number of the rows, bounds by bootstrap."""
    return Metric(
        name=metric.name,
        about="a metric of this application",
        unit=_UNITS.get(metric.unit, Unit.NUMBER),
        better=Better(metric.better),
        family=Family.RESAMPLED,
        producers=frozenset({Producer.SCORES}),
    )
