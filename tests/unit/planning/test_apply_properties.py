"""Whatever happens to the files between compilations: nothing of anybody else is ever lost."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mlspec.planning.files import Scope
from mlspec.planning.lockfile import parse_lock
from tests.support.artifacts import artifact, place_in, tree, written

PATHS = ("a", "b", "d/a", "d/e/b")
TARGETS = ("t", "u")
OWNERS = {"a": "t", "d/a": "t", "b": "u", "d/e/b": "u"}

paths = st.sampled_from(PATHS)
texts = st.sampled_from(("1\n", "2\n", "3\n"))


class Compilations(RuleBasedStateMachine):
    """Compiles subsets of targets while somebody edits, adds, and deletes files."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mlspec-test-"))
        self.place = place_in(self.folder)
        self.mine: dict[str, str] = {}
        """What somebody wrote by hand, and nothing may change."""

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(
        wanted=st.dictionaries(paths, texts), chosen=st.sets(st.sampled_from(TARGETS), min_size=1)
    )
    def compile(self, wanted: dict[str, str], chosen: set[str]) -> None:
        made = [artifact(p, t, target=OWNERS[p]) for p, t in wanted.items() if OWNERS[p] in chosen]
        scope = Scope() if chosen == set(TARGETS) else Scope(targets=frozenset(chosen))
        before = tree(self.folder)
        found = written(self.place, *made, scope=scope)
        after = tree(self.folder)
        if found:
            assert after == before
            assert {d.code.id for d in found} <= {"ML901", "ML902"}
            return
        for one in made:
            assert after[one.path] == one.text
            self.mine.pop(one.path, None)
        lost = set(before) - set(after)
        assert all(OWNERS[path] in chosen for path in lost)
        again = written(self.place, *made, scope=scope)
        assert (again, tree(self.folder)) == ((), after)

    @rule(path=paths, number=st.integers(0, 3))
    def edit(self, path: str, number: int) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(f"by hand {number}\n")
        self.mine[path] = f"by hand {number}\n"

    @rule(path=paths)
    def delete(self, path: str) -> None:
        (self.folder / path).unlink(missing_ok=True)
        self.mine.pop(path, None)

    @invariant()
    def keeps_what_is_mine(self) -> None:
        if hasattr(self, "mine"):
            files = tree(self.folder)
            assert {path: files.get(path) for path in self.mine} == self.mine

    @invariant()
    def leaves_no_scraps(self) -> None:
        if hasattr(self, "mine"):
            assert {p for p in tree(self.folder) if p not in PATHS} <= {"mlspec.lock"}
            if self.place.lock.exists():
                entries = [e.path for e in parse_lock(self.place.lock.read_text()).entries]
                assert len(entries) == len(set(entries))


TestCompilations = Compilations.TestCase
TestCompilations.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
