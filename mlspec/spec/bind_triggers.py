"""Binding of triggers and run parameters (see `mlspec.spec.bind`)."""

from __future__ import annotations

from dataclasses import replace

from mlspec.ir.model import ParamType
from mlspec.spec.bind_steps import all_located, duration, located
from mlspec.spec.cursor import Cursor
from mlspec.spec.model import Located, ParamSpec, TriggerSpec


def bind_params(pipeline: Cursor) -> tuple[ParamSpec, ...]:
    """Bind `params` (C14)."""
    found = []
    for name, param in pipeline.entries("params"):
        default = param.get("default")
        found.append(
            ParamSpec(
                name=name,
                type=ParamType(param.text_of("type", "string")),
                enum=tuple(Located(item.written, item.at) for item in param.items("enum")),
                default=Located(default.written, default.at) if default is not None else None,
                description=param.text_of("description"),
                at=param.at,
            )
        )
    return tuple(found)


def bind_trigger(holder: Cursor) -> TriggerSpec:
    """Bind `trigger`, with `schedule` directly under the noun as its short form."""
    trigger = holder.get("trigger")
    cron, timezone = _schedule(holder.get("schedule"))
    if trigger is None:
        schedule = holder.get("schedule")
        at = schedule.at if schedule is not None else holder.at
        return TriggerSpec(cron=cron, timezone=timezone, at=at)
    found = bind_trigger_keys(trigger)
    if cron is None:
        return found
    if found.cron is not None:
        return replace(found, short=cron.at)
    return replace(found, cron=cron, timezone=timezone)


def bind_trigger_keys(trigger: Cursor) -> TriggerSpec:
    """Bind the keys of a trigger (C5), wherever they stand."""
    cron, timezone = _schedule(trigger.get("schedule"))
    return TriggerSpec(
        cron=cron,
        timezone=timezone,
        every=duration(trigger, "every"),
        data=all_located(trigger, "data"),
        models=all_located(trigger, "models"),
        pull_request=_pull_request(trigger.get("pull_request")),
        push=trigger.flag("push"),
        at=trigger.at,
    )


def _schedule(schedule: Cursor | None) -> tuple[Located | None, str]:
    if schedule is None:
        return None, "UTC"
    if isinstance(schedule.value, str):
        return Located(schedule.value, schedule.at), "UTC"
    return located(schedule, "cron"), schedule.text_of("timezone", "UTC")


def _pull_request(value: Cursor | None) -> tuple[Located, ...] | None:
    """Return path prefixes (none: every pull request), or None when it is not a trigger."""
    if value is None or value.value is False:
        return None
    return () if value.value is True else all_located(value, "paths")
