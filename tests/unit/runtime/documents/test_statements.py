"""Statements: structure, digests, cautious mapping, determinism, the schema of our predicate."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from mlspec.resources import data_folder
from mlspec.runtime.documents import approval, slsa, test_result, vsa
from mlspec.runtime.documents.facts import data_version, hex_digest
from mlspec.runtime.documents.inert import json_bytes
from mlspec.runtime.documents.statement import Subject, digest_of, id_of, statement
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.trust.answers import Answer, sign_answer
from mlspec.runtime.trust.dsse import open_envelope
from mlspec.runtime.trust.keys import Key
from tests.support.documents import COMMIT, DATE, made

MODEL = Subject(name="ads/ctr", sha256="a" * 64)
SCHEMAS = data_folder("schemas")


def test_statement__needs_a_subject_with_a_digest():
    with pytest.raises(ValueError, match="something about something"):
        statement([], "urn:x", {"a": 1})
    with pytest.raises(ValueError, match="`m` has no SHA-256"):
        statement([Subject(name="m", sha256="abc")], "urn:x", {"a": 1})


def test_provenance__says_data_code_and_image_by_digest():
    predicate = slsa.provenance(made())["predicate"]
    dependencies = {
        one["name"]: one for one in predicate["buildDefinition"]["resolvedDependencies"]
    }
    assert dependencies["data/clicks"]["digest"] == {"sha256": "d" * 64}
    assert dependencies["data/clicks"]["annotations"]["version"] == "sha256:" + "d" * 64
    assert dependencies["code"]["digest"] == {"gitCommit": COMMIT}
    assert dependencies["image"]["digest"] == {"sha256": "1" * 64}
    assert dependencies["spec"]["digest"] == {"sha256": "5" * 64}
    external = predicate["buildDefinition"]["externalParameters"]
    assert external["params"] == {"C": 0.25, "penalty": "l2"}, "tuned values win"
    assert predicate["buildDefinition"]["internalParameters"]["seed"] == 7
    assert predicate["runDetails"]["metadata"]["startedOn"] == DATE


def test_provenance__holds_no_password():
    assert b"hunter" not in json_bytes(slsa.provenance(made()))


def test_provenance__a_changed_byte_of_data_changes_it():
    base = made()
    other = replace(base, data=(replace(base.data[0], sha256="9" * 64),))
    assert digest_of(slsa.provenance(base)) != digest_of(slsa.provenance(other))
    assert json_bytes(slsa.provenance(base)) == json_bytes(slsa.provenance(made()))


@pytest.mark.parametrize("commit", ["", "d20ace7-dirty", "not a commit"])
def test_provenance__an_unknown_commit_has_no_digest(commit):
    found = slsa.provenance(replace(made(), commit=commit))
    dependencies = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert not [one for one in dependencies if "gitCommit" in one.get("digest", {})]


@pytest.mark.parametrize(
    ("verdict", "checks", "wanted"),
    [
        ("pass", [("pass", "error")], "PASSED"),
        ("pass", [("pass", "error"), ("fail", "warn")], "WARNED"),
        ("fail", [("fail", "error")], "FAILED"),
        ("inconclusive", [("inconclusive", "error")], "FAILED"),
        ("inconclusive", [], "FAILED"),
        ("pass", [("fail", "error")], "FAILED"),
        ("odd", [("pass", "error")], "FAILED"),
    ],
)
def test_of_verdict__only_a_pass_is_passed(verdict, checks, wanted):
    listed = [
        {"check": str(i), "verdict": word, "severity": severity}
        for i, (word, severity) in enumerate(checks)
    ]
    found = test_result.of_verdict(
        {"verdict": verdict, "checks": listed}, subject=MODEL, verdict_digest="sha256:" + "f" * 64
    )
    predicate = found["predicate"]
    assert predicate["result"] == wanted
    assert predicate["configuration"][0]["digest"] == {"sha256": "f" * 64}
    told = predicate["passedTests"] + predicate["warnedTests"] + predicate["failedTests"]
    assert sorted(told) == [str(i) for i in range(len(checks))]


def test_of_verdict__a_check_that_does_not_apply_was_no_test():
    checks = [{"check": "a", "verdict": "pass"}, {"check": "b", "verdict": "not_applicable"}]
    verdict = {"verdict": "pass", "checks": checks}
    found = test_result.of_verdict(verdict, subject=MODEL, verdict_digest="f" * 64)["predicate"]
    assert found["result"] == "PASSED"
    assert found["passedTests"] == ["a"]


def test_of_verdict__refuses_what_is_no_verdict():
    with pytest.raises(ValueError, match="no list of checks"):
        test_result.of_verdict({"verdict": "pass"}, subject=MODEL, verdict_digest="f" * 64)


def summary(*, passed):
    return vsa.verification_summary(
        subject=MODEL,
        resource="file:registry/ctr/1",
        spec_digest="sha256:" + "5" * 64,
        attestations={"verdict": "sha256:" + "f" * 64},
        time=DATE,
        passed=passed,
    )["predicate"]


def test_verification_summary__claims_no_slsa_level():
    assert summary(passed=True)["verifiedLevels"] == [vsa.LEVEL]
    assert summary(passed=False)["verificationResult"] == "FAILED"
    assert summary(passed=False)["verifiedLevels"] == ["FAILED"]
    assert "SLSA_" not in json.dumps(summary(passed=True))
    assert summary(passed=True)["inputAttestations"][0]["digest"] == {"sha256": "f" * 64}


def an_approval(**changes):
    told = {
        "subject": MODEL,
        "evidence": [Subject(name="verdict.json", sha256="f" * 64)],
        "spec_digest": "sha256:" + "5" * 64,
        "environment": "prod",
        "decision": "approve",
        "approver": "ann",
        "role": "model-risk",
        "reason": "",
        "time": DATE,
        "expires": DATE,
    }
    return approval.approval(**{**told, **changes})


def problems(document):
    path = SCHEMAS / "statements" / "approval.v1.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    return list(jsonschema.Draft202012Validator(schema).iter_errors(document))


def test_approval__is_what_its_schema_says():
    assert problems(an_approval()) == []
    assert problems(an_approval(decision="reject", reason="<script>")) == []
    assert problems(an_approval(evidence=[])) == [], "no check judges the model"


@pytest.mark.parametrize("evidence", [(), ("sha256:" + "f" * 64,)])
def test_approval__that_people_sign_is_what_its_schema_says(evidence):
    answer = Answer(
        name="models.ctr@1",
        subject="sha256:" + "a" * 64,
        evidence=evidence,
        spec="sha256:" + "5" * 64,
        environment="default",
        decision="approve",
        approver="ann",
        issuer="local",
        role="model-risk",
        reason="fine",
        time=DATE,
        expires=DATE,
    )
    signed = open_envelope(sign_answer(answer, Key(seed=bytes(32))))
    assert problems(json.loads(signed.payload)) == []


@pytest.mark.parametrize(
    "break_it",
    [
        lambda d: d["predicate"].pop("expires"),
        lambda d: d["predicate"].update(decision="maybe"),
        lambda d: d["predicate"].update(evidence=["verdict.json"]),
        lambda d: d["predicate"].update(approver=""),
        lambda d: d["predicate"].update(time="yesterday"),
        lambda d: d["predicate"].update(more=1),
        lambda d: d["subject"][0].pop("digest"),
        lambda d: d.update(predicateType="urn:other"),
    ],
)
def test_approval__schema_refuses_the_rest(break_it):
    document = an_approval()
    break_it(document)
    assert problems(document)


def test_approval__another_decision():
    with pytest.raises(ValueError, match="`maybe`"):
        an_approval(decision="maybe")


def test_id_of__is_made_from_its_parts():
    assert id_of("a", "b") == id_of("a", "b") != id_of("ab", "")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("sha256:" + "a" * 64, "a" * 64), ("a" * 64, "a" * 64), ("delta:12", ""), ("A" * 64, "")],
)
def test_hex_digest__of_a_text(text, wanted):
    assert hex_digest(text) == wanted


def test_data_version__of_a_snapshot(tmp_path):
    path = tmp_path / "snapshot.json"
    told = {"data": "clicks", "version": "delta:12", "sha256": "sha256:" + "d" * 64, "rows": 3}
    path.write_text(json.dumps({**told, "columns": {"a": "int64"}}), encoding="utf-8")
    found = data_version(path)
    assert (found.version, found.sha256, found.rows) == ("delta:12", "d" * 64, 3)
    assert found.columns == {"a": "int64"}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"data": "x"}', "\ufffd"])
def test_data_version__refuses_what_is_no_snapshot(tmp_path, content):
    path = tmp_path / "snapshot.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StepError, match="snapshot"):
        data_version(path)
    with pytest.raises(StepError, match="missing"):
        data_version(tmp_path / "gone.json")
