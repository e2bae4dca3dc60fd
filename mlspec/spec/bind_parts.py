"""Binding of what several nouns share: columns, checks, own implementations, amounts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mlspec.errors import MlspecBug
from mlspec.expr.quantity import parse_duration, parse_share
from mlspec.ir.facts import Amount, ColumnFacts
from mlspec.ir.model import Json
from mlspec.spec.bind_steps import bind_run, bind_settings, bind_uses, duration, located
from mlspec.spec.cursor import Cursor
from mlspec.spec.nouns import BlockSpec, CheckSpec, ColumnSpec, ExplainSpec


def number(holder: Cursor, key: str) -> float | None:
    """Return the number under a key, or None."""
    found = holder.get(key)
    if found is None:
        return None
    if isinstance(found.value, bool) or not isinstance(found.value, (int, float)):
        raise found.bug("a number")
    return float(found.value)


def free(holder: Cursor, key: str) -> Mapping[str, Json]:
    """Return the open mapping under a key; empty if missing."""
    found = holder.get(key)
    return MappingProxyType(found.mapping if found is not None else {})


def amount(holder: Cursor, key: str) -> Amount | None:
    """Return a duration or a share under a key, or None."""
    found = holder.get(key)
    if found is None:
        return None
    span, share = parse_duration(found.text), parse_share(found.text)
    if span is None and share is None:
        raise MlspecBug(f"the schema let the amount {found.text!r} through")
    return Amount(seconds=span.seconds if span is not None else None, share=share)


def bind_columns(holder: Cursor, key: str) -> tuple[ColumnSpec, ...]:
    """Bind a mapping of names to types."""
    return tuple(_column(name, item) for name, item in holder.entries(key))


def _column(name: str, column: Cursor) -> ColumnSpec:
    if isinstance(column.value, str):
        return ColumnSpec(facts=ColumnFacts(name=name, type=column.value), at=column.at)
    after, by = duration(column, "available_after"), column.get("declassify")
    facts = ColumnFacts(
        name=name,
        type=column.text_of("type"),
        min=_limit(column, "min"),
        max=_limit(column, "max"),
        enum=tuple(_scalar(item) for item in column.items("enum")),
        pattern=column.optional_text("pattern"),
        unit=column.optional_text("unit"),
        nullable=column.flag("nullable"),
        unique=column.flag("unique"),
        sensitivity=column.text_of("sensitivity"),
        protected=column.flag("protected"),
        available_after=after.seconds if after is not None else None,
    )
    lower = None
    if by is not None:
        role = located(by, "by")
        assert role is not None  # noqa: S101  required by the schema; for the type checker
        lower = (by.text_of("to"), by.text_of("why"), role)
    return ColumnSpec(facts=facts, declassify=lower, at=column.at)


def _limit(column: Cursor, key: str) -> float | str | None:
    found = column.get(key)
    if found is None:
        return None
    if isinstance(found.value, str):
        return found.value
    return number(column, key)


def _scalar(item: Cursor) -> str | int | float | bool:
    if isinstance(item.value, (str, int, float, bool)):
        return item.value
    raise item.bug("a scalar")


def bind_checks(holder: Cursor, key: str) -> tuple[CheckSpec, ...]:
    """Bind a list of checks."""
    return tuple(bind_check(item) for item in holder.items(key))


def bind_check(item: Cursor) -> CheckSpec:
    """Bind a check: its text, or the long form spelled as text."""
    if isinstance(item.value, str):
        return CheckSpec(text=item.value, at=item.at)
    argument, by = item.optional_text("argument"), item.optional_text("by")
    left = item.text_of("metric")
    left += f"({argument})" if argument is not None else ""
    left += f" by {by}" if by is not None else ""
    confidence = number(item, "confidence")
    return CheckSpec(
        text=f"{left} {item.text_of('op')} {_right(item)}",
        is_long=True,
        severity=item.text_of("severity", "error"),
        confidence=0.95 if confidence is None else confidence,
        test=item.optional_text("test"),
        min_samples=item.optional_int("min_samples"),
        windows=item.optional_int("for"),
        at=item.at,
    )


def _right(item: Cursor) -> str:
    value, reference = item.get("value"), item.optional_text("reference")
    if value is not None or reference is None:
        return value.written if value is not None else ""
    factor, margin = item.get("factor"), item.get("margin")
    text = f"{factor.written} * {reference}" if factor is not None else reference
    if margin is None:
        return text
    sign, size = ("-", margin.written[1:]) if margin.written[:1] == "-" else ("+", margin.written)
    return f"{text} {sign} {size.lstrip('+')}"


def bind_block(block: Cursor) -> BlockSpec:
    """Bind a derived step's own implementation and its run settings (C7)."""
    return BlockSpec(
        run=bind_run(block),
        uses=bind_uses(block),
        settings=bind_settings(block),
        source=block.source,
        at=block.at,
    )


def bind_explain(explain: Cursor) -> ExplainSpec:
    """Bind an explanation."""
    return ExplainSpec(
        method=explain.text_of("method"), top=explain.optional_int("top"), at=explain.at
    )
