"""`approve`: asks, verifies what people said, and says why something does not count."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mlspec.ir.facts import ApprovalFacts
from mlspec.runtime.registry import State
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.versions import NOW, Life

OPS = ApprovalFacts(role="ops", members=("@acme/ops",), within=24 * 3600.0)


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path, approvals=(OPS,))


def test_approve__pending_says_the_command_and_shows_the_evidence(life, tmp_path, capsys):
    version = life.candidate("one")
    assert life.approve() is StepExit.PENDING
    told = capsys.readouterr().err
    assert "models.ctr@1 waits for 1 of ops until 2026-03-02T12:00:00Z; approve with:" in told
    assert "  mlspec approve ctr@1 --env prod\n" in told
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert f"- package `{version.digest}`" in page
    assert "## Checks" in page
    assert "baseline" in page
    assert not (tmp_path / "out" / "approval.json").exists()
    assert life.registry.find("ctr", 1).state is State.VALIDATED
    assert life.actions() == ["register", "request"]


def test_approve__asks_once(life):
    version = life.candidate("one")
    for _ in range(3):
        assert life.approve() is StepExit.PENDING
    assert len(life.registry.attachments(version, "request")) == 1
    assert life.actions() == ["register", "request"]


def test_approve__after_a_yes_names_who_said_it(life, tmp_path):
    version = life.candidate("one")
    life.approve()
    life.says(version, "olga")
    assert life.approve() is StepExit.OK
    told = json.loads((tmp_path / "out" / "approval.json").read_text(encoding="utf-8"))
    (answer,) = told["answers"]
    assert (told["digest"], answer["approver"], answer["role"]) == (version.digest, "olga", "ops")
    assert life.registry.find("ctr", 1).state is State.APPROVED
    assert life.approve() is StepExit.OK
    assert life.actions() == ["register", "request", "approve"], "once, however often it runs"


def test_approve__the_starter_of_the_run_does_not_count(life, capsys):
    version = life.candidate("one")
    life.approve()
    life.says(version, "ann")
    assert life.approve() is StepExit.PENDING
    assert "does not count: ann: they started the run, and four eyes" in capsys.readouterr().err


def test_approve__of_another_version_does_not_count(life, capsys):
    first = life.candidate("one")
    life.approve()
    statement = life.says(first, "olga")
    second = life.candidate("two")
    life.registry.attach(second, "approval", statement)
    assert life.approve() is StepExit.PENDING
    told = capsys.readouterr().err
    assert f"about another digest: {first.digest[:19]} (models.ctr@1)" in told


def test_approve__a_new_verdict_voids_the_old_yes(life, capsys):
    version = life.candidate("one")
    life.approve()
    life.says(version, "olga")
    assert life.approve() is StepExit.OK
    life.judged(version, "pass", started="later")
    assert life.registry.find("ctr", 1).state is State.VALIDATED
    assert life.approve() is StepExit.PENDING
    assert "another verdict was shown" in capsys.readouterr().err


def test_approve__a_no_rejects(life):
    version = life.candidate("one")
    life.approve()
    life.says(version, "olga", "reject", reason="too slow")
    with pytest.raises(StepError, match=r"rejected by olga \(ops\): too slow") as caught:
        life.approve()
    assert caught.value.exit is StepExit.GATE_FAILED
    assert life.registry.find("ctr", 1).state is State.REJECTED
    assert life.actions()[-1] == "reject"


def test_approve__expired_is_asked_anew(life, capsys):
    version = life.candidate("one")
    life.approve()
    assert life.approve(NOW + timedelta(hours=25)) is StepExit.PENDING
    told = capsys.readouterr().err
    assert "approval of models.ctr@1 expired at 2026-03-02T12:00:00Z; it is asked for anew" in told
    assert len(life.registry.attachments(version, "request")) == 2
    assert life.actions() == ["register", "request", "expire", "request"]


def test_approve__what_the_engines_button_collected_counts_like_all(life, tmp_path, capsys):
    life.candidate("one")
    pressed = [
        {"subject": who, "issuer": "airflow", "role": "ops", "decision": "approve",
         "time": "2026-03-01T11:59:00+00:00"}
        for who in ("ann", "omar")
    ]  # fmt: skip
    assert life.approve(answers=json.dumps(pressed[:1])) is StepExit.PENDING
    assert "ann: they started the run" in capsys.readouterr().err
    assert life.approve(answers=json.dumps(pressed)) is StepExit.OK
    told = json.loads((tmp_path / "out" / "approval.json").read_text(encoding="utf-8"))
    assert [(one["approver"], one["issuer"]) for one in told["answers"]] == [("omar", "airflow")]
    life.approve(answers=json.dumps(pressed))
    assert len(life.registry.attachments(life.registry.find("ctr", 1), "approval")) == 2


@pytest.mark.parametrize("answers", ["{", "[1]", '[{"subject": "a"}]', '{"a": 1}'])
def test_approve__answers_that_cannot_be_read_are_told(life, answers):
    life.candidate("one")
    with pytest.raises(StepError, match="MLSPEC_RUN_APPROVALS"):
        life.approve(answers=answers)


def test_approve__a_verdict_that_is_no_yes(life):
    life.candidate("one", "fail")
    with pytest.raises(StepError, match="said no") as caught:
        life.approve()
    assert caught.value.exit is StepExit.GATE_FAILED
    life.candidate("two", "inconclusive")
    with pytest.raises(StepError, match="cannot tell") as caught:
        life.approve()
    assert caught.value.exit is StepExit.INCONCLUSIVE


def test_approve__inconclusive_is_asked_where_the_spec_says_so(tmp_path):
    life = Life(tmp_path, approvals=(OPS,), inconclusive="ask")
    version = life.candidate("one", "inconclusive")
    assert life.approve() is StepExit.PENDING
    life.says(version, "olga")
    assert life.approve() is StepExit.OK


def test_approve__a_verdict_that_the_gate_did_not_write(life, tmp_path):
    life.candidate("one")
    path = tmp_path / "verdict" / "verdict.json"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("0.2", "0.1"), encoding="utf-8")
    with pytest.raises(StepError, match="recorded no such verdict"):
        life.approve()
    path.write_text(good.replace('"subject"', '"x"'), encoding="utf-8")
    with pytest.raises(StepError, match="about another package"):
        life.approve()
    path.unlink()
    with pytest.raises(StepError, match=r"`verdict\.json` is missing"):
        life.approve()


def test_approve__an_older_verdict_is_not_the_last_word(life, tmp_path):
    version = life.candidate("one")
    old = (tmp_path / "verdict" / "verdict.json").read_bytes()
    life.judged(version, "pass", started="later")
    (tmp_path / "verdict" / "verdict.json").write_bytes(old)
    with pytest.raises(StepError, match="has judged models"):
        life.approve()


def test_approve__a_log_that_was_changed_stops_it(life, tmp_path):
    life.candidate("one")
    log = tmp_path / "store" / "shop" / "audit" / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"ann"', b'"eve"'))
    with pytest.raises(StepError, match="audit log of shop is not as it was written: line 1"):
        life.approve()


def test_approve__without_a_file_of_people(life, tmp_path, capsys):
    (tmp_path / "project" / "people.json").unlink()
    version = life.candidate("one")
    life.approve()
    life.says(version, "olga")
    assert life.approve() is StepExit.PENDING
    assert "list its people under `teams` in people.yaml" in capsys.readouterr().err
    assert life.approve(profile="open") is StepExit.OK
    assert "note: nobody can check" in capsys.readouterr().err
