"""What every statistical method returns: an estimate between two one-sided bounds.

Invariants: low <= high; each bound alone holds with the stated confidence, so that the pair is a
two-sided interval of 1 - 2 (1 - confidence). Exact numbers have low = high = estimate and
confidence 1; an estimate may have no width either (all rows are right), and is not exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from scipy.special import ndtri


class StatisticsError(ValueError):
    """A method cannot be applied to these numbers; the message says why."""


class Scale(Enum):
    """What an interval is about."""

    VALUE = "value"
    DIFFERENCE = "difference"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its one-sided bounds.

    Attributes:
        scale: the metric's value; candidate - factor x reference; or candidate / reference.
        estimate, low, high: in the unit of the scale.
        n: rows (or requests) that the estimate is made from.
        confidence: of each bound alone, 0.5 to 1.
        test: name of the method, for people.
        p_value: of the method's own test of "no difference"; None when it has none.
        resamples, seed: of a bootstrap; None otherwise.
        logarithmic: whether the bounds are symmetric on the logarithm, as those of ratios are.
    """

    scale: Scale = Scale.VALUE
    estimate: float
    low: float
    high: float
    n: int
    confidence: float
    test: str
    p_value: float | None = None
    resamples: int | None = None
    seed: int | None = None
    logarithmic: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether the number is known and not estimated; a width of 0 alone does not say so."""
        return self.confidence == 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.estimate) and self.low <= self.high):
            raise StatisticsError(f"{self.test}: no interval from {self.low} to {self.high}")


def exact(value: float, n: int) -> Interval:
    """Return the interval of a number that is known exactly, such as a count of rows."""
    return Interval(estimate=value, low=value, high=value, n=n, confidence=1.0, test="exact")


def normal_bound(confidence: float) -> float:
    """Return how many standard errors a one-sided bound lies from the estimate.

    Raises:
        StatisticsError: confidence is not between 0.5 and 1.
    """
    if not 0.5 < confidence < 1:
        raise StatisticsError(f"confidence lies between 0.5 and 1, not {confidence:g}")
    return float(ndtri(confidence))
