"""Commands about versions: approve, approvals, versions, why, audit."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from mlspec.ir.facts import ApprovalFacts
from mlspec.runtime.registry import State
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.commands import matches, mlspec
from tests.support.versions import Life

SPEC = """
mlspec: "1"
app: {name: shop}
environments:
  prod: {store: "file:../store"}
pipelines: {p: {steps: {a: {run: echo}}}}
targets: {pipelines: local}
"""
OPS = ApprovalFacts(role="ops", members=("@acme/ops",), within=24 * 3600.0)
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def life(tmp_path, monkeypatch):
    life = Life(tmp_path, approvals=(OPS,))
    (tmp_path / "project" / "mlspec.yaml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("USER", "olga")
    monkeypatch.delenv("MLSPEC_ACTOR", raising=False)
    return life


def test_approve__by_version_lets_the_run_go_on(life):
    life.candidate("one")
    assert life.approve(NOW) is StepExit.PENDING
    done = mlspec("approve", "ctr@1", "--reason", "fine")
    assert (done.code, done.out) == (0, "approved models.ctr@1 as olga\n"), done.err
    assert life.approve(NOW) is StepExit.OK
    assert life.promote(NOW) is StepExit.OK
    assert life.actions() == ["register", "request", "approve", "promote"]
    assert life.registry.find("ctr", "champion").number == 1


def test_approve__by_model_means_the_newest_that_is_asked_about(life):
    for text in ("one", "two"):
        life.candidate(text)
        life.approve(NOW)
    life.candidate("three")
    done = mlspec("approve", "models.ctr", "--env", "prod")
    assert (done.code, done.out) == (0, "approved models.ctr@2 as olga\n"), done.err


def test_approve__the_starter_of_the_run_is_refused(life):
    version = life.candidate("one")
    life.approve(NOW)
    done = mlspec("approve", "ctr@1", "--as", "ann")
    assert done.code == 1
    assert "this approval would not count: ann: they started the run, and four eyes" in done.err
    assert life.registry.attachments(version, "approval") == ()
    assert "approve" not in life.actions()


def test_approve__somebody_else_is_refused(life):
    life.candidate("one")
    life.approve(NOW)
    done = mlspec("approve", "ctr@1", "--as", "eve")
    assert done.code == 1
    assert "eve: they did not belong to role `ops` (@acme/ops) when they answered" in done.err
    done = mlspec("approve", "ctr@1", "--role", "lead")
    assert done.code == 1
    assert "role `lead` is not asked for models.ctr@1; ops is" in done.err


def test_approve__two_people(tmp_path, life):
    life.more["approvals"] = (ApprovalFacts(role="ops", members=("@acme/ops",), count=2),)
    life.candidate("one")
    life.approve(NOW)
    assert mlspec("approve", "ctr@1").out == (
        "approved models.ctr@1 as olga; still wanted: 1 more of ops\n"
    )
    assert "still wanted: 1 more of ops" in mlspec("approve", "ctr@1").out, "again is not another"
    assert mlspec("approve", "ctr@1", "--as", "omar").out == "approved models.ctr@1 as omar\n"
    assert life.approve(NOW) is StepExit.OK


def test_approve__reject(life):
    life.candidate("one")
    life.approve(NOW)
    done = mlspec("approve", "ctr@1", "--reject", "--reason", "too slow")
    assert (done.code, done.out) == (0, "rejected models.ctr@1 as olga\n")
    with pytest.raises(StepError, match="rejected by olga"):
        life.approve(NOW)
    assert life.registry.find("ctr", 1).state is State.REJECTED
    shown = mlspec("why", "ctr@1").out
    assert "rejected by olga (ops)" in shown
    assert "waits for" not in shown


def test_approve__expired(life):
    life.candidate("one")
    life.approve(NOW - timedelta(hours=25))
    done = mlspec("approve", "ctr@1")
    assert done.code == 12
    assert "expired at" in done.err
    assert "`mlspec run models.ctr` asks anew" in done.err


def test_approve__nobody_asks(life):
    life.candidate("one")
    done = mlspec("approve", "ctr@1")
    assert done.code == 66
    assert "error[ML929]: nobody asks for approval of `ctr@1`" in done.err
    done = mlspec("approve", "cvr\x1b@1")
    assert done.code == 66
    assert "there are ctr@1" in done.err
    assert "\x1b" not in done.err


def test_versions__states_and_aliases(life):
    assert "there are no versions in `prod` yet" in mlspec("versions").err
    life.candidate("one")
    life.approve(NOW)
    mlspec("approve", "ctr@1")
    life.approve(NOW)
    life.promote(NOW)
    life.candidate("two", "fail")
    told = mlspec("versions", "models.ctr", "--format", "json").json
    assert matches(told, "versions.v1")
    rows = told["versions"]
    assert [(row["version"], row["state"], row["aliases"]) for row in rows] == [
        ("ctr@2", "rejected", ["candidate"]),
        ("ctr@1", "champion", ["champion"]),
    ]
    assert rows[0]["metrics"] == {"auc": 0.8}
    lines = [line.split() for line in mlspec("versions").out.splitlines()]
    assert lines[1][:3] == ["ctr@2", "rejected", "candidate"]
    assert lines[2][:3] == ["ctr@1", "champion", "champion"]
    missing = mlspec("versions", "cvr")
    assert (missing.code, "model `cvr` has no version in `prod`" in missing.err) == (66, True)


def test_why__checks_slices_approvals_and_history(life):
    version = life.candidate("one")
    checks = [
        {"check": "log_loss < baseline", "verdict": "pass", "sentence": "0.1 below the baseline."},
        {"check": "recall by country >= 0.4", "verdict": "fail", "sentence": "DE misses it.",
         "slices": [{"country": "DE", "n": 90, "estimate": 0.31, "verdict": "fail"},
                    {"country": "FR", "n": 80, "estimate": 0.51, "verdict": "pass"}]},
    ]  # fmt: skip
    life.judged(version, "pass", checks=checks, reason="a reason")
    life.approve(NOW)
    mlspec("approve", "ctr@1", "--reason", "fine")
    shown = mlspec("why", "ctr")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("ctr@1 is validated (candidate)\n")
    assert "verdict pass: a reason" in shown.out
    assert shown.out.index("recall by country") < shown.out.index("log_loss"), "the worst first"
    assert "fail where country = DE: 90 rows, measured 0.31" in shown.out
    assert "FR" not in shown.out
    assert "approved by olga (ops)" in shown.out
    assert "data clicks: sha256:1" in shown.out
    assert "register by ann: candidate" in shown.out
    data = mlspec("why", "ctr@1", "--format", "json").json
    assert data["approvals"]["counted"][0]["who"] == "olga"
    assert [one["action"] for one in data["history"]] == ["register", "request", "approve"]
    assert mlspec("why", "ctr@9").code == 66


def test_audit__whole_then_changed(life, tmp_path):
    life.candidate("one")
    life.approve(NOW)
    assert mlspec("audit", "verify").out == "2 records, 0 signed: whole\n"
    shown = mlspec("audit", "show", "--version", "ctr@1").out.splitlines()
    assert [line.split()[2] for line in shown] == ["register", "request"]
    assert mlspec("audit", "show", "--version", "ctr@2").out == ""
    records = mlspec("audit", "show", "--format", "json").json["records"]
    assert all(matches(record, "audit-record.v1") for record in records)
    assert records[1]["actor"]["subject"] == "ann"
    log = tmp_path / "store" / "shop" / "audit" / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"register"', b'"promote"'))
    broken = mlspec("audit", "verify")
    assert broken.code == 1
    assert "error: line 1: " in broken.err
    assert mlspec("audit", "verify", "--format", "json").json["whole"] is False


def test_commands__import_no_numbers(life):
    """They start fast, and work where only the extra's light half is installed."""
    life.candidate("one")
    life.approve(NOW)
    code = (
        "import sys\n"
        "from mlspec.cli.app import run\n"
        "try:\n    run(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'scipy', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for words in (["versions"], ["why", "ctr@1"], ["audit", "verify"], ["approve", "ctr@1"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stderr)


def test_approvals__are_json(life):
    data = mlspec("approvals", "--format", "json").json
    assert json.dumps(data["versions"]) == "[]"


def test_place__a_store_elsewhere_is_said(life, tmp_path):
    spec = SPEC.replace("file:../store", "s3://bucket/shop/")
    (tmp_path / "project" / "mlspec.yaml").write_text(spec, encoding="utf-8")
    done = mlspec("versions")
    assert done.code == 0
    assert "note: s3://bucket/shop/ is not on this machine" in done.err


def test_place__pipelines_that_run_elsewhere_keep_their_store(life, tmp_path):
    spec = SPEC.replace("file:../store", "hdfs://server/shop").replace("local", "airflow")
    (tmp_path / "project" / "mlspec.yaml").write_text(spec, encoding="utf-8")
    for words in (["versions"], ["why", "ctr@1"], ["audit", "verify"], ["audit", "show"]):
        done = mlspec(*words)
        assert done.code == 1, words
        assert "cannot be kept on `hdfs:`" in done.err
        assert "not on this machine" not in done.err
    assert not (tmp_path / "project" / ".mlspec").exists()


def test_audit__an_environment_that_is_gone_is_a_note_and_insisting_fails(life, monkeypatch):
    from mlspec.cli import audit as command
    from mlspec.cli.place import Place
    from mlspec.runtime.registry import RegistryError

    life.candidate("one")
    spec = SPEC.replace(
        "pipelines: {p", '  far: {store: "file:../store"}\n  own: {}\npipelines: {p'
    )
    (life.tmp_path / "project" / "mlspec.yaml").write_text(spec, encoding="utf-8")
    real = Place.registry

    def registry(place):
        if place.environment == "far":
            raise RegistryError("MLflow cannot be reached", exit=StepExit.TEMPORARY)
        return real(place)

    monkeypatch.setattr(command.Place, "registry", registry)
    done = mlspec("audit", "verify")
    assert (done.code, done.out) == (0, "1 records, 0 signed: whole\n"), done.err
    assert "note: versions of `far` were not looked at: MLflow cannot be reached" in done.err
    assert "note: `own` has a log of its own: mlspec audit verify --env own" in done.err
    data = mlspec("audit", "verify", "--format", "json").json
    assert (data["whole"], data["unchecked"]) == (True, ["far"])
    assert mlspec("audit", "verify", "--env", "prod").code == 0
    insisted = mlspec("audit", "verify", "--env", "far")
    assert (insisted.code, "MLflow cannot be reached" in insisted.err) == (75, True)

    (path,) = (life.tmp_path / "store").rglob("log.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"ann"', b'"eve"'))
    assert mlspec("audit", "verify").code == 1


def test_audit__damaged_versions_are_faults(life):
    life.candidate("one")
    (path,) = (life.tmp_path / "store").rglob("aliases.json")
    path.write_text("{", encoding="utf-8")
    done = mlspec("audit", "verify")
    assert done.code == 1
    assert "error: versions of `prod`: " in done.err
    assert "is damaged" in done.err


def test_commands__without_the_extra_say_what_to_install(life):
    life.candidate("one")
    life.approve(NOW)
    code = (
        "import sys\n"
        "sys.modules['cryptography'] = sys.modules['rfc8785'] = None\n"
        "from mlspec.cli.app import run\n"
        "run(sys.argv[1:])\n"
    )
    for words in (["approve", "ctr@1"], ["audit", "verify"], ["why", "ctr@1"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, (words, done.stderr)
        assert "pip install 'mlspec[runtime]'" in done.stderr
