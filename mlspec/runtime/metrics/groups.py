"""Fairness: decisions and errors compared between groups of rows.

Names and meanings follow Fairlearn (0.15). Which groups are large enough to be compared is the
caller's choice, made with `large_groups`; a small one is reported and never dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlspec.runtime.metrics.arrays import (
    Bools,
    Floats,
    Integers,
    MetricError,
    known,
    same_length,
    truths,
)

SMALLEST_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """Shares by group, in the order of the groups' names.

    Attributes:
        names: the groups. counts: rows that the share is of. hits: rows that count. rates: shares.
    """

    names: tuple[str, ...]
    counts: Integers
    hits: Integers
    rates: Floats


def group_rates(hits: npt.ArrayLike, groups: npt.ArrayLike) -> GroupRates:
    """Return the share of true values in each group.

    Args:
        hits: shape (n,), 0 and 1. groups: shape (n,), names of any type.

    Raises:
        MetricError: missing values or different lengths.
    """
    hit, group = truths(hits, "decisions"), known(groups, "groups")
    same_length("decisions and groups", hit, group)
    names, place = np.unique(group.astype(str), return_inverse=True)
    counts = np.bincount(place).astype(np.int64)
    hits_ = np.bincount(place, weights=hit).astype(np.int64)
    return GroupRates(
        names=tuple(str(name) for name in names),
        counts=counts,
        hits=hits_,
        rates=hits_ / counts,
    )


def large_groups(groups: npt.ArrayLike, share: float = SMALLEST_SHARE) -> tuple[Bools, list[str]]:
    """Return which rows belong to groups of at least `share` of all rows, and the other groups.

    Raises:
        MetricError: missing values.
    """
    group = known(groups, "groups").astype(str)
    names, place, counts = np.unique(group, return_inverse=True, return_counts=True)
    large = counts >= share * group.size
    return np.asarray(large[place], dtype=np.bool_), [str(name) for name in names[~large]]


def positive_rate(decisions: npt.ArrayLike) -> float:
    """Return the share of positive decisions; shape (n,), 0 and 1.

    Raises:
        MetricError: missing values.
    """
    return float(truths(decisions, "decisions").mean())


def demographic_parity_ratio(decisions: npt.ArrayLike, groups: npt.ArrayLike) -> float:
    """Return the smallest share of positive decisions of a group in parts of the largest; 0 to 1.

    The four-fifths rule asks for 0.8 (29 CFR 1607.4 D).

    Args:
        decisions: shape (n,), 0 and 1. groups: shape (n,).

    Raises:
        MetricError: missing values, a single group, or no positive decision at all.
    """
    rates = _two(group_rates(decisions, groups)).rates
    if not rates.max():
        raise MetricError("no decision is positive: demographic_parity_ratio has no value")
    return float(rates.min() / rates.max())


def demographic_parity_difference(decisions: npt.ArrayLike, groups: npt.ArrayLike) -> float:
    """Return the largest share of positive decisions of a group minus the smallest; 0 to 1.

    Raises:
        MetricError: missing values or a single group.
    """
    return _spread(_two(group_rates(decisions, groups)))


def equal_opportunity_difference(
    labels: npt.ArrayLike, decisions: npt.ArrayLike, groups: npt.ArrayLike
) -> float:
    """Return the largest difference of recall between groups, 0 to 1 (Hardt et al., NIPS 2016).

    Args:
        labels, decisions: shape (n,), 0 and 1. groups: shape (n,).

    Raises:
        MetricError: missing values, or a group without a positive label.
    """
    return _conditional(labels, decisions, groups, value=True)


def equalized_odds_difference(
    labels: npt.ArrayLike, decisions: npt.ArrayLike, groups: npt.ArrayLike
) -> float:
    """Return the larger of the differences between groups in recall and in false alarms; 0 to 1.

    Raises:
        MetricError: missing values, or a group that lacks one of the classes.
    """
    return max(
        _conditional(labels, decisions, groups, value=True),
        _conditional(labels, decisions, groups, value=False),
    )


def _conditional(
    labels: npt.ArrayLike, decisions: npt.ArrayLike, groups: npt.ArrayLike, *, value: bool
) -> float:
    truth, said, group = (
        truths(labels, "labels"),
        truths(decisions, "decisions"),
        known(groups, "groups"),
    )
    same_length("labels, decisions and groups", truth, said, group)
    inside = truth == value
    lacking = sorted(set(group.astype(str)) - set(group[inside].astype(str)))
    if lacking:
        which = "positive" if value else "negative"
        raise MetricError(f"group `{lacking[0]}` has no {which} label")
    return _spread(_two(group_rates(said[inside], group[inside])))


def _two(rates: GroupRates) -> GroupRates:
    if len(rates.names) < 2:
        raise MetricError(f"there is one group only, `{rates.names[0]}`")
    return rates


def _spread(rates: GroupRates) -> float:
    return float(rates.rates.max() - rates.rates.min())
