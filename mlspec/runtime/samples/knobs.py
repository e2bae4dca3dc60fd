"""The knobs of a sample: `sample:fraud?rows=20000&seed=7&rate=5%`.

Duty: the text after `sample:` to a name and checked `Knobs`. In: text, the knobs' defaults, and
the date of the run (for `end=run`). Out: numbers, or a `StepError` that says which knob is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from mlspec.diagnostics.suggest import did_you_mean
from mlspec.runtime.steps.contract import StepError

END = datetime(2026, 1, 1, tzinfo=UTC)
"""The last moment of a sample that says nothing else: a constant, so that bytes do not change."""

MOST_ROWS = 20_000_000
_DAY = timedelta(days=1)
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(%?)\Z", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\Z", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,12}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What a generator is asked for.

    Attributes:
        rows: events in the window, at least 1.
        seed: of everything that is drawn.
        rate: share of positive labels at `drift=0`, between 0 and 1.
        drift: how far the inputs move, about in standard deviations; 0 is the reference.
        concept: how far the label's rule changes, from 0 to 1 (another rule).
        null: additional share of missing values in the sample's column that has them.
        bias: disadvantage of a protected group, 0 for none.
        end: moment after the last event, UTC. days: length of the window.
    """

    rows: int
    seed: int
    rate: float
    drift: float = 0.0
    concept: float = 0.0
    null: float = 0.0
    bias: float = 0.0
    end: datetime = END
    days: int


NAMES = ("rows", "seed", "rate", "drift", "concept", "null", "bias", "start", "end", "day")


def parse_sample(text: str, known: Mapping[str, Knobs], now: datetime) -> tuple[str, Knobs]:
    """Return the name and the knobs of a sample.

    Args:
        text: what stands behind `sample:`, such as `fraud?rows=1000`.
        known: defaults by name of the sample.
        now: the date of the run, for `end=run`.

    Raises:
        StepError: no such sample or knob, a knob twice, or a value that is none.
    """
    name, _, query = text.partition("?")
    if name not in known:
        listed = ", ".join(f"`sample:{one}`" for one in known)
        help_ = "; ".join((*did_you_mean(name, known), f"there is {listed}"))
        raise StepError(f"there is no sample `{name}`", help=help_)
    given: dict[str, str] = {}
    for knob, value in parse_qsl(query, keep_blank_values=True):
        if knob not in NAMES:
            listed = ", ".join(f"`{one}`" for one in NAMES)
            help_ = "; ".join((*did_you_mean(knob, NAMES), f"there is {listed}"))
            raise StepError(f"`sample:{name}` has no knob `{knob}`", help=help_)
        if knob in given:
            raise StepError(f"`sample:{name}` has the knob `{knob}` twice")
        # `+` of a query is a blank; none of our values has one, and a time zone may have a plus.
        given[knob] = value.strip()
    return name, _knobs(name, known[name], given, now)


def _knobs(name: str, knobs: Knobs, given: Mapping[str, str], now: datetime) -> Knobs:
    where = f"`sample:{name}`"
    if "rows" in given:
        knobs = replace(knobs, rows=_count(where, "rows", given["rows"], 1, MOST_ROWS))
    if "seed" in given:
        knobs = replace(knobs, seed=_count(where, "seed", given["seed"], 0, 2**53))
    if "rate" in given:
        rate = _share(where, "rate", given["rate"])
        if not 0 < rate < 1:
            raise StepError(f"{where}: `rate` lies between 0 and 1, not {given['rate']}")
        knobs = replace(knobs, rate=rate)
    if "null" in given:
        knobs = replace(knobs, null=_share(where, "null", given["null"]))
    if "concept" in given:
        knobs = replace(knobs, concept=_share(where, "concept", given["concept"]))
    if "drift" in given:
        knobs = replace(knobs, drift=_number(where, "drift", given["drift"]))
    if "bias" in given:
        knobs = replace(knobs, bias=_number(where, "bias", given["bias"]))
    return _window(where, knobs, given, now)


def _window(where: str, knobs: Knobs, given: Mapping[str, str], now: datetime) -> Knobs:
    end, days = knobs.end, knobs.days
    if "end" in given:
        end = now if given["end"] == "run" else _moment(where, "end", given["end"])
        end = end.replace(microsecond=0)
    if "start" in given:
        start = _moment(where, "start", given["start"])
        if "end" not in given:
            end = start + days * _DAY
        days = round((end - start) / _DAY)
        if days < 1:
            raise StepError(f"{where}: `start` lies less than a day before `end`")
    if "day" in given:
        end += _count(where, "day", given["day"], 0, 36_500) * _DAY
    return replace(knobs, end=end, days=days)


def _count(where: str, knob: str, text: str, least: int, most: int) -> int:
    if not _COUNT.match(text) or not least <= int(text) <= most:
        raise StepError(f"{where}: `{knob}` is a whole number from {least} to {most}, not `{text}`")
    return int(text)


def _share(where: str, knob: str, text: str) -> float:
    found = _SHARE.match(text)
    value = None if found is None else float(found[1]) / (100 if found[2] else 1)
    if value is None or value > 1:
        raise StepError(f"{where}: `{knob}` is a share such as `5%` or `0.05`, not `{text}`")
    return value


def _number(where: str, knob: str, text: str) -> float:
    if not _NUMBER.match(text) or abs(float(text)) > 10:
        raise StepError(f"{where}: `{knob}` is a number from -10 to 10, not `{text}`")
    return float(text)


def _moment(where: str, knob: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise StepError(f"{where}: `{knob}` is a date such as `2026-01-31`, not `{text}`") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
