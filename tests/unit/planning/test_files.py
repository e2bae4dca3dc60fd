from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlspec.errors import MlspecBug
from mlspec.planning.files import FileKind, Scope, refusals, staleness
from tests.support.artifacts import artifact, place_in, planned, written

ALL = Scope()


def kinds(folder: Path, *artifacts: object, scope: Scope = ALL) -> dict[str, str]:
    plan = planned(place_in(folder), artifacts, scope)  # type: ignore[arg-type]
    return {action.path: action.kind.value for action in plan.actions}


def test_plan_files__create_update_unchanged_delete(tmp_path: Path) -> None:
    assert kinds(tmp_path, artifact("a"), artifact("b")) == {"a": "create", "b": "create"}
    assert written(place_in(tmp_path), artifact("a"), artifact("b"), artifact("c/d")) == ()
    found = kinds(tmp_path, artifact("a"), artifact("b", "two\n"), artifact("e"))
    assert found == {"a": "unchanged", "b": "update", "c/d": "delete", "e": "create"}


def test_plan_files__edited_and_foreign(tmp_path: Path) -> None:
    written(place_in(tmp_path), artifact("a"), artifact("gone"))
    for name in ("a", "f", "gone"):
        (tmp_path / name).write_text("mine\n")
    assert kinds(tmp_path, artifact("a", "new\n"), artifact("f")) == {
        "a": "conflict",
        "f": "foreign",
        "gone": "conflict",
    }


def test_plan_files__what_already_says_the_same_is_ours(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\n")
    plan = planned(place_in(tmp_path), (artifact("f"),))
    assert [a.kind for a in plan.actions] == [FileKind.UNCHANGED]
    assert plan.lock_changes
    assert not plan.is_current


def test_plan_files__obsolete_and_gone_is_forgotten(tmp_path: Path) -> None:
    written(place_in(tmp_path), artifact("a"))
    (tmp_path / "a").unlink()
    plan = planned(place_in(tmp_path), ())
    assert plan.actions == ()
    assert plan.lock_changes


@pytest.mark.parametrize(
    ("scope", "deleted"),
    [
        (Scope(), {"a", "b", "c", "d"}),
        (Scope(targets=frozenset({"t"})), {"a", "b", "c"}),
        (Scope(targets=frozenset({"t"}), environments=frozenset({"prod"})), {"a"}),
        (Scope(environments=frozenset({"prod", "gone"})), {"a", "d"}),
        (Scope(targets=frozenset({"other"})), set()),
    ],
)
def test_plan_files__a_subset_leaves_the_rest_alone(
    tmp_path: Path, scope: Scope, deleted: set[str]
) -> None:
    written(
        place_in(tmp_path),
        artifact("a", environment="prod"),
        artifact("b", environment="dev"),
        artifact("c"),
        artifact("d", target="u", environment="prod"),
    )
    assert set(kinds(tmp_path, scope=scope)) == deleted
    plan = planned(place_in(tmp_path), (), scope)
    assert {entry.path for entry in plan.after.entries} == {"a", "b", "c", "d"} - deleted


def test_plan_files__another_spec_and_another_out_are_left_alone(tmp_path: Path) -> None:
    written(place_in(tmp_path), artifact("a"))
    written(place_in(tmp_path, "build"), artifact("a"))
    assert kinds(tmp_path) == {"a": "delete"}
    plan = planned(place_in(tmp_path, "build"), ())
    assert [entry.out for entry in plan.after.entries] == ["."]


def test_plan_files__refuses_links_and_folders_even_with_force(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "file").symlink_to(outside / "target")
    (inside / "folder").mkdir()
    (inside / "plain").write_text("")
    os.mkfifo(inside / "pipe")
    wanted = [artifact(p) for p in ("link/x", "link/y/z", "file", "folder", "plain/x", "pipe")]
    assert set(kinds(inside, *wanted).values()) == {"blocked"}
    found = refusals(planned(place_in(inside), tuple(wanted)), force=True)
    assert [d.code.id for d in found] == ["ML905"] * 6
    assert "`link` is a symbolic link" in " ".join(d.message for d in found)
    assert list(outside.iterdir()) == []


def test_plan_files__never_deletes_through_a_link(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    written(place_in(inside), artifact("sub/x"))
    (outside / "x").write_text("one\n")
    (inside / "sub" / "x").unlink()
    (inside / "sub").rmdir()
    (inside / "sub").symlink_to(outside)
    assert written(place_in(inside)) == ()
    assert (outside / "x").exists()


@pytest.mark.parametrize("paths", [("a", "a"), ("../a",), ("/a",), ("a/b", "a"), ("a//b",), ("",)])
def test_plan_files__a_back_end_that_breaks_the_rules_is_a_bug(
    tmp_path: Path, paths: tuple[str, ...]
) -> None:
    with pytest.raises(MlspecBug):
        planned(place_in(tmp_path), tuple(artifact(path) for path in paths))


def test_refusals__name_every_file_and_the_way_out(tmp_path: Path) -> None:
    written(place_in(tmp_path), artifact("a"), artifact("gone"))
    for name in ("a", "f", "gone"):
        (tmp_path / name).write_text("mine\n")
    plan = planned(place_in(tmp_path), (artifact("a", "new\n"), artifact("f")))
    found = refusals(plan)
    assert [(d.code.id, d.is_error) for d in found] == [
        ("ML901", True),
        ("ML902", True),
        ("ML901", True),
    ]
    assert all("--force" in d.help[0] for d in found)
    assert refusals(plan, force=True) == ()


def test_staleness__says_which_files(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"), artifact("b"))
    assert staleness(planned(place, (artifact("a"), artifact("b"))), "mlspec.lock") == ()
    (tmp_path / "a").write_text("mine\n")
    found = staleness(planned(place, (artifact("a", "x\n"), artifact("c"))), "mlspec.lock")
    assert [d.message for d in found] == [
        "`a` was changed by hand",
        "`b` is no longer generated",
        "`c` is missing",
    ]


def test_staleness__a_missing_lock_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    found = staleness(planned(place_in(tmp_path), (artifact("a"),)), "mlspec.lock")
    assert [d.message for d in found] == ["`mlspec.lock` is out of date"]
