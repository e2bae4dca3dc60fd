"""The file of people: teams, names, keys, and what is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.trust.keys import Key, text_of
from mlspec.runtime.trust.people import People, read_people

KEY = text_of(Key(seed=b"k" * 32).public)
TEXT = f"""
teams:
  "@acme/ops":
    - olga
    - {{person: omar, since: 2026-01-01, until: 2026-06-30}}
people:
  olga: [Olga@acme.com, olga-gh]
keys:
  Olga-GH: {KEY}
"""


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def people(tmp_path):
    (tmp_path / "people.yaml").write_text(TEXT, encoding="utf-8")
    return read_people(tmp_path, None)


def test_is_member__by_team_name_and_day(people):
    now = day("2026-03-01")
    for name in ("olga", "OLGA@acme.com", "olga-gh", "omar"):
        assert people.is_member(name, ["@acme/ops"], now), name
    assert not people.is_member("eve", ["@acme/ops"], now)
    assert people.is_member("eve", ["eve"], now)
    for other in ("2025-12-31", "2026-07-01"):
        assert not people.is_member("omar", ["@acme/ops"], day(other))
    for first_or_last in ("2026-01-01", "2026-06-30"):
        assert people.is_member("omar", ["@acme/ops"], day(first_or_last))


def test_unknown__teams_that_nobody_lists(people):
    assert people.unknown(["@acme/ops", "@acme/x", "olga"]) == ("@acme/x",)


def test_key__of_any_name_of_a_person(people):
    assert people.key("olga@acme.com") == KEY
    assert people.key("omar") is None


def test_read_people__json_is_fine_and_no_file_is_nobody(tmp_path):
    assert read_people(tmp_path, None) == People()
    data = {"teams": {"@acme/ops": ["olga", "omar"]}, "keys": {"olga": KEY}}
    (tmp_path / "people.json").write_text(json.dumps(data), encoding="utf-8")
    found = read_people(tmp_path, None)
    assert found.file == "people.json"
    assert found.is_member("omar", ["@acme/ops"], day("2026-03-01"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a]", "is no mapping"),
        ("team: {}", "has no `team`"),
        ("teams: [a]", "`teams` of `people.yaml` is no mapping"),
        ("teams: {'@a': olga}", "is no list of people"),
        ("teams: {'@a': [{name: olga}]}", "takes names, or person"),
        ("teams: {'@a': [{person: olga, until: soon}]}", "is no day"),
        ("keys: {olga: abc}", "is no key"),
        ("people: {olga: [x], omar: [X]}", "gives the name `X` to two people"),
        ("people: {olga: {a: b}}", "is no list of names"),
        (f"keys: {{olga: '{KEY}', omar: '{KEY}'}}", "gives one key to two people"),
        (f"keys: {{olga: '{KEY}', Olga: '{KEY}'}}", "has two keys for olga"),
        ("a: [", "."),
        ("a: 1\na: 2", "."),
    ],
)
def test_read_people__says_what_is_wrong(tmp_path, text, reason):
    (tmp_path / "people.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StepError, match=reason):
        read_people(tmp_path, None)


def test_read_people__the_file_that_the_spec_names_must_be_there(tmp_path):
    with pytest.raises(StepError, match=r"who\.yaml"):
        read_people(tmp_path, "who.yaml")
