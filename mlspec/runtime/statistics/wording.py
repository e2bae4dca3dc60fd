"""Sentences of verdicts: numbers in units that people read.

Shares are per cent, differences of shares are points, durations are seconds or milliseconds;
three figures, thousands apart. A sentence only says what the numbers say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from mlspec.expr.check import Check, CheckOp, plain
from mlspec.expr.metric import Metric, Unit
from mlspec.runtime.statistics.interval import Interval, Scale

_FIGURES = 3
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class TooFew:
    """Why a sample is too small.

    Attributes:
        rows: of the same mix that would be enough; None when a class is lacking altogether.
        sentence: for people.
    """

    rows: int | None
    sentence: str


def figure(value: float, figures: int = _FIGURES) -> str:
    """Return a number with so many significant figures, thousands apart.

    Without exponent, except where it would be a row of zeros (a model that diverged).
    """
    if math.isinf(value):
        return "unlimited" if value > 0 else "-unlimited"
    exact = Decimal(repr(float(value)))
    if not exact:
        return "0"
    if abs(exact.adjusted()) > _MOST_DIGITS:
        return f"{value:.{figures}g}"
    places = max(0, figures - 1 - exact.adjusted())
    rounded = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return grouped(plain(rounded))


def grouped(number: int | str) -> str:
    """Return a number with a space between thousands, from five digits on."""
    text = str(number)
    whole, point, part = text.partition(".")
    digits = whole.removeprefix("-")
    if len(digits) > 4:
        whole = whole[: len(whole) - len(digits)] + f"{int(digits):,}".replace(",", " ")
    return whole + point + part


def too_few(n: int, positives: int | None, negatives: int | None, least: int) -> TooFew | None:
    """Return why a sample is too small for a verdict, or None when it is not.

    Classes count each for themselves where they are known.
    """
    parts = [(positives, "positive"), (negatives, "negative")]
    known = [(count, f"{name} rows") for count, name in parts if count is not None]
    count, what = min(known or [(n, "rows")])
    if count >= least:
        return None
    rows = math.ceil(n * least / count) if count else None
    return TooFew(rows, f"{grouped(count)} {what} are too few: at least {least} are needed")


def sentence_of(
    check: Check, interval: Interval, limit: float, metric: Metric | None, *, failed: bool
) -> str:
    """Return what an interval says about a check, in words.

    Args:
        check: what is asked. interval: on the check's scale. limit: c.
        metric: for the unit; None for own metrics. failed: shows the bound that convicts.
    """
    unit = Unit.NUMBER if metric is None else metric.unit
    sure = f"we are {figure(interval.confidence * 100)} % sure it is "
    lower = (check.op in {CheckOp.GE, CheckOp.GT}) != failed
    bound = interval.low if lower else interval.high
    name = _name(check)
    match interval.scale:
        case Scale.VALUE:
            head = f"{check.term} is {_value(interval.estimate, unit)}"
            tail = f"{_asked(check.op)} {_value(limit, unit)} is asked for"
            middle = f"{sure}{'at least' if lower else 'at most'} {_value(bound, unit)}"
        case Scale.RATIO:
            head = f"{figure(interval.estimate)} times {name}"
            tail = f"{_asked(check.op)} {figure(limit)} times is asked for"
            middle = f"{sure}{'at least' if lower else 'at most'} {figure(bound)} times"
        case Scale.DIFFERENCE:
            times = "" if check.factor == 1 else f"{plain(check.factor)} times "
            head = f"{_apart(interval.estimate, unit)} {times}{name}"
            tail = _margin(check.op, limit, unit)
            middle = sure + _bound(bound, unit, lower=lower)
    if math.isinf(bound):
        middle = "there are too few values for a bound"
    if interval.is_exact or interval.low == interval.high:  # no width: nothing to be sure of
        return f"{head}; {tail}"
    return f"{head}; {middle}; {tail}"


def _name(check: Check) -> str:
    match check.reference:
        case "champion" | "challenger" | "baseline" as word:
            return f"the {word}"
        case "previous":
            return "the previous version"
        case "uncompressed":
            return "the uncompressed model"
        case name:
            return f"`{name}`"


def _asked(op: CheckOp) -> str:
    return {
        CheckOp.GE: "at least",
        CheckOp.GT: "more than",
        CheckOp.LE: "at most",
        CheckOp.LT: "less than",
        CheckOp.EQ: "exactly",
    }[op]


def _value(value: float, unit: Unit) -> str:
    match unit:
        case Unit.SHARE:
            return f"{figure(value * 100)} %"
        case Unit.SECONDS if 0 < abs(value) < 1:
            return f"{figure(value * 1000)} ms"
        case Unit.SECONDS:
            return f"{figure(value)} s"
        case _:
            return figure(value)


def _size(value: float, unit: Unit, *, named: bool) -> str:
    """Return the size of a difference; `named` says points where they are meant."""
    if unit is Unit.SHARE:
        return figure(abs(value) * 100) + (" points" if named else "")
    return _value(abs(value), unit)


def _apart(value: float, unit: Unit) -> str:
    if not value:
        return "equal to"
    return f"{_size(value, unit, named=True)} {'below' if value < 0 else 'above'}"


def _bound(value: float, unit: Unit, *, lower: bool) -> str:
    if not value:
        return "not below" if lower else "not above"
    size = _size(value, unit, named=False)
    if lower:
        return f"at least {size} above" if value >= 0 else f"not more than {size} below"
    return f"at least {size} below" if value <= 0 else f"not more than {size} above"


def _margin(op: CheckOp, limit: float, unit: Unit) -> str:
    size = _size(limit, unit, named=False)
    lenient = limit < 0 if op in {CheckOp.GE, CheckOp.GT} else limit > 0
    if op is CheckOp.EQ:
        return f"a difference of {size} is asked for" if limit else "it must be equal"
    if lenient:
        return f"the margin is {size}"
    above = op in {CheckOp.GE, CheckOp.GT}
    if limit:
        return f"at least {size} {'above' if above else 'below'} is asked for"
    words = {CheckOp.GE: "not be below", CheckOp.GT: "be above"}
    return f"it must {words.get(op, 'not be above' if op is CheckOp.LE else 'be below')}"
