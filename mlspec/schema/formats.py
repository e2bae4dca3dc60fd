"""Formats that a regular expression cannot judge: quantities, schedules, zones, dates, types.

Duty: text in, None or a `Problem` out, with the code it belongs to and what to write instead. The
names are the values of `x-format` in the schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from mlspec.diagnostics.codes import shape
from mlspec.diagnostics.model import Code
from mlspec.diagnostics.suggest import nearest
from mlspec.expr.cron import check_cron, check_timezone
from mlspec.expr.quantity import (
    nearest_quantity,
    parse_cpu,
    parse_duration,
    parse_memory,
    parse_rate,
    parse_share,
)
from mlspec.yamlio.characters import shown

TYPES = (
    "int",
    "float",
    "bool",
    "string",
    "timestamp",
    "text",
    "bytes",
    "json",
    "probability",
    "class",
    "score",
)
"""Types of columns, besides `embedding[n]` and `list[t]`."""

_MAX_TYPE_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Problem:
    """Why text does not have a format.

    Attributes:
        code: the diagnostic it becomes.
        message: what is wrong, with the text in it.
        help: what to write instead.
        fix: the right text, when it is known.
    """

    code: Code
    message: str
    help: tuple[str, ...] = ()
    fix: str | None = None


def _quantity(
    kind: str, what: str, units: str, parse: Callable[[str], object | None]
) -> Callable[[str], Problem | None]:
    def check(text: str) -> Problem | None:
        if parse(text) is not None:
            return None
        near = nearest_quantity(kind, text)
        bare = re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)
        reason = ": the unit is missing" if bare and kind != "cpu" else ""
        hint = f"write `{near}`" if near else units
        return Problem(shape.BAD_UNIT, f"{shown(text)} is not {what}{reason}", (hint,), near)

    return check


_duration = _quantity(
    "duration",
    "a duration",
    "a duration is a whole number and a unit (ms, s, m, h, d, y), such as `30m`",
    parse_duration,
)
_share = _quantity("share", "a share", "a share is a number and `%`, such as `5%`", parse_share)
_memory = _quantity(
    "memory",
    "a size",
    "a size is a number and a unit (Ki, Mi, Gi, Ti, or k, M, G, T), such as `4Gi`",
    parse_memory,
)
_cpu = _quantity(
    "cpu",
    "a number of cores",
    "cores are a number such as `2` or `0.5`, or thousandths such as `500m`",
    parse_cpu,
)
_rate = _quantity("rate", "a rate", "a rate is written as `400 rps`", parse_rate)


def _span(text: str) -> Problem | None:
    if parse_duration(text) is not None or parse_share(text) is not None:
        return None
    near = nearest_quantity("duration", text) or nearest_quantity("share", text)
    hint = f"write `{near}`" if near else "write a duration such as `30d` or a share such as `20%`"
    return Problem(shape.BAD_UNIT, f"{shown(text)} is no duration and no share", (hint,), near)


def _portion(text: str) -> Problem | None:
    share = parse_share(text)
    if share is not None and share > 1:
        return Problem(shape.OUT_OF_RANGE, f"{shown(text)} is more than `100%`")
    return _share(text)


def _traffic(text: str) -> Problem | None:
    if text == "mirror":
        return None
    if parse_share(text) is not None:
        return _portion(text)
    near = nearest(text, ["mirror"]) or nearest_quantity("share", text)
    hint = f"write `{near}`" if near else "write a share such as `10%`, or `mirror`"
    return Problem(shape.BAD_UNIT, f"{shown(text)} is no share of traffic", (hint,), near)


def _cron(text: str) -> Problem | None:
    problem = check_cron(text)
    return None if problem is None else Problem(shape.BAD_CRON, problem)


def _timezone(text: str) -> Problem | None:
    problem = check_timezone(text)
    return None if problem is None else Problem(shape.BAD_TIMEZONE, problem)


def _date(text: str) -> Problem | None:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            date.fromisoformat(text)
            return None
    except ValueError:
        pass
    return Problem(
        shape.BAD_PATTERN, f"{shown(text)} is not a date", ("a date is written as `2027-03-31`",)
    )


def _type(text: str) -> Problem | None:
    inner = text
    for _ in range(_MAX_TYPE_DEPTH):
        if not (inner.startswith("list[") and inner.endswith("]")):
            break
        inner = inner[5:-1]
    if inner in TYPES or re.fullmatch(r"embedding\[[1-9][0-9]{0,5}\]", inner):
        return None
    if inner == "embedding":
        hint = "give the number of dimensions: `embedding[384]`"
        return Problem(shape.UNKNOWN_VALUE, f"the type {shown(text)} is not complete", (hint,))
    near = _OTHER_NAMES.get(inner.lower()) or nearest(inner, TYPES)
    fix = text.replace(inner, near) if near else None
    hint = (
        f"did you mean `{fix}`?" if fix else f"types are {', '.join(TYPES)}, embedding[n], list[t]"
    )
    return Problem(shape.UNKNOWN_VALUE, f"there is no type {shown(text)}", (hint,), fix)


_OTHER_NAMES = {
    "integer": "int",
    "long": "int",
    "bigint": "int",
    "double": "float",
    "number": "float",
    "decimal": "float",
    "real": "float",
    "boolean": "bool",
    "str": "string",
    "varchar": "string",
    "category": "string",
    "datetime": "timestamp",
    "date": "timestamp",
    "time": "timestamp",
    "binary": "bytes",
    "object": "json",
}


def _version(text: str) -> Problem | None:
    if text == "1":
        return None
    return Problem(
        shape.WRONG_VERSION,
        f"language version {shown(text)} is not supported; this mlspec reads version `1`",
        ('write `mlspec: "1"`',),
    )


FORMATS: dict[str, Callable[[str], Problem | None]] = {
    "duration": _duration,
    "memory": _memory,
    "cpu": _cpu,
    "share": _share,
    "portion": _portion,
    "rate": _rate,
    "span": _span,
    "traffic": _traffic,
    "cron": _cron,
    "timezone": _timezone,
    "date": _date,
    "type": _type,
    "version": _version,
}
"""Checks by name."""
