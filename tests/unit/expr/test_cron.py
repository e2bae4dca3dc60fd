"""Schedules: the dialect, what never fires, how often one fires."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.expr.cron import Schedule, check_cron, check_timezone, min_interval, parse_cron
from mlspec.expr.quantity import parse_duration


@pytest.mark.parametrize(
    "text",
    [
        "0 3 * * *",
        "*/15 * * * *",
        "0 0 1,15 * *",
        "0 0 * * mon-fri",
        "0 0 * JAN,Jul sun",
        "0-30/10 4-6 * * 7",
        "0 0 29 2 *",
        "0 0 31 1-2 *",
        "0 0 30 2 mon",
    ],
)
def test_check_cron__fine(text: str) -> None:
    assert check_cron(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has five fields"),
        ("* * * *", "this one has 4"),
        ("0 * * * * *", "seconds and years are not part of it"),
        ("@daily", "write the five fields"),
        ("60 * * * *", "60 is not between 0 and 59"),
        ("* 24 * * *", "24 is not between 0 and 23"),
        ("* * 0 * *", "0 is not between 1 and 31"),
        ("* * * 13 *", "13 is not between 1 and 12"),
        ("* * * * 8", "8 is not between 0 and 7"),
        ("* * * foo *", "cannot read `foo`"),
        ("1, * * * *", "a number is missing"),
        ("*/0 * * * *", "positive number"),
        ("*/61 * * * *", "larger than the field"),
        ("0 */24 * * *", "at most 23"),
        ("5/10 * * * *", "write `5-59/10`"),
        ("30-10 * * * *", "runs backwards"),
        ("* * L * *", "cannot read `L`"),
        ("* * ? * *", "cannot read `?`"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
    ],
)
def test_check_cron__problem(text: str, words: str) -> None:
    assert words in (check_cron(text) or "")


@given(st.text(alphabet="0123456789*/,-amonjsun @L?", max_size=24))
def test_parse_cron__never_raises(text: str) -> None:
    check_cron(text)


def test_fires_on__either_of_two_restricted_day_fields() -> None:
    schedule = parse_cron("0 0 13 * fri")
    assert isinstance(schedule, Schedule)
    assert schedule.fires_on(date(2026, 11, 13))
    assert schedule.fires_on(date(2026, 11, 20))
    assert schedule.fires_on(date(2026, 12, 13))
    assert not schedule.fires_on(date(2026, 12, 14))


def test_fires_on__a_star_leaves_the_other_field_alone() -> None:
    schedule = parse_cron("0 0 * * 0")
    assert isinstance(schedule, Schedule)
    assert [day for day in range(1, 15) if schedule.fires_on(date(2026, 11, day))] == [1, 8]


@pytest.mark.parametrize(
    ("cron", "timezone", "shortest"),
    [
        ("* * * * *", "UTC", "1m"),
        ("*/7 * * * *", "UTC", "4m"),
        ("0 3 * * *", "UTC", "24h"),
        ("0 3 * * *", "Europe/Oslo", "23h"),
        ("0 3 * * 1", "UTC", "7d"),
        ("0 3 1 * *", "UTC", "28d"),
        ("0 9,17 * * *", "UTC", "8h"),
        ("0 3 * * mon-fri", "UTC", "24h"),
        ("0 0 29 2 *", "UTC", "1461d"),
        ("0 0 1 1 *", "UTC", "365d"),
    ],
)
def test_min_interval(cron: str, timezone: str, shortest: str) -> None:
    assert min_interval(cron, timezone) == parse_duration(shortest)


def test_min_interval__wrong_expression() -> None:
    assert min_interval("nonsense") is None
    assert min_interval("0 0 30 2 *") is None


@given(
    st.lists(st.integers(0, 59), min_size=1, max_size=3),
    st.lists(st.integers(0, 23), min_size=1, max_size=3),
    st.sampled_from(["*", "1", "1,15", "28-31"]),
    st.sampled_from(["*", "1", "1-5", "0,6"]),
)
def test_min_interval__equals_a_simulated_year(minutes, hours, days, weekdays) -> None:
    text = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} {days} * {weekdays}"
    schedule = parse_cron(text)
    assert isinstance(schedule, Schedule)
    times = [
        datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day, hours=hour, minutes=minute)
        for day in range(3 * 365)
        if schedule.fires_on(date(2027, 1, 1) + timedelta(days=day))
        for hour in schedule.hours
        for minute in schedule.minutes
    ]
    shortest = min(after - before for before, after in pairwise(times))
    found = min_interval(text)
    assert found is not None
    assert found.milliseconds == shortest.total_seconds() * 1000


@pytest.mark.parametrize("name", ["UTC", "Europe/Oslo", "America/Argentina/Ushuaia", "Etc/GMT+1"])
def test_check_timezone__known(name: str) -> None:
    assert check_timezone(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "IANA name"),
        ("+02:00", "IANA name"),
        ("../../etc/passwd", "IANA name"),
        ("Europe/Olso", "did you mean `Europe/Oslo`?"),
        ("oslo", "did you mean `Europe/Oslo`?"),
        ("Nowhere/Land", "there is no time zone"),
        ("Europe", "there is no time zone"),
    ],
)
def test_check_timezone__problem(name: str, words: str) -> None:
    assert words in (check_timezone(name) or "")
