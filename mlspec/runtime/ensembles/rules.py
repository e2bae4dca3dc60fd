"""Combining answers by rule: mean, weighted mean, vote.

Duty: `Answers` to one answer for each row. Invariants: pure arithmetic, in the order of the
members; of a tied vote the first member in the spec decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlspec.runtime.ensembles.answers import BINARY, CLASSES, NUMBERS, Answers
from mlspec.runtime.metrics.arrays import AnyArray, Floats
from mlspec.runtime.steps.contract import StepError


def mean(answers: Answers) -> Floats:
    """Return the mean answer: shape (n,) or (n, k).

    Raises:
        StepError: the members answer classes.
    """
    _refuse_classes(answers, "mean")
    return np.asarray(answers.stacked.mean(axis=0))


def weighted(answers: Answers, weights: Sequence[float]) -> Floats:
    """Return the weighted mean; weights count relative to their sum.

    Args:
        weights: of each member, in order; none negative, not all 0.

    Raises:
        StepError: the members answer classes.
    """
    _refuse_classes(answers, "weighted")
    share = np.asarray(weights, dtype=np.float64)
    return np.asarray(np.tensordot(share / share.sum(), answers.stacked, axes=1))


def vote(answers: Answers) -> Floats:
    """Return the share of members that say each class.

    Returns:
        Binary probabilities: shape (n,), the share of members above their own threshold. Else
        shape (n, k): one column for each of `answers.classes`.

    Raises:
        StepError: the members answer numbers.
    """
    if answers.kind == NUMBERS:
        raise StepError("members that answer numbers cannot vote", help="combine them by `mean`")
    if answers.kind == BINARY:
        levels = np.asarray(answers.thresholds)[:, None]
        return np.asarray((answers.stacked >= levels).mean(axis=0))
    ballots = ballots_of(answers)
    count = len(answers.classes)
    return np.stack([(ballots == place).mean(axis=0) for place in range(count)], axis=1)


def winners(answers: Answers) -> AnyArray:
    """Return the class that most members say, shape (n,); a tie is decided by the first member.

    Raises:
        StepError: the members answer numbers.
    """
    shares = vote(answers)
    ballots = ballots_of(answers)
    if shares.ndim == 1:
        shares = np.stack([1 - shares, shares], axis=1)
    most = shares.max(axis=1)
    rows = np.arange(len(most))
    chosen = np.full(len(most), -1)
    for ballot in ballots:  # in the order of the members
        tied = (chosen < 0) & np.isclose(shares[rows, ballot], most)
        chosen[tied] = ballot[tied]
    return np.asarray(np.asarray(list(answers.classes))[chosen])


def ballots_of(answers: Answers) -> AnyArray:
    """Return the place of the class that each member says, shape (m, n)."""
    if answers.kind == BINARY:
        return (answers.stacked >= np.asarray(answers.thresholds)[:, None]).astype(np.int64)
    if answers.kind == CLASSES:
        place = {one: number for number, one in enumerate(answers.classes)}
        return np.array([[place[one] for one in part.tolist()] for part in answers.values])
    return np.asarray(answers.stacked.argmax(axis=2))


def _refuse_classes(answers: Answers, rule: str) -> None:
    if answers.kind == CLASSES:
        raise StepError(
            f"members that answer classes cannot be combined by `{rule}`",
            help="combine them by `vote`, or let them answer probabilities",
        )
