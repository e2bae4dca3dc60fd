"""Values on real Airflow: user text arrives byte for byte, references resolve, attempts count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.backends.airflow.quoting import template_changes
from mlspec.ir.model import (
    Application,
    Argv,
    Combination,
    DataInput,
    DataSet,
    Environment,
    Matrix,
    Op,
    Output,
    Param,
    ParamCondition,
    ParamType,
    Pipeline,
    RepoInput,
    Resources,
    Retry,
    Script,
    Secret,
    StageMode,
    Step,
    Triggers,
    combination_name,
)
from mlspec.ir.values import Cpu, Duration, Literal, Namespace, Ref, literal
from tests.support.airflow_harness import Job, Ran, run, write
from tests.support.nasty import NASTY

pytestmark = pytest.mark.engine("airflow")

OUT = Ref(Namespace.OUTPUTS, "out")
DUMP = (
    "import json, os, sys; "
    "open(sys.argv[1], 'w').write(json.dumps({'argv': sys.argv[2:], 'env': dict(os.environ)}))"
)
PATH = "python3 -c 'import sys, urllib.parse as u; print(u.unquote(u.urlsplit(sys.argv[1]).path))'"
TEXTS = [text for text in NASTY if "\x00" not in text]


def app_of(steps: Sequence[Step], **settings: object) -> Application:
    pipeline = Pipeline(id="p", steps=tuple(steps), **settings)  # type: ignore[arg-type]
    return Application(
        name="a", environment=Environment(store="file:../store"), pipelines=(pipeline,)
    )


def dump(step_id: str, *words: object, **settings: object) -> Step:
    """A step that writes its arguments and environment as JSON to its output."""
    texts = [word if isinstance(word, tuple) else literal(str(word)) for word in words]
    return Step(
        id=step_id,
        action=Argv(words=(literal("python3"), literal("-c"), literal(DUMP), (OUT,), *texts)),
        outputs=(Output(name="out", path="out/dump.json"),),
        **settings,  # type: ignore[arg-type]
    )


def ran(app: Application, folder: Path, **job: object) -> Ran:
    write([app], folder)
    name = f"{app.name}_{app.pipelines[0].id}"
    return run(folder, [Job(dag_id=name, **job)])[name]  # type: ignore[arg-type]


def published(folder: Path, result: Ran, path: str) -> Path:
    return folder / "store" / "a" / "runs" / "p" / result.run_id / path


def dumped(folder: Path, result: Ran, step: str) -> dict[str, object]:
    return json.loads(published(folder, result, f"{step}/out/dump.json").read_text())


def test_nasty_strings__arrive_unchanged_or_are_refused(tmp_path: Path) -> None:
    params = tuple(
        Param(name=f"p{n}", default=text, description=text) for n, text in enumerate(TEXTS)
    )
    variables = tuple((f"V{n}", literal(text)) for n, text in enumerate(TEXTS))
    mixed = tuple(
        (f"M{n}", (Literal(text), Ref(Namespace.RUN, "attempt"), Literal(text)))
        for n, text in enumerate(TEXTS)
    )
    lines = [text for text in TEXTS if "\nEOF" not in text and not text.startswith("EOF")]
    script = "".join(f"cat > {n}.txt <<'EOF'\n{text}\nEOF\n" for n, text in enumerate(lines))
    rows = {combination_name([text]): text for text in TEXTS if template_changes(text) and text}
    matrix = Matrix(keys=("k",), rows=tuple(Combination((("k", t),)) for t in rows.values()))
    steps = [
        dump("argv", *TEXTS, description="\n".join(TEXTS)),
        dump("params", *((Ref(Namespace.PARAMS, p.name),) for p in params)),
        dump("env", env=variables),
        dump("mixed", env=mixed),
        Step(
            id="script",
            action=Script(
                text=f'mkdir "$MLSPEC_OUTPUTS_OUT"\ncd "$MLSPEC_OUTPUTS_OUT"\n{script}', refs=(OUT,)
            ),
            outputs=(Output(name="out", path="out/lines"),),
            description="ends with .md",
        ),
        dump("matrix", (Ref(Namespace.MATRIX, "k"),), matrix=matrix, env=variables[:3]),
        *(
            Step(id=f"end-{n}", action=Script(text=f": '{{{{ x }}}}' # {end}"))
            for n, end in enumerate((".sh", ".bash", "{#", "\\"))
        ),
    ]
    app = app_of(steps, params=params, description="\n".join(TEXTS))
    result = ran(replace(app, owner=TEXTS[0], description=TEXTS[1]), tmp_path)
    assert result.state == "success", result
    assert dumped(tmp_path, result, "argv")["argv"] == TEXTS
    assert dumped(tmp_path, result, "params")["argv"] == TEXTS
    environment = dumped(tmp_path, result, "env")["env"]
    assert isinstance(environment, dict)
    assert [environment[f"V{n}"] for n in range(len(TEXTS))] == TEXTS
    environment = dumped(tmp_path, result, "mixed")["env"]
    assert isinstance(environment, dict)
    assert [environment[f"M{n}"] for n in range(len(TEXTS))] == [f"{t}1{t}" for t in TEXTS]
    written = published(tmp_path, result, "script/out/lines")
    for n, text in enumerate(lines):
        assert (written / f"{n}.txt").read_bytes() == f"{text}\n".encode(), text
    for name, text in rows.items():
        told = json.loads(published(tmp_path, result, f"matrix/{name}/out/dump.json").read_text())
        assert told["argv"] == [text]
        assert [told["env"][f"V{n}"] for n in range(3)] == TEXTS[:3]


def test_references__have_the_values_of_the_run(tmp_path: Path) -> None:
    refs = [Ref(Namespace.RUN, name) for name in ("id", "date", "attempt")]
    refs += [Ref(Namespace.PARAMS, name) for name in ("rate", "count", "flag", "word")]
    params = (
        Param(name="rate", type=ParamType.FLOAT, default="0.1"),
        Param(name="count", type=ParamType.INT, default="3"),
        Param(name="flag", type=ParamType.BOOL, default="true"),
        Param(name="word"),
    )
    step = dump("s", *((ref,) for ref in refs), resources=Resources(cpu=Cpu(2500)))
    unused = dump("t", "x", needs=("s",))
    final = dump("finally", (Ref(Namespace.RUN, "status"),), (Ref(Namespace.RUN, "url"),))
    app = app_of([step, unused], params=params, final=final)
    result = ran(app, tmp_path, conf={"word": "given", "rate": 1e-7})
    assert result.state == "success"
    told = dumped(tmp_path, result, "s")
    run_id, date, *others = told["argv"]  # type: ignore[misc]
    assert run_id == result.run_id
    assert date.endswith("Z")
    assert len(date) == 20
    assert others == ["1", "1e-07", "3", "true", "given"]
    assert told["env"]["OMP_NUM_THREADS"] == "2"  # type: ignore[index]
    ours = {n for n in dumped(tmp_path, result, "t")["env"] if n.startswith("MLSPEC")}  # type: ignore[attr-defined]
    assert ours == {"MLSPEC_OUTPUTS_OUT"}
    status, url = dumped(tmp_path, result, "finally")["argv"]  # type: ignore[misc]
    assert status == "success"
    assert url.endswith(f"/dags/a_p/runs/{run_id.replace(':', '%3A').replace('+', '%2B')}")


def test_workspace__is_fresh_and_looks_like_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "out" / "kept").mkdir(parents=True)
    (project / "out" / "kept" / "file").write_text("k")
    (project / "out" / "a.txt").write_text("stale")
    (project / ".git").mkdir()
    (project / "src").mkdir()
    (project / "src" / "x").write_text("code")
    make = "test ! -e out/a.txt; test ! -e .git; cat src/x out/kept/file > out/a.txt; touch out/z"
    steps = [
        Step(
            id="make-it",
            action=Script(text=make),
            outputs=(Output(name="a", path="out/a.txt"),),
        ),
        Step(
            id="look",
            needs=("make-it",),
            action=Script(
                text='test ! -e out/z; test ! -e out/a.txt; cat "$MLSPEC_INPUTS_SRC" > out/b',
                refs=(Ref(Namespace.INPUTS, "src"),),
            ),
            inputs=(RepoInput(name="src", path="src/x"),),
            outputs=(Output(name="b", path="out/b"),),
        ),
    ]
    result = ran(app_of(steps), tmp_path)
    assert result.state == "success"
    assert published(tmp_path, result, "make-it/a/a.txt").read_text() == "codek"
    assert published(tmp_path, result, "look/b/b").read_text() == "code"
    assert (project / "out" / "a.txt").read_text() == "stale"
    assert not (project / "out" / "z").exists()


def test_retry__counts_attempts_and_publishes_only_the_last(tmp_path: Path) -> None:
    attempt = Ref(Namespace.RUN, "attempt")
    text = (
        'echo "$MLSPEC_RUN_ATTEMPT" >> ../../tries; [ "$MLSPEC_RUN_ATTEMPT" = 3 ]; echo x > out/a'
    )
    text = text.replace("../../tries", str(tmp_path / "tries"))
    step = Step(
        id="s",
        action=Script(text=text, refs=(attempt,)),
        outputs=(Output(name="a", path="out/a"),),
        retry=Retry(max=4, delay=Duration(10)),
    )
    once = Step(id="t", action=Script(text=f"echo t >> {tmp_path / 'tries'}; exit 7"))
    result = ran(app_of([step, once]), tmp_path)
    assert result.tasks["s"] == "success"
    assert result.tasks["t"] == "failed"
    assert result.state == "failed"
    assert sorted((tmp_path / "tries").read_text().split()) == ["1", "2", "3", "t"]


def test_timeout__fails_the_step_and_ends_its_processes(tmp_path: Path) -> None:
    text = f"sleep 30; touch {tmp_path / 'late'}"
    step = Step(id="s", action=Script(text=text), timeout=Duration(1000))
    result = ran(app_of([step]), tmp_path)
    assert result.tasks["s"] == "failed"
    assert not (tmp_path / "late").exists()


def test_secrets__come_from_connections(tmp_path: Path) -> None:
    step = dump("s", secrets=(Secret("TOKEN", "hub-token"), Secret("DSN", "dwh")))
    env = {
        "AIRFLOW_CONN_HUB_TOKEN": "generic://:t%20k@",
        "AIRFLOW_CONN_HUB-TOKEN": "generic://:t%20k@",
        "AIRFLOW_CONN_DWH": "generic://me:pw@",
    }
    result = ran(app_of([step]), tmp_path, env=env)
    assert result.state == "success"
    told = dumped(tmp_path, result, "s")["env"]
    assert isinstance(told, dict)
    assert told["TOKEN"] == "t k"
    assert told["DSN"] == "me:pw"


def test_every__looks_for_new_data(tmp_path: Path) -> None:
    step = Step(id="s", action=Script(text="true"))
    triggers = Triggers(data=("inbox",), every=Duration(900_000))
    app = replace(
        app_of([step], triggers=triggers), data=(DataSet(id="inbox", source="file:inbox"),)
    )
    states = []
    for name in (None, "a.txt", None, "b.txt"):
        if name is not None:
            (tmp_path / "project" / "inbox").mkdir(exist_ok=True)
            (tmp_path / "project" / "inbox" / name).write_text("x")
        write([app], tmp_path)
        states.append(run(tmp_path, [Job(dag_id="a_p_watch")])["a_p_watch"].tasks["inbox"])
    assert states == ["skipped", "success", "skipped", "success"]


def test_data__versions_are_kept_and_read(tmp_path: Path) -> None:
    data = (DataSet(id="sales"), DataSet(id="raw", source="raw/x.csv"))
    make = Step(
        id="make",
        action=Script(
            text=f'cp "$MLSPEC_INPUTS_RAW" out/sales; b=$MLSPEC_OUTPUTS_B; echo y > $({PATH} $b)',
            refs=(Ref(Namespace.INPUTS, "raw"), Ref(Namespace.OUTPUTS, "b")),
        ),
        inputs=(DataInput(name="raw", data="raw"),),
        outputs=(
            Output(name="a", path="out/sales", data="sales"),
            Output(name="b", path="out/other", data="other", mode=StageMode.URI),
        ),
    )
    use = Step(
        id="use",
        action=Script(
            text=f'cat "$MLSPEC_INPUTS_SALES" "$({PATH} "$MLSPEC_INPUTS_OTHER")" > out/x',
            refs=(Ref(Namespace.INPUTS, "sales"), Ref(Namespace.INPUTS, "other")),
        ),
        needs=("make",),
        inputs=(
            DataInput(name="sales", data="sales"),
            DataInput(name="other", data="other", mode=StageMode.URI),
        ),
        outputs=(Output(name="x", path="out/x"),),
    )
    app = replace(app_of([make, use]), data=(*data, DataSet(id="other")))
    (tmp_path / "project" / "raw").mkdir(parents=True)
    (tmp_path / "project" / "raw" / "x.csv").write_text("1\n")
    result = ran(app, tmp_path)
    assert result.state == "success", result
    assert published(tmp_path, result, "use/x/x").read_text() == "1\ny\n"
    latest = (tmp_path / "store" / "a" / "data" / "sales" / "latest").read_text()
    assert latest == f"versions/{result.run_id}/sales\n"


def test_float_param__has_one_text_whatever_was_typed(tmp_path: Path) -> None:
    param = Param(name="f", type=ParamType.FLOAT, default="0.5")
    asks = (ParamCondition(param="f", op=Op.EQ, value="1.0"),)
    step = dump("s", (Ref(Namespace.PARAMS, "f"),), when=asks)
    result = ran(app_of([step], params=(param,)), tmp_path, conf={"f": 1})
    assert result.tasks["s"] == "success"
    assert dumped(tmp_path, result, "s")["argv"] == ["1.0"]
