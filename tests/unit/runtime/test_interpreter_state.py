from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from mlspec.ir.model import (
    Environment,
    Output,
    Param,
    RepoInput,
    StepInput,
)
from mlspec.ir.values import Duration, Namespace, Ref, literal
from mlspec.runtime.progress import (
    RunQueued,
)
from tests.support.graphs import SEEDS
from tests.support.running import Ran, app_of, in_thread, run_app, script

MS = Duration


def _ref(namespace: str, name: str) -> Ref:
    return Ref(Namespace(namespace), name)


# ------------------------------------------------------------------ locks, and one run at a time

HOLD = 'mkdir "$D/held"; sleep 0.15; rmdir "$D/held"'
"""Fails if two do it at once."""


def test_run__lock_excludes_within_a_run(tmp_path: Path) -> None:
    steps = [script(f"s{n}", HOLD, lock="gpu") for n in range(4)]
    assert run_app(app_of(*steps), tmp_path, environ={"D": str(tmp_path)}).result.exit_code == 0


def test_run__lock_excludes_across_runs(tmp_path: Path) -> None:
    one, two = app_of(script("a", HOLD, lock="gpu")), app_of(script("a", HOLD, lock="gpu"))
    two = replace(two, environment=Environment(name="other"))
    environ = {"D": str(tmp_path)}
    thread, found = in_thread(lambda: run_app(one, tmp_path, environ=environ))
    other = run_app(two, tmp_path, environ=environ)
    thread.join(20)
    assert [other.result.exit_code, found[0].result.exit_code] == [0, 0]


def test_run__waits_for_the_run_before_and_only_one_waits(tmp_path: Path) -> None:
    app = app_of(script("a", f'touch "$D/up"; while [ ! -e "$D/go" ]; do sleep 0.02; done; {HOLD}'))
    environ = {"D": str(tmp_path)}
    first, found = in_thread(lambda: run_app(app, tmp_path, environ=environ))
    _until(tmp_path / "up")
    queued: list[object] = []
    second, more = in_thread(
        lambda: run_app(app, tmp_path, environ=environ, on_event=queued.append)
    )
    while not any(isinstance(event, RunQueued) for event in queued):
        time.sleep(0.02)
    third = run_app(app, tmp_path, environ=environ)
    assert [one.code.id for one in third.result.diagnostics] == ["ML927"]
    assert third.result.exit_code == 1
    (tmp_path / "go").touch()
    first.join(20)
    second.join(20)
    assert [found[0].result.exit_code, more[0].result.exit_code] == [0, 0]


def _until(path: Path) -> None:
    for _ in range(500):
        if path.exists():
            return
        time.sleep(0.02)
    raise AssertionError(path)


# ------------------------------------------------------------------ resume


def test_resume__goes_on_from_what_succeeded(tmp_path: Path) -> None:
    text = 'echo x >> "$D/$N"; [ -e "$D/ok" ] || [ "$N" != b ]; echo y > out/o'
    output = (Output(name="o", path="out/o"),)

    def app(extra: str = "") -> object:
        return app_of(
            *(
                script(name, text + extra, env=(("N", literal(name)),), outputs=output, needs=needs)
                for name, needs in (("a", ()), ("b", ("a",)), ("c", ("b",)), ("d", ()))
            ),
            final=script("finally", 'echo x >> "$D/finally"'),
        )

    environ = {"D": str(tmp_path)}
    first = run_app(app(), tmp_path, environ=environ)
    assert first.outcomes["b"] == "failed"
    (tmp_path / "ok").touch()
    again = run_app(app(), tmp_path, environ=environ, resume="")
    assert again.result.exit_code == 0
    record = again.result.record
    assert record is not None
    assert first.result.record is not None
    assert record.id == first.result.record.id
    assert (record.resumed, record.started) == (1, first.result.record.started)
    counts = {n: len((tmp_path / n).read_text().split()) for n in ("a", "b", "c", "d", "finally")}
    assert counts == {"a": 1, "b": 2, "c": 1, "d": 1, "finally": 2}
    reused = {step.id: step.instances[0].reused for step in record.steps}
    assert reused == {"a": "resume", "b": None, "c": None, "d": "resume", "finally": None}
    assert again.log("b", attempt=2) == ""

    done = run_app(app(), tmp_path, environ=environ, resume=record.id)
    assert [one.code.id for one in done.result.diagnostics] == ["ML926"]


def test_resume__a_changed_step_and_what_follows_run_again(tmp_path: Path) -> None:
    def app(version: str) -> object:
        return app_of(
            script("a", f'echo x >> "$D/a"; : {version}'),
            script("b", 'echo x >> "$D/b"', needs=("a",)),
            script("c", 'echo x >> "$D/c"'),
            script("d", "exit 1", needs=("b", "c")),
        )

    environ = {"D": str(tmp_path)}
    run_app(app("1"), tmp_path, environ=environ)
    run_app(app("2"), tmp_path, environ=environ, resume="")
    assert {n: len((tmp_path / n).read_text().split()) for n in "abc"} == {"a": 2, "b": 2, "c": 1}


def test_resume__matrix_instances_that_succeeded_count(tmp_path: Path) -> None:
    text = 'echo x >> "$D/$MLSPEC_MATRIX_SEED"; [ -e "$D/ok" ] || [ "$MLSPEC_MATRIX_SEED" != 2 ]'
    app = app_of(script("a", text, _ref("matrix", "seed"), matrix=SEEDS))
    environ = {"D": str(tmp_path)}
    run_app(app, tmp_path, environ=environ)
    (tmp_path / "ok").touch()
    assert run_app(app, tmp_path, environ=environ, resume="").result.exit_code == 0
    assert {n: len((tmp_path / n).read_text().split()) for n in "123"} == {"1": 1, "2": 2, "3": 1}


def test_resume__refused(tmp_path: Path) -> None:
    app = app_of(script("a", "exit 1"), params=(Param(name="x", default="1"),))
    none = run_app(app, tmp_path, resume="")
    assert [(none.result.exit_code, d.code.id) for d in none.result.diagnostics] == [(66, "ML925")]
    run_app(app, tmp_path)
    for options in ({"params": {"x": "2"}}, {}):
        other = app if options else replace(app, environment=Environment(name="prod"))
        refused = run_app(other, tmp_path, resume="", **options)
        assert [d.code.id for d in refused.result.diagnostics] == ["ML926"]


def test_resume__of_a_run_that_is_still_going_on(tmp_path: Path) -> None:
    app = app_of(script("a", 'touch "$D/up"; while [ ! -e "$D/go" ]; do sleep 0.02; done'))
    environ = {"D": str(tmp_path)}
    first, found = in_thread(lambda: run_app(app, tmp_path, environ=environ))
    _until(tmp_path / "up")
    queued: list[object] = []
    second, more = in_thread(
        lambda: run_app(app, tmp_path, environ=environ, resume="", on_event=queued.append)
    )
    while not any(isinstance(event, RunQueued) for event in queued):
        time.sleep(0.02)
    (tmp_path / "go").touch()
    first.join(20)
    second.join(20)
    assert found[0].result.exit_code == 0
    assert [d.message.partition(": ")[2] for d in more[0].result.diagnostics] == [
        "it has succeeded"
    ]


# ------------------------------------------------------------------ cache


def test_cache__reused_until_something_changes(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("1")

    def run(text: str = "", param: str = "1") -> Ran:
        step = script(
            "a",
            'echo x >> "$D/ran"; cat "$MLSPEC_INPUTS_I" > out/o; echo \'{"m": 1}\' > m.json' + text,
            _ref("params", "p"),
            _ref("inputs", "i"),
            inputs=(RepoInput(name="i", path="in.txt"),),
            outputs=(Output(name="o", path="out/o"),),
            metrics="m.json",
            cache=True,
        )
        read = (StepInput(name="o", step="a", output="o"),)
        after = script(
            "b", 'cat "$MLSPEC_INPUTS_O"', _ref("inputs", "o"), needs=("a",), inputs=read
        )
        app = app_of(step, after, params=(Param(name="p", default="1"),))
        ran = run_app(app, tmp_path, environ={"D": str(tmp_path)}, params={"p": param})
        assert ran.result.exit_code == 0
        return ran

    def count() -> int:
        return len((tmp_path / "ran").read_text().split())

    run()
    again = run()
    assert count() == 1
    record = again.result.record
    assert record is not None
    assert record.steps[0].instances[0].reused == "cache"
    assert record.steps[0].instances[0].metrics == {"m": 1}
    assert "unchanged since run" in record.steps[0].instances[0].reason
    assert again.log("b") == "1"
    run(param="2")
    assert count() == 2
    run(text=" # other")
    assert count() == 3
    (tmp_path / "in.txt").write_text("2")
    assert run().log("b") == "2"
    assert count() == 4
    for path in (tmp_path / ".mlspec/store").rglob("o/o"):
        path.write_text("tampered")
    run()
    assert count() == 5


def test_cache__failures_are_not_reused(tmp_path: Path) -> None:
    app = app_of(script("a", 'echo x >> "$D/ran"; exit 1', cache=True))
    for _ in range(2):
        assert run_app(app, tmp_path, environ={"D": str(tmp_path)}).result.exit_code == 20
    assert len((tmp_path / "ran").read_text().split()) == 2
