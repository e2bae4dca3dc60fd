from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.planning.files import Scope, plan_files, staleness
from mlspec.planning.lockfile import (
    BadLockError,
    Lock,
    LockedComponent,
    LockEntry,
    destination,
    is_safe_path,
    parse_lock,
    read_lock,
    render_lock,
)

DIGEST = "sha256:" + "0" * 64


def entry(path: str, **changes: str) -> LockEntry:
    known = {"spec": "mlspec.yaml", "out": ".", "digest": DIGEST, "target": "t", "kind": "k"}
    return LockEntry(path=path, **{**known, **changes})


def test_render_lock__one_artifact_a_line_sorted() -> None:
    lock = Lock(entries=(entry("b"), entry("a", environment="prod")), other={"mlspec": "1"})
    text = render_lock(lock)
    rows = [line for line in text.splitlines() if '"path"' in line]
    assert ['"a"' in row for row in rows] == [True, False]
    assert render_lock(Lock(entries=lock.entries[::-1], other=lock.other)) == text


names = st.from_regex(r"[a-z.][a-z.]{0,5}x(/[a-z]{1,4}){0,2}", fullmatch=True)


@given(st.lists(names, unique=True), st.dictionaries(st.text(), st.integers() | st.text()))
def test_parse_lock__reads_what_render_wrote(paths: list[str], other: dict[str, int | str]) -> None:
    other.pop("artifacts", None)
    other.pop("components", None)
    other.pop("lock_version", None)
    lock = Lock(entries=tuple(entry(path) for path in sorted(paths)), other=other)
    assert parse_lock(render_lock(lock)) == lock


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("a/b", True),
        (".github/workflows/x.yml", True),
        ("/etc/passwd", False),
        ("../x", False),
        ("a/../../x", False),
        ("a//b", False),
        ("./a", False),
        ("a/", False),
        ("", False),
        ("C:/x", False),
        ("a\\..\\x", False),
        ("a\0b", False),
    ],
)
def test_is_safe_path(path: str, safe: bool) -> None:
    assert is_safe_path(path) is safe
    if not safe:
        with pytest.raises(BadLockError):
            parse_lock(render_lock(Lock(entries=(entry(path),))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"lock_version": 99}',
        '{"lock_version": 1, "artifacts": {}}',
        '{"lock_version": 1, "artifacts": [1]}',
        '{"lock_version": 1, "artifacts": [{"path": "a"}]}',
        "[" * 100_000,
    ],
)
def test_parse_lock__refuses(text: str) -> None:
    with pytest.raises(BadLockError):
        parse_lock(text)


def test_parse_lock__knows_merge_conflicts() -> None:
    with pytest.raises(BadLockError, match="merge conflict"):
        parse_lock("{\n<<<<<<< ours\n}\n")


def test_read_lock__missing_is_empty(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "mlspec.lock").value == Lock()


def test_read_lock__broken_link_or_folder_is_a_diagnostic(tmp_path: Path) -> None:
    broken, link, folder = tmp_path / "a.lock", tmp_path / "b.lock", tmp_path / "c.lock"
    broken.write_bytes(b"\xff")
    link.symlink_to(broken)
    folder.mkdir()
    for path in (broken, link, folder):
        result = read_lock(path)
        assert result.value is None
        assert [d.code.id for d in result.diagnostics] == ["ML904"]


def test_destination__lock_stands_beside_the_spec_unless_out_is_elsewhere(tmp_path: Path) -> None:
    spec = tmp_path / "p" / "mlspec.yaml"
    home = spec.parent
    assert destination(spec).root == home
    assert destination(spec, home / "build").lock == home / "mlspec.lock"
    assert destination(spec, home / "build").out == "build"
    assert destination(spec, home / ".mlspec/x").lock == home / ".mlspec/x/mlspec.lock"
    elsewhere = destination(spec, tmp_path / "q")
    assert (elsewhere.lock, elsewhere.out) == (tmp_path / "q" / "mlspec.lock", ".")


# ------------------------------------------------------------------ components


def test_lock__keeps_the_components_of_a_spec_one_a_line() -> None:
    used = tuple(
        LockedComponent(spec="mlspec.yaml", path=path, digest=DIGEST)
        for path in ("b.yaml", "a.yaml")
    )
    text = render_lock(Lock(components=used))
    rows = [line for line in text.splitlines() if '"path"' in line]
    assert ['"a.yaml"' in row for row in rows] == [True, False]
    assert parse_lock(text).components == tuple(sorted(used))
    assert '"components"' not in render_lock(Lock())


@pytest.mark.parametrize(
    "components",
    [
        '{"a": 1}',
        "[1]",
        '[{"spec": "s", "path": "p"}]',
        '[{"spec": "s", "path": "p", "digest": "x"}]',
    ],
)
def test_parse_lock__refuses_components(components: str) -> None:
    with pytest.raises(BadLockError):
        parse_lock(f'{{"lock_version": 1, "components": {components}}}')


def test_plan__of_a_changed_component_says_which(tmp_path: Path) -> None:
    place = destination(tmp_path / "mlspec.yaml")
    other = LockedComponent(spec="other.yaml", path="x.yaml", digest=DIGEST)
    gone = LockedComponent(spec="mlspec.yaml", path="gone.yaml", digest=DIGEST)
    same = LockedComponent(spec="mlspec.yaml", path="same.yaml", digest=DIGEST)
    lock = Lock(components=(gone, other, same))
    now = {"same.yaml": "sha256:" + "1" * 64, "new.yaml": DIGEST}
    plan = plan_files((), lock, place, components=now)
    assert [(one.spec, one.path) for one in plan.after.components] == [
        ("mlspec.yaml", "new.yaml"),
        ("mlspec.yaml", "same.yaml"),
        ("other.yaml", "x.yaml"),
    ]
    (found,) = staleness(plan, "mlspec.lock")
    assert found.message == "the component `same.yaml` is another one than at the last compilation"
    part = plan_files((), lock, place, scope=Scope(environments=frozenset({"a"})), components=now)
    assert "gone.yaml" in [one.path for one in part.after.components]
    assert plan_files((), plan.after, place, components=now).is_current
