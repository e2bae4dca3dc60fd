"""The run-time support module without Airflow: its own rules, with stand-ins for what it imports."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import types
from pathlib import Path
from typing import Any

import jinja2
import pytest

from mlspec.ir.joins import Outcome, unmet_join
from mlspec.ir.model import Join, combination_name
from mlspec.resources import data_folder
from mlspec.runtime.layout import local_path
from tests.support.nasty import NASTY


class SkippedError(Exception):
    """Stands for AirflowSkipException."""


class FailedError(Exception):
    """Stands for AirflowFailException."""


class LateError(BaseException):
    """Stands for AirflowTaskTimeout."""


@pytest.fixture(scope="module")
def steps() -> Any:
    names = ["airflow", "airflow.providers", "airflow.providers.common"]
    names += ["airflow.providers.common.compat", "airflow.providers.common.compat.sdk"]
    made = {name: types.ModuleType(name) for name in names}
    made["airflow"].__version__ = "3.3.2"  # type: ignore[attr-defined]
    sdk: Any = made["airflow.providers.common.compat.sdk"]
    sdk.AirflowException, sdk.AirflowFailException, sdk.AirflowSkipException = (
        Exception,
        FailedError,
        SkippedError,
    )
    spec = importlib.util.spec_from_file_location(
        "steps_under_test", data_folder("templates") / "airflow" / "steps.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = {name: sys.modules.get(name) for name in (*names, "steps_under_test")}
    sys.modules.update({**made, "steps_under_test": module})
    try:
        spec.loader.exec_module(module)
    finally:
        for name, old in before.items():
            if old is None:
                del sys.modules[name]
            else:
                sys.modules[name] = old
    return module


STATES = {
    Outcome.SUCCESS: "success",
    Outcome.FAILED: "failed",
    Outcome.SKIPPED: "skipped",
    Outcome.BLOCKED: "upstream_failed",
}


def pipeline(steps: Any, folder: Path = Path()) -> Any:
    return steps.Pipeline(app="a", name="p", dag_file=str(folder / "d.py"), project=".")


@pytest.mark.parametrize("join", [Join.ONE_FAILED, Join.ALL_FAILED, Join.ONE_SUCCESS])
def test_check_join__ends_as_the_rules_say(steps: Any, join: Join) -> None:
    check = steps.Check(pipeline(steps), join=join.value)
    ends = {None: None, Outcome.SKIPPED: SkippedError, Outcome.BLOCKED: FailedError}
    for needs in itertools.product(Outcome, repeat=3):
        wanted = ends[unmet_join(join, needs)]
        if wanted is None:
            check._check_join([STATES[one] for one in needs])
        else:
            with pytest.raises(wanted):
                check._check_join([STATES[one] for one in needs])


def test_check_join__all_success_after_none_failed(steps: Any) -> None:
    check = steps.Check(pipeline(steps), join="all_success")
    check._check_join(["success", "success"])
    with pytest.raises(SkippedError):
        check._check_join(["success", "skipped"])


def test_outcomes__a_mapped_task_is_one_step(steps: Any) -> None:
    states = {"a_0": "success", "a_1": "failed", "a_10": "success", "b": "skipped", "c_0": None}
    states |= {"x__approve": "failed", "d_0": "success", "d_1": "success"}
    ti = types.SimpleNamespace(dag_id="d", run_id="r", get_task_states=lambda **_: {"r": states})
    found = steps.outcomes({"ti": ti})
    assert found == {
        "a": "failed",
        "b": "skipped",
        "c": "running",
        "d": "success",
        "x__approve": "failed",
    }
    assert steps.run_status({"ti": ti}, ignore=["a", "x__approve"]) == "success"
    assert steps.run_status({"ti": ti}, ignore=["a"]) == "failed"


@pytest.mark.parametrize("text", NASTY)
def test_as_env__renders_as_the_value(steps: Any, text: str) -> None:
    (env,) = steps.as_env([{"key": text}], {"OTHER": text})
    assert list(env) == ["OTHER", "MLSPEC_MATRIX_KEY"]
    for value in env.values():
        assert jinja2.Environment(autoescape=False).from_string(value).render() == text


@pytest.mark.parametrize("text", NASTY)
def test_entry_name__as_the_compiler_names_it(steps: Any, text: str) -> None:
    assert steps.entry_name({"a": text, "b": "1"}) == combination_name([text, "1"])


@pytest.mark.parametrize(
    "address",
    ["file:x/y", "file:///abs/x", "file:%20x", "x/y", "./x:y", "s3://b/k", "C:x", "FILE:x", "gs:x"],
)
def test_local_path__as_local_runs_read_it(steps: Any, address: str) -> None:
    assert steps.local_path(address, Path("/p")) == local_path(address, Path("/p"))


def test_text_of__as_the_language_spells_scalars(steps: Any) -> None:
    values = [True, False, 3, 0.1, 1e-7, "x", "", None]
    assert [steps.text_of(value) for value in values] == [
        "true",
        "false",
        "3",
        "0.1",
        "1e-07",
        "x",
        "",
        "",
    ]


def test_step_folder__leads_back_to_the_spec(steps: Any) -> None:
    assert steps.step_folder("train_2") == "train-2"
    assert steps.step_folder("import_") == "import"


def test_local_store__publishes_all_and_keeps_what_the_step_put_there(
    steps: Any, tmp_path: Path
) -> None:
    store = steps.LocalStore(tmp_path / "store")
    (tmp_path / "a").write_text("1")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_text("2")
    place = ("app", "run", "step")
    (tmp_path / "store/app/run/step/own").mkdir(parents=True)
    store.publish({"o/a": tmp_path / "a", "f/d": tmp_path / "d"}, *place)
    step = tmp_path / "store/app/run/step"
    assert sorted(p.relative_to(step).as_posix() for p in step.rglob("*")) == [
        "f",
        "f/d",
        "f/d/x",
        "o",
        "o/a",
        "own",
    ]
    with pytest.raises(FileNotFoundError):
        store.publish({"o/a": tmp_path / "missing"}, *place)
    assert store.read(*place, "o", "a") == "1"
    assert [p.name for p in (tmp_path / "store/app/run").iterdir()] == ["step"]
    store.replace(tmp_path / "a", *place, "f", "d")
    assert store.read(*place, "f", "d") == "1"
    store.write("newest\n", "app", "latest")
    assert store.read("app", "latest") == "newest\n"
    assert store.read("app", "none") is None
    store.remove(*place)
    assert not store.exists(*place)


@pytest.mark.parametrize("run_id", [".", ".."])
def test_run_folder__never_leaves_the_store(steps: Any, run_id: str) -> None:
    with pytest.raises(FailedError):
        pipeline(steps).run_folder(run_id)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('["a", "b.c"]', ["a", "b.c"]),
        ("[]", []),
        ("{}", FailedError),
        ("[1]", FailedError),
        ('["a b"]', FailedError),
        ('["a", "a"]', FailedError),
        ('["a", "b", "c", "d"]', FailedError),
        ('["../x"]', FailedError),
        ("nonsense", FailedError),
    ],
)
def test_run_time_matrix__checks_the_values(
    steps: Any, tmp_path: Path, text: str, wanted: Any
) -> None:
    made = steps.Pipeline(
        app="a", name="p", dag_file=str(tmp_path / "d.py"), project=".", store="file:s"
    )
    list_file = tmp_path / "s/a/runs/p/r/split/list/l.json"
    list_file.parent.mkdir(parents=True)
    list_file.write_text(text)
    ti = types.SimpleNamespace(
        dag_id="d", run_id="r", get_task_states=lambda **_: {"r": {"split": "success"}}
    )
    asked = {"key": "part", "step": "split", "path": "list/l.json"}
    rows = made.run_time_matrix(
        **asked, keys=["part", "engine"], rows=[{"engine": "x"}, {"engine": "y"}], most=3
    )
    if wanted is FailedError:
        with pytest.raises(FailedError):
            rows(ti=ti)
        return
    assert rows(ti=ti) == [
        {"MLSPEC_MATRIX_PART": value, "MLSPEC_MATRIX_ENGINE": engine}
        for value in wanted
        for engine in ("x", "y")
    ]


def test_workspace__copies_below_products_and_links_the_rest(steps: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for path in ("out/keep", "out/made", "src/x", ".git/x", ".mlspec/x"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(path)
    made = steps.Pipeline(app="a", name="p", dag_file=str(project / "d.py"), project=".")
    made.step(outputs={"a": "out/other/file"}, metrics="deep/m.json")
    step = steps.Step(made, outputs={"m": "out/made"})
    made.steps.append(step)
    step._make_workspace(tmp_path / "work")
    work = tmp_path / "work"
    assert sorted(p.name for p in work.iterdir()) == ["out", "src"]
    assert (work / "src").is_symlink()
    assert sorted(p.name for p in (work / "out").iterdir()) == ["keep"]


def test_backoff__before_3_2_airflow_can_only_double(
    steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps.backoff(3.0) == 3.0
    monkeypatch.setattr(steps, "airflow_version", "3.1.5")
    assert steps.backoff(3.0) is True


# ------------------------------------------------------------------ exit codes


class FakePodOperator:
    """As KubernetesPodOperator: cleans up, then fails as its pod did."""

    def __init__(self, pod: Any, error: BaseException | None) -> None:
        self.pod_manager = types.SimpleNamespace(read_pod=lambda _: pod)
        self.error = error
        self.killed = False

    def execute(self, context: Any) -> str:
        self.cleanup(context, context)
        if self.error is not None:
            raise self.error
        return "done"

    def cleanup(self, pod: Any, remote_pod: Any) -> None:
        del pod, remote_pod

    def on_kill(self) -> None:
        self.killed = True


def _pod(init: dict[str, int], main: dict[str, int]) -> Any:
    def statuses(codes: dict[str, int]) -> list[Any]:
        return [
            types.SimpleNamespace(
                name=name,
                state=types.SimpleNamespace(terminated=types.SimpleNamespace(exit_code=code)),
            )
            for name, code in codes.items()
        ]

    return types.SimpleNamespace(
        status=types.SimpleNamespace(
            init_container_statuses=statuses(init) or None, container_statuses=statuses(main)
        )
    )


@pytest.mark.parametrize(
    ("init", "main", "error", "raised"),
    [
        ({}, {"base": 75}, OSError, OSError),
        ({"bring-files": 0, "step": 75}, {}, OSError, OSError),
        ({"bring-files": 0, "step": 10}, {}, OSError, FailedError),
        ({"bring-files": 0, "step": 0}, {"base": 75}, OSError, FailedError),
        ({"bring-files": 75}, {}, OSError, FailedError),
        ({}, {"base": 10}, OSError, FailedError),
        ({}, {"base": 75}, SkippedError, SkippedError),
        ({}, {"base": 75}, LateError, FailedError),
    ],
)
def test_only_after__a_pod_is_tried_again_after_one_code(
    steps: Any,
    init: dict[str, int],
    main: dict[str, int],
    error: type[BaseException],
    raised: type[BaseException],
) -> None:
    late: Any = types.ModuleType("airflow.sdk.exceptions")
    late.AirflowTaskTimeout = LateError
    parents = {name: types.ModuleType(name) for name in ("airflow", "airflow.sdk")}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in (*parents.items(), ("airflow.sdk.exceptions", late)):
            patch.setitem(sys.modules, name, module)
        operator = steps.only_after(75, FakePodOperator)
    assert operator.__name__ == "FakePodOperator"
    task = operator(_pod(init, main), error("x"))
    with pytest.raises(raised):
        task.execute({})
    assert task.killed is (error is LateError)
    assert operator(_pod({}, {"base": 0}), None).execute({}) == "done"


def test_about_run__without_a_person_the_owner_started_it(steps: Any) -> None:
    step = steps.Step(steps.Pipeline(app="a", name="p", dag_file="", project=".", store="s3://b/c"))
    context = {
        "ti": types.SimpleNamespace(bundle_instance=types.SimpleNamespace(version="abc")),
        "dag_run": types.SimpleNamespace(triggering_user_name=None),
        "task": types.SimpleNamespace(owner="growth"),
    }
    told = {name: step._about_run(context, name) for name in ("actor", "commit", "store")}
    assert told == {"actor": "growth", "commit": "abc", "store": "s3://b/c"}
    assert step._about_run(context, "approvals") == ""
