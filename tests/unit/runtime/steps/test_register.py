"""`register`: a package becomes a version with facts, and a record of the audit log."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from mlspec.ir.facts import RegistryFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime import audit
from mlspec.runtime.registry import RegistryError, State
from mlspec.runtime.steps import lifecycle, register
from mlspec.runtime.steps.contract import StepError
from tests.support.versions import NOW, call, package


def step(tmp_path, text="weights", **more):
    folder = tmp_path / f"package-{text}"
    if not folder.exists():
        package(folder, text)
    return call(
        tmp_path,
        Kind.REGISTER,
        inputs={"package": folder},
        outputs={"version": tmp_path / "out" / "version.json"},
        **more,
    )


def test_register__makes_a_candidate_with_facts_and_a_record(tmp_path):
    one = step(tmp_path)
    assert register.run(one, now=NOW) == 0
    told = json.loads((tmp_path / "out" / "version.json").read_text(encoding="utf-8"))
    assert (told["model"], told["number"], told["state"]) == ("ctr", 1, "candidate")
    version = lifecycle.registry_of(one).find("ctr", 1)
    assert version.facts["actor"] == "ann"
    assert version.facts["metrics"] == {"auc": 0.8}
    assert version.provenance["data"] == {"clicks": "sha256:1"}
    (record,) = audit.records(one.store, "shop")
    assert record.entry.action == "register"
    assert record.entry.subject == audit.Subject(name="models.ctr@1", digest=version.digest)
    assert record.entry.actor == audit.Actor(subject="ann", issuer="local")
    assert record.entry.data == ({"name": "clicks", "version": "sha256:1"},)


def test_register__again_adds_nothing(tmp_path):
    one = step(tmp_path)
    register.run(one, now=NOW)
    register.run(one, now=NOW)
    assert len(lifecycle.registry_of(one).versions("ctr")) == 1
    assert len(list(audit.records(one.store, "shop"))) == 1


def test_register__records_what_a_killed_step_could_not(tmp_path, monkeypatch):
    one = step(tmp_path)

    def killed(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(audit, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        register.run(one, now=NOW)
    monkeypatch.undo()
    register.run(one, now=NOW)
    assert [record.entry.action for record in audit.records(one.store, "shop")] == ["register"]


def test_register__a_package_of_another_model_is_refused(tmp_path):
    one = step(tmp_path)
    (tmp_path / "package-weights" / "package.json").write_text('{"model": "cvr"}')
    with pytest.raises(StepError, match="of model `cvr`, not of `ctr`"):
        register.run(one, now=NOW)
    assert lifecycle.registry_of(one).versions("ctr") == ()


def test_register__same_package_under_another_spec_is_refused(tmp_path):
    register.run(step(tmp_path), now=NOW)
    with pytest.raises(RegistryError, match="other provenance: spec"):
        register.run(step(tmp_path, spec="sha256:other"), now=NOW)


def test_register__half_a_package_is_refused(tmp_path):
    one = step(tmp_path)
    (tmp_path / "package-weights" / "package.json").unlink()
    with pytest.raises(StepError, match=r"`package\.json` is missing"):
        register.run(one, now=NOW)
    with pytest.raises(StepError, match="the input `package` does not exist"):
        register.run(replace(one, inputs={"package": tmp_path / "nothing"}), now=NOW)


def test_register__store_that_cannot_keep_versions_says_what_to_use(tmp_path):
    one = step(tmp_path, store="hdfs://server/prefix")
    with pytest.raises(StepError, match="cannot be kept on `hdfs:`") as caught:
        register.run(one, now=NOW)
    assert "s3:, gs: or abfs:, or a folder" in caught.value.help
    unknown = replace(one, node=replace(one.node, registry=RegistryFacts(kind="oci")))
    with pytest.raises(StepError, match="no registry `oci`"):
        register.run(unknown, now=NOW)


def test_register__knows_who_wrote_the_commit(tmp_path):
    one = step(tmp_path)
    git = ["git", "-c", "user.name=Olga", "-c", "user.email=olga@acme.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], cwd=one.project, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=one.project, check=True, capture_output=True, text=True
    ).stdout.strip()
    register.run(replace(one, commit=commit), now=NOW)
    version = lifecycle.registry_of(one).find("ctr", 1)
    assert version.facts["authors"] == ["Olga", "olga@acme.com"]
    assert version.provenance["commit"] == commit
    assert version.state is State.CANDIDATE
