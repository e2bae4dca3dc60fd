"""The rules of an approval: who counts, and why a statement does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from mlspec.ir.facts import ApprovalFacts
from mlspec.runtime.trust.answers import Answer, read_answer, sign_answer
from mlspec.runtime.trust.dsse import EnvelopeError, open_envelope, pae, seal
from mlspec.runtime.trust.keys import Key, text_of
from mlspec.runtime.trust.people import Membership, People
from mlspec.runtime.trust.verification import Asked, verify
from tests.support.versions import NOW

HOUR = 3600.0
KEYS = {
    name: Key(seed=name.encode().ljust(32)) for name in ("olga", "omar", "ann", "eve", "runner")
}
PEOPLE = People(
    file="people.yaml",
    teams={
        "@acme/ops": (
            Membership(person="olga"),
            Membership(person="omar", since="2026-02-01", until="2026-03-31"),
            Membership(person="ann"),
        )
    },
    names={"olga": "olga", "olga@acme.com": "olga", "ann": "ann", "ann-gh": "ann"},
)
OPS = ApprovalFacts(role="ops", members=("@acme/ops",), within=24 * HOUR)


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


ASKED = Asked(
    name="models.ctr@3",
    subject=digest("a"),
    evidence=digest("b"),
    spec=digest("c"),
    environment="prod",
    wanted=(OPS,),
    starter="ann",
)


def said(who: str, *, key: Key | None = None, **more) -> bytes:
    """Return what somebody signed about `ASKED`, with some fields different."""
    fields = {
        "name": "models.ctr@3",
        "subject": ASKED.subject,
        "evidence": (ASKED.evidence,),
        "spec": ASKED.spec,
        "environment": "prod",
        "decision": "approve",
        "approver": who,
        "issuer": "local",
        "role": "ops",
        "reason": "fine",
        "time": "2026-03-01T11:00:00Z",
        "expires": "2026-03-02T11:00:00Z",
    }
    return sign_answer(Answer(**{**fields, **more}), key or KEYS[who])


def standing(*statements: bytes, asked=ASKED, people=PEOPLE, known=None, now=NOW):
    return verify(asked, statements, people, known or {}, now)


def why(*statements: bytes, **more) -> str:
    """Return the one reason why a statement does not count."""
    found = standing(*statements, **more)
    assert not found.is_approved
    (refused,) = found.refused
    return str(refused)


def test_verify__one_of_one_is_enough():
    found = standing(said("olga"))
    assert found.is_approved
    assert [one.answer.approver for one in found.counted] == ["olga"]
    assert found.new_keys == {"olga": text_of(KEYS["olga"].public)}
    assert found.missing == {}
    assert found.refused == found.notes == ()


def test_verify__nothing_said_is_not_approved():
    assert standing().missing == {"ops": 1}


@pytest.mark.parametrize(
    ("statement", "asked", "reason"),
    [
        (said("ann"), {}, "they started the run"),
        (said("ann"), {"starter": "ANN-GH"}, "they started the run"),
        (said("olga"), {"authors": ("Olga B", "olga@acme.com")}, "they wrote the commit"),
        (said("eve"), {}, r"did not belong to role `ops` \(@acme/ops\)"),
        (said("olga", subject=digest("f"), name="models.ctr@2"), {}, "about another digest: sha256:ffff"),
        (said("olga", evidence=(digest("f"),)), {}, r"another verdict was shown \(sha256:ffff"),
        (said("olga", evidence=()), {}, r"another verdict was shown \(none\)"),
        (said("olga", evidence=(digest("b"), digest("f"))), {}, "another verdict was shown"),
        (said("olga", environment="dev"), {}, "for environment `dev`, not for `prod`"),
        (said("olga", spec=digest("f")), {}, "spec of the model has changed"),
        (said("olga", role="lead"), {}, "role `lead` is not asked; ops is"),
        (said("olga", time="2026-02-28T11:59:59Z"), {}, "expired at 2026-03-01T11:59:59Z"),
        (said("olga", time="2026-03-01T12:06:00Z"), {}, "still to come"),
        (said("olga", time="soon"), {}, "`soon` is no time"),
        (said("omar", key=KEYS["eve"], time="2026-01-31T12:00:00Z"),
         {"wanted": (replace(OPS, within=9999 * HOUR),)}, "did not belong to role `ops`"),
    ],
)  # fmt: skip
def test_verify__does_not_count(statement, asked, reason):
    import re

    assert re.search(reason, why(statement, asked=replace(ASKED, **asked)))


def test_verify__membership_is_that_of_the_time_of_the_decision():
    asked = replace(ASKED, wanted=(replace(OPS, within=9999 * HOUR),))
    later = NOW + timedelta(days=90)
    assert standing(said("omar"), asked=asked, now=later).is_approved
    assert not standing(said("omar", time="2026-05-30T12:00:00Z"), asked=asked, now=later).counted


def test_verify__the_hour_in_which_it_expires_is_ours_not_the_signers():
    late = said("olga", time="2026-02-01T00:00:00Z", expires="2030-01-01T00:00:00Z")
    assert "expired at 2026-02-02" in why(late)


def test_verify__two_means_two_people():
    asked = replace(ASKED, wanted=(replace(OPS, count=2),))
    twice = (
        said("olga"),
        said("olga", time="2026-03-01T11:30:00Z"),
        said("olga", approver="olga@acme.com"),
    )
    assert standing(*twice, asked=asked).missing == {"ops": 1}
    assert standing(said("olga"), said("omar"), asked=asked).is_approved


def test_verify__one_key_is_one_person():
    asked = replace(ASKED, wanted=(replace(OPS, count=2),))
    both = said("olga"), said("omar", key=KEYS["olga"])
    assert "signed with the key of olga" in why(*both, asked=asked)
    assert standing(*both, asked=replace(asked, profile="open")).is_approved


def test_verify__all_of_a_list_are_needed():
    lead = ApprovalFacts(role="lead", members=("olga",), within=24 * HOUR)
    asked = replace(ASKED, wanted=(OPS, lead))
    assert standing(said("olga"), asked=asked).missing == {"lead": 1}
    assert standing(said("olga"), said("olga", role="lead"), asked=asked).is_approved


def test_verify__one_no_is_enough_and_the_last_word_counts():
    no = said("olga", decision="reject", time="2026-03-01T11:10:00Z")
    found = standing(said("omar"), no)
    assert found.rejected.answer.approver == "olga"
    assert not found.is_approved
    later = said("olga", time="2026-03-01T11:20:00Z")
    assert standing(said("omar"), no, later).is_approved
    assert not standing(later, said("omar"), no).rejected


def test_verify__the_author_may_say_no():
    assert standing(said("ann", decision="reject")).rejected is not None


def test_verify__a_no_of_somebody_else_does_not_count():
    assert "did not belong" in why(said("eve", decision="reject"))


def test_verify__unresolved_team():
    nobody = People()
    assert "list its people under `teams` in people.yaml" in why(said("olga"), people=nobody)
    found = standing(said("olga"), people=nobody, asked=replace(ASKED, profile="open"))
    assert found.is_approved
    assert found.notes == ("nobody can check who belongs to @acme/ops (profile open)",)


def test_verify__open_does_not_look_for_four_eyes():
    assert standing(said("ann"), asked=replace(ASKED, profile="open")).is_approved


def test_verify__unknown_starter():
    asked = replace(ASKED, starter="")
    found = standing(said("olga"), asked=asked)
    assert found.is_approved
    assert "nobody knows who started" in found.notes[0]
    assert "cannot be checked" in why(said("olga"), asked=replace(asked, profile="regulated"))


def test_verify__a_listed_key_must_sign():
    people = replace(PEOPLE, keys={"olga": text_of(KEYS["olga"].public)})
    assert standing(said("olga"), people=people).new_keys == {}
    assert "key that people.yaml lists" in why(said("olga", key=KEYS["eve"]), people=people)


def test_verify__the_first_key_is_kept():
    known = {"olga": text_of(KEYS["olga"].public)}
    assert standing(said("olga"), known=known).is_approved
    assert "another key than the first one" in why(said("olga", key=KEYS["eve"]), known=known)


def test_verify__what_an_engine_says_is_signed_by_its_runner():
    pressed = said("olga", issuer="airflow", key=KEYS["runner"])
    found = standing(pressed)
    assert found.is_approved
    assert found.new_keys == {}
    people = replace(PEOPLE, keys={"runner": text_of(KEYS["eve"].public)})
    assert "not signed by the listed runner" in why(pressed, people=people)
    assert "started the run" in why(said("ann", issuer="airflow", key=KEYS["runner"]))


def test_verify__a_changed_statement_does_not_count():
    envelope = said("olga")
    assert "no signed envelope" in why(envelope[:-1])
    at = envelope.index(b'"payload":"') + 30
    changed = envelope[:at] + (b"A" if envelope[at : at + 1] != b"A" else b"B") + envelope[at + 1 :]
    assert "was changed after it was signed" in why(changed)


def test_envelope__is_dsse():
    """The encoding of the specification's own example (protocol.md, test vectors)."""
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    sealed = seal(b"hello world", KEYS["olga"], "text/plain")
    assert open_envelope(sealed, "text/plain").payload == b"hello world"
    with pytest.raises(EnvelopeError, match="an envelope of `text/plain`"):
        open_envelope(sealed)


def test_read_answer__another_statement_is_none():
    with pytest.raises(EnvelopeError, match="says nothing that is an approval"):
        read_answer(seal(b'{"_type":"x","predicateType":"y"}', KEYS["olga"]))
    assert read_answer(said("olga")).approver == "olga"


def test_sign_answer__is_what_the_schema_of_approvals_says():
    path = Path(__file__).parents[4] / "schemas" / "statements" / "approval.v1.schema.json"
    validator = jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
    for envelope in (said("olga"), said("olga", evidence=(), decision="reject", reason="")):
        validator.validate(json.loads(open_envelope(envelope).payload))


def test_verify__nobody_answered_before_the_version_was_made():
    asked = replace(ASKED, made="2026-03-01T11:30:00Z")
    assert "dated 2026-03-01T11:00:00Z, and models.ctr@3 was made" in why(said("olga"), asked=asked)
    assert standing(said("olga", time="2026-03-01T11:26:00Z"), asked=asked).is_approved


def test_verify__an_engine_cannot_speak_past_a_listed_key():
    listed = replace(PEOPLE, keys={"olga": text_of(KEYS["olga"].public)})
    forged = said("olga", key=KEYS["eve"], issuer="airflow")
    assert "lists a key for them but none for `runner`" in why(forged, people=listed)
    both = replace(listed, keys={**listed.keys, "runner": text_of(KEYS["runner"].public)})
    assert "not signed by the listed runner" in why(forged, people=both)
    pressed = said("olga", key=KEYS["runner"], issuer="airflow")
    assert standing(pressed, people=both).is_approved
