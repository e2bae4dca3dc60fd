"""`sample:ad-clicks`: impressions of advertisements, with the click in the same row.

Sites follow a Zipf law; a click is likelier for high bids, on phones, in the evening and on some
sites. With drift the audience moves to phones and to sites that were not there before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from mlspec.runtime.samples import blocks
from mlspec.runtime.samples.blocks import Block, Columns, Floats
from mlspec.runtime.samples.knobs import Knobs

NAME = "ad-clicks"
DEFAULTS = Knobs(rows=20_000, seed=0, rate=0.08, days=14)

DEVICES = ("phone", "tablet", "desktop")
_DEVICE_SHARE = np.array([0.55, 0.1, 0.35])
_DEVICE_EFFECT = np.array([0.7, 0.0, -0.9])
_SITES = 40
_NEW_SITES = 10
_SITE_NAMES = tuple(f"site-{one:02d}" for one in range(_SITES + _NEW_SITES))
_HOURS = np.array([3, 2, 1, 1, 1, 2, 4, 6, 8, 8, 8, 8, 9, 9, 8, 8, 9, 10, 11, 12, 12, 11, 8, 5])


def make(knobs: Knobs) -> pa.Table:
    """Return impressions with the columns of the `clicks` of the advertising examples."""
    world = replace(knobs, seed=0)  # a site is the same site in every sample
    effects = blocks.stream(NAME, world, 0).standard_normal((2, _SITES + _NEW_SITES))
    still = replace(knobs, drift=0.0, bias=0.0, null=0.0)
    sample = Block(number=0, start=0, rows=20_000, random=blocks.stream(NAME, knobs, 2))
    base = blocks.intercept(_logit(_draw(sample, still), still, effects), knobs.rate)
    rows = blocks.collect(
        [_block(block, knobs, effects, base) for block in blocks.blocks(NAME, knobs)]
    )
    return blocks.table(
        {
            "impression_id": blocks.words(rows["id"]),
            "shown_at": blocks.moments(rows["time"].astype(np.int64)),
            "site": blocks.picked(_SITE_NAMES, rows["site"]),
            "device": blocks.picked(DEVICES, rows["device"]),
            "bid": pa.array(rows["bid"], mask=rows["no_bid"].astype(np.bool_)),
            "clicked": pa.array(rows["clicked"].astype(np.bool_)),
        }
    )


def _draw(block: Block, knobs: Knobs) -> Columns:
    random, rows = block.random, block.rows
    time = blocks.times(block, _HOURS)
    weight = np.concatenate((1.0 / np.arange(1, _SITES + 1), np.zeros(_NEW_SITES)))
    weight[_SITES:] = 0.1 * max(0.0, knobs.drift)
    shares = _DEVICE_SHARE * np.exp(0.5 * knobs.drift * np.array([1.0, 0.0, -1.0]))
    site = blocks.choose(random, rows, weight)
    device = blocks.choose(random, rows, shares)
    size = random.standard_normal(rows) + knobs.drift - knobs.bias * (device == 1)
    return {
        "time": time,
        "site": site,
        "device": device,
        "size": size,
        "bid": np.round(np.exp(-0.7 + 0.5 * size), 4),
        "no_bid": random.random(rows) < knobs.null,
    }


def _logit(rows: Columns, knobs: Knobs, effects: Floats) -> Floats:
    size = rows["size"].astype(np.float64)
    site, device = rows["site"].astype(np.int64), rows["device"].astype(np.int64)
    hour = rows["time"].astype(np.int64) // 3_600_000_000 % 24
    evening = 0.04 * hour
    usual = 1.4 * size + _DEVICE_EFFECT[device] + 0.8 * effects[0][site] + evening
    other = -0.6 * size - _DEVICE_EFFECT[device] + 0.8 * effects[1][site] - evening
    return np.asarray((1 - knobs.concept) * usual + knobs.concept * other, dtype=np.float64)


def _block(block: Block, knobs: Knobs, effects: Floats, base: float) -> Columns:
    rows = _draw(block, knobs)
    chance = blocks.chance(_logit(rows, knobs, effects) + base)
    rows["clicked"] = block.random.random(block.rows) < chance
    rows["id"] = np.array([f"i{block.number:05d}-{one:07d}" for one in range(block.rows)])
    return rows
