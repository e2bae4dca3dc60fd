"""The three-valued verdict on a check.

With one-sided bounds L and U of the quantity on the left, and c the limit on the right:

    at least c   pass: L >= c     fail: U < c
    at most c    pass: U <= c     fail: L > c
    equal to c   pass: L = U = c  fail: c outside [L, U]

Everything else is inconclusive, and so are too few rows and a missing reference. What a place
makes of "inconclusive" (proceed, hold, ask) is not decided here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from mlspec.expr.check import Check, CheckOp
from mlspec.expr.metric import Metric
from mlspec.runtime.statistics.interval import Interval, Scale, StatisticsError
from mlspec.runtime.statistics.wording import grouped, sentence_of, too_few

_MOST_ROWS = 1e9
"""Nobody has more test rows; a larger answer says only that the estimate lies on the limit."""


class Finding(Enum):
    """What a check comes to."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What was measured, besides its interval.

    Attributes:
        value: the metric of the candidate (or of the data), in its unit.
        n: rows or requests. positives, negatives: rows of each class; None where there are none.
        reference: the metric of the reference; None for a threshold or without a reference.
    """

    value: float
    n: int
    positives: int | None = None
    negatives: int | None = None
    reference: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on one check.

    Attributes:
        finding: pass, fail or inconclusive.
        check: canonical text.
        estimate: what was measured.
        interval: its bounds; None when there is nothing to compare with.
        limit: c, on the interval's scale; None without an interval.
        rows_needed: rows that would decide if the estimate stayed; None when decided or never.
        sentence: for people.
    """

    finding: Finding
    check: str
    estimate: Estimate
    interval: Interval | None
    limit: float | None
    rows_needed: int | None
    sentence: str

    @property
    def low(self) -> float | None:
        """Lower one-sided bound."""
        return None if self.interval is None else self.interval.low

    @property
    def high(self) -> float | None:
        """Upper one-sided bound."""
        return None if self.interval is None else self.interval.high


def judge(
    check: Check,
    estimate: Estimate,
    interval: Interval | None,
    metric: Metric | None = None,
    min_samples: int | None = None,
) -> Verdict:
    """Return the verdict on a check.

    Args:
        check: what is asked. estimate: what was measured.
        interval: bounds on the check's scale: the value for a threshold; for a comparison
            candidate - factor x reference, or candidate / reference when there is no margin. None
            when the reference does not exist.
        metric: registry entry, for units and the least number of rows; None for own metrics.
        min_samples: overrides the registry (30 when there is no entry).

    Raises:
        StatisticsError: the interval is on another scale than the check.
    """
    if interval is None:
        name = check.reference or "reference"
        return _undecided(check, estimate, None, None, f"there is no {name} to compare with")
    limit = limit_of(check, interval.scale)
    least = min_samples if min_samples is not None else _least(metric)
    if not interval.is_exact or min_samples is not None:
        few = too_few(estimate.n, estimate.positives, estimate.negatives, least)
        if few is not None:
            return _undecided(check, estimate, interval, few.rows, few.sentence)
    finding = compare(check.op, interval, limit)
    needed = rows_needed(interval, limit) if finding is Finding.INCONCLUSIVE else None
    sentence = sentence_of(check, interval, limit, metric, failed=finding is Finding.FAIL)
    if finding is Finding.INCONCLUSIVE:
        sentence += _wanting(check.op, interval, limit, needed)
    return Verdict(
        finding=finding,
        check=str(check),
        estimate=estimate,
        interval=interval,
        limit=limit,
        rows_needed=needed,
        sentence=sentence,
    )


def limit_of(check: Check, scale: Scale) -> float:
    """Return what the quantity of an interval is compared with.

    Raises:
        StatisticsError: the scale does not fit the check.
    """
    if check.threshold is not None and scale is Scale.VALUE:
        return float(check.threshold.value)
    if check.reference is not None and scale is Scale.DIFFERENCE:
        return float(check.margin.value)
    if check.reference is not None and scale is Scale.RATIO and not check.margin.digits:
        return float(check.factor)
    raise StatisticsError(f"`{check}` is not about a {scale.value}")


def compare(op: CheckOp, interval: Interval, limit: float) -> Finding:
    """Return the finding for bounds and a limit; see the module's table."""
    low, high = interval.low, interval.high
    match op:
        case CheckOp.GE:
            passed, failed = low >= limit, high < limit
        case CheckOp.GT:
            passed, failed = low > limit, high <= limit
        case CheckOp.LE:
            passed, failed = high <= limit, low > limit
        case CheckOp.LT:
            passed, failed = high < limit, low >= limit
        case CheckOp.EQ:
            passed, failed = low == limit == high, not low <= limit <= high
    if passed:
        return Finding.PASS
    return Finding.FAIL if failed else Finding.INCONCLUSIVE


def points(check: Check, value: float, reference: float | None, n: int) -> Interval:
    """Return the interval of numbers that are believed as they are, on the check's scale.

    For metrics that a step wrote: compared as points, in decimal, so that 0.8 is not below
    0.805 - 0.005 by a rounding error. The verdict must say "unpaired".

    Args:
        check: decides between value and difference. value, reference: as written by the step.
        n: rows, or 1 when unknown.

    Raises:
        StatisticsError: a comparison without a reference, or a number that is not finite.
    """
    if not math.isfinite(value) or (reference is not None and not math.isfinite(reference)):
        raise StatisticsError("a metric is not a finite number")
    quantity, scale = Decimal(repr(value)), Scale.VALUE
    if check.reference is not None:
        if reference is None:
            raise StatisticsError(f"`{check}` needs a number of the {check.reference}")
        quantity -= check.factor * Decimal(repr(reference))
        scale = Scale.DIFFERENCE
    known = float(quantity)
    return Interval(
        scale=scale, estimate=known, low=known, high=known, n=n, confidence=1.0, test="points"
    )


def rows_needed(interval: Interval, limit: float) -> int | None:
    """Return with how many rows the present estimate would be decided.

    Half-widths shrink with the root of the rows, so it is n x (half-width / distance to the
    limit) squared, both on the logarithm where the bounds are symmetric there. It says nothing
    about how the estimate itself will move.

    Returns:
        None when the estimate lies on the limit or as good as on it, or when a bound is infinite.
    """
    low, estimate, high = interval.low, interval.estimate, interval.high
    if interval.logarithmic and min(low, limit) > 0:
        low, estimate, high, limit = (math.log(one) for one in (low, estimate, high, limit))
    distance = limit - estimate
    half = high - estimate if distance > 0 else estimate - low
    if not distance or not math.isfinite(half):
        return None
    needed = interval.n * (half / distance) ** 2
    return math.ceil(needed) if needed < _MOST_ROWS else None


def _least(metric: Metric | None) -> int:
    return 30 if metric is None else metric.tests.min_samples


def _wanting(op: CheckOp, interval: Interval, limit: float, needed: int | None) -> str:
    if needed is not None:
        below = interval.estimate < limit
        fails = op is not CheckOp.EQ and below is op.wants_more
        how = ", with a fail as it stands" if fails else ""
        return f"; {grouped(_rounded(needed))} rows would decide{how}"
    if interval.estimate == limit:
        return "; no number of rows would decide while the estimate lies on the limit"
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        return "; hardly any number of rows would decide: the estimate lies almost on the limit"
    return "; more rows would decide"


def _rounded(rows: int) -> int:
    """Round up to two figures: more would pretend to know."""
    step: int = 10 ** max(0, len(str(rows)) - 2)
    return -(-rows // step) * step


def _undecided(
    check: Check,
    estimate: Estimate,
    interval: Interval | None,
    needed: int | None,
    sentence: str,
) -> Verdict:
    return Verdict(
        finding=Finding.INCONCLUSIVE,
        check=str(check),
        estimate=estimate,
        interval=interval,
        limit=None if interval is None else limit_of(check, interval.scale),
        rows_needed=needed,
        sentence=sentence,
    )
