"""Quantities with units: durations, memory, processor shares, shares of a whole, rates.

Duty: text in, parsed value or None out; never raises. A quantity is a number and a unit without a
space (`30s`, `4Gi`, `5%`) except rates (`400 rps`). `describe` gives the words that messages use.
"""

from __future__ import annotations

import re
from decimal import Decimal

from mlspec.ir.values import Cpu, Duration, Memory

_DURATION = re.compile(r"(0|[1-9][0-9]{0,8})(ms|s|m|h|d|y)\Z", re.ASCII)
_MEMORY = re.compile(r"((?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)\Z")
_CPU = re.compile(r"(?:(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,3})?|(?:0|[1-9][0-9]{0,8})m)\Z")
_SHARE = re.compile(r"((?:0|[1-9][0-9]{0,3})(?:\.[0-9]{1,9})?)%\Z")
_RATE = re.compile(r"((?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?) rps\Z")

_MILLISECONDS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "y": 365 * 86_400_000,
}
_BYTES = {
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "Ti": 1 << 40,
    "Pi": 1 << 50,
}


def parse_duration(text: str) -> Duration | None:
    """Parse a whole number with a unit: `250ms`, `30s`, `5m`, `2h`, `7d`, `10y` (365 days each)."""
    found = _DURATION.match(text)
    if found is None:
        return None
    return Duration(int(found[1]) * _MILLISECONDS[found[2]])


def parse_memory(text: str) -> Memory | None:
    """Parse a size such as `512Mi`, `4Gi`, `1.5Gi` or `2G`; it must be a whole number of bytes.

    Suffixes are those of Kubernetes quantities (powers of 1024 with `i`, of 1000 without).
    """
    found = _MEMORY.match(text)
    if found is None:
        return None
    size = Decimal(found[1]) * _BYTES[found[2]]
    return Memory(int(size)) if size == int(size) else None


def parse_cpu(text: str) -> Cpu | None:
    """Parse processor cores: `2`, `0.5` or thousandths such as `500m`."""
    if _CPU.match(text) is None:
        return None
    if text.endswith("m"):
        return Cpu(int(text[:-1]))
    return Cpu(int(Decimal(text) * 1000))


def parse_share(text: str) -> float | None:
    """Parse a share of a whole, `5%` or `0.5%`, to a fraction (0.05, 0.005)."""
    found = _SHARE.match(text)
    return float(Decimal(found[1]) / 100) if found is not None else None


def parse_rate(text: str) -> float | None:
    """Parse a rate such as `400 rps` to events per second."""
    found = _RATE.match(text)
    return float(found[1]) if found is not None else None


def nearest_quantity(kind: str, text: str) -> str | None:
    """Return how a nearly right quantity is written, for a help line; None if unclear.

    Args:
        kind: `duration`, `memory`, `cpu`, `share` or `rate`.
        text: what was written, such as `30 minutes`, `4GB`, `30`.
    """
    squeezed = text.strip().replace(" ", "").replace("_", "").casefold()
    found = re.match(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([a-z%/]*)\Z", squeezed)
    if found is None:
        return None
    number, unit = found.groups()
    wanted = _SPELLINGS.get(kind, {}).get(unit)
    if wanted is None:
        return None
    guess = number + wanted
    return guess if guess != text and _PARSERS[kind](guess) is not None else None


_SPELLINGS: dict[str, dict[str, str]] = {
    "duration": {
        **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), "ms"),
        **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
        **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
        **dict.fromkeys(("d", "day", "days"), "d"),
        **dict.fromkeys(("y", "year", "years"), "y"),
    },
    "memory": {
        **dict.fromkeys(("ki", "kib", "kb"), "Ki"),
        **dict.fromkeys(("m", "mi", "mib", "mb"), "Mi"),
        **dict.fromkeys(("g", "gi", "gib", "gb"), "Gi"),
        **dict.fromkeys(("t", "ti", "tib", "tb"), "Ti"),
    },
    "cpu": {**dict.fromkeys(("core", "cores", "cpu", "cpus"), ""), "m": "m"},
    "share": {**dict.fromkeys(("%", "pct", "percent"), "%")},
    "rate": {**dict.fromkeys(("rps", "/s", "req/s", "qps"), " rps")},
}
_PARSERS = {
    "duration": parse_duration,
    "memory": parse_memory,
    "cpu": parse_cpu,
    "share": parse_share,
    "rate": parse_rate,
}
