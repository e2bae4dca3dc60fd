"""ML501 to ML506: loops that settle, and monitors that see what they are there to see."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.evidence import retrains_by_itself
from mlspec.analysis.rules.governance import monitors_of
from mlspec.analysis.rules.places import parsed
from mlspec.diagnostics.codes import monitoring as codes
from mlspec.diagnostics.model import Diagnostic, Label, Severity
from mlspec.expr.cron import min_interval
from mlspec.expr.metrics import METRICS
from mlspec.ir.values import Duration
from mlspec.source import Origin
from mlspec.spec.model import TriggerSpec
from mlspec.spec.nouns import ModelSpec, MonitorSpec

_LONG_DELAY = Duration(7 * 86_400_000)
_MANY_LIVES = 2  # not every training replaces the champion


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield loops and monitors that do not do what they are there for."""
    for model in catalogue.nouns.models:
        yield from _cooldown(catalogue, model)
        yield from _unchecked(catalogue, model)
        yield from _overlap(model)
    yield from _fights(catalogue)
    for monitor in catalogue.nouns.monitors:
        yield from _gaps(monitor)
        yield from _spans(catalogue, monitor)
    yield from _labels(catalogue)


def interval_of(trigger: TriggerSpec) -> Duration | None:
    """Return the shortest time between two scheduled runs; None without a schedule."""
    if trigger.cron is None:
        return None
    return min_interval(" ".join(trigger.cron.text.split()), trigger.timezone)


# ------------------------------------------------------------------ ML501


def _cooldown(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield a training that a monitor, or new data, may start again at once."""
    retrain = model.retrain
    if retrain is not None and (retrain.cooldown is not None or retrain.limit is not None):
        return
    help_ = f"write `cooldown: 24h` in `{model.id}.retrain`: at most one training in that time"
    for monitor in catalogue.nouns.monitors:
        for name in monitor.retrain:
            if name.text == model.id:
                yield Diagnostic(
                    code=codes.NO_COOLDOWN,
                    message=f"nothing keeps this monitor from training `{model.id}` again and"
                    " again",
                    at=name.at,
                    label=f"looks every {monitor.every}" if monitor.every is not None else "",
                    labels=(Label(model.at.key(), "has no `retrain.cooldown`"),),
                    notes=("a training that does not help leaves the check failing",),
                    help=(help_,),
                )
    if retrain is not None and (retrain.trigger.data or retrain.trigger.models):
        yield Diagnostic(
            code=codes.NO_COOLDOWN,
            message=f"every new version starts a training of `{model.id}`, however often they come",
            at=retrain.at.key(),
            help=(help_,),
            severity_override=Severity.WARNING,
        )


def _fights(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield two monitors that answer the same signal in opposite ways."""
    monitors = catalogue.nouns.monitors
    for back in monitors:
        for name in back.rollback:
            service = catalogue.services.get(name.text)
            if service is None:
                continue
            for again in monitors:
                retrained = {one.text for one in again.retrain}
                if again.id == back.id or service.model.text not in retrained:
                    continue
                shared = _terms(back) & _terms(again)
                if shared:
                    yield Diagnostic(
                        code=codes.NO_COOLDOWN,
                        message=f"`{back.id}` rolls back and `{again.id}` retrains on the same"
                        f" signal, `{min(shared)}`",
                        at=name.at,
                        labels=(Label(again.retrain[0].at, "retrains here"),),
                        help=("let one of the two act on it",),
                        severity_override=Severity.WARNING,
                    )


def _terms(monitor: MonitorSpec) -> set[str]:
    found = (parsed(written) for written in monitor.checks)
    return {one.term for one in found if one is not None}


# ------------------------------------------------------------------ ML502


def _unchecked(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield a model that is made here and served, and that nothing judges in between."""
    services = [one for one in catalogue.nouns.services if one.model.text == model.id]
    if not services or model.source is not None or catalogue.promote_checks(model):
        return
    if model.train is not None and model.train.pipeline is None and model.train.block.is_own:
        pass  # a training of one's own is judged like any other
    approved = model.promote is not None and bool(model.promote.approvals)
    alone = retrains_by_itself(catalogue, model) and not approved
    yield Diagnostic(
        code=codes.NO_PROMOTION_CHECK,
        message=f"a retrained `{model.id}` replaces the champion of `{services[0].id}` unchecked"
        if alone
        else f"nothing measures a new `{model.id}` before `{services[0].id}` serves it",
        at=model.at.key(),
        labels=(Label(services[0].model.at, "served here"),),
        help=("write `promote: {checks: […]}`, such as `log_loss <= champion + 0.002`",),
        severity_override=None if alone else Severity.WARNING,
    )


# ------------------------------------------------------------------ ML503


def _gaps(monitor: MonitorSpec) -> Iterator[Diagnostic]:
    every, window = monitor.every, monitor.window
    if every is None or window is None or every <= window:
        return
    unseen = Duration(every.milliseconds - window.milliseconds)
    yield Diagnostic(
        code=codes.GAPS,
        message=f"`{monitor.id}` looks at the last {window} every {every}: {unseen} of them are"
        " never seen",
        at=monitor.at / "every",
        labels=(Label(monitor.at / "window", "the window"),),
        help=(f"write `window: {every}`, or look more often",),
    )


# ------------------------------------------------------------------ ML504


def _overlap(model: ModelSpec) -> Iterator[Diagnostic]:
    train, retrain = model.train, model.retrain
    if train is None or retrain is None or train.pipeline is not None:
        return
    timeout, interval = train.block.settings.timeout, interval_of(retrain.trigger)
    if timeout is None or interval is None or timeout <= interval:
        return
    yield Diagnostic(
        code=codes.OVERLAP,
        message=f"the training of `{model.id}` may last {timeout}, and starts every {interval}",
        at=train.at / "timeout",
        labels=(Label(_cron_at(retrain.trigger), "the schedule"),),
        notes=("a run waits for the one before, and only one waits: runs are lost",),
        help=("shorten the timeout, or train less often",),
    )


def _cron_at(trigger: TriggerSpec) -> Origin:
    return trigger.cron.at if trigger.cron is not None else trigger.at


# ------------------------------------------------------------------ ML505


def _labels(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield monitors that see too late, or that never look at labels although they arrive."""
    seen: set[str] = set()
    for service in catalogue.nouns.services:
        model = catalogue.models.get(service.model.text)
        if model is None or model.id in seen:
            continue
        seen.add(model.id)
        label = catalogue.label(model)
        monitors = tuple(monitors_of(catalogue, model))
        if label is None or not monitors:
            continue
        with_labels = [one for one in monitors if _needs_labels(one) is True]
        without = [one for one in monitors if _needs_labels(one) is False]
        noun = catalogue.data.get(label[0])
        delay = noun.delay if noun is not None else None
        if with_labels and not without and delay is not None and delay >= _LONG_DELAY:
            window = with_labels[0].window or Duration(0)
            first = Duration(delay.milliseconds + window.milliseconds)
            yield Diagnostic(
                code=codes.LATE_LABELS,
                message=f"labels of `{model.id}` come after {delay}: nothing is seen before"
                f" {first} have passed",
                at=with_labels[0].at.key(),
                labels=(Label(noun.at / "delay", "the delay"),) if noun is not None else (),
                help=("add a monitor without labels, such as `psi(prediction) <= 0.2`",),
            )
        if without and not with_labels:
            yield Diagnostic(
                code=codes.LATE_LABELS,
                message=f"labels of `{model.id}` arrive, and no monitor looks at them",
                at=without[0].at.key(),
                labels=(_label_place(catalogue, model),),
                notes=("without labels a change of the concept itself is invisible",),
                help=("add a monitor with a metric such as `log_loss <= 0.5`",),
            )


def _label_place(catalogue: Catalogue, model: ModelSpec) -> Label:
    found = next(
        (one.label_column.at for one in catalogue.lineage(model) if one.label_column is not None),
        model.at.key(),
    )
    return Label(found, "the label")


def _needs_labels(monitor: MonitorSpec) -> bool | None:
    """Return whether a monitor needs labels; None when it looks at the service only."""
    known = [
        METRICS[one.metric]
        for written in monitor.checks
        if (one := parsed(written)) is not None and one.metric in METRICS
    ]
    if any(metric.needs_labels for metric in known):
        return True
    answers = [metric for metric in known if metric.tasks or metric.argument is not None]
    return False if answers else None


# ------------------------------------------------------------------ ML506


def _spans(catalogue: Catalogue, monitor: MonitorSpec) -> Iterator[Diagnostic]:
    """Yield a window that is longer than a version may live."""
    service = catalogue.services.get(monitor.watch.text)
    model = catalogue.models.get(service.model.text) if service is not None else None
    if model is None or model.retrain is None or monitor.window is None:
        return
    interval = interval_of(model.retrain.trigger)
    if interval is None:
        return
    cooldown = model.retrain.cooldown
    life = max(interval, cooldown) if cooldown is not None else interval
    if monitor.window.milliseconds < _MANY_LIVES * life.milliseconds:
        return
    yield Diagnostic(
        code=codes.OLD_REFERENCE,
        message=f"`{monitor.id}` looks at {monitor.window}, and `{model.id}` may be replaced every"
        f" {life}",
        at=monitor.at / "window",
        labels=(Label(_cron_at(model.retrain.trigger), "retrained on this schedule"),),
        notes=("a window never spans a promotion: it starts again with each version",),
        help=("shorten the window, or retrain less often",),
    )
