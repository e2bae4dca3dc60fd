"""The gate step: files, exit codes, the version's state, the audit log."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from mlspec.ir.facts import AppFacts, CheckFacts, ModelFacts, Node, PolicyFacts
from mlspec.ir.kinds import Kind
from mlspec.resources import data_folder
from mlspec.runtime import audit
from mlspec.runtime.judging.recording import METRICS, VERDICT
from mlspec.runtime.registry import Draft, open_registry
from mlspec.runtime.registry.model import State
from mlspec.runtime.steps import gate
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit
from mlspec.runtime.steps.lifecycle import read_verdict
from mlspec.runtime.steps.register import version_data
from tests.support.score_tables import binary, blur, write

LABELS, CHAMPION = binary(1500)
NOW = datetime(2026, 3, 1, 3, 41, 32, tzinfo=UTC)


class Gate:
    """A registered candidate in a store, and calls of the gate about it."""

    def __init__(self, tmp_path: Path) -> None:
        self.place = tmp_path
        self.store = (tmp_path / "store").as_uri()
        self.registry = open_registry(self.node().registry, self.store, "shop", "staging", {})
        self.version = self.registered("one")

    def registered(self, content: str):
        package = self.place / f"package-{content}"
        package.mkdir()
        data = {"model": "ctr", "data": {"clicks": "delta:1187", "labels": "sha256:ab12"}}
        (package / "package.json").write_text(json.dumps({**data, "x": content}), "utf-8")
        draft = Draft(model="ctr", created="2026-03-01T00:00:00Z")
        return self.registry.register(draft, package)

    def node(self, *checks: str, written: str | None = None, profile="standard", **model) -> Node:
        facts = tuple(CheckFacts(text=check) for check in checks)
        return Node(
            kind=Kind.GATE,
            step="gate:ctr",
            pipeline="models.ctr",
            subject="models.ctr",
            environment="staging",
            app=AppFacts(name="shop"),
            spec="sha256:5bec",
            model=ModelFacts(id="ctr", task="binary", checks=facts, **model),
            written=written,
            policy=PolicyFacts(profile=profile),
        )

    def call(self, *checks: str, scores=None, written=None, version=None, **model) -> StepCall:
        version = version or self.version
        told = self.place / "version.json"
        told.write_text(json.dumps(version_data(version)), "utf-8")
        inputs = {"version": told, "package": self.place / "package-one", "scores": scores}
        if written is not None:
            (self.place / "numbers.json").write_text(json.dumps(written), "utf-8")
            inputs["numbers"] = self.place / "numbers.json"
        return StepCall(
            node=self.node(*checks, written=None if written is None else "numbers", **model),
            inputs=inputs,
            outputs={"verdict": self.place / "verdict"},
            store=self.store,
            project=self.place,
            run_id="r1",
            run_date="2026-03-01T03:41:10Z",
            actor="ada",
            environ={},
        )

    def run(self, *checks: str, **more) -> StepExit:
        return gate.run(self.call(*checks, **more), now=NOW)

    def document(self):
        document = json.loads((self.place / "verdict" / "verdict.json").read_text("utf-8"))
        schema = data_folder("schemas") / "output" / "verdict.v1.schema.json"
        jsonschema.Draft202012Validator(json.loads(schema.read_text("utf-8"))).validate(document)
        return document

    def state(self, version=None) -> State:
        return self.registry.find("ctr", (version or self.version).number).state

    def log(self):
        return [one.entry for one in audit.records(self.store, "shop")]


@pytest.fixture
def it(tmp_path):
    return Gate(tmp_path)


@pytest.fixture
def scores(tmp_path):
    columns = {"_label": LABELS, "candidate": blur(CHAMPION, by=0.05), "champion": CHAMPION}
    return write(
        tmp_path / "scores", columns, {"champion": {"version": 41, "digest": "sha256:cafe"}}
    )


def test_gate__pass(it, scores):
    assert it.run("roc_auc >= champion - 0.02", scores=scores) is StepExit.OK
    document = it.document()
    assert document["verdict"] == "pass"
    assert document["step"] == "gate:ctr"
    assert document["subject"] == {
        "name": "ctr",
        "sha256": it.version.digest.removeprefix("sha256:"),
        "version": "1",
    }
    assert document["spec"] == {"sha256": "5bec"}
    assert document["environment"] == "staging"
    assert (document["started"], document["finished"]) == ("2026-03-01T03:41:10Z",) * 2
    assert [one["name"] for one in document["inputs"]] == ["clicks", "labels", "scores.parquet"]
    assert document["inputs"][0] == {"name": "clicks", "version": "delta:1187"}
    [check] = document["checks"]
    assert check["reference"]["name"] == "champion"
    assert check["reference"]["version"] == "41"
    assert check["difference"] == pytest.approx(check["estimate"] - check["reference"]["estimate"])
    assert check["lower"] < check["difference"] < check["upper"]
    assert "asked" not in document
    assert it.state() is State.VALIDATED


def test_gate__record(it, scores):
    it.run("roc_auc >= champion - 0.02", scores=scores)
    statement = (it.place / "verdict" / "verdict.json").read_bytes()
    assert it.registry.attachments(it.version, VERDICT) == (statement,)
    [entry] = it.log()
    assert (entry.action, entry.outcome, entry.actor.subject) == ("gate", "pass", "ada")
    assert entry.subject.digest == it.version.digest
    assert entry.evidence == (read_verdict(it.place / "verdict").digest,)
    assert entry.time == "2026-03-01T03:41:32Z"


def test_gate__log_says_why(it, scores, capsys):
    it.run("roc_auc >= 0.99", "roc_auc >= champion - 0.02", scores=scores)
    first, fail, passed = capsys.readouterr().out.splitlines()
    assert first == "model ctr@1: fail: 1 check fails of 2"
    assert fail.startswith("  fail: roc_auc >= 0.99: roc_auc is 9")
    assert fail.endswith("at least 99 % is asked for")
    assert passed.startswith("  pass: roc_auc >= champion - 0.02: ")


def test_gate__twice_is_once(it, scores):
    for _ in range(2):
        it.run("average_precision >= champion - 0.05", scores=scores)
    assert len(it.registry.attachments(it.version, VERDICT)) == 1
    assert len(it.log()) == 1
    first = (it.place / "verdict" / "verdict.json").read_bytes()
    it.run("average_precision >= champion - 0.05", scores=scores)
    assert (it.place / "verdict" / "verdict.json").read_bytes() == first


def test_gate__fail_is_recorded_and_exits_10(it, scores):
    assert it.run("roc_auc >= 0.99", scores=scores) is StepExit.GATE_FAILED
    assert it.document()["verdict"] == "fail"
    assert it.state() is State.REJECTED
    assert it.log()[0].outcome == "fail"
    assert it.log()[0].reason == "1 check fails of 1"


@pytest.mark.parametrize(
    ("inconclusive", "code"), [("fail", StepExit.INCONCLUSIVE), ("ask", StepExit.OK)]
)
def test_gate__inconclusive(it, scores, inconclusive, code):
    assert it.run("roc_auc >= champion - 0.0005", scores=scores, inconclusive=inconclusive) is code
    document = it.document()
    assert document["verdict"] == "inconclusive"
    assert document.get("asked") is (True if inconclusive == "ask" else None)
    assert it.state() is State.INCONCLUSIVE


def test_gate__report_is_for_people_and_inert(it, tmp_path):
    names = ["<img src=x>|`**`" if i % 2 else "DE" for i in range(1500)]
    columns = {"_label": LABELS, "candidate": CHAMPION, "_slice.country": names}
    it.run(
        "roc_auc by country >= 0.8", "roc_auc >= champion", scores=write(tmp_path / "s", columns)
    )
    report = (it.place / "verdict" / "report.md").read_text("utf-8")
    assert report.startswith("# ctr, version 1: pass\n")
    assert "| `roc_auc >= champion` | **not applicable** | there is no champion yet |" in report
    assert "| `DE` | 750 | 0.9" in report
    assert "`<img src=x>\\|'**'`" in report
    assert "<img" not in report.replace("`<img src=x>", "")


def test_gate__slices_in_the_document(it, tmp_path):
    names = ["LU" if i < 10 else "DE" for i in range(1500)]
    columns = {"_label": LABELS, "candidate": CHAMPION, "_slice.country": names}
    it.run("roc_auc by country >= 0.8", scores=write(tmp_path / "s", columns))
    [check] = it.document()["checks"]
    assert check["too_small"] == ["LU"]
    [one] = check["slices"]
    assert (one["country"], one["n"], one["verdict"]) == ("DE", 1490, "pass")
    assert one["lower"] < one["estimate"]


def test_gate__written_numbers_and_those_stored_with_the_champion(it):
    assert it.run("accuracy >= 0.8", written={"accuracy": 0.9}) is StepExit.OK
    assert it.registry.attachments(it.version, METRICS) == (b'{"accuracy": 0.9}',)
    it.registry.promote(it.registry.find("ctr", 1))
    second = it.registered("two")
    code = it.run("accuracy >= champion - 0.01", written={"accuracy": 0.88}, version=second)
    assert code is StepExit.GATE_FAILED
    [check] = it.document()["checks"]
    assert check["unpaired"] is True
    assert check["reference"]["estimate"] == 0.9


def test_gate__a_champion_that_was_not_scored_is_no_cold_start(it, tmp_path):
    columns = {"_label": LABELS, "candidate": CHAMPION}
    scores = write(tmp_path / "s", columns)
    checks = ("roc_auc >= 0.8", "roc_auc >= champion - 0.01")
    assert it.run(*checks, scores=scores) is StepExit.OK
    it.registry.promote(it.registry.find("ctr", 1))
    second = it.registered("two")
    assert it.run(*checks, scores=scores, version=second) is StepExit.INCONCLUSIVE
    assert it.state(second) is State.INCONCLUSIVE


@pytest.mark.parametrize("numbers", [["accuracy"], {"accuracy": "good"}, {"accuracy": True}])
def test_gate__written_numbers_that_are_none(it, numbers):
    with pytest.raises(StepError, match=r"no mapping|is no number"):
        it.run("accuracy >= 0.8", written=numbers)
    assert it.state() is State.CANDIDATE


def test_gate__regulated_believes_no_step(it):
    call = it.call("accuracy >= 0.8", written={"accuracy": 0.9})
    node = it.node("accuracy >= 0.8", written="numbers", profile="regulated")
    from dataclasses import replace

    with pytest.raises(StepError, match="regulated"):
        gate.run(replace(call, node=node), now=NOW)


def test_gate__bad_input_leaves_nothing(it, scores):
    with pytest.raises(StepError, match="input `scores` is missing"):
        it.run("roc_auc >= 0.5")
    (scores / "scores.parquet").write_bytes(b"no parquet")
    with pytest.raises(StepError, match="cannot be read"):
        it.run("roc_auc >= 0.5", scores=scores)
    assert not (it.place / "verdict").exists()
    assert it.state() is State.CANDIDATE
    assert it.log() == []


def test_gate__another_version_than_the_file_says(it, scores):
    call = it.call("roc_auc >= 0.5", scores=scores)
    told = json.loads((it.place / "version.json").read_text())
    (it.place / "version.json").write_text(json.dumps({**told, "digest": "sha256:" + "0" * 64}))
    with pytest.raises(StepError, match="another digest"):
        gate.run(call, now=NOW)


def test_gate__a_column_with_the_name_of_a_key(it, tmp_path):
    columns = {"_label": LABELS, "candidate": CHAMPION, "_slice.n": ["x"] * 1500}
    it.run("roc_auc by n >= 0.8", scores=write(tmp_path / "s", columns))
    [one] = it.document()["checks"][0]["slices"]
    assert (one["_slice.n"], one["n"]) == ("x", 1500)
