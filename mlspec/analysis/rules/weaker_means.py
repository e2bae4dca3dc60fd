"""ML306, what checks and approvals stand on: who may say yes, what is measured, which rows are fit.

Duty: the texts of two gates may be equal while an overlay changes what they mean. Input: the nouns
of two environments, the earlier first. Output: changes that let through what was stopped before.
What cannot be compared is weaker (decision B32).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlspec.analysis.catalogue import Catalogue
from mlspec.ir.facts import ColumnFacts
from mlspec.source import Origin, Route
from mlspec.spec.model import ApprovalSpec, Located
from mlspec.spec.nouns import BlockSpec, DataNoun, ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is weaker now: the words, where it stands, where it stood."""

    message: str
    route: Route
    was: Origin | None = None


def changes(before: Catalogue, after: Catalogue) -> Iterator[Change]:
    """Yield what checks and approvals no longer mean."""
    yield from _people(before, after)
    for metric in before.nouns.metrics:
        now = after.own_metrics.get(metric.name)
        route = ("metrics", metric.name)
        if now is None:
            yield Change(message=f"the metric `{metric.name}` is gone", route=route, was=metric.at)
        elif (_text(now.function), now.better) != (_text(metric.function), metric.better):
            message = f"`{metric.name}` is measured in another way"
            yield Change(message=message, route=route, was=metric.at)
    for model in before.nouns.models:
        later = after.models.get(model.id)
        if later is not None and model.promote is not None and model.promote.checks:
            yield from _model(model, later)
    for data in before.nouns.data:
        found = after.data.get(data.id)
        if found is not None:
            yield from _data(before, after, data, found)


def _people(before: Catalogue, after: Catalogue) -> Iterator[Change]:
    asked = {one.by.text for one in _approvals(before)}
    known = {role.id: role for role in after.spec.roles}
    for role in before.spec.roles:
        now = known.get(role.id)
        if role.id not in asked or now is None:
            continue
        for member in now.members:
            if member not in role.members:
                yield Change(
                    message=f"`{member}` may approve as `{role.id}`, and could not",
                    route=("roles", role.id, "members"),
                    was=role.at / "members",
                )


def _approvals(catalogue: Catalogue) -> Iterator[ApprovalSpec]:
    for model in catalogue.nouns.models:
        yield from model.promote.approvals if model.promote is not None else ()
    for service in catalogue.nouns.services:
        yield from service.rollout.approvals if service.rollout is not None else ()


def _model(was: ModelSpec, now: ModelSpec) -> Iterator[Change]:
    route = ("models", was.id)
    label = _text(was.label_data), _text(was.label_column)
    if (_text(now.label_data), _text(now.label_column)) != label:
        yield Change(
            message=f"`{was.id}` is judged on another label",
            route=(*route, "label"),
            was=was.at / "label",
        )
    if _text(now.baseline) != _text(was.baseline) and was.baseline is not None:
        yield Change(
            message=f"`{was.id}` is held against the baseline `{_text(now.baseline) or 'none'}`,"
            f" and was against `{was.baseline.text}`",
            route=(*route, "baseline"),
            was=was.baseline.at,
        )
    if _judged_by(now) != _judged_by(was):
        yield Change(
            message=f"`{was.id}` is judged by another program, or on other rows",
            route=(*route, "evaluate"),
            was=was.evaluate.at if was.evaluate is not None else None,
        )


def _judged_by(model: ModelSpec) -> tuple[object, ...]:
    one = model.evaluate
    if one is None:
        return ("", "", *_block(None))
    return (_text(one.data), _text(one.metrics), *_block(one.block))


def _block(block: BlockSpec | None) -> tuple[object, ...]:
    if block is None:
        return (None, None)
    uses = block.uses
    if uses is None:
        return (block.run, None)
    return (None, (uses.component, *((name, given.text) for name, given in sorted(uses.given))))


def _data(before: Catalogue, after: Catalogue, was: DataNoun, now: DataNoun) -> Iterator[Change]:
    route: Route = ("data", was.id)
    if was.delay is not None and (now.delay is None or now.delay < was.delay):
        yield Change(
            message=f"rows of `{was.id}` count as complete after {now.delay or 'no time'}, and"
            f" did after {was.delay}",
            route=(*route, "delay"),
            was=was.at / "delay",
        )
    own = was.validate
    if own is not None and own.is_own and _block(now.validate) != _block(own):
        message = f"`{was.id}` is checked by another program, or with other parameters"
        yield Change(message=message, route=(*route, "validate"), was=own.at)
    columns = {one.name: one for one in after.columns(was.id)}
    for column in before.columns(was.id):
        place = (*route, "schema", column.name)
        found = columns.get(column.name)
        if found is None:
            message = f"the column `{column.name}` of `{was.id}` is no longer checked"
            yield Change(message=message, route=place, was=column.at)
            continue
        for what in _looser(column.facts, found.facts):
            message = f"`{column.name}` of `{was.id}` {what}"
            yield Change(message=message, route=place, was=column.at)


def _looser(was: ColumnFacts, now: ColumnFacts) -> Iterator[str]:
    """Yield in which ways a column may hold what it could not."""
    if was.type != now.type:
        yield f"is of type `{now.type}`, and was of `{was.type}`"
    if _beyond(was.min, now.min, -1):
        yield f"may be below {_number(was.min)}"
    if _beyond(was.max, now.max, 1):
        yield f"may be above {_number(was.max)}"
    if was.enum and (not now.enum or set(now.enum) - set(was.enum)):
        yield "may have other values"
    if was.pattern is not None and now.pattern != was.pattern:
        yield "no longer has the same `pattern`"
    for name, had, has in (
        ("may be null", not was.nullable, not now.nullable),
        ("need not be unique", was.unique, now.unique),
        ("is no longer protected", was.protected, now.protected),
    ):
        if had and not has:
            yield name
    if (was.available_after or 0) > (now.available_after or 0):
        yield "counts as known earlier"


def _beyond(was: float | str | None, now: float | str | None, sign: int) -> bool:
    if was is None or was == now:
        return False
    if isinstance(was, str) or isinstance(now, str) or now is None:
        return True
    return (now - was) * sign > 0


def _number(limit: float | str | None) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)


def _text(one: Located | None) -> str:
    return one.text if one is not None else ""
