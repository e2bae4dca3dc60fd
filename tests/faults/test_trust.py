"""Records, verdicts, approvals and people that were meddled with: nothing is promoted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.runtime.steps import approve as approving
from mlspec.runtime.steps import promote as promoting
from tests.support.faults import Bench

CHAIN = "the audit log of shop is not as it was written"


def lines(change: Callable[[list[str]], list[str]]) -> Callable[[Bench], None]:
    def edit(bench: Bench) -> None:
        found = bench.log.read_text(encoding="utf-8").splitlines(keepends=True)
        bench.log.write_text("".join(change(found)), encoding="utf-8")

    return edit


def data_of(pattern: str, change: Callable[[dict], object]) -> Callable[[Bench], None]:
    def edit(bench: Bench) -> None:
        (place,) = bench.folder.rglob(pattern)
        known = json.loads(place.read_text(encoding="utf-8"))
        change(known)
        place.write_text(json.dumps(known), encoding="utf-8")

    return edit


def of_head(change: Callable[[Path], object]) -> Callable[[Bench], None]:
    return lambda bench: change(bench.log.with_name("head.json"))


@pytest.mark.parametrize(
    ("meddle", "says"),
    [
        (lambda bench: bench.log.unlink(), CHAIN),
        (lambda bench: (bench.log.unlink(), of_head(Path.unlink)(bench)), CHAIN),
        (lines(lambda found: []), CHAIN),
        (lines(lambda found: found[:-1]), CHAIN),
        (lines(lambda found: found[1:]), CHAIN),
        (lines(lambda found: found[::-1]), CHAIN),
        (lines(lambda found: [one.replace("dana", "eve") for one in found]), CHAIN),
        (lines(lambda found: [*found, *found]), CHAIN),
        (lines(lambda found: [*found, "junk\n"]), CHAIN),
        (lines(lambda found: ["".join(found)[:500]]), CHAIN),
        (of_head(Path.unlink), CHAIN),
        (data_of("gate/**/verdict.json", lambda d: d.update(x=1)), "has recorded no such verdict"),
        (
            data_of("versions/1.json", lambda d: d["facts"].update(authors=["x"])),
            "was changed since",
        ),
        (
            data_of("versions/1.json", lambda d: d["provenance"].update(commit="x")),
            "was changed since",
        ),
        (
            data_of("versions/1.json", lambda d: d.update(digest="sha256:" + "0" * 64)),
            "has another digest in the registry",
        ),
        (data_of("aliases.json", lambda d: d["states"].update({"1": "champion"})), "of `promote`"),
        (data_of("aliases.json", lambda d: d["states"].update({"1": "king"})), "error: "),
        (data_of("made/register/**/version.json", lambda d: d.update(number=9)), "no version"),
        (data_of("made/register/**/version.json", lambda d: d.update(number=True)), "error: "),
    ],
)
def test_promote__after_something_was_edited(bench, meddle, says):
    meddle(bench)
    end = bench.run("promote")
    assert end.code == 1
    assert says in end
    assert "error: " in end
    (aliases,) = bench.registry.rglob("aliases.json")
    assert "champion" not in json.loads(aliases.read_text(encoding="utf-8"))["aliases"]


def test_promote__with_the_verdict_of_another_package(bench):
    data_of("gate/**/verdict.json", lambda d: d["subject"].update(sha256="0" * 64))(bench)
    end = bench.run("promote")
    assert (end.code, "the verdict is about another package" in end) == (1, True)


def typed(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command of a person, in the project."""
    store = bench.project / ".mlspec" / "store"
    if not store.exists():
        store.parent.mkdir(exist_ok=True)
        store.symlink_to(bench.store, target_is_directory=True)
    return subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=bench.project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "XDG_CONFIG_HOME": str(bench.folder / "home"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="session")
def approved_once(asked, tmp_path_factory) -> Bench:
    made = asked.copy(tmp_path_factory.mktemp("approved") / "bench")
    done = typed(made, "approve", "churn@1", "--as", "olga", "--reason", "fine")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def approved(approved_once, tmp_path) -> Bench:
    """Somebody has said yes; the step does not know yet."""
    return approved_once.copy(tmp_path / "bench")


def test_approval__that_is_whole_counts(approved):
    assert approved.run("approve").code == 0
    assert approved.run("promote").code == 0
    assert approved.actions()[-1] == "promote"


def statements(bench: Bench) -> list[Path]:
    found = [one for one in bench.registry.rglob("attachments/1/approval/*") if one.is_file()]
    assert found
    return found


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "change",
    [
        flipped,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_text("{}"),
        lambda path: path.write_text("[" * 50_000),
        Path.unlink,
    ],
)
def test_approval__that_was_edited(approved, change):
    for path in statements(approved):
        change(path)
    for step in ("approve", "promote"):
        end = approved.run(step)
        assert end.code in (1, 12), end
        assert "Traceback" not in end
    assert "promote" not in approved.actions()


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (None, 12, ""),
        ("teams: [", 1, "error: "),
        ("just words", 1, "`people.yaml` is no mapping"),
        ("teams: {'@acme/ops': olga}\n", 1, "error: "),
        ("teams: {'@acme/ops': [3, [x]]}\n", 1, "error: "),
        ("teams: {'@acme/ops': [omar]}\n", 12, "olga"),
        ("teams: {'@acme/ops': ['../x', \"a\\e[31m\\n::error::x\"]}\n", 12, ""),
        ("keys: {olga: nonsense}\n", 1, "is no key"),
        ("teams: &a {'@acme/ops': *a}\n", 1, "error: "),
        ("\xff\xfe", 1, "error: "),
    ],
)
def test_people__of_a_file_that_says_something_else(approved, text, code, says):
    place = approved.project / "people.yaml"
    if text is None:
        place.unlink()
    else:
        place.write_bytes(text.encode("latin-1"))
    for step in ("approve", "promote"):
        end = approved.run(step)
        assert end.code == code, end
        assert says in end
        assert "Traceback" not in end
        assert "\x1b" not in end
        assert not any(line.lstrip().startswith("::") for line in end.said.splitlines())
    assert "promote" not in approved.actions()


def test_clock__that_goes_back_keeps_the_order_of_the_log(approved, monkeypatch):
    assert approved.run("approve").code == 0

    class Earlier(promoting.datetime):
        @classmethod
        def now(cls, tz=None):
            return promoting.datetime(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr(promoting, "datetime", Earlier)
    monkeypatch.setattr(approving, "datetime", Earlier)
    end = approved.run("promote")
    assert end.code in (0, 1, 12)
    assert "Traceback" not in end
    monkeypatch.undo()
    assert approved.run("promote").code == 0
    assert approved.actions().count("promote") == 1
