from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.ir.model import (
    Application,
    DataInput,
    DataSet,
    Image,
    Output,
    Param,
    ParamType,
    Secret,
    StageMode,
)
from mlspec.runtime import containers
from mlspec.runtime.layout import Layout
from mlspec.runtime.model import RunOptions
from mlspec.runtime.preflight import Prepared, param_problem, prepare, read_date
from tests.support.running import app_of, script


def _prepare(app: Application, project: Path, **options: object) -> tuple[Prepared | None, list]:
    layout = Layout(
        project=project, store=project / "store", application="app", pipeline="p", run=""
    )
    chosen = RunOptions(**{"environ": {}, **options})  # type: ignore[arg-type]  # options
    result = prepare(app, app.pipelines[0], layout, chosen)
    return result.value, [(d.code.id, d.message) for d in result.diagnostics]


def test_prepare__params(tmp_path: Path) -> None:
    params = (
        Param(name="n", type=ParamType.INT, default="1"),
        Param(name="mode", enum=("a", "b")),
        Param(name="must"),
    )
    app = app_of(params=params)
    good, found = _prepare(app, tmp_path, params={"mode": "b", "must": ""})
    assert good is not None
    assert good.params == {"n": "1", "mode": "b", "must": ""}
    assert found == []
    _, found = _prepare(app, tmp_path, params={"n": "x", "mode": "c", "mod": "1"})
    assert [code for code, _ in found] == ["ML920", "ML073", "ML073", "ML921"]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (ParamType.INT, ["0", "-3", "+7", "007"], ["", "1.0", "x", "1e3", "\u0661", "1_0"]),
        (ParamType.FLOAT, ["1", "-.5", "1e-3", "1.5E+6"], ["", "x", "nan", "inf", "1e999", "1_0"]),
        (ParamType.BOOL, ["true", "false"], ["True", "1", "", "yes"]),
        (ParamType.STRING, ["", "\n", "${x}"], []),
    ],
)
def test_param_problem__types(kind: ParamType, good: list[str], bad: list[str]) -> None:
    param = Param(name="x", type=kind)
    assert [value for value in good if param_problem(param, value)] == []
    assert [value for value in bad if not param_problem(param, value)] == []


def test_prepare__params_have_one_form(tmp_path: Path) -> None:
    params = (
        Param(name="rate", type=ParamType.FLOAT, enum=("0.1", "1.0")),
        Param(name="n", type=ParamType.INT, default="3"),
        Param(name="tag", default="01"),
    )
    app = app_of(params=params)
    good, _ = _prepare(app, tmp_path, params={"rate": "1", "n": "+007"})
    assert good is not None
    assert good.params == {"rate": "1.0", "n": "7", "tag": "01"}
    _, found = _prepare(app, tmp_path, params={"rate": "2"})
    assert found == [("ML073", "param `rate` cannot be '2': it must be one of `0.1`, `1.0`")]


def test_prepare__secrets(tmp_path: Path) -> None:
    step = script("a", "", secrets=(Secret("TOKEN", "hub-token"),))
    again = script("b", "", secrets=(Secret("T", "hub-token"),))
    _, found = _prepare(app_of(step, again), tmp_path)
    assert found == [("ML923", "secret `hub-token` of step `a` has no value here")]
    for name in ("HUB_TOKEN", "MLSPEC_SECRET_HUB_TOKEN"):
        good, _ = _prepare(app_of(step, again), tmp_path, environ={name: "x"})
        assert good is not None
        assert good.secrets == {"hub-token": "x"}
    both = {"HUB_TOKEN": "other", "MLSPEC_SECRET_HUB_TOKEN": "best"}
    good, _ = _prepare(app_of(step), tmp_path, environ=both)
    assert good is not None
    assert good.secrets == {"hub-token": "best"}


@pytest.mark.parametrize(
    ("dataset", "mode", "says"),
    [
        (DataSet(id="d"), StageMode.PATH, "no version yet"),
        (DataSet(id="d", source="s3://b/x"), StageMode.PATH, "`s3:`"),
        (DataSet(id="d", source="file:none.csv"), StageMode.PATH, "there is nothing at"),
        (DataSet(id="d", source="none.csv"), StageMode.URI, "there is nothing at"),
        (DataSet(id="d", source="pg://b", query="q.sql"), StageMode.URI, "runs the query"),
    ],
)
def test_prepare__data_that_is_not_here(
    dataset: DataSet, mode: StageMode, says: str, tmp_path: Path
) -> None:
    step = script("a", "", inputs=(DataInput(name="x", data="d", mode=mode),))
    _, found = _prepare(app_of(step, data=(dataset,)), tmp_path)
    assert [code for code, _ in found] == ["ML924"]
    assert says in found[0][1]


def test_prepare__data_that_is_here(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("")
    inputs = (
        DataInput(name="x", data="near"),
        DataInput(name="y", data="far", mode=StageMode.URI),
    )
    data = (DataSet(id="near", source="file:d.csv"), DataSet(id="far", source="s3://b/x"))
    good, _ = _prepare(app_of(script("a", "", inputs=inputs), data=data), tmp_path)
    assert good is not None
    assert good.pinned == {"near": (tmp_path / "d.csv").as_uri(), "far": "s3://b/x"}


def test_prepare__output_to_another_scheme(tmp_path: Path) -> None:
    output = Output(name="o", path="o.csv", data="d")
    app = app_of(script("a", "", outputs=(output,)), data=(DataSet(id="d", source="gs://b"),))
    _, found = _prepare(app, tmp_path)
    assert [code for code, _ in found] == ["ML924"]


def test_prepare__image_without_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlspec.runtime.preflight.docker", lambda: None)
    app = app_of(script("a", "", image=Image(reference="python:3.11")))
    _, found = _prepare(app, tmp_path)
    assert found == [
        ("ML924", "step `a`: its image `python:3.11` needs docker, which is not on the PATH")
    ]
    assert containers.docker is not None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T05:00:00+01:00", "2026-01-31T04:00:00+00:00"),
        ("2026-01-31T04:00:00Z", "2026-01-31T04:00:00+00:00"),
        ("yesterday", None),
        ("", None),
    ],
)
def test_read_date__rfc_3339(text: str, shown: str | None) -> None:
    found = read_date(text)
    assert (found.isoformat() if found is not None else None) == shown


def test_prepare__bad_date(tmp_path: Path) -> None:
    _, found = _prepare(app_of(), tmp_path, date="soon")
    assert [code for code, _ in found] == ["ML928"]


def test_prepare__advice_on_outputs_can_be_followed(tmp_path: Path) -> None:
    output = Output(name="o", path="o.csv", data="d")
    app = app_of(script("a", "", outputs=(output,)), data=(DataSet(id="d", source="gs://b"),))
    layout = Layout(project=tmp_path, store=tmp_path, application="a", pipeline="p", run="")
    run = prepare(app, app.pipelines[0], layout, RunOptions())
    (found,) = run.diagnostics
    assert "as: uri" not in found.help[0], "an output has no long form"
