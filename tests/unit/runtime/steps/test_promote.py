"""`promote`: verifies everything again, then changes who serves."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mlspec.ir.facts import ApprovalFacts, CheckFacts
from mlspec.runtime import audit
from mlspec.runtime.registry import RegistryError, State
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.trust.dsse import open_envelope
from tests.support.versions import NOW, Life

OPS = ApprovalFacts(role="ops", members=("@acme/ops",), within=24 * 3600.0)


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path)


@pytest.fixture
def asked(tmp_path):
    return Life(tmp_path, approvals=(OPS,))


def test_promote__with_nothing_but_a_verdict(life, tmp_path):
    version = life.candidate("one")
    assert life.promote() is StepExit.OK
    assert life.registry.aliases("ctr") == {"champion": 1}
    told = json.loads((tmp_path / "out" / "promotion.json").read_text(encoding="utf-8"))
    assert (told["number"], told["digest"], told["previous"]) == (1, version.digest, None)
    second = life.candidate("two")
    assert life.promote() is StepExit.OK
    told = json.loads((tmp_path / "out" / "promotion.json").read_text(encoding="utf-8"))
    assert told["previous"] == {"number": 1, "digest": version.digest}
    assert life.registry.find("ctr", "champion").digest == second.digest
    assert life.actions() == ["register", "promote", "register", "promote"]


def test_promote__where_the_spec_has_no_checks_nothing_is_judged(tmp_path):
    life = Life(tmp_path, approvals=(OPS,), checks=())
    version = life.candidate("one", "")
    assert life.approve() is StepExit.PENDING
    life.says(version, "olga")
    assert life.approve() is StepExit.OK
    assert life.promote() is StepExit.OK
    assert life.registry.aliases("ctr") == {"champion": 1}


def test_promote__where_the_spec_has_checks_a_verdict_is_needed(tmp_path):
    life = Life(tmp_path)
    life.candidate("one", "")
    with pytest.raises(StepError, match="the input `verdict` is missing"):
        life.promote()


def test_promote__keeps_a_signed_summary(life):
    version = life.candidate("one")
    life.promote()
    (envelope,) = life.registry.attachments(version, "vsa")
    summary = json.loads(open_envelope(envelope).payload)
    assert summary["predicate"]["verificationResult"] == "PASSED"
    assert summary["subject"][0]["digest"] == {"sha256": version.digest.removeprefix("sha256:")}


def test_promote__again_changes_nothing(life):
    life.candidate("one")
    life.promote()
    life.promote()
    assert life.actions() == ["register", "promote"]
    assert life.registry.aliases("ctr") == {"champion": 1}


@pytest.mark.parametrize(("word", "code"), [("fail", 10), ("inconclusive", 11)])
def test_promote__without_a_pass_is_refused(life, word, code):
    life.candidate("one", word)
    with pytest.raises(StepError) as caught:
        life.promote()
    assert caught.value.exit == code
    assert "champion" not in life.registry.aliases("ctr")


def test_promote__does_not_believe_the_approve_step(asked):
    version = asked.candidate("one")
    asked.approve()
    asked.registry.set_state(version, State.APPROVED)  # somebody wrote into the registry
    with pytest.raises(StepError, match="not approved: it waits for 1 of ops") as caught:
        asked.promote()
    assert caught.value.exit is StepExit.PENDING
    assert caught.value.help == "mlspec approve ctr@1 --env prod"
    asked.says(version, "ann")
    with pytest.raises(StepError, match="does not count: ann: they started the run"):
        asked.promote()
    asked.says(version, "olga")
    assert asked.promote() is StepExit.OK
    assert asked.registry.find("ctr", "champion").number == 1


def test_promote__an_approval_that_expired_in_between(asked):
    version = asked.candidate("one")
    asked.approve()
    asked.says(version, "olga")
    assert asked.approve() is StepExit.OK
    with pytest.raises(StepError, match="it expired at 2026-03-02T12:00:00Z"):
        asked.promote(NOW + timedelta(hours=25))
    assert asked.promote(NOW + timedelta(hours=23)) is StepExit.OK


def test_promote__a_no_after_the_yes_counts(asked):
    version = asked.candidate("one")
    asked.approve()
    asked.says(version, "olga")
    asked.approve()
    asked.says(version, "omar", "reject", time=NOW + timedelta(hours=1))
    with pytest.raises(StepError, match="was rejected by omar") as caught:
        asked.promote(NOW + timedelta(hours=2))
    assert caught.value.exit is StepExit.GATE_FAILED


def test_promote__a_package_that_was_changed_is_refused(life, tmp_path):
    life.candidate("one")
    for blob in (tmp_path / "store" / "shop" / "registry" / "blobs").rglob("*"):
        if blob.is_file():
            blob.chmod(0o644)
            blob.write_bytes(b"other")
    with pytest.raises(RegistryError, match="damaged"):
        life.promote()
    assert "champion" not in life.registry.aliases("ctr")


def test_promote__a_log_without_its_tail_is_refused(life, tmp_path):
    """Also when the head was changed with it: the first champion remembers."""
    life.candidate("one")
    life.promote()
    log = tmp_path / "store" / "shop" / "audit" / "log.jsonl"
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    (first,) = audit.records((tmp_path / "store").as_uri(), "shop")
    head = {"count": 1, "last": first.digest}
    log.with_name("head.json").write_text(json.dumps(head), encoding="utf-8")
    life.candidate("two")
    with pytest.raises(StepError, match="version ctr@1 has no record of `promote`"):
        life.promote()


def test_promote__killed_before_the_aliases_changed_is_completed(life, monkeypatch):
    life.candidate("one")

    def killed(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(FileRegistry, "promote", killed)
    with pytest.raises(KeyboardInterrupt):
        life.promote()
    monkeypatch.undo()
    assert "champion" not in life.registry.aliases("ctr")
    assert life.promote() is StepExit.OK
    assert life.registry.aliases("ctr") == {"champion": 1}
    store = (life.tmp_path / "store").as_uri()
    assert audit.verify(store, "shop", lifecycle.anchors_of(life.registry)).faults == ()


def test_promote__a_version_that_the_registry_does_not_have(life, tmp_path):
    life.candidate("one")
    path = tmp_path / "out" / "version.json"
    good = json.loads(path.read_text(encoding="utf-8"))
    for change, reason in (
        ({"number": 9}, "no version ctr@9"),
        ({"digest": "sha256:0"}, "another digest in the registry"),
        ({"number": "1"}, "no version: it needs"),
    ):
        path.write_text(json.dumps({**good, **change}), encoding="utf-8")
        with pytest.raises(StepError, match=reason):
            life.promote()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (CheckFacts(text="roc_auc >= 0.9"), {}),
        (CheckFacts(text="log_loss < baseline", confidence=0.99), {"confidence": 0.95}),
        (CheckFacts(text="log_loss < baseline", min_samples=1000), {"n": 900}),
        (CheckFacts(text="log_loss < baseline"), {"severity": "warn", "verdict": "fail"}),
        (CheckFacts(text="log_loss < baseline"), {"verdict": "fail"}),
    ],
)
def test_promote__a_verdict_that_asks_less_than_the_spec_is_refused(life, asked, told):
    version = life.candidate("one")
    entry = {"check": "log_loss < baseline", "verdict": "pass", **told}
    life.judged(version, checks=[entry])
    with pytest.raises(StepError, match="does not answer the check"):
        life.promote(checks=(asked,))
    assert "champion" not in life.registry.aliases("ctr")


def test_promote__a_check_that_only_warns_needs_no_answer(life):
    life.candidate("one")
    warns = CheckFacts(text="roc_auc >= 0.9", severity="warn")
    assert life.promote(checks=(CheckFacts(text="log_loss < baseline"), warns)) is StepExit.OK
