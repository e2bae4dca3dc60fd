"""Quantities: what is read, what is refused, what is suggested."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.expr.quantity import (
    nearest_quantity,
    parse_cpu,
    parse_duration,
    parse_memory,
    parse_rate,
    parse_share,
)
from mlspec.ir.values import Cpu, Duration, Memory


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("250ms", 250),
        ("30s", 30_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("7d", 604_800_000),
        ("1y", 31_536_000_000),
        ("0s", 0),
    ],
)
def test_parse_duration__units(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == Duration(milliseconds)


@pytest.mark.parametrize(
    "text",
    ["", "30", "30 m", "1.5h", "-1s", "1h30m", "1w", "01s", "٣s", "1s\n", "1e3s", "9" * 99 + "s"],
)
def test_parse_duration__refused(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(0, 999_999_999), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_parse_duration__spelling_and_back(number: int, unit: str) -> None:
    parsed = parse_duration(f"{number}{unit}")
    assert parsed is not None
    again = parse_duration(str(parsed))
    assert again == parsed or len(str(parsed)) > 10


@given(st.text(max_size=12))
def test_parsers__never_raise(text: str) -> None:
    for parse in (parse_duration, parse_memory, parse_cpu, parse_share, parse_rate):
        parse(text)
    for kind in ("duration", "memory", "cpu", "share", "rate"):
        nearest_quantity(kind, text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4Gi", 4 << 30), ("512Mi", 512 << 20), ("1.5Gi", 3 << 29), ("2G", 2 * 10**9), ("1k", 1000)],
)
def test_parse_memory__units(text: str, size: int) -> None:
    assert parse_memory(text) == Memory(size)


@pytest.mark.parametrize("text", ["", "4", "4GB", "4 Gi", "0.3Ki", "-1Gi", "4gi"])
def test_parse_memory__refused(text: str) -> None:
    assert parse_memory(text) is None


@pytest.mark.parametrize(
    ("text", "milli"), [("2", 2000), ("0.5", 500), ("500m", 500), ("0.125", 125)]
)
def test_parse_cpu__cores_and_thousandths(text: str, milli: int) -> None:
    assert parse_cpu(text) == Cpu(milli)


@pytest.mark.parametrize("text", ["", "two", "1.5m", "0.0001", "-1", "1e3"])
def test_parse_cpu__refused(text: str) -> None:
    assert parse_cpu(text) is None


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("0.5%", 0.005), ("100%", 1.0), ("0.1%", 0.001)]
)
def test_parse_share__fraction(text: str, share: float) -> None:
    assert parse_share(text) == share


def test_parse_rate__events_per_second() -> None:
    assert parse_rate("400 rps") == 400
    assert parse_rate("2.5 rps") == 2.5
    assert parse_rate("400rps") is None


@pytest.mark.parametrize(
    ("kind", "text", "near"),
    [
        ("duration", "30 minutes", "30m"),
        ("duration", "10min", "10m"),
        ("duration", "1 h", "1h"),
        ("duration", "30", None),
        ("memory", "4GB", "4Gi"),
        ("memory", "512 MiB", "512Mi"),
        ("cpu", "2 cores", "2"),
        ("share", "5 %", "5%"),
        ("share", "5 percent", "5%"),
        ("rate", "400/s", "400 rps"),
    ],
)
def test_nearest_quantity(kind: str, text: str, near: str | None) -> None:
    assert nearest_quantity(kind, text) == near
