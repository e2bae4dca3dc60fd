"""Several approvals under `regulated` are several people."""

from __future__ import annotations

import pytest

from mlspec.ir.facts import ApprovalFacts
from mlspec.runtime.trust.verification import Asked, _missing


def _asked(profile, *wanted):
    return Asked(
        name="models.m@1",
        subject="sha256:1",
        evidence="sha256:2",
        spec="sha256:3",
        environment="prod",
        wanted=tuple(ApprovalFacts(role=role, count=count) for role, count in wanted),
        profile=profile,
    )


@pytest.mark.parametrize(
    ("profile", "missing"), [("standard", {}), ("regulated", {"compliance": 1})]
)
def test_missing__one_person_in_two_roles(profile, missing):
    asked = _asked(profile, ("risk", 1), ("compliance", 1))
    assert _missing(asked, [("risk", "olga"), ("compliance", "olga")]) == missing


def test_missing__people_are_placed_so_that_all_approvals_are_met():
    asked = _asked("regulated", ("risk", 1), ("compliance", 1))
    said = [("risk", "olga"), ("compliance", "olga"), ("risk", "omar")]
    assert _missing(asked, said) == {}


def test_missing__two_approvals_of_one_role_are_two_people():
    asked = _asked("regulated", ("risk", 1), ("risk", 1))
    assert _missing(asked, [("risk", "olga")]) == {"risk": 1}
    assert _missing(asked, [("risk", "olga"), ("risk", "omar")]) == {}
