"""How many rows a check needs, and how looks share alpha: sizes for the compiler.

Duty: sizes from declared numbers (margin, class rate, base rate), with the standard library only.
An equal candidate is one whose true value is that of the reference; power is its chance to pass.
All sizes are rounded up to whole rows.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, exp, log, pi, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()
_STEPS = 200


def auc_rows(
    margin: float,
    positive_share: float,
    *,
    area: float = 0.9,
    correlation: float = 0.9,
    confidence: float = 0.95,
    power: float = 0.8,
) -> int:
    """Return the rows at which an equal candidate shows `roc_auc >= champion - margin`.

    Scores normal in each class with equal spread; the variance of the paired difference is then
    DeLong's (Biometrics 44, 1988) in closed form: bivariate normal probabilities whose
    correlations are 1/2 (one score against itself) and correlation/2 (one against the other).

    Args:
        margin: greater than 0. positive_share: of the rows, between 0 and 1.
        area: of both models, between 0.5 and 1. correlation: of their scores within a class.
        confidence: of the one-sided bound. power: chance to pass.
    """
    cut = _NORMAL.inv_cdf(area)
    spread = 2 * _orthant_difference(cut, correlation / 2, 0.5)
    per_row = spread * (1 / positive_share + 1 / (1 - positive_share))
    return ceil(per_row * (_quantiles(confidence, power) / margin) ** 2)


def risk_rows(base: float, ratio: float, *, confidence: float = 0.95, power: float = 0.8) -> int:
    """Return the requests per arm at which an equal candidate shows `rate <= ratio * champion`.

    Normal on the logarithm of the relative risk (Katz et al., Biometrics 34, 1978).

    Args:
        base: rate of both, between 0 and 1. ratio: other than 1.
        confidence: of the one-sided bound. power: chance to pass.
    """
    per_row = 2 * (1 - base) / base
    return ceil(per_row * (_quantiles(confidence, power) / log(ratio)) ** 2)


def experiment_rows(
    base: float, lift: float, *, significance: float = 0.05, power: float = 0.8
) -> int:
    """Return the units per arm at which a two-sided experiment sees a relative lift of a rate.

    Two proportions with the pooled variance under equality (Fleiss, Statistical Methods for Rates
    and Proportions, 2nd ed. 1981, section 3.2, without continuity correction).

    Args:
        base: rate of the control, between 0 and 1. lift: relative, 0.1 for 10 %; not 0.
        significance: two-sided. power: chance to see it.
    """
    other = base * (1 + lift)
    middle = (base + other) / 2
    none = _NORMAL.inv_cdf(1 - significance / 2) * sqrt(2 * middle * (1 - middle))
    some = _NORMAL.inv_cdf(power) * sqrt(base * (1 - base) + other * (1 - other))
    return ceil(((none + some) / (other - base)) ** 2)


def spending(looks: int, alpha: float = 0.05) -> tuple[float, ...]:
    """Return the share of alpha for each of equally spaced looks; they sum to alpha.

    O'Brien-Fleming-like spending function of Lan and DeMets, Biometrika 70 (1983) 659-663; the
    increments used one by one are a union bound.

    Args:
        looks: at least 1. alpha: chance of a false alarm over all looks.
    """
    edge = _NORMAL.inv_cdf(1 - alpha / 2)
    spent = [0.0, *(2 * _NORMAL.cdf(-edge * sqrt(looks / look)) for look in range(1, looks + 1))]
    return tuple(after - before for before, after in pairwise(spent))


def _quantiles(confidence: float, power: float) -> float:
    return _NORMAL.inv_cdf(confidence) + _NORMAL.inv_cdf(power)


def _orthant_difference(cut: float, low: float, high: float) -> float:
    """Return P(X < cut, Y < cut) at correlation `high` minus the same at `low`.

    The derivative by the correlation is the bivariate normal density (Plackett, Biometrika 41,
    1954); integrated by the midpoint rule.
    """
    width = (high - low) / _STEPS
    total = 0.0
    for step in range(_STEPS):
        rho = low + (step + 0.5) * width
        total += exp(-cut * cut / (1 + rho)) / (2 * pi * sqrt(1 - rho * rho))
    return total * width
