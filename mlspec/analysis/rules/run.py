"""Applies all rules about nouns: severities by profile, waivers, nothing else.

Input: the catalogue of one environment and the tools chosen for it. Output: findings. The rules
that look at derived steps (`run_pipeline_rules`) need the finished application.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules import (
    answers,
    artefacts,
    checks,
    declared,
    engines,
    evidence,
    flow,
    governance,
    leakage,
    maturity,
    monitoring,
    names,
    people,
    regulations,
    schedule,
    skew,
    waivers,
)
from mlspec.analysis.rules.severity import SEVERITIES
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Application, TargetChoice

_RULES = (
    names,
    people,
    checks,
    declared,
    answers,
    evidence,
    leakage,
    skew,
    governance,
    regulations,
    monitoring,
    flow,
    artefacts,
    engines,
)


def run_rules(
    catalogue: Catalogue, targets: Mapping[str, TargetChoice], today: date | None = None
) -> tuple[Diagnostic, ...]:
    """Return what the rules find in the nouns.

    Args:
        catalogue: the nouns of one environment.
        targets: the tool for each part.
        today: waivers that ended before this day do not hold; None: the end is not judged.
    """
    found: list[Diagnostic] = []
    for rule in _RULES:
        found += rule.check(catalogue)
    found += maturity.check(catalogue, targets)
    found += waivers.check(catalogue, today)
    return settle(found, catalogue, today)


def run_pipeline_rules(
    catalogue: Catalogue, application: Application, today: date | None = None
) -> tuple[Diagnostic, ...]:
    """Return what the rules find in the finished pipelines of an environment."""
    found = (
        *schedule.check(catalogue, application),
        *artefacts.check_images(catalogue, application),
    )
    return settle(found, catalogue, today)


def settle(
    found: Iterable[Diagnostic], catalogue: Catalogue, today: date | None = None
) -> tuple[Diagnostic, ...]:
    """Return findings with the severity of the profile, without those that are waived."""
    return tuple(_settled(found, catalogue, today))


def _settled(
    found: Iterable[Diagnostic], catalogue: Catalogue, today: date | None
) -> Iterator[Diagnostic]:
    for one in found:
        if waivers.is_waived(one, catalogue, today):
            continue
        row = SEVERITIES.get(one.code.id)
        if row is None:
            yield one
            continue
        severity = row.under(catalogue.profile)
        if severity is not None:
            yield one if one.severity_override else replace(one, severity_override=severity)
