"""Schedules: cron expressions of five fields, time zones, and how often a schedule fires.

Duty: check the text and say in words what is wrong; measure the shortest pause between two runs.
The dialect is the common ground of Vixie cron, Airflow, Argo and GitHub: `*`, numbers, ranges,
lists, steps, month and weekday names; no `@daily`, seconds, `L`, `W`, `#`, `?`. When both day
fields are restricted, a day matches when either does (Vixie cron, crontab(5)).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from mlspec.diagnostics.suggest import nearest
from mlspec.ir.values import Duration

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MINUTE = 60_000
_DAY = 1440


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0
    """Number of the first name."""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of week", 0, 7, _WEEKDAYS, 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A parsed cron expression: the allowed numbers of each field.

    Attributes:
        weekdays: 0 is Sunday.
        any_day, any_weekday: the field starts with `*`, which decides how the two day fields
            combine.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def fires_on(self, day: date) -> bool:
        """Return whether the schedule fires on a day."""
        if day.month not in self.months:
            return False
        by_day = day.day in self.days
        by_weekday = (day.weekday() + 1) % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


def parse_cron(text: str) -> Schedule | str:
    """Parse a cron expression; return what is wrong with it, in words, when it cannot be read.

    Args:
        text: five fields: minute, hour, day of month, month, day of week.
    """
    if text.strip().startswith("@"):
        return f"`{text.strip()}` is not supported; write the five fields, such as `0 3 * * *`"
    words = text.split()
    if len(words) != len(_FIELDS):
        hint = " (seconds and years are not part of it)" if len(words) > len(_FIELDS) else ""
        return (
            f"a cron expression has five fields (minute, hour, day of month, month, day of week), "
            f"this one has {len(words)}{hint}"
        )
    values: list[frozenset[int]] = []
    for field, word in zip(_FIELDS, words, strict=True):
        parsed = _parse_field(field, word)
        if isinstance(parsed, str):
            return parsed
        values.append(parsed)
    minutes, hours, days, months, weekdays = values
    return Schedule(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        any_day=words[2].startswith("*"),
        any_weekday=words[4].startswith("*"),
    )


def check_cron(text: str) -> str | None:
    """Return what is wrong with a cron expression, or None when it is fine.

    Besides syntax and limits, finds expressions that never fire (30 February).
    """
    schedule = parse_cron(text)
    if isinstance(schedule, str):
        return schedule
    by_weekday = not schedule.any_weekday and not schedule.any_day
    possible = any(
        day <= _LONGEST_MONTH[month - 1] for month in schedule.months for day in schedule.days
    )
    if not possible and not by_weekday:
        return "this schedule never fires: none of the months has such a day"
    return None


def check_timezone(name: str) -> str | None:
    """Return what is wrong with an IANA time-zone name, or None when it exists."""
    from zoneinfo import ZoneInfo, available_timezones

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", name):
        return "a time zone is an IANA name such as `UTC` or `Europe/Oslo`"
    with suppress(OSError, ValueError, LookupError):
        ZoneInfo(name)
        return None
    known = sorted(available_timezones())  # slow, so only for the message
    if not known:
        return None  # without a time-zone database the name cannot be judged; its form is right
    near = nearest(name, known) or _by_city(name, known)
    hint = f"; did you mean `{near}`?" if near else ""
    return f"there is no time zone `{name}`{hint}"


def min_interval(cron: str, timezone: str = "UTC") -> Duration | None:
    """Return the shortest time between two firings, or None when the expression is wrong.

    A lower bound: where the zone has daylight saving, a pause that spans the change may be shorter
    by the shift, which is taken off.

    Args:
        cron: the expression.
        timezone: IANA name; unknown names count as UTC.
    """
    schedule = parse_cron(cron)
    if isinstance(schedule, str) or check_cron(cron) is not None:
        return None
    times = [hour * 60 + minute for hour in schedule.hours for minute in schedule.minutes]
    gaps = [after - before for before, after in pairwise(times)]
    days = _shortest_day_gap(schedule)
    gaps.append(days * _DAY - times[-1] + times[0])
    shortest = min(gaps)
    shift = _daylight_shift(timezone)
    if shortest > shift:
        shortest -= shift
    return Duration(shortest * _MINUTE)


def _parse_field(field: _Field, word: str) -> frozenset[int] | str:
    values: set[int] = set()
    for item in word.split(","):
        parsed = _parse_item(field, item)
        if isinstance(parsed, str):
            return f"{field.name} `{word}`: {parsed}"
        values.update(parsed)
    return frozenset(values)


def _parse_item(field: _Field, item: str) -> range | str:
    span, slash, step_text = item.partition("/")
    step = 1
    if slash:
        if not re.fullmatch(r"[0-9]{1,3}", step_text) or int(step_text) == 0:
            return f"the step after `/` must be a positive number, not `{step_text}`"
        step = int(step_text)
        if step > field.high - field.low:
            return f"the step after `/` is larger than the field: at most {field.high - field.low}"
    if span == "*":
        return range(field.low, field.high + 1, step)
    first_text, dash, last_text = span.partition("-")
    first = _number(field, first_text)
    if isinstance(first, str):
        return first
    if not dash:
        if slash:
            return f"a step needs a range: write `{span}-{field.high}/{step}` or `*/{step}`"
        return range(first, first + 1)
    last = _number(field, last_text)
    if isinstance(last, str):
        return last
    if last < first:
        return f"the range `{span}` runs backwards"
    return range(first, last + 1, step)


def _number(field: _Field, text: str) -> int | str:
    if re.fullmatch(r"[0-9]{1,4}", text, re.ASCII):
        value = int(text)
        if field.low <= value <= field.high:
            return value
        return f"{value} is not between {field.low} and {field.high}"
    if text.casefold() in field.names:
        return field.names.index(text.casefold()) + field.first
    return f"cannot read `{text}`" if text else "a number is missing"


def _shortest_day_gap(schedule: Schedule) -> int:
    """Return the fewest days between two firing days, over one 28-year cycle of the calendar."""
    day = date(2001, 1, 1)
    last: date | None = None
    shortest = 28 * 366
    for _ in range(28 * 365 + 7 + 366):
        if schedule.fires_on(day):
            if last is not None:
                shortest = min(shortest, (day - last).days)
                if shortest == 1:
                    break
            last = day
        day += timedelta(days=1)
    return shortest


def _daylight_shift(timezone: str) -> int:
    """Return by how many minutes the zone's clocks jump in a recent year."""
    from zoneinfo import ZoneInfo

    if timezone == "UTC" or check_timezone(timezone) is not None:
        return 0
    try:
        zone = ZoneInfo(timezone)
    except (OSError, ValueError, LookupError):
        return 0
    offsets = [datetime(2025, month, 15, tzinfo=zone).utcoffset() for month in range(1, 13)]
    known = [offset for offset in offsets if offset is not None]
    return int((max(known) - min(known)).total_seconds()) // 60


def _by_city(name: str, known: list[str]) -> str | None:
    """Return the zone of a bare city name (`Oslo`)."""
    city = name.rsplit("/", maxsplit=1)[-1].casefold()
    return next(
        (zone for zone in known if zone.rsplit("/", maxsplit=1)[-1].casefold() == city), None
    )
