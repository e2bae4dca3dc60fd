"""ML307: waivers that do not hold, and which findings the others take out.

A waiver has a reason, a role that answers for it, and a last day. The compiler has no clock: the
day comes in as an argument, and without one the end of a waiver is not judged (docs/adr/0010).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.severity import can_be_waived
from mlspec.diagnostics.codes import all_codes
from mlspec.diagnostics.codes import governance as codes
from mlspec.diagnostics.model import Diagnostic, Severity
from mlspec.source import Origin
from mlspec.spec.nouns import WaiverSpec


def check(catalogue: Catalogue, today: date | None) -> Iterator[Diagnostic]:
    """Yield what is wrong with waivers."""
    policy = catalogue.nouns.policy
    for waiver in policy.waivers if policy is not None else ():
        rule = waiver.rule.text
        if rule not in all_codes():
            yield _bad(waiver, f"there is no rule `{rule}`", waiver.rule.at)
            continue
        if not can_be_waived(rule, catalogue.profile):
            yield _bad(
                waiver,
                f"`{rule}` cannot be waived",
                waiver.rule.at,
                "repair what it finds",
            )
        yield from _incomplete(waiver, catalogue)
        if _has_ended(waiver, today) and waiver.until is not None:
            yield _bad(
                waiver,
                f"the waiver of `{rule}` ended on {waiver.until.text}",
                waiver.until.at,
                "repair what it waived, or decide again",
            )


def _incomplete(waiver: WaiverSpec, catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield what a waiver lacks; not an error where governance is not asked for."""
    lacking = {"by": waiver.by, "until": waiver.until}
    words = {
        "by": ("nobody answers for the waiver", "write `by: role`"),
        "until": ("the waiver has no end", "write `until: 2027-03-31`, its last day"),
    }
    lenient = catalogue.profile == "open" or (catalogue.profile == "standard" and waiver.by)
    for key, value in lacking.items():
        if value is None:
            message, help_ = words[key]
            yield _bad(
                waiver,
                message,
                waiver.rule.at,
                help_,
                severity=Severity.WARNING if lenient else None,
            )


def _bad(
    waiver: WaiverSpec,
    message: str,
    at: Origin,
    help_: str = "",
    *,
    severity: Severity | None = None,
) -> Diagnostic:
    return Diagnostic(
        code=codes.WAIVER,
        message=message,
        at=at,
        label=f"of `{waiver.rule.text}`" if at is waiver.rule.at and "`" not in message else "",
        help=(help_,) if help_ else (),
        severity_override=severity,
    )


def is_waived(finding: Diagnostic, catalogue: Catalogue, today: date | None = None) -> bool:
    """Return whether a waiver takes a finding out.

    `what` names a noun or part of one: it must stand in the route of the finding's place, alone
    (`deep`) or as a path (`models.deep`). Without it the rule is waived everywhere.
    """
    policy = catalogue.nouns.policy
    if policy is None or not policy.waivers:
        return False
    rule = finding.code.id
    if not can_be_waived(rule, catalogue.profile):
        return False
    return any(
        waiver.rule.text == rule and not _has_ended(waiver, today) and _covers(waiver, finding)
        for waiver in policy.waivers
    )


def _covers(waiver: WaiverSpec, finding: Diagnostic) -> bool:
    if waiver.what is None:
        return True
    route = finding.at.route if isinstance(finding.at, Origin) else ()
    steps = [str(step) for step in route]
    wanted = waiver.what.text.split(".")
    return any(steps[at : at + len(wanted)] == wanted for at in range(len(steps)))


def _has_ended(waiver: WaiverSpec, today: date | None) -> bool:
    if today is None or waiver.until is None:
        return False
    return date.fromisoformat(waiver.until.text) < today
