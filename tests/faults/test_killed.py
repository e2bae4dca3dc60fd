"""A step that is killed, or whose disk is full, at any of its writes: run again, nothing is lost.

The step runs in a fork of this process that counts what the system is asked to change below the
store and the outputs (audit events of Python), and ends itself, or refuses, at the n-th one.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from mlspec.runtime import audit
from tests.support.faults import Bench

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
WRITES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
TRIED = 97


def changes(event: str, args: tuple, place: str) -> bool:
    """Whether an audit event is a change below a place."""
    if event == "open":
        path, _, flags = args
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return (
            bool(writes) and isinstance(path, (str, bytes)) and os.fsdecode(path).startswith(place)
        )
    return event in WRITES and any(
        isinstance(one, (str, bytes)) and os.fsdecode(one).startswith(place) for one in args
    )


def forked(bench: Bench, step: str, at: int, refuse: int = 0) -> int:
    """Run a step in a fork; at the n-th change it is killed, or from then on refused (`refuse`).

    Returns:
        The exit code, negative after a signal; TRIED: it ended well before the n-th change.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    seen = 0
    place = str(bench.folder)

    def look(event: str, args: tuple) -> None:
        nonlocal seen
        if not changes(event, args, place):
            return
        seen += 1
        if refuse and event in ("os.remove", "os.rmdir"):
            return  # a full disk takes things away
        if seen >= at and refuse:
            raise OSError(refuse, os.strerror(refuse), "somewhere")
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    code = 98
    try:
        signal.alarm(60)
        bench.words(step)
        sys.addaudithook(look)
        end = bench.run(step)
        code = TRIED if end.code == 0 and seen < at else end.code
        if "error: " not in end and code not in (0, TRIED):
            code = 96
    finally:
        os._exit(code)


def is_whole(bench: Bench) -> None:
    """Hold the audit log against itself, and the registry against the log."""
    found = audit.verify(bench.store.absolute().as_uri(), "shop")
    assert found.faults == ()
    versions = sorted(path.name for path in bench.registry.rglob("versions/*.json"))
    assert versions == ["1.json"]


@pytest.fixture(scope="session")
def packaged(judged, tmp_path_factory) -> Bench:
    """Everything up to a package; nothing is registered."""
    made = judged.copy(tmp_path_factory.mktemp("packaged") / "bench")
    for name in ("register", "gate"):
        for path in sorted((made.folder / "made" / name).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    shutil.rmtree(made.store / "shop" / "registry")
    shutil.rmtree(made.store / "shop" / "audit")
    return made


def points(step: str) -> list[int]:
    """Return at which change a step is stopped; steps make fewer changes than that."""
    return [*range(1, 30), *range(30, 121, 5)]


@pytest.mark.slow
@pytest.mark.parametrize("refuse", [0, errno.ENOSPC], ids=["killed", "full disk"])
@pytest.mark.parametrize("step", ["register", "gate", "promote"])
def test_step__stopped_at_each_of_its_writes(packaged, tmp_path, step, refuse):
    order = ["register", "gate", "promote"]
    base = packaged.copy(tmp_path / "base")
    for name in order[: order.index(step)]:
        assert base.run(name).code == 0
    stopped = 0
    for at in points(step):
        bench = base.copy(tmp_path / f"at{at}")
        code = forked(bench, step, at, refuse)
        if code == TRIED or (refuse and code == 0):  # lineage is lost, with a warning
            break
        assert code == (1 if refuse else -signal.SIGKILL), (at, code)
        stopped += 1
        for name in order[order.index(step) :]:
            end = bench.run(name)
            assert end.code == 0, (at, name, end)
        assert bench.actions() == order, at
        is_whole(bench)
        left = [p.name for p in bench.folder.rglob("*") if p.name.endswith(".part")]
        assert not refuse or left == [], (at, left)
    assert stopped > 5


@pytest.mark.parametrize(
    ("step", "at"), [("gate", 4), ("gate", 9), ("promote", 6), ("promote", 12)]
)
def test_step__stopped_once(judged, tmp_path, step, at):
    bench = judged.copy(tmp_path / "bench")
    assert forked(bench, step, at) == -signal.SIGKILL
    for name in ("gate", "promote"):
        end = bench.run(name)
        assert end.code == 0, end
    assert bench.actions() == ["register", "gate", "promote"]
    is_whole(bench)


WRITERS = [
    "snapshot-sales",
    "validate-sales",
    "features",
    "split",
    "train",
    "evaluate",
    "package",
    "register",
    "gate",
    "promote",
]


@pytest.mark.parametrize("refuse", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
@pytest.mark.parametrize("step", WRITERS)
def test_step__on_a_disk_that_refuses(judged, tmp_path, step, refuse):
    bench = judged.copy(tmp_path / "bench")
    before = contents(bench, step)
    assert forked(bench, step, 1, refuse) == 1
    assert contents(bench, step) == before


def contents(bench: Bench, step: str) -> dict[str, bytes]:
    place = bench.folder / "made" / step
    return {str(p): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_versions__registered_by_four_at_once(packaged, tmp_path):
    bench = packaged.copy(tmp_path / "bench")
    others = []
    for number in range(4):
        other = Bench(tmp_path / f"other{number}", run_id=f"20260301-034110-aaa{number}")
        packaged.copy(other.folder)
        for path in other.folder.rglob("package.json"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace('"commit": ""', f'"commit": "{number}"'))
        others.append(other)
    uri = bench.store.absolute().as_uri()
    started = [one.start("register", MLSPEC_RUN_STORE=uri) for one in others]
    said = [one.communicate(timeout=120)[0] for one in started]
    assert [one.returncode for one in started] == [0] * 4, said
    versions = {p.name for p in Path(bench.registry).rglob("versions/*.json")}
    assert versions == {"1.json", "2.json", "3.json", "4.json"}
    assert bench.actions() == ["register"] * 4
    assert audit.verify(uri, "shop").faults == ()
    # All are judged and promoted at once: one is the champion, each promotion is on record.
    for step in ("gate", "promote"):
        started = [one.start(step, MLSPEC_RUN_STORE=uri) for one in others]
        said = [one.communicate(timeout=120)[0] for one in started]
        assert not any("Traceback" in one for one in said)
        assert [one.returncode for one in started] == [0] * 4, said
    assert audit.verify(uri, "shop").faults == ()
    (aliases,) = bench.registry.rglob("aliases.json")
    assert aliases.read_text().count('"champion"') == 2  # an alias and a state
    assert bench.actions().count("promote") == 4
