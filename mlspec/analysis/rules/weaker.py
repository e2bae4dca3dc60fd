"""ML306: an environment requires at least what the one before it requires (decision B32).

Input: the nouns of two environments, the earlier first. Checks are versions of the same one when
metric, argument, `by`, operator and reference are equal; missing, looser, `severity: warn`, a lower
count, a longer `within`, a removed approver are weaker, and so is what cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.places import parsed, within
from mlspec.analysis.rules.weaker_means import changes
from mlspec.diagnostics.codes import governance as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.expr.check import NOWHERE, Check, CheckOp
from mlspec.ir.values import Duration
from mlspec.source import Origin, Route, Span
from mlspec.spec.model import ApprovalSpec, Located
from mlspec.spec.nouns import CheckSpec, ModelSpec, MonitorSpec, ServiceSpec

_CONFIDENCE = 0.95  # of a check that says nothing
_PROFILES = ("open", "standard", "regulated")


def compare(before: Catalogue, after: Catalogue) -> tuple[Diagnostic, ...]:
    """Return what an environment no longer requires.

    Args:
        before: the nouns of the environment that comes before.
        after: those of the environment that is judged.
    """
    return tuple(_Comparison(before, after).all())


@dataclass(frozen=True, slots=True)
class _Comparison:
    before: Catalogue
    after: Catalogue

    def all(self) -> Iterator[Diagnostic]:
        now = self.after
        for data in self.before.nouns.data:
            other = now.data.get(data.id)
            checks = other.checks if other is not None else ()
            yield from self.checks(data.checks, checks, ("data", data.id, "checks"))
        for feature in self.before.nouns.features:
            found = now.features.get(feature.id)
            checks = found.checks if found is not None else ()
            yield from self.checks(feature.checks, checks, ("features", feature.id, "checks"))
        for model in self.before.nouns.models:
            yield from self.model(model, now.models.get(model.id))
        for service in self.before.nouns.services:
            yield from self.service(service, now.services.get(service.id))
        monitors = {one.id: one for one in now.nouns.monitors}
        for monitor in self.before.nouns.monitors:
            yield from self.monitor(monitor, monitors.get(monitor.id))
        for change in changes(self.before, now):
            yield self.finding(change.message, change.route, was=change.was)
        if _PROFILES.index(now.profile) < _PROFILES.index(self.before.profile):
            yield self.finding(
                f"the profile is `{now.profile}`, and was `{self.before.profile}`",
                ("policy", "profile"),
            )

    # -------------------------------------------------------------- words

    def finding(
        self, message: str, route: Route, *, at: Origin | None = None, was: Origin | None = None
    ) -> Diagnostic:
        """Return a finding at the written value, or at the overlay that removed it."""
        name, earlier = self.after.environment or "", self.before.environment or ""
        root = self.after.spec.at.document
        place = at or Origin(root, ("environments", name, "override", *route))
        return Diagnostic(
            code=codes.WEAKER,
            message=f"`{name}` is weaker than `{earlier}`: {message}",
            at=place,
            labels=(Label(was, f"required in `{earlier}`"),) if was is not None else (),
            help=(
                f"what comes after `{earlier}` may only tighten: move the looser value to the"
                " first environment",
            ),
        )

    # -------------------------------------------------------------- nouns

    def model(self, before: ModelSpec, after: ModelSpec | None) -> Iterator[Diagnostic]:
        route = ("models", before.id)
        was, now = before.promote, after.promote if after is not None else None
        if was is not None:
            path = (*route, "promote")
            yield from self.checks(was.checks, now.checks if now else (), (*path, "checks"))
            yield from self.approvals(
                was.approvals, now.approvals if now else (), (*path, "approve")
            )
            asks = now.inconclusive if now is not None else None
            asked = was.inconclusive is not None and was.inconclusive.text == "ask"
            if asks is not None and asks.text == "ask" and not asked:
                yield self.finding(
                    "too little evidence no longer stops a candidate", path, at=asks.at
                )
        if before.compress is not None:
            later = after.compress if after is not None else None
            checks = later.checks if later is not None else ()
            if later is not None:  # without compression there is nothing to hold against
                yield from self.checks(
                    before.compress.checks, checks, (*route, "compress", "checks")
                )

    def service(self, before: ServiceSpec, after: ServiceSpec | None) -> Iterator[Diagnostic]:
        route = ("serving", before.id)
        yield from self.checks(before.slo, after.slo if after else (), (*route, "slo"))
        if before.review is not None and (after is None or after.review is None):
            yield self.finding(
                f"nobody reviews what `{before.id}` decides",
                (*route, "decision", "review"),
                was=before.review.at,
            )
        was, now = before.rollout, after.rollout if after is not None else None
        if was is None:
            return
        path = (*route, "rollout")
        yield from self.checks(was.checks, now.checks if now else (), (*path, "checks"))
        yield from self.approvals(was.approvals, now.approvals if now else (), (*path, "approve"))
        if was.rollback is not None and (now is None or now.rollback is None):
            yield self.finding(
                f"nothing takes `{before.id}` back", (*path, "rollback"), was=was.at / "rollback"
            )
        elif was.rollback is not None and now is not None and now.rollback is not None:
            yield from self.slower(
                was.rollback[1],
                now.rollback[1],
                f"`{before.id}` goes back within",
                now.at / "rollback" / "within",
            )
        for key, had, has in (
            ("canary", bool(was.canary), now is not None and bool(now.canary)),
            ("shadow", was.shadow is not None, now is not None and now.shadow is not None),
        ):
            if had and not has:
                yield self.finding(
                    f"`{before.id}` takes a new version without `{key}`",
                    (*path, key),
                    was=was.at / key,
                )

    def monitor(self, before: MonitorSpec, after: MonitorSpec | None) -> Iterator[Diagnostic]:
        route = ("monitors", before.id)
        if after is None:
            yield self.finding(f"the monitor `{before.id}` is gone", route, was=before.at.key())
            return
        yield from self.checks(before.checks, after.checks, (*route, "checks"))
        yield from self.slower(
            before.every, after.every, f"`{before.id}` looks every", after.at / "every"
        )
        if (after.windows or 1) > (before.windows or 1):
            yield self.finding(
                f"`{before.id}` acts after {after.windows} windows, and acted after"
                f" {before.windows or 1}",
                (*route, "for"),
                at=after.at / "for",
            )
        for key, had, has in (
            ("alert", before.alert, after.alert),
            ("rollback", before.rollback, after.rollback),
        ):
            for name in _gone(had, has):
                yield self.finding(
                    f"`{before.id}` no longer reaches `{name.text}`",
                    (*route, "then", key),
                    was=name.at,
                )

    # -------------------------------------------------------------- parts

    def slower(
        self, was: Duration | None, now: Duration | None, what: str, at: Origin
    ) -> Iterator[Diagnostic]:
        if was is not None and (now is None or now > was):
            yield self.finding(f"{what} {now or 'at no time'}, and was {was}", (), at=at)

    def checks(
        self, was: tuple[CheckSpec, ...], now: tuple[CheckSpec, ...], route: Route
    ) -> Iterator[Diagnostic]:
        later = [(written, one) for written in now if (one := parsed(written)) is not None]
        for written in was:
            one = parsed(written)
            if one is None:
                continue
            same = [pair for pair in later if pair[1].pairing == one.pairing]
            if not same:
                yield self.finding(f"`{one}` is gone", route, was=written.at)
            elif not any(_as_strong(written, one, *pair) for pair in same):
                looser, other = same[0]
                yield self.finding(
                    f"`{_in_words(looser, other)}` instead of `{_in_words(written, one)}`",
                    route,
                    at=within(looser, _differing(other)),
                    was=written.at,
                )

    def approvals(
        self, was: tuple[ApprovalSpec, ...], now: tuple[ApprovalSpec, ...], route: Route
    ) -> Iterator[Diagnostic]:
        later = {one.by.text: one for one in now}
        for approval in was:
            other = later.get(approval.by.text)
            if other is None:
                yield self.finding(
                    f"`{approval.by.text}` is no longer asked", route, was=approval.by.at
                )
                continue
            if other.count < approval.count:
                yield self.finding(
                    f"{other.count} of `{approval.by.text}` must agree, and were {approval.count}",
                    route,
                    at=other.at / "count",
                )
            yield from self.slower(
                approval.within,
                other.within,
                f"`{approval.by.text}` may answer within",
                other.at / "within",
            )


def _gone(was: Iterable[Located], now: Iterable[Located]) -> Iterator[Located]:
    left = {name.text for name in now}
    return (name for name in was if name.text not in left)


def _differing(one: Check) -> Span:
    """Return the part of a check that says how strict it is."""
    spans = one.spans
    if one.reference is None:
        return spans.number
    written = (spans.margin, spans.factor, spans.reference)
    return next(span for span in written if span != NOWHERE)


def _in_words(written: CheckSpec, one: Check) -> str:
    told = [str(one)]
    if written.severity == "warn":
        told.append("as a warning")
    if written.confidence != _CONFIDENCE:
        told.append(f"at {written.confidence:.0%}")
    if written.min_samples is not None:
        told.append(f"from {written.min_samples} rows")
    return ", ".join(told)


def _as_strong(was: CheckSpec, one: Check, now: CheckSpec, other: Check) -> bool:
    """Return whether a later version of a check lets nothing through that the earlier stopped."""
    if now.severity == "warn" and was.severity != "warn":
        return False
    if now.confidence < was.confidence or (now.min_samples or 0) < (was.min_samples or 0):
        return False
    if (now.windows or 1) > (was.windows or 1):
        return False
    sides = _sides(one), _sides(other)
    if one.op is CheckOp.EQ:
        return sides[0] == sides[1]
    if one.op.wants_more:
        return all(later >= earlier for earlier, later in zip(*sides, strict=True))
    return all(later <= earlier for earlier, later in zip(*sides, strict=True))


def _sides(one: Check) -> tuple[Decimal, ...]:
    """Return the numbers of a right side; larger ones are stricter when more is wanted."""
    if one.threshold is not None:
        return (one.threshold.value,)
    return (one.factor, one.margin.value)
