from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mlspec.planning.apply import apply, exclusive, read_journal
from mlspec.planning.files import Scope
from mlspec.planning.lockfile import parse_lock
from tests.support.artifacts import artifact, place_in, planned, tree, written

ROOT = Path(__file__).parents[3]


def test_apply__writes_then_changes_nothing(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    assert written(place, artifact("a"), artifact("x/y/b", "zwei: ä\n")) == ()
    files = tree(tmp_path)
    assert set(files) == {"a", "x/y/b", "mlspec.lock"}
    assert files["x/y/b"] == "zwei: ä\n"
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    assert written(place, artifact("a"), artifact("x/y/b", "zwei: ä\n")) == ()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == {
        path: found.st_mtime_ns for path, found in before.items()
    }


def test_apply__writes_only_what_changed(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"), artifact("b"))
    inodes = {name: (tmp_path / name).stat().st_ino for name in ("a", "b")}
    written(place, artifact("a"), artifact("b", "two\n"))
    assert (tmp_path / "a").stat().st_ino == inodes["a"]
    assert (tmp_path / "b").stat().st_ino != inodes["b"]


def test_apply__a_new_version_alone_does_not_touch_the_lock(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"))
    text = place.lock.read_text()
    assert apply(planned(place, (artifact("a"),)), place, written_by="99") == ()
    assert place.lock.read_text() == text


def test_apply__removes_what_is_obsolete_and_empty_folders_only(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    written(place, artifact("x/y/a"), artifact("z/b"))
    (tmp_path / "z" / "mine").write_text("")
    assert written(place) == ()
    assert set(tree(tmp_path)) == {"z/mine", "mlspec.lock"}
    assert not (tmp_path / "x").exists()


def test_apply__keeps_what_the_lock_says_besides(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    place.lock.write_text('{"lock_version": 1, "images": {"a": "sha256:1"}}')
    written(place, artifact("a"))
    assert parse_lock(place.lock.read_text()).other["images"] == {"a": "sha256:1"}


def test_apply__keeps_permissions(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"), artifact("b"))
    (tmp_path / "a").chmod(0o751)
    place.lock.chmod(0o600)
    written(place, artifact("a", "two\n"), artifact("b"))
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o751
    assert place.lock.stat().st_mode & 0o7777 == 0o600


def test_apply__new_files_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        written(place_in(tmp_path), artifact("a"))
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_apply__refuses_edited_files_and_changes_nothing(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"), artifact("b"))
    (tmp_path / "a").write_text("mine\n")
    before = tree(tmp_path)
    found = written(place, artifact("a", "2\n"), artifact("b", "2\n"))
    assert [d.code.id for d in found] == ["ML901"]
    assert tree(tmp_path) == before


def test_apply__force_overwrites_but_keeps_edited_obsolete_files(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"), artifact("gone"))
    for name in ("a", "f", "gone"):
        (tmp_path / name).write_text("mine\n")
    assert written(place, artifact("a", "2\n"), artifact("f", "2\n"), force=True) == ()
    files = tree(tmp_path)
    assert (files["a"], files["f"], files["gone"]) == ("2\n", "2\n", "mine\n")
    assert written(place, artifact("a", "2\n"), artifact("f", "2\n")) == ()


def limited(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code where no file may grow past 1000 bytes: a disk that fills up."""
    script = "from pathlib import Path\nfrom tests.support.artifacts import *\n" + textwrap.dedent(
        code
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )


def test_apply__a_full_disk_changes_nothing(tmp_path: Path) -> None:
    written(place_in(tmp_path), artifact("a"), artifact("b"))
    before = tree(tmp_path)
    done = limited(
        tmp_path,
        """
        import sys
        place = place_in(Path(sys.argv[1]))
        found = written(place, artifact("a", "2\\n"), artifact("b", "2" * 5000), artifact("n/c"))
        print([(d.code.id, d.message, d.notes) for d in found])
        """,
    )
    assert done.stderr == ""
    assert "ML905" in done.stdout
    assert "`b` could not be written: File too large" in done.stdout
    assert "nothing was changed" in done.stdout
    assert tree(tmp_path) == before
    assert not (tmp_path / "n").exists()


def test_apply__a_folder_that_cannot_be_made_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"))
    before = tree(tmp_path)

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    found = written(place, artifact("a", "2\n"), artifact("n/c"))
    assert [d.message for d in found] == ["`n` could not be written: Permission denied"]
    assert tree(tmp_path) == before


def test_apply__failing_half_way_says_so_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_in(tmp_path)
    written(place, artifact("a"), artifact("b"))
    real = Path.replace

    def fail_at_b(self: Path, target: Path) -> Path:
        if target.name == "b":
            raise OSError(5, "Input/output error", str(target))
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail_at_b)
        found = written(place, artifact("a", "2\n"), artifact("b", "2\n"))
    assert "compile again" in found[0].notes[0]
    assert (tree(tmp_path)["a"], tree(tmp_path)["b"]) == ("2\n", "one\n")
    assert written(place, artifact("a", "3\n"), artifact("b", "3\n")) == ()
    assert set(tree(tmp_path)) == {"a", "b", "mlspec.lock"}


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.support.artifacts import artifact, place_in, written
folder, version, at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
count = 0
def tracer(event, args):
    global count
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
place = place_in(folder)
wanted = [artifact(f"d{n}/f", version * 50 + "\\n") for n in range(3)] + [artifact("new" + version, "x\\n")]
sys.addaudithook(tracer)
found = written(place, *wanted)
print(found)
"""


@pytest.mark.slow
def test_apply__killed_at_any_moment_leaves_whole_files_and_recovers(tmp_path: Path) -> None:
    def run(version: str, at: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), version, str(at)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert run("0", 10**9).returncode == 0
    rng = random.Random(7)
    kills = 0
    for at in [*range(1, 45, 2), *(rng.randrange(1, 60) for _ in range(10))]:
        done = run(str(at % 7 + 1), at)
        kills += done.returncode == -signal.SIGKILL
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        assert done.stdout in ("", "()\n")
        for name, text in tree(tmp_path).items():
            if name.startswith("d"):
                base = Path(name).name
                assert base.startswith(".mlspec-") or len(text) == 51, name
    assert kills >= 20
    assert run("z", 10**9).stdout == "()\n"
    assert set(tree(tmp_path)) == {"d0/f", "d1/f", "d2/f", "newz", "mlspec.lock"}


def test_apply__an_interrupted_compilation_of_another_target_is_not_lost(tmp_path: Path) -> None:
    """Its files are announced, not in the lock: they stay, and stay ours."""
    place = place_in(tmp_path)
    written(place, artifact("a"))
    announced = tmp_path / "announced"
    written(place_in(announced), artifact("u", target="u"))
    text = (announced / "mlspec.lock").read_text()
    (announced / "mlspec.lock").unlink()
    (announced / "u").rename(tmp_path / "u")
    announced.rmdir()
    place.journal.write_text(text)
    only_t, only_u = Scope(targets=frozenset({"t"})), Scope(targets=frozenset({"u"}))
    assert written(place, artifact("a", "2\n"), scope=only_t) == ()
    assert "u" in tree(tmp_path)
    journal = read_journal(place).value
    assert journal is not None
    assert [entry.path for entry in journal] == ["u"]
    assert written(place, artifact("u", "2\n", target="u"), scope=only_u) == ()
    assert set(tree(tmp_path)) == {"a", "u", "mlspec.lock"}


def test_read_journal__unreadable_is_a_diagnostic(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    place.journal.write_text("{")
    found = read_journal(place)
    assert [d.code.id for d in found.diagnostics] == ["ML904"]


def test_exclusive__one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlspec.planning.apply._ATTEMPTS", 2)
    place = place_in(tmp_path)
    with exclusive(place) as first, exclusive(place) as second:
        assert (first, second) == (True, False)
    with exclusive(place) as again:
        assert again


def test_exclusive__of_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    with exclusive(place_in(tmp_path / "x" / "y")) as held:
        assert held
