"""Reviews of a run on GitHub become answers."""

from __future__ import annotations

import json

import pytest

from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.trust.github import reviews_of_run
from tests.support.stub_server import stub_server
from tests.support.versions import NOW

REVIEWS = [
    {"state": "approved", "comment": "go", "user": {"login": "olga-gh"},
     "environments": [{"name": "ops"}, {"name": "other"}]},
    {"state": "rejected", "comment": "", "user": {"login": "omar"},
     "environments": [{"name": "ops"}]},
    {"state": "pending", "comment": "", "user": {"login": "ann"},
     "environments": [{"name": "ops"}]},
]  # fmt: skip


@pytest.fixture
def api():
    with stub_server() as stub:
        yield stub


def environ(api):
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_TOKEN": "t",
        "GITHUB_RUN_ID": "7",
        "GITHUB_REPOSITORY": "acme/ads",
        "GITHUB_API_URL": api.address,
    }


def test_reviews__of_the_roles_that_are_asked(api):
    api.answers = [(200, json.dumps(REVIEWS).encode())]
    text, note = reviews_of_run(environ(api), {"ops"}, NOW)
    assert note == ""
    assert [(one["subject"], one["decision"], one["role"]) for one in json.loads(text)] == [
        ("olga-gh", "approve", "ops"),
        ("omar", "reject", "ops"),
    ]
    assert json.loads(text)[0]["time"] == "2026-03-01T12:00:00Z"
    assert api.asked == [("/repos/acme/ads/actions/runs/7/approvals", "Bearer t")]


def test_reviews__without_a_token_or_the_right_are_none_and_it_is_said(api):
    assert reviews_of_run({}, {"ops"}, NOW) == ("", "")
    _, note = reviews_of_run({**environ(api), "GITHUB_TOKEN": ""}, {"ops"}, NOW)
    assert "no GITHUB_TOKEN" in note
    api.answers = [(403, b"{}")]
    assert "`actions: read`" in reviews_of_run(environ(api), {"ops"}, NOW)[1]


def test_reviews__what_cannot_be_read(api):
    api.answers = [(502, b"")]
    with pytest.raises(StepError) as caught:
        reviews_of_run(environ(api), {"ops"}, NOW)
    assert caught.value.exit is StepExit.TEMPORARY
    for body in (b"<html>", b'{"a": 1}', b'[{"state": "approved"}]', b"[1]"):
        api.answers = [(200, body)]
        with pytest.raises(StepError, match="list of reviews"):
            reviews_of_run(environ(api), {"ops"}, NOW)
