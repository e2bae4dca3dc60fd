from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.ir.model import (
    Argv,
    Environment,
    Matrix,
    Output,
    Param,
    RepoInput,
    Resources,
    Retry,
    Secret,
    Step,
    StepInput,
)
from mlspec.ir.values import Cpu, Duration, Literal, Namespace, Ref, literal
from mlspec.runtime.interpreter import run_pipeline
from mlspec.runtime.model import RunOptions
from mlspec.runtime.progress import (
    AttemptFailed,
    AttemptStarted,
    Notice,
    Silent,
)
from tests.support.graphs import SEEDS
from tests.support.running import FakeClock, app_of, run_app, script

MS = Duration


def _ref(namespace: str, name: str) -> Ref:
    return Ref(Namespace(namespace), name)


# ------------------------------------------------------------------ the step contract


def test_run__working_directory_is_a_fresh_checkout(tmp_path: Path) -> None:
    (tmp_path / "code.txt").write_text("code")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale.txt").write_text("stale")
    output = Output(name="o", path="out/stale.txt")
    ran = run_app(
        app_of(
            script(
                "a", "cat code.txt; ls out; echo hi > out/stale.txt; touch here", outputs=(output,)
            ),
            script("b", "ls; ls out", needs=("a",)),
        ),
        tmp_path,
    )
    assert ran.outcomes == {"a": "success", "b": "success"}
    assert ran.log("a") == "code"
    assert ran.log("b") == "code.txt\nevents.jsonl\nout\n" or ran.log("b") == "code.txt\nout\n"
    assert (tmp_path / "out" / "stale.txt").read_text() == "stale"
    assert not (tmp_path / "here").exists()


def test_run__strict_bash(tmp_path: Path) -> None:
    ran = run_app(
        app_of(
            script("unset", 'echo "$NOT_SET_ANYWHERE"; echo on'),
            script("pipe", "false | true; echo on"),
            script("error", "false; echo on"),
        ),
        tmp_path,
    )
    assert set(ran.outcomes.values()) == {"failed"}
    assert all("\non\n" not in ran.log(step) for step in ran.outcomes)


def test_run__outputs_are_published_in_the_store(tmp_path: Path) -> None:
    step = script(
        "fit",
        'echo "$MLSPEC_MATRIX_SEED" > out/m.txt; echo \'{"auc": 0.5}\' > out/m.json; echo r > out/r.md',
        _ref("matrix", "seed"),
        outputs=(Output(name="model", path="out/m.txt"),),
        metrics="out/m.json",
        report=("out/r.md", "out/none.md"),
        matrix=SEEDS,
    )
    ran = run_app(app_of(step), tmp_path)
    record = ran.result.record
    assert record is not None
    assert ran.result.exit_code == 0
    store = tmp_path / ".mlspec/store/app/runs/p" / record.id
    assert (store / "fit/2/model/m.txt").read_text() == "2\n"
    assert json.loads((store / "fit/2/metrics.json").read_text()) == {"auc": 0.5}
    assert ran.result.folder is not None
    assert (ran.result.folder / "results").resolve() == store.resolve()
    assert (ran.result.folder / "reports/fit/1/out/r.md").read_text() == "r\n"
    assert [one.metrics for one in record.steps[0].instances] == [{"auc": 0.5}] * 3
    assert not (ran.result.folder / "work" / "fit" / "1").exists()


def test_run__failed_step_publishes_nothing(tmp_path: Path) -> None:
    step = script(
        "a", "echo x > o; echo '{}' > m; exit 1", outputs=(Output(name="o", path="o"),), metrics="m"
    )
    ran = run_app(app_of(step), tmp_path)
    assert ran.result.exit_code == 20
    assert ran.reason("a") == "exit code 1"
    assert not list((tmp_path / ".mlspec/store").rglob("o"))


def test_run__values_of_references(tmp_path: Path) -> None:
    refs = [_ref("run", name) for name in ("id", "date", "attempt")]
    final = script(
        "finally",
        'printf "%s|%s|" "$MLSPEC_RUN_STATUS" "$MLSPEC_RUN_URL"',
        _ref("run", "status"),
        _ref("run", "url"),
    )
    text = 'printf "%s|" "$MLSPEC_RUN_ID" "$MLSPEC_RUN_DATE" "$MLSPEC_RUN_ATTEMPT"'
    app = app_of(script("a", text, *refs), script("b", "exit 1"), final=final)
    ran = run_app(app, tmp_path, date="2026-01-31")
    record = ran.result.record
    assert record is not None
    assert ran.log("a") == f"{record.id}|2026-01-31T00:00:00Z|1|"
    assert ran.log("finally") == "failed||"
    assert record.date == "2026-01-31T00:00:00Z"


def test_run__only_variables_that_are_used(tmp_path: Path) -> None:
    step = script(
        "a",
        "env | grep ^MLSPEC_ | grep -v -e ^MLSPEC_TEST -e ^MLSPEC_INSTANCE | sort",
        _ref("params", "x"),
        inputs=(RepoInput(name="unused", path="f"),),
    )
    (tmp_path / "f").write_text("")
    params = (Param(name="x", default="1"), Param(name="y", default="2"))
    assert run_app(app_of(step, params=params), tmp_path).log("a") == "MLSPEC_PARAMS_X=1\n"


def test_run__env_secrets_and_threads(tmp_path: Path) -> None:
    step = script(
        "a",
        'echo "$A $TOKEN $OMP_NUM_THREADS"',
        env=(("A", (Literal("x-"), _ref("params", "x"))),),
        secrets=(Secret("TOKEN", "hub"),),
        resources=Resources(cpu=Cpu(2500)),
    )
    app = app_of(step, params=(Param(name="x", default="$(id)"),))
    environ = {"HUB": "s3cret"}
    os_value = os.environ.pop("OMP_NUM_THREADS", None)
    try:
        assert run_app(app, tmp_path, environ=environ).log("a") == "x-$(id) s3cret 2\n"
    finally:
        if os_value is not None:
            os.environ["OMP_NUM_THREADS"] = os_value
    environ["OMP_NUM_THREADS"] = "7"
    assert run_app(app, tmp_path, environ=environ).log("a").endswith(" 7\n")


def test_run__argument_vector_without_shell(tmp_path: Path) -> None:
    words = (literal("printf"), literal("[%s]"), literal("$HOME"), literal("a b"), ())
    ran = run_app(app_of(Step(id="a", action=Argv(words=words))), tmp_path)
    assert ran.log("a") == "[$HOME][a b][]"


def test_run__long_script(tmp_path: Path) -> None:
    assert (
        run_app(app_of(script("a", "# x\n" * 100_000 + "echo end\n")), tmp_path).log("a") == "end\n"
    )


def test_run__timeout(tmp_path: Path) -> None:
    began = time.monotonic()
    ran = run_app(app_of(script("a", "sleep 30", timeout=MS(300))), tmp_path)
    assert ran.outcomes == {"a": "failed"}
    assert ran.reason("a") == "timed out after 300ms"
    assert ran.log("a") == "mlspec: timed out after 300ms\n"
    assert time.monotonic() - began < 25


def test_run__repository_input_is_missing(tmp_path: Path) -> None:
    ran = run_app(app_of(script("a", "true", inputs=(RepoInput(name="x", path="no"),))), tmp_path)
    assert ran.outcomes == {"a": "failed"}
    assert "there is no `no`" in ran.reason("a")


def test_run__independent_steps_run_at_the_same_time(tmp_path: Path) -> None:
    text = (
        'touch "$D/$1"; for i in $(seq 200); do [ -e "$D/$2" ] && exit 0; sleep 0.02; done; exit 1'
    )
    meet = f"set -- me other; {text}"
    back = f"set -- other me; {text}"
    app = app_of(script("a", meet), script("b", back))
    assert run_app(app, tmp_path, environ={"D": str(tmp_path)}, jobs=2).result.exit_code == 0


# ------------------------------------------------------------------ retries, with a fake clock


def test_run__retries_with_backoff(tmp_path: Path) -> None:
    step = script(
        "a",
        'echo "$MLSPEC_RUN_ATTEMPT" >> "$D/tries"; [ "$MLSPEC_RUN_ATTEMPT" = 4 ]',
        _ref("run", "attempt"),
        retry=Retry(max=5, delay=MS(30_000), factor=3.0, max_delay=MS(200_000)),
    )
    clock = FakeClock()
    ran = run_app(app_of(step), tmp_path, environ={"D": str(tmp_path)}, clock=clock)
    assert ran.outcomes == {"a": "success"}
    assert (tmp_path / "tries").read_text().split() == ["1", "2", "3", "4"]
    assert [event.pause for event in ran.recorder.of(AttemptFailed)] == [30.0, 90.0, 200.0]
    assert clock.passed >= 320
    record = ran.result.record
    assert record is not None
    assert [one.exit for one in record.steps[0].instances[0].attempts] == [1, 1, 1, 0]


def test_run__retries_end(tmp_path: Path) -> None:
    step = script("a", "exit 3", retry=Retry(max=2, delay=MS(1000)))
    ran = run_app(app_of(step), tmp_path, clock=FakeClock())
    assert ran.outcomes == {"a": "failed"}
    assert len(ran.recorder.of(AttemptStarted)) == 3


def test_run__a_pause_takes_no_slot(tmp_path: Path) -> None:
    order: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, AttemptStarted):
            order.append(event.step)

    app = app_of(script("a", "exit 1", retry=Retry(max=1, delay=MS(60_000))), script("b", "true"))
    run_app(app, tmp_path, clock=FakeClock(), jobs=1, on_event=note)
    assert order == ["a", "b", "a"]


# ------------------------------------------------------------------ the rest


def test_run__store_of_an_environment(tmp_path: Path) -> None:
    step = script("a", "echo 1 > o", outputs=(Output(name="o", path="o"),))
    app = app_of(step, environment=Environment(store="file:shared"))
    ran = run_app(app, tmp_path)
    assert (tmp_path / "shared/app/runs/p" / ran.result.record.id / "a/o/o").exists()  # type: ignore[union-attr]  # it ran
    far = run_app(app_of(step, environment=Environment(store="s3://b")), tmp_path)
    assert far.result.exit_code == 0
    assert "s3://b" in far.recorder.of(Notice)[0].text


def test_run__failure_is_announced(tmp_path: Path) -> None:
    app = app_of(script("a", "exit 1"))
    pipeline = replace(app.pipelines[0], notify=("email:x@example.com",))
    ran = run_app(replace(app, pipelines=(pipeline,)), tmp_path)
    assert ran.recorder.of(Notice)[-1].to == ("email:x@example.com",)


def test_run__nothing_to_do(tmp_path: Path) -> None:
    assert run_app(app_of(), tmp_path).result.exit_code == 0


def test_run__unknown_pipeline(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        run_pipeline(app_of(), "q", tmp_path, RunOptions(), Silent())


def test_run__an_observer_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    def burst(event: object) -> None:
        if isinstance(event, AttemptStarted) and event.step == "b":
            raise ZeroDivisionError

    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        run_app(app_of(script("a", "sleep 30"), script("b", "true")), tmp_path, on_event=burst)
    assert time.monotonic() - began < 25


def test_run__records_are_whole_at_every_event(tmp_path: Path) -> None:
    seen = []

    def read(_: object) -> None:
        found = list((tmp_path / ".mlspec" / "runs").glob("*/run.json"))
        seen.extend(json.loads(path.read_text())["state"] for path in found)

    run_app(app_of(script("a", "true"), script("b", "exit 1")), tmp_path, on_event=read)
    assert seen[0] == "running"
    assert seen[-1] == "failed"


def test_run__matrix_keys_in_another_order_are_partners(tmp_path: Path) -> None:
    from mlspec.ir.model import Combination, Pairing

    first = Matrix(keys=("a", "b"), rows=(Combination((("a", "1"), ("b", "2"))),))
    second = Matrix(keys=("b", "a"), rows=(Combination((("b", "2"), ("a", "1"))),))
    output = (Output(name="o", path="o"),)
    read = (StepInput(name="o", step="x", output="o", pairing=Pairing.PARTNER),)
    ran = run_app(
        app_of(
            script("x", "echo hi > o", matrix=first, outputs=output),
            script(
                "y",
                'cat "$MLSPEC_INPUTS_O"',
                _ref("inputs", "o"),
                matrix=second,
                inputs=read,
                needs=("x",),
            ),
        ),
        tmp_path,
    )
    assert ran.log("y", "2-1") == "hi\n"


def test_next_of__a_signal_that_another_thread_gets_is_noticed() -> None:
    """The handler puts an event; nothing else ends the wait."""
    import queue
    import signal
    import threading

    from mlspec.runtime.model import Clock

    events: queue.SimpleQueue[str] = queue.SimpleQueue()
    before = signal.signal(signal.SIGUSR1, lambda *_: events.put("signal"))
    try:

        def send() -> None:
            time.sleep(0.3)
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

        thread = threading.Thread(target=send)
        thread.start()
        began = time.monotonic()
        assert Clock().next_of(events, 60.0) == "signal"
        assert time.monotonic() - began < 25
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert Clock().next_of(events, 0.3) is None
