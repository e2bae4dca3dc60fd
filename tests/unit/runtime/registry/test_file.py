"""The embedded registry: what it keeps, refuses and survives."""

from __future__ import annotations

import errno
import json
import os

import pytest

from mlspec.ir.facts import RegistryFacts
from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.registry import RegistryError, State, open_registry
from mlspec.runtime.registry import kept as kept_module
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.storage import disk
from tests.support.versions import draft, package, registered


@pytest.fixture
def registry(tmp_path):
    return FileRegistry(tmp_path / "registry", "prod")


def test_register__numbers_versions_and_names_the_candidate(registry, tmp_path):
    first = registered(registry, tmp_path, "one")
    second = registered(registry, tmp_path, "two")
    assert (first.number, second.number) == (1, 2)
    assert first.digest == digest_of_folder(tmp_path / "package-one") != second.digest
    assert first.state is State.CANDIDATE
    assert registry.aliases("ctr") == {"candidate": 2}
    assert registry.versions("ctr") == (first, second)
    assert registry.models() == ("ctr",)


def test_register__same_package_again_is_the_same_version(registry, tmp_path):
    first = registered(registry, tmp_path, "one")
    registry.set_state(first, "validated")
    again = registry.register(draft(), tmp_path / "package-one")
    assert (again.number, again.state) == (1, State.VALIDATED)
    assert len(registry.versions("ctr")) == 1


def test_register__same_digest_with_other_provenance_is_refused(registry, tmp_path):
    registry.register(draft(spec="s1", commit="c"), package(tmp_path / "p"))
    with pytest.raises(RegistryError, match="same digest with other provenance: spec"):
        registry.register(draft(spec="s2", commit="c"), tmp_path / "p")
    assert len(registry.versions("ctr")) == 1


def test_environments__share_no_versions(registry, tmp_path):
    registered(registry, tmp_path, "one")
    assert FileRegistry(tmp_path / "registry", "dev").versions("ctr") == ()


def test_find__by_number_alias_and_digest(registry, tmp_path):
    first = registered(registry, tmp_path, "one")
    digits = first.digest.removeprefix("sha256:")
    for ref in (1, "1", "candidate", first.digest, digits[:12]):
        assert registry.find("ctr", ref) == first, ref
    for ref in (2, "champion", "sha256:" + "0" * 64, digits[:3], "nonsense"):
        assert registry.find("ctr", ref) is None, ref


def test_fetch__gives_back_the_package(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    found = registry.fetch(version, tmp_path / "got")
    assert digest_of_folder(found) == version.digest


def test_fetch__damaged_content_is_refused_and_registering_again_heals_it(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    for blob in (tmp_path / "registry" / "blobs").rglob("*"):
        if blob.is_file():
            blob.chmod(0o644)
            blob.write_bytes(b"x" * blob.stat().st_size)
    with pytest.raises(RegistryError, match="damaged"):
        registry.fetch(version, tmp_path / "got")
    assert not (tmp_path / "got").exists()
    other = package(tmp_path / "other", "one", note="new")
    registry.register(draft(), other)  # the damaged model file is one of its files
    assert digest_of_folder(registry.fetch(registry.find("ctr", 2), tmp_path / "got"))


def test_promote__champion_becomes_previous_and_previous_is_archived(registry, tmp_path):
    versions = [registered(registry, tmp_path, text) for text in ("one", "two", "three")]
    befores = [registry.promote(registry.set_state(one, "validated")) for one in versions]
    assert [one and one.number for one in befores] == [None, 1, 2]
    assert registry.aliases("ctr") == {"champion": 3, "previous": 2}
    states = [one.state for one in registry.versions("ctr")]
    assert states == [State.ARCHIVED, State.PREVIOUS, State.CHAMPION]


def test_promote__the_champion_again_changes_nothing(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    registry.promote(registry.set_state(version, "validated"))
    assert registry.promote(registry.find("ctr", 1)) is None
    assert registry.aliases("ctr") == {"champion": 1}


@pytest.mark.parametrize("state", ["candidate", "inconclusive", "rejected"])
def test_promote__without_a_yes_is_refused(registry, tmp_path, state):
    version = registry.set_state(registered(registry, tmp_path, "one"), state)
    with pytest.raises(RegistryError, match=f"is {state} and cannot become the champion"):
        registry.promote(version)
    assert "champion" not in registry.aliases("ctr")


def test_roll_back__previous_serves_again(registry, tmp_path):
    for text in ("one", "two"):
        registry.promote(registry.set_state(registered(registry, tmp_path, text), "validated"))
    assert registry.roll_back("ctr").number == 1
    assert registry.aliases("ctr") == {"champion": 1}
    assert registry.find("ctr", 2).state is State.ROLLED_BACK
    with pytest.raises(RegistryError, match="no previous version"):
        registry.roll_back("ctr")


def test_set_state__follows_arrows_only(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    with pytest.raises(RegistryError, match="is candidate and cannot become approved"):
        registry.set_state(version, "approved")
    for state in ("champion", "previous", "rolled-back"):
        with pytest.raises(RegistryError, match="by a promotion or a rollback only"):
            registry.set_state(version, state)
    with pytest.raises(RegistryError, match="no state `perfect`"):
        registry.set_state(version, "perfect")
    assert registry.find("ctr", 1).state is State.CANDIDATE


def test_set_state__a_verdict_about_the_champion_changes_nothing(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    registry.promote(registry.set_state(version, "validated"))
    assert registry.set_state(version, "rejected").state is State.CHAMPION


def test_set_alias__challenger_only(registry, tmp_path):
    registered(registry, tmp_path, "one")
    registry.set_alias("ctr", "challenger", 1)
    assert registry.aliases("ctr")["challenger"] == 1
    registry.set_alias("ctr", "challenger", None)
    assert "challenger" not in registry.aliases("ctr")
    for alias, number in (("champion", 1), ("previous", 1), ("best", 1), ("challenger", 9)):
        with pytest.raises(RegistryError):
            registry.set_alias("ctr", alias, number)


def test_attach__keeps_statements_in_order(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    for statement in (b"a", b"a", b"b", b"a"):
        registry.attach(version, "verdict", statement)
    assert registry.attachments(version, "verdict") == (b"a", b"b", b"a")
    assert registry.attachments(version, "approval") == ()


def test_attachments__a_changed_one_is_refused(registry, tmp_path):
    version = registered(registry, tmp_path, "one")
    registry.attach(version, "verdict", b"pass")
    (path,) = (tmp_path / "registry" / "prod").rglob("000001-*")
    path.write_bytes(b"fail")
    with pytest.raises(RegistryError, match="was changed"):
        registry.attachments(version, "verdict")


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "a\nb"])
def test_names__cannot_leave_the_registry(registry, tmp_path, name):
    with pytest.raises(RegistryError, match="cannot be a name"):
        registry.register(draft(name), package(tmp_path / "p"))


def test_register__refuses_links_and_empty_packages(registry, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RegistryError, match="empty"):
        registry.register(draft(), tmp_path / "empty")
    linked = package(tmp_path / "linked")
    (linked / "link").symlink_to("/etc/passwd")
    with pytest.raises(RegistryError, match="holds a link: link"):
        registry.register(draft(), linked)
    with pytest.raises(RegistryError, match="no package"):
        registry.register(draft(), tmp_path / "missing")


def test_register__full_disk_at_any_write_leaves_nothing_half(registry, tmp_path, monkeypatch):
    """Each write in turn meets a full disk; then there is room again."""
    registered(registry, tmp_path, "one")
    real, left = os.fsync, [0]

    def full(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(disk.os, "fsync", full)
    refused = 0
    new = package(tmp_path / "new", "two")
    for budget in range(20):
        left[0] = budget
        try:
            version = registry.register(draft(), new)
        except OSError:
            refused += 1
            found = registry.versions("ctr")
            assert [one.number for one in found] in ([1], [1, 2])
            for one in found:  # whatever is there is whole
                left[0] = 1000
                assert digest_of_folder(registry.fetch(one, tmp_path / "got")) == one.digest
        else:
            break
    assert refused >= 3, "the disk was never full"
    assert version.number == 2
    assert not list((tmp_path / "registry").rglob("*.part"))


def test_registry__a_newer_or_damaged_file_is_told(registry, tmp_path):
    registered(registry, tmp_path, "one")
    (path,) = (tmp_path / "registry" / "prod").rglob("aliases.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "format_version": "2.0"}), encoding="utf-8")
    with pytest.raises(RegistryError, match="newer mlspec"):
        registry.versions("ctr")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(RegistryError, match="damaged"):
        registry.versions("ctr")


def test_open_registry__needs_a_store_that_creates_exclusively(tmp_path):
    with pytest.raises(StepError, match="cannot be kept on `hdfs:`") as caught:
        open_registry(RegistryFacts(), "hdfs://bucket/x", "shop", "prod", {})
    assert "s3:, gs: or abfs:" in caught.value.help
    with pytest.raises(StepError, match="has no store"):
        open_registry(RegistryFacts(), "", "shop", "prod", {})
    with pytest.raises(RegistryError, match="no registry `oci`"):
        open_registry(RegistryFacts(kind="oci"), "file:x", "shop", "prod", {})
    found = open_registry(RegistryFacts(), (tmp_path / "s").as_uri(), "shop", "prod", {})
    registered(found, tmp_path, "one")
    assert (tmp_path / "s" / "shop" / "registry" / "blobs").is_dir()


def test_register__a_package_that_changes_meanwhile_is_refused(registry, tmp_path, monkeypatch):
    folder = package(tmp_path / "p")
    real = kept_module.files_of_package

    def then_changed(place):
        found = real(place)
        (place / "model" / "model.txt").write_text("changed", encoding="utf-8")
        return found

    monkeypatch.setattr(kept_module, "files_of_package", then_changed)
    with pytest.raises(RegistryError, match=r"`model\.txt` changed while it was registered"):
        registry.register(draft(), folder)
    assert registry.versions("ctr") == ()
