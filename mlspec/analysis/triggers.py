"""Triggers: schedules in one form, names resolved (C5)."""

from __future__ import annotations

from collections.abc import Iterable

from mlspec.diagnostics.codes import names as codes
from mlspec.diagnostics.codes.shape import EXACTLY_ONE
from mlspec.diagnostics.model import Code, Diagnostic, Label
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.model import Schedule, Triggers
from mlspec.source import Origin
from mlspec.spec.model import Located, TriggerSpec


def build_triggers(
    spec: TriggerSpec, data: Iterable[str], models: Iterable[str], found: list[Diagnostic]
) -> Triggers:
    """Return the triggers of a pipeline; unknown names are reported and left out."""
    schedule = None
    if spec.cron is not None:
        cron = " ".join(spec.cron.text.split())
        schedule = Schedule(cron=cron, timezone=spec.timezone, at=spec.cron.at)
        if spec.short is not None:
            found.append(_two_schedules(spec.cron.at, spec.short))
    paths = spec.pull_request
    return Triggers(
        schedule=schedule,
        every=spec.every,
        data=_known(spec.data, tuple(data), codes.UNKNOWN_DATA, "data noun", found),
        models=_known(spec.models, tuple(models), codes.UNKNOWN_MODEL, "model", found),
        pull_request=None if paths is None else tuple(sorted(path.text for path in paths)),
        push=spec.push,
        at=spec.at,
    )


def _two_schedules(at: Origin, short: Origin) -> Diagnostic:
    return Diagnostic(
        code=EXACTLY_ONE,
        message="the pipeline has two schedules",
        at=at,
        label="one here",
        labels=(Label(short, "one here"),),
        help=("`schedule` is the short form of `trigger.schedule`: remove one of them",),
    )


def _known(
    names: tuple[Located, ...],
    known: tuple[str, ...],
    code: Code,
    noun: str,
    found: list[Diagnostic],
) -> tuple[str, ...]:
    for name in names:
        if name.text not in known:
            guess = nearest(name.text, known)
            found.append(
                Diagnostic(
                    code=code,
                    message=f"the trigger waits for a {noun} `{name.text}` that does not exist",
                    at=name.at,
                    label=f"did you mean `{guess}`?" if guess else "",
                )
            )
    return tuple(sorted({name.text for name in names if name.text in known}))
