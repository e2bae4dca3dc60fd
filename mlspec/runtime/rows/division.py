"""Which rows are for training, which for validation and which for the test.

Duty: a side for each row. In: rows, how they are divided. Out: a number for each row. Invariants:
no key is on two sides; training and test are never empty; the same rows and seed give the same
sides, whatever order the rows are in (random and group splits order them by key first).

By time the newest rows are the test, before them the validation rows, before them training:

    ... | train | gap | validation | gap | test |  newest row

so that no label that was still unknown when the later side began is learned from (rule ML213).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.ir.facts import Amount, SplitFacts
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.rows.folder import KEY, LABEL, SPLIT, TIMES, Rows
from mlspec.runtime.steps.contract import StepError

Sides = npt.NDArray[np.int8]
TRAIN, VALIDATION, TEST, NONE = 0, 1, 2, -1
GAP, OLDER, OTHER = "in a gap of the split", "older than the training rows", "on no side"
DEFAULT_TEST = Amount(share=0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """A side for each row, shape (n,): the place in `SIDES`, or -1; and what was left out."""

    SIDES: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

    sides: Sides
    dropped: Mapping[str, int]


def divide(rows: Rows, split: SplitFacts) -> Division:
    """Return the side of each row.

    Args:
        rows: with the columns that the split names as `_split.<column>`.
        split: how. A missing `test` is a fifth, a missing `train` is what is left.

    Raises:
        StepError: a side that must have rows has none, a key is on two sides, or the rows lack what
            the split needs.
    """
    ways = {"time": _by_time, "random": _by_random, "group": _by_group, "column": _by_column}
    if split.by not in ways:
        raise StepError(f"rows cannot be split by `{split.by}`")
    division = ways[split.by](rows, split)
    _require(rows, split, division.sides)
    return division


def _by_time(rows: Rows, split: SplitFacts) -> Division:
    if TIMES not in rows.table.column_names:
        raise StepError(
            "rows without time cannot be split by time",
            help="name the column of the event's time: `data.<id>.time`",
        )
    stamps = rows.table[TIMES].cast(pa.int64()).to_numpy().astype(np.int64)
    if not stamps.size:
        return Division(sides=np.empty(0, dtype=np.int8), dropped={})
    gap = round((split.delay if split.gap is None else split.gap) * 1e6)
    newest = np.sort(stamps)[::-1]
    test_from = _start(newest, split.test or DEFAULT_TEST, int(newest[0]))
    sides = np.full(stamps.size, NONE, dtype=np.int8)
    sides[stamps >= test_from] = TEST
    end = test_from - gap  # what is at or after it lies in the gap
    if _asked(split.validation):
        validation_from = _start(newest[newest < end], split.validation, end - 1, all_rows=newest)
        sides[(stamps >= validation_from) & (stamps < end)] = VALIDATION
        end = validation_from - gap
    train = stamps < end
    oldest = None
    if split.train is not None:
        oldest = _start(newest[newest < end], split.train, end - 1, all_rows=newest)
        train &= stamps >= oldest
    sides[train] = TRAIN
    older = 0 if oldest is None else int((stamps < oldest).sum())
    in_gap = int((sides == NONE).sum()) - older
    return Division(sides=sides, dropped={GAP: in_gap, OLDER: older})


def _start(
    newest: npt.NDArray[np.int64],
    amount: Amount | None,
    end: int,
    *,
    all_rows: npt.NDArray[np.int64] | None = None,
) -> int:
    """Return the time at which a side starts that ends with the time `end`, inclusive.

    Args:
        newest: times of the rows that it may have, newest first.
        amount: seconds before `end`, or a share of all rows, counted from the newest.
        all_rows: what a share is of; None: of `newest`.
    """
    if amount is None or not newest.size:
        return end + 1
    if amount.seconds is not None:
        return end - round(amount.seconds * 1e6) + 1
    whole = newest.size if all_rows is None else all_rows.size
    count = min(max(round((amount.share or 0.0) * whole), 0), newest.size)
    return end + 1 if count == 0 else int(newest[count - 1])


def _asked(amount: Amount | None) -> bool:
    return amount is not None and bool(amount.seconds or amount.share)


def _by_random(rows: Rows, split: SplitFacts) -> Division:
    names = rows.table[KEY].combine_chunks()
    return _drawn(rows, split, names)


def _by_group(rows: Rows, split: SplitFacts) -> Division:
    if split.group is None:
        raise StepError("a split by group needs the column `group`")
    column = _split_column(rows, split.group)
    if column.null_count:
        raise StepError(f"{column.null_count} rows have no value of the group `{split.group}`")
    return _drawn(rows, split, column.cast(pa.string()).combine_chunks())


def _drawn(rows: Rows, split: SplitFacts, names: pa.Array) -> Division:
    """Draw names (keys or groups): all rows of a name go to one side."""
    if not len(names):
        return Division(sides=np.empty(0, dtype=np.int8), dropped={})
    table = names.dictionary_encode()
    codes = table.indices.to_numpy()
    sizes = np.bincount(codes)
    strata = _strata(rows, split, codes, sizes.size)
    order = np.array(
        pc.sort_indices(table.dictionary).to_numpy()
    )  # by name: order of rows is no matter
    random = np.random.default_rng(split.seed)
    drawn = order[random.permutation(order.size)]
    of_name = np.full(sizes.size, NONE, dtype=np.int8)
    for stratum in np.unique(strata):
        members = drawn[strata[drawn] == stratum]
        of_name[members] = _filled(sizes[members], split)
    sides = of_name[codes]
    left = int((sides == NONE).sum())
    return Division(sides=sides, dropped={OTHER: left} if left else {})


def _filled(sizes: npt.NDArray[np.int64], split: SplitFacts) -> Sides:
    """Fill the test, then validation, then training, name by name in the drawn order."""
    total = int(sizes.sum())
    sides = np.full(sizes.size, NONE, dtype=np.int8)
    middle = np.cumsum(sizes) - sizes / 2  # a name belongs where the middle of its rows falls
    start = 0.0
    for side, amount in (
        (TEST, split.test or DEFAULT_TEST),
        (VALIDATION, split.validation),
        (TRAIN, split.train),
    ):
        if amount is not None and amount.seconds is not None:
            raise StepError(
                f"a split by {split.by} takes shares, not durations",
                help="write `test: 20%`, or split by time",
            )
        if amount is None and side is VALIDATION:
            continue
        share = 1.0 if amount is None else amount.share or 0.0
        end = math.inf if amount is None else start + share * total
        sides[(middle >= start) & (middle < end)] = side
        start = end
    return sides


def _strata(
    rows: Rows, split: SplitFacts, codes: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """Return the stratum of each name: the value of its first row."""
    if split.stratify is None:
        return np.zeros(count, dtype=np.int64)
    column = _split_column(rows, split.stratify)
    values = column.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()
    strata = np.zeros(count, dtype=np.int64)
    strata[codes[::-1]] = values[::-1]  # the first row is written last
    return strata


def _by_column(rows: Rows, split: SplitFacts) -> Division:
    if split.column is None:
        raise StepError("a split by column needs the column's name")
    values = _split_column(rows, split.column).cast(pa.string())
    places = pc.index_in(values, pa.array(Division.SIDES)).fill_null(NONE)
    sides = places.to_numpy().astype(np.int8)
    if len(rows) and (sides == NONE).all():
        found = ", ".join(repr(one) for one in values.unique().to_pylist()[:5])
        raise StepError(
            f"no row says `train`, `validation` or `test` in column `{split.column}`",
            help=f"it holds {found}",
        )
    left = int((sides == NONE).sum())
    return Division(sides=sides, dropped={OTHER: left} if left else {})


def _split_column(rows: Rows, name: str) -> pa.ChunkedArray:
    for known in (f"{SPLIT}{name}", name, LABEL if name == rows.label else ""):
        if known in rows.table.column_names:
            return rows.table[known]
    raise StepError(f"the rows have no column `{name}`, which the split names")


def _require(rows: Rows, split: SplitFacts, sides: Sides) -> None:
    """Refuse an empty side, and a key on two sides."""
    counts = {name: int((sides == place).sum()) for place, name in enumerate(Division.SIDES)}
    wanted = ["train", "test", *(["validation"] if _asked(split.validation) else [])]
    empty = [name for name in wanted if not counts[name]]
    if empty:
        found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise StepError(
            f"the split leaves no row for {' and '.join(empty)}: of {len(rows):,} rows {found}",
            help="the amounts of `split` and its gap must fit the time or the rows that there are",
        )
    keys: AnyArray = rows.table[KEY].combine_chunks().dictionary_encode().indices.to_numpy()
    used = sides != NONE
    pairs = np.unique(np.stack([keys[used], sides[used].astype(keys.dtype)]), axis=1)
    twice = pairs[0][1:][pairs[0][1:] == pairs[0][:-1]]
    if twice.size:
        key = rows.keys[int(np.flatnonzero(keys == twice[0])[0])]
        raise StepError(
            f"{np.unique(twice).size:,} keys are on two sides of the split, such as {key!r}",
            help="a key identifies a row: add a check `duplicates(…) == 0`, or split by group",
        )
