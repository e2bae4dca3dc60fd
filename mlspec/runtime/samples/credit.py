"""`sample:credit` and `sample:credit-labels`: applications for loans, and whether they were repaid.

A default is likelier for loans that are large for the income and for short employment. With bias
the incomes of one gender and of the young are lower. A label is there 180 days after the
application, never earlier.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from mlspec.runtime.samples import blocks
from mlspec.runtime.samples.blocks import DAY_US, Block, Columns, Floats
from mlspec.runtime.samples.knobs import Knobs

NAME = "credit"
DEFAULTS = Knobs(rows=20_000, seed=0, rate=0.15, days=1095)
DELAY_DAYS = 180

GENDERS = ("f", "m", "x")
_GENDER_SHARE = np.array([0.46, 0.5, 0.04])
BANDS = ("18-29", "30-49", "50-64", "65+")
_BAND_SHARE = np.array([0.22, 0.42, 0.26, 0.1])
_HOURS = np.array([1, 1, 1, 1, 1, 1, 2, 4, 8, 10, 10, 10, 9, 9, 10, 10, 9, 7, 5, 5, 4, 3, 2, 1])


def make(knobs: Knobs) -> pa.Table:
    """Return applications with the columns of the credit example."""
    rows = _rows(knobs)
    return blocks.table(
        {
            "application_id": blocks.words(rows["id"]),
            "applied_at": blocks.moments(rows["time"].astype(np.int64)),
            "income": pa.array(rows["income"]),
            "amount": pa.array(rows["amount"]),
            "employed_days": pa.array(
                rows["employed"].astype(np.int64), mask=rows["no_employed"].astype(np.bool_)
            ),
            "gender": blocks.picked(GENDERS, rows["gender"]),
            "age_band": blocks.picked(BANDS, rows["band"]),
        }
    )


def make_labels(knobs: Knobs) -> pa.Table:
    """Return the label of each application that is at least 180 days old at the window's end."""
    rows = _rows(knobs)
    end = int(knobs.end.timestamp()) * 1_000_000
    time = rows["time"].astype(np.int64)
    known = time + DELAY_DAYS * DAY_US <= end
    return blocks.table(
        {
            "application_id": blocks.words(rows["id"][known]),
            "observed_at": blocks.moments((time + DELAY_DAYS * DAY_US)[known]),
            "defaulted": pa.array(rows["defaulted"][known].astype(np.bool_)),
        }
    )


def _rows(knobs: Knobs) -> Columns:
    still = replace(knobs, drift=0.0, bias=0.0, null=0.0)
    sample = Block(number=0, start=0, rows=20_000, random=blocks.stream(NAME, knobs, 2))
    base = blocks.intercept(_logit(_draw(sample, still), still), knobs.rate)
    return blocks.collect([_block(block, knobs, base) for block in blocks.blocks(NAME, knobs)])


def _draw(block: Block, knobs: Knobs) -> Columns:
    random, rows = block.random, block.rows
    time = blocks.times(block, _HOURS)
    gender = blocks.choose(random, rows, _GENDER_SHARE)
    band = blocks.choose(random, rows, _BAND_SHARE)
    behind = (gender == 0).astype(np.float64) + 0.8 * (band == 0)
    wealth = random.standard_normal(rows) - 0.6 * knobs.drift - 0.6 * knobs.bias * behind
    size = random.standard_normal(rows) + 0.6 * knobs.drift
    tenure = random.standard_normal(rows) - 0.3 * knobs.drift
    return {
        "time": time,
        "gender": gender,
        "band": band,
        "wealth": wealth,
        "size": size,
        "tenure": tenure,
        "income": np.round(np.exp(10.4 + 0.45 * wealth), 2),
        "amount": np.clip(np.round(np.exp(8.9 + 0.6 * size), 0), 500.0, 50_000.0),
        "employed": np.exp(7.2 + 0.9 * tenure),
        "no_employed": random.random(rows) < min(1.0, 0.02 + knobs.null),
    }


def _logit(rows: Columns, knobs: Knobs) -> Floats:
    wealth = rows["wealth"].astype(np.float64)
    size = rows["size"].astype(np.float64)
    tenure = rows["tenure"].astype(np.float64)
    usual = 1.2 * size - 1.1 * wealth - 0.8 * tenure
    other = -0.8 * size - 0.4 * wealth + 0.9 * tenure
    return np.asarray((1 - knobs.concept) * usual + knobs.concept * other, dtype=np.float64)


def _block(block: Block, knobs: Knobs, base: float) -> Columns:
    rows = _draw(block, knobs)
    rows["defaulted"] = block.random.random(block.rows) < blocks.chance(_logit(rows, knobs) + base)
    rows["id"] = np.array([f"a{block.number:05d}-{one:06d}" for one in range(block.rows)])
    return rows
