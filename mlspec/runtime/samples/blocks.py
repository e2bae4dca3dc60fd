"""What all samples share: a window cut into blocks of a day, each with its own random stream.

A block's rows depend on the sample, its seed and knobs and on the day, never on the window. So
`day=1` holds the rows of `day=0` except the first day, and one new day: what a retraining sees.
Every value is drawn whether a knob uses it or not, so that a knob changes only what it is about.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlspec.runtime.samples.knobs import Knobs

Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[np.generic]]
"""Columns of a block, all of the same length."""

DAY_US = 86_400_000_000
UTC_TIME = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - differences only


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One day of a sample.

    Attributes:
        number: days between 1970 and the block's start.
        start: microseconds since 1970. rows: events in it.
        random: the block's own stream.
    """

    number: int
    start: int
    rows: int
    random: np.random.Generator


def stream(name: str, knobs: Knobs, *more: int) -> np.random.Generator:
    """Return a random stream of a sample; `more` tells its streams apart."""
    return np.random.default_rng([zlib.crc32(name.encode()), knobs.seed, *more])


def blocks(name: str, knobs: Knobs) -> Iterator[Block]:
    """Return the blocks of a window, oldest first; their rows add up to `knobs.rows`."""
    end = (knobs.end.replace(tzinfo=None) - _EPOCH) // timedelta(microseconds=1)
    last, rest = divmod(end, DAY_US)
    for number in range(last - knobs.days, last):
        rows = (number + 1) * knobs.rows // knobs.days - number * knobs.rows // knobs.days
        if rows:
            yield Block(
                number=number,
                start=number * DAY_US + rest,
                rows=rows,
                random=stream(name, knobs, 1, number + 1_000_000),
            )


def times(block: Block, hours: Floats) -> npt.NDArray[np.int64]:
    """Return rising event times in microseconds, more of them in busy hours.

    The last one lies within the last minute, so that the newest row is as young as the window.

    Args:
        block: the day. hours: shape (24,), how busy each hour of the day (UTC) is.
    """
    first = block.start % DAY_US / 3.6e9  # the block's first hour of the day
    edges = np.arange(25.0)
    busy = hours[((first + edges[:-1]) % 24).astype(np.int64)]
    total = np.concatenate(([0.0], np.cumsum(busy)))
    drawn = np.sort(block.random.random(block.rows))
    at = np.interp(drawn * total[-1], total, edges)
    found = block.start + (at * 3.6e9).astype(np.int64)
    found[-1] = block.start + DAY_US - 1_000_000 * (1 + int(drawn[-1] * 59))
    return np.asarray(np.minimum(found // 1000 * 1000, found[-1]), dtype=np.int64)


def choose(random: np.random.Generator, rows: int, weights: Floats) -> npt.NDArray[np.int64]:
    """Return indices drawn with weights: one draw for each row, whatever the weights are."""
    total = np.cumsum(weights)
    place = np.searchsorted(total / total[-1], random.random(rows), side="right")
    return np.asarray(place, dtype=np.int64)


def chance(logit: Floats) -> Floats:
    """Return the probability of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -40, 40))))


def intercept(logit: Floats, rate: float) -> float:
    """Return what has to be added to log odds for a mean probability of `rate`."""
    low, high = -60.0, 60.0
    for _ in range(80):
        middle = (low + high) / 2
        if float(chance(logit + middle).mean()) < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def collect(parts: list[Columns]) -> Columns:
    """Return blocks as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def table(columns: Mapping[str, pa.Array]) -> pa.Table:
    """Return named arrays as a table."""
    return pa.table(dict(columns))


def moments(values: npt.NDArray[np.int64]) -> pa.Array:
    """Return microseconds since 1970 as timestamps."""
    return pa.array(values, type=pa.int64()).cast(UTC_TIME)


def words(values: npt.NDArray[np.generic]) -> pa.Array:
    """Return texts as an array of strings."""
    return pa.array(values, type=pa.string())


def picked(
    names: Sequence[str],
    index: npt.NDArray[np.generic],
    missing: npt.NDArray[np.generic] | None = None,
) -> pa.Array:
    """Return the names at indices, nothing where `missing` is true."""
    mask = None if missing is None else missing.astype(np.bool_)
    return pa.array(names, pa.string()).take(pa.array(index.astype(np.int64), mask=mask))


Maker = Callable[[Knobs], pa.Table]
"""Makes a sample's table."""
