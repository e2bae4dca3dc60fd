from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.diagnostics.model import Result
from mlspec.planning.baseline import Baseline, find_baseline
from tests.support.git import commit, git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "sub/mlspec.yaml").write_text("one\n")
    (folder / "shared").mkdir()
    (folder / "shared/roles.yaml").write_text("roles\n")
    (folder / "big.bin").write_text("data\n")
    commit(folder)
    return folder


def find(repo: Path, against: str | None = None) -> Result[Baseline]:
    scratch = repo.parent / f"scratch-{len(list(repo.parent.iterdir()))}"
    scratch.mkdir()
    return find_baseline(repo / "sub/mlspec.yaml", against, scratch)


def found(repo: Path, against: str | None = None) -> Baseline:
    result = find(repo, against)
    assert result.value is not None, result.diagnostics
    return result.value


def test_find_baseline__merge_base_with_the_default_branch(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "checkout", "-q", "-b", "feature")
    (repo / "sub/mlspec.yaml").write_text("two\n")
    commit(repo)
    git(repo, "checkout", "-q", "main")
    (repo / "sub/mlspec.yaml").write_text("three\n")
    commit(repo)
    git(repo, "checkout", "-q", "feature")
    base = found(repo)
    assert (base.commit, base.label) == (first, f"main@{first[:7]}")
    assert base.spec.read_text() == "one\n"


def test_find_baseline__on_the_default_branch_it_is_head(repo: Path) -> None:
    (repo / "sub/mlspec.yaml").write_text("edited\n")
    base = found(repo)
    assert base.commit == git(repo, "rev-parse", "HEAD")
    assert base.spec.read_text() == "one\n"


def test_find_baseline__copies_yaml_with_its_surroundings_only(repo: Path) -> None:
    base = found(repo)
    files = {p.relative_to(base.root).as_posix() for p in base.root.rglob("*") if p.is_file()}
    assert files == {"sub/mlspec.yaml", "shared/roles.yaml"}
    assert (base.root / ".git").is_dir()


def test_find_baseline__a_ref_a_tag_a_commit(repo: Path) -> None:
    git(repo, "tag", "v1")
    for ref in ("v1", "main", "HEAD", git(repo, "rev-parse", "HEAD")):
        assert found(repo, ref).spec.read_text() == "one\n"


def test_find_baseline__a_file_or_a_folder(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mlspec.yaml").write_text("other\n")
    monkeypatch.chdir(tmp_path)
    for against in ("./other", "other", "other/mlspec.yaml", str(other)):
        base = found(repo, against)
        assert base.spec.read_text() == "other\n"
        assert base.commit is None


def test_find_baseline__a_spec_that_did_not_exist_is_new(repo: Path) -> None:
    (repo / "sub/new.yaml").write_text("new\n")
    scratch = repo.parent / "s"
    scratch.mkdir()
    (repo.parent / "t").mkdir()
    result = find_baseline(repo / "sub/new.yaml", None, scratch)
    assert result.value is not None
    assert result.value.is_new
    named = find_baseline(repo / "sub/new.yaml", "main", repo.parent / "t")
    assert "has no `sub/new.yaml`" in named.diagnostics[0].message


@pytest.mark.parametrize(
    "against", ["nope", "--output=x", "HEAD:sub/mlspec.yaml", "", "./nope", "main^{tree}", "-h"]
)
def test_find_baseline__what_does_not_exist_is_said(repo: Path, against: str) -> None:
    result = find(repo, against)
    assert [d.code.id for d in result.diagnostics] == ["ML906"]


def test_find_baseline__outside_git(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    result = find_baseline(tmp_path / "mlspec.yaml", None, tmp_path / "scratch")
    assert [d.code.id for d in result.diagnostics] == ["ML906"]


def test_find_baseline__without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "scratch").mkdir()
    result = find_baseline(tmp_path / "mlspec.yaml", None, tmp_path / "scratch")
    assert "no commit yet" in result.diagnostics[0].message


def test_find_baseline__a_bare_checkout_is_not_taken_for_no_change(repo: Path) -> None:
    git(repo, "checkout", "-q", "--detach")
    git(repo, "branch", "-q", "-D", "main")
    assert "fetch the default branch" in find(repo).diagnostics[0].message


def test_find_baseline__links_and_attributes_of_the_repository_do_nothing(repo: Path) -> None:
    secret = repo.parent / "secret.yaml"
    secret.write_text("secret\n")
    (repo / "sub/link.yaml").symlink_to(secret)
    (repo / ".gitattributes").write_text("*.yaml export-ignore export-subst filter=evil\n")
    (repo / "sub/mlspec.yaml").write_text("$Format:%H$\n")
    commit(repo)
    base = found(repo, "HEAD")
    assert base.spec.read_text() == "$Format:%H$\n"
    assert not (base.root / "sub/link.yaml").exists()


def test_find_baseline__variables_of_a_hook_do_not_lead_elsewhere(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nowhere"))
    assert found(repo).spec.read_text() == "one\n"
