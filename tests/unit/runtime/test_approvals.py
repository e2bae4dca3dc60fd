from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlspec.ir.model import Approval
from mlspec.ir.values import Duration
from mlspec.runtime.approvals import (
    APPROVE,
    REJECT,
    Decision,
    Request,
    Standing,
    ask,
    close,
    decide,
    decisions,
    find_request,
    open_requests,
    standing,
    user_name,
)
from mlspec.runtime.model import stamp

NOW = datetime(2026, 1, 31, 4, 0, tzinfo=UTC)
LEADS = Approval(role="leads", count=2, within=Duration(3_600_000))
RISK = Approval(role="risk", within=Duration(7_200_000))


def _ask(project: Path, *approvals: Approval, subject: str = "s", now: datetime = NOW) -> Request:
    draft = Request(
        run="r1", pipeline="p", step="go", wanted=(), subject=subject, asked="", expires=""
    )
    return ask(project, draft, approvals or (LEADS,), now)


def _say(
    project: Path,
    request: Request,
    who: str,
    what: str = APPROVE,
    when: datetime = NOW,
    **changes: object,
) -> None:
    fields = {
        "who": who,
        "decision": what,
        "reason": "",
        "when": stamp(when),
        "roles": tuple(one.role for one in request.wanted),
        "subject": request.subject,
        "serial": request.serial,
        **changes,
    }
    decide(project, request, Decision(**fields))  # type: ignore[arg-type]  # fields of a Decision


def test_standing__counts_distinct_people(tmp_path: Path) -> None:
    request = _ask(tmp_path)
    _say(tmp_path, request, "ann")
    _say(tmp_path, request, "ann")
    assert standing(tmp_path, request, NOW).missing == {"leads": 1}
    assert standing(tmp_path, request, NOW).approved is None
    _say(tmp_path, request, "bob")
    assert standing(tmp_path, request, NOW) == Standing(
        approved=True, reason="approved by ann, bob"
    )


def test_standing__all_roles_and_one_rejection(tmp_path: Path) -> None:
    request = _ask(tmp_path, RISK, Approval(role="ops"))
    assert request.expires == stamp(NOW + timedelta(hours=2))
    _say(tmp_path, request, "ann", roles=("risk",))
    assert standing(tmp_path, request, NOW).missing == {"ops": 1}
    _say(tmp_path, request, "bob", REJECT, reason="no\nway", roles=("ops",))
    found = standing(tmp_path, request, NOW)
    assert (found.approved, found.expired) == (False, False)
    assert found.reason == "rejected by bob: no\nway"


def test_standing__expires(tmp_path: Path) -> None:
    request = _ask(tmp_path)
    _say(tmp_path, request, "ann")
    late = NOW + timedelta(hours=1, seconds=1)
    _say(tmp_path, request, "bob", when=late)
    found = standing(tmp_path, request, late)
    assert (found.approved, found.expired) == (False, True)


def test_ask__a_changed_subject_voids_answers(tmp_path: Path) -> None:
    first = _ask(tmp_path, RISK)
    _say(tmp_path, first, "ann")
    assert _ask(tmp_path, RISK) == first
    second = _ask(tmp_path, RISK, subject="other")
    assert second.serial == 2
    assert standing(tmp_path, second, NOW).approved is None
    assert decisions(tmp_path, second) == ()


def test_ask__again_after_a_rejection(tmp_path: Path) -> None:
    first = _ask(tmp_path, RISK)
    _say(tmp_path, first, "ann", REJECT)
    close(tmp_path, first, standing(tmp_path, first, NOW))
    assert open_requests(tmp_path) == ()
    second = _ask(tmp_path, RISK)
    assert second.serial == 2
    assert standing(tmp_path, second, NOW).approved is None
    assert open_requests(tmp_path) == (second,)


def test_ask__approved_once_stays_approved(tmp_path: Path) -> None:
    first = _ask(tmp_path, RISK)
    _say(tmp_path, first, "ann")
    close(tmp_path, first, standing(tmp_path, first, NOW))
    again = _ask(tmp_path, RISK, now=NOW + timedelta(days=30))
    assert standing(tmp_path, again, NOW + timedelta(days=30)).approved


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": "1.0", "x": 1}', "\x00"])
def test_find_request__broken_files_are_ignored(tmp_path: Path, text: str) -> None:
    request = _ask(tmp_path)
    folder = tmp_path / ".mlspec" / "approvals" / "r1" / "go"
    (folder / "decision-x.json").write_text(text)
    (folder / "closed.json").write_text(text)
    assert decisions(tmp_path, request) == ()
    assert open_requests(tmp_path) == (request,)
    (folder / "request.json").write_text(text)
    assert find_request(tmp_path, "r1", "go") is None
    assert open_requests(tmp_path) == ()


def test_decide__is_a_versioned_document(tmp_path: Path) -> None:
    request = _ask(tmp_path)
    _say(tmp_path, request, "ann", reason="fine")
    (path,) = (tmp_path / ".mlspec/approvals/r1/go").glob("decision-*.json")
    document = json.loads(path.read_text())
    assert document["format_version"] == "1.0"
    assert (document["who"], document["reason"]) == ("ann", "fine")


def test_user_name__from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ann")
    assert user_name() == "ann"
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert user_name()
