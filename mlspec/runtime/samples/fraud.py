"""`sample:fraud` and `sample:fraud-labels`: card payments, and what became of them.

Cards are drawn from a Zipf law, pay mostly in their home country, and sometimes in bursts of
minutes; fraud is likelier for large amounts, at night, abroad, in some categories of merchants and
within bursts. A label is there 45 days after its payment, never earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.runtime.samples import blocks
from mlspec.runtime.samples.blocks import DAY_US, Block, Columns, Floats
from mlspec.runtime.samples.knobs import Knobs

NAME = "fraud"
DEFAULTS = Knobs(rows=20_000, seed=0, rate=0.05, days=365)
DELAY_DAYS = 45

COUNTRIES = ("US", "DE", "FR", "GB", "JP", "NL", "ES", "IT", "CA", "BR")
CURRENCY = ("USD", "EUR", "EUR", "GBP", "JPY", "EUR", "EUR", "EUR", "USD", "USD")
_HOME = np.array([0.55, 0.08, 0.07, 0.08, 0.05, 0.04, 0.04, 0.04, 0.03, 0.02])
MCC = ("5411", "5812", "5541", "5732", "5944", "5967", "4829", "7995", "5310", "4111")
_MCC_SHARE = np.array([0.28, 0.2, 0.14, 0.07, 0.03, 0.05, 0.03, 0.03, 0.09, 0.08])
_MCC_RISK = np.array([-0.8, -0.5, -0.3, 0.6, 1.0, 1.4, 1.6, 1.4, -0.2, -0.7])
_MCC_OTHER = _MCC_RISK[::-1].copy()
BANDS = ("18-25", "26-40", "41-60", "60+")
_BAND_SHARE = np.array([0.15, 0.35, 0.32, 0.18])
_HOURS = np.array(
    [2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 12, 12, 11, 9, 7, 5, 3]
)
_MERCHANTS = 400
_MERCHANT_NAMES = tuple(f"merchant-{one:03d}" for one in range(_MERCHANTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cards:
    """The population: one entry for each card."""

    weight: Floats
    home: npt.NDArray[np.int64]
    band: npt.NDArray[np.int64]
    level: Floats


def make(knobs: Knobs) -> pa.Table:
    """Return payments with the columns of the `transactions` of the fraud example."""
    rows = _rows(knobs)
    seed = knobs.seed
    index = rows["card"]
    cards = int(index.astype(np.int64).max()) + 1
    return blocks.table(
        {
            "txn_id": blocks.words(rows["id"]),
            "event_time": blocks.moments(rows["time"].astype(np.int64)),
            "card_id": blocks.picked([f"card-{seed}-{one:05d}" for one in range(cards)], index),
            "amount": pa.array(rows["amount"]),
            "currency": blocks.picked(CURRENCY, rows["country"]),
            "merchant": blocks.picked(_MERCHANT_NAMES, rows["merchant"]),
            "mcc": blocks.picked(MCC, rows["mcc"]),
            "country": blocks.picked(COUNTRIES, rows["country"]),
            "ip": _addresses(rows["ip"], rows["no_ip"]),
            "age_band": blocks.picked(BANDS, rows["band"]),
        }
    )


def make_labels(knobs: Knobs) -> pa.Table:
    """Return the label of each payment that is at least 45 days old at the end of the window."""
    rows = _rows(knobs)
    reported = rows["reported"].astype(np.int64)
    end = int(knobs.end.timestamp()) * 1_000_000
    known = rows["time"].astype(np.int64) + DELAY_DAYS * DAY_US <= end
    return blocks.table(
        {
            "txn_id": blocks.words(rows["id"][known]),
            "reported_at": blocks.moments(reported[known]),
            "is_fraud": pa.array(rows["fraud"][known].astype(np.bool_)),
        }
    )


def _addresses(numbers: npt.NDArray[np.generic], missing: npt.NDArray[np.generic]) -> pa.Array:
    """Return numbers as IPv4 addresses."""
    whole = numbers.astype(np.int64)
    names = [str(one) for one in range(256)]
    parts = [blocks.picked(names, whole >> shift & 255, missing) for shift in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*parts, ".")


def _rows(knobs: Knobs) -> Columns:
    cards = _population(knobs)
    base = _intercept(knobs, cards)
    return blocks.collect(
        [_block(block, knobs, cards, base) for block in blocks.blocks(NAME, knobs)]
    )


def _population(knobs: Knobs) -> _Cards:
    count = max(60, knobs.rows // 25)
    random = blocks.stream(NAME, knobs, 0)
    return _Cards(
        weight=np.arange(1.0, count + 1.0) ** -0.8,
        home=blocks.choose(random, count, _HOME),
        band=blocks.choose(random, count, _BAND_SHARE),
        level=0.5 * random.standard_normal(count),
    )


def _intercept(knobs: Knobs, cards: _Cards) -> float:
    """Return the constant of the label's rule: it depends on the rate, not on drift or window."""
    still = replace(knobs, drift=0.0, bias=0.0, null=0.0)
    random = blocks.stream(NAME, knobs, 2)
    day = Block(number=0, start=0, rows=20_000, random=random)
    return blocks.intercept(_logit(_draw(day, still, cards), still, cards), knobs.rate)


def _draw(block: Block, knobs: Knobs, cards: _Cards) -> Columns:
    """Draw what a day's payments look like; everything but ids and labels."""
    random, rows = block.random, block.rows
    time = blocks.times(block, _HOURS)
    card = blocks.choose(random, rows, cards.weight)
    burst = random.random(rows) < 0.08
    burst[0] = False
    gap = (random.random(rows) * 600e6).astype(np.int64) // 1000 * 1000
    source = np.maximum.accumulate(np.where(burst, 0, np.arange(rows)))
    card = card[source]
    behind = np.minimum(time[source] + gap, block.start + DAY_US - 1_000_000)
    time = np.where(burst, behind, time)
    abroad = random.random(rows) < np.clip(0.1 + 0.08 * knobs.drift, 0.0, 0.9)
    elsewhere = blocks.choose(random, rows, np.ones(len(COUNTRIES)))
    country = np.where(abroad, elsewhere, cards.home[card])
    shares = _MCC_SHARE * np.exp(0.4 * knobs.drift * _MCC_RISK)
    mcc = blocks.choose(random, rows, shares)
    old = cards.band[card] == len(BANDS) - 1
    size = cards.level[card] + 0.9 * random.standard_normal(rows)
    size = size + knobs.drift + 0.9 * knobs.bias * old
    address = random.integers(1, 255, (4, rows))
    return {
        "time": time,
        "card": card,
        "burst": burst,
        "country": country,
        "mcc": mcc,
        "merchant": mcc * (_MERCHANTS // len(MCC))
        + random.integers(0, _MERCHANTS // len(MCC), rows),
        "size": size,
        "amount": np.clip(np.round(np.exp(3.7 + 1.1 * size), 2), 0.5, 250_000.0),
        "band": cards.band[card],
        "ip": (address[0] << 24) + (address[1] << 16) + (address[2] << 8) + address[3],
        "no_ip": random.random(rows) < min(1.0, 0.01 + knobs.null),
    }


def _logit(rows: Columns, knobs: Knobs, cards: _Cards) -> Floats:
    size = rows["size"].astype(np.float64)
    hour = rows["time"].astype(np.int64) // 3_600_000_000 % 24
    night = ((hour < 6) | (hour >= 23)).astype(np.float64)
    country = rows["country"].astype(np.int64)
    foreign = (country != cards.home[rows["card"].astype(np.int64)]).astype(np.float64)
    far = (country != 0).astype(np.float64)
    burst = rows["burst"].astype(np.float64)
    mcc = rows["mcc"].astype(np.int64)
    old = (rows["band"].astype(np.int64) == len(BANDS) - 1).astype(np.float64)
    usual = 1.2 * size + 1.2 * night + 0.9 * foreign + 0.7 * far + 1.2 * burst + _MCC_RISK[mcc]
    other = -0.9 * size - 0.5 * night + 0.9 * foreign - 0.9 * far + 2.0 * burst + _MCC_OTHER[mcc]
    mixed = (1 - knobs.concept) * usual + knobs.concept * other
    return np.asarray(mixed + 0.5 * knobs.bias * old, dtype=np.float64)


def _block(block: Block, knobs: Knobs, cards: _Cards, base: float) -> Columns:
    rows = _draw(block, knobs, cards)
    fraud = block.random.random(block.rows) < blocks.chance(_logit(rows, knobs, cards) + base)
    wait = np.exp(np.log(14.0) + 0.6 * block.random.standard_normal(block.rows))
    wait = np.where(fraud, np.clip(wait, 1.0, DELAY_DAYS), DELAY_DAYS)
    time = rows["time"].astype(np.int64)
    order = np.argsort(time, kind="stable")
    rows["fraud"] = fraud
    rows["reported"] = time + (wait * 86_400).astype(np.int64) * 1_000_000
    rows = {name: values[order] for name, values in rows.items()}
    rows["id"] = np.array([f"t{block.number:05d}-{one:06d}" for one in range(block.rows)])
    return rows
