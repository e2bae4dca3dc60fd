from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlspec.ir.model import (
    Combination,
    DataSet,
    DynamicAxis,
    Output,
    Pairing,
    RepoInput,
    StageMode,
    StepInput,
)
from mlspec.runtime.layout import Layout, local_path, store_of
from mlspec.runtime.staging import (
    Sources,
    StagingError,
    Written,
    bring,
    check_names,
    missing_output,
    publish,
    publish_data,
    run_time_values,
)
from mlspec.runtime.workspace import make, plan, remove, written_paths
from tests.support.graphs import SEEDS
from tests.support.running import app_of, script

AXIS = DynamicAxis(key="x", step="list", output="values", max=3)


def _layout(project: Path) -> Layout:
    return Layout(
        project=project,
        store=project / ".mlspec" / "store",
        application="app",
        pipeline="p",
        run="r1",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '"a"',
        "[1]",
        '["a", null]',
        '["a", "a"]',
        '["a", "b", "c", "d"]',
        '["a b"]',
        '["../x"]',
        '[".."]',
        '["."]',
        '[""]',
        '["a\\n"]',
        '["é"]',
        "[" * 5000,
    ],
)
def test_run_time_values__refuses(text: str, tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StagingError, match=r"list\.values"):
        run_time_values(AXIS, path)


def test_run_time_values__safe_names(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text('["a.b", "c=1,d", "E@f-g+h_i"]', encoding="utf-8")
    assert run_time_values(AXIS, path) == ("a.b", "c=1,d", "E@f-g+h_i")


def test_check_names__collision_and_dots() -> None:
    check_names(SEEDS.rows)
    same = [Combination((("a", "x-y"), ("b", "z"))), Combination((("a", "x"), ("b", "y-z")))]
    with pytest.raises(StagingError, match="same name"):
        check_names(same)
    for value in ("..", ".", ""):
        with pytest.raises(StagingError, match="no folder"):
            check_names([Combination((("a", value),))])


def test_bring__folder_holds_what_succeeded_in_matrix_order(tmp_path: Path) -> None:
    layout = _layout(tmp_path)
    made = script("fit", "", matrix=SEEDS, outputs=(Output(name="m", path="out/m.bin"),))
    item = StepInput(name="models", step="fit", output="m", pairing=Pairing.FOLDER)
    reader = script("read", "", needs=("fit",), inputs=(item,))
    for name in ("3", "1"):
        place = layout.output("fit", name, made.outputs[0])
        place.parent.mkdir(parents=True)
        place.write_text(name)
    sources = Sources(
        layout=layout,
        pipeline=app_of(made, reader).pipelines[0],
        succeeded={"fit": (SEEDS.rows[0], SEEDS.rows[2])},
        pinned={},
    )
    folder = Path(bring(reader, Combination(()), sources, tmp_path / "work")["models"])
    assert folder.is_absolute()
    assert folder.name == "m.bin"
    assert {p.name for p in folder.iterdir()} == {"1", "3", "index.json"}
    assert json.loads((folder / "index.json").read_text()) == [
        {"entry": "1", "matrix": {"seed": "1"}},
        {"entry": "3", "matrix": {"seed": "3"}},
    ]
    assert (folder / "3").read_text() == "3"


def test_bring__missing_repository_path(tmp_path: Path) -> None:
    step = script("a", "", inputs=(RepoInput(name="code", path="src/a.py"),))
    sources = Sources(
        layout=_layout(tmp_path), pipeline=app_of(step).pipelines[0], succeeded={}, pinned={}
    )
    with pytest.raises(StagingError, match=r"src/a\.py"):
        bring(step, Combination(()), sources, tmp_path / "work")


def test_publish__all_or_nothing_and_links_followed(tmp_path: Path) -> None:
    layout = _layout(tmp_path)
    outputs = (Output(name="a", path="out/a.txt"), Output(name="b", path="b"))
    step = script("s", "", outputs=outputs, metrics="out/m.json")
    space = tmp_path / "space"
    (space / "out").mkdir(parents=True)
    (space / "b").mkdir()
    (space / "real.txt").write_text("linked")
    (space / "out" / "a.txt").symlink_to(space / "real.txt")
    (space / "b" / "inner").symlink_to(space / "real.txt")
    written = Written(
        outputs={"a": space / "out" / "a.txt", "b": space / "b"}, metrics=space / "out" / "m.json"
    )
    assert "metrics file" in missing_output(step, written)
    (space / "out" / "m.json").write_text("{}")
    assert missing_output(step, written) == ""
    stale = layout.published("s", "") / "old"
    stale.mkdir(parents=True)
    publish(step, Combination(()), written, layout)
    remove(space)
    assert not stale.exists()
    assert layout.output("s", "", outputs[0]).read_text() == "linked"
    assert (layout.output("s", "", outputs[1]) / "inner").read_text() == "linked"
    assert layout.metrics("s").read_text() == "{}"
    assert [p.name for p in layout.results.iterdir()] == ["s"]


@pytest.mark.parametrize("output", ["out", "out/m.json"])
def test_publish__metrics_in_an_output(tmp_path: Path, output: str) -> None:
    layout = _layout(tmp_path)
    outputs = (Output(name="a", path=output),)
    step = script("s", "", outputs=outputs, metrics="out/m.json")
    space = tmp_path / "space"
    (space / "out").mkdir(parents=True)
    (space / "out" / "m.json").write_text("{}")
    written = Written(outputs={"a": space / output}, metrics=space / "out" / "m.json")
    publish(step, Combination(()), written, layout)
    assert layout.metrics("s").read_text() == "{}"
    kept = layout.output("s", "", outputs[0])
    assert (kept / "m.json" if output == "out" else kept).read_text() == "{}"


def test_missing_output__says_which(tmp_path: Path) -> None:
    step = script("s", "", outputs=(Output(name="a", path="out/a.txt"),))
    written = Written(outputs={"a": tmp_path / "none"}, metrics=None)
    assert missing_output(step, written) == "declared output `a` was not written (out/a.txt)"


def test_publish_data__newest_version(tmp_path: Path) -> None:
    layout = _layout(tmp_path)
    output = Output(name="t", path="out/t.csv", data="trips")
    made = tmp_path / "t.csv"
    made.write_text("1")
    assert layout.newest("trips") is None
    publish_data(output, DataSet(id="trips"), layout, made)
    home = tmp_path / ".mlspec/store/app/data/trips"
    assert (home / "latest").read_text() == "versions/r1/t.csv\n"
    newest = layout.newest("trips")
    assert newest is not None
    assert newest.read_text() == "1"


def test_publish_data__file_source(tmp_path: Path) -> None:
    made = tmp_path / "t.csv"
    made.write_text("new")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("old")
    output = Output(name="t", path="out/t.csv", data="trips")
    dataset = DataSet(id="trips", source="file:data/t.csv")
    publish_data(output, dataset, _layout(tmp_path), made)
    assert (tmp_path / "data" / "t.csv").read_text() == "new"
    made.write_text("changed later")
    assert (tmp_path / "data" / "t.csv").read_text() == "new"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("data/x", "/p/data/x"),
        ("file:data/x", "/p/data/x"),
        ("file:///abs/x%20y", "/abs/x y"),
        ("file://localhost/abs", "/abs"),
        ("file://host/abs", None),
        ("s3://bucket/x", None),
        ("postgresql://x/y", None),
        ("./a:b", "/p/a:b"),
        ("/abs/x", "/abs/x"),
    ],
)
def test_local_path__schemes(address: str, path: str | None) -> None:
    assert local_path(address, Path("/p")) == (Path(path) if path else None)


def test_store_of__default_and_foreign(tmp_path: Path) -> None:
    from mlspec.ir.model import Environment

    default = tmp_path / ".mlspec" / "store"
    assert store_of(app_of(), tmp_path) == (default, None)
    for store, found in (
        ("file:shared/store", (tmp_path / "shared/store", None)),
        ("s3://bucket", (default, "s3://bucket")),
    ):
        app = app_of(environment=Environment(store=store))
        assert store_of(app, tmp_path) == found


# ------------------------------------------------------------------ workspaces


def test_make__looks_like_a_checkout(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for path, text in {
        "src/a.py": "a",
        "out/kept.txt": "kept",
        "out/stale.txt": "from yesterday",
        "out/big.csv": "big",
        "data.csv": "d",
        ".git/config": "g",
        ".mlspec/x": "x",
        "model.bin": "stale",
    }.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    steps = (
        script("a", "", outputs=(Output(name="o", path="out/stale.txt"),), metrics="logs/deep/m"),
        script("b", "", outputs=(Output(name="o", path="model.bin"),)),
        script("c", "", inputs=(RepoInput(name="i", path="out/big.csv"),)),
        script("d", "", outputs=(Output(name="o", path="s3", data="d", mode=StageMode.URI),)),
    )
    space = tmp_path / "space"
    make(space, project, plan(app_of(*steps).pipelines[0]), written_paths(steps[0]))
    found = {p.name for p in space.iterdir()}
    assert found == {"src", "out", "data.csv", "logs"}
    assert (space / "src").is_symlink()
    assert (space / "out" / "kept.txt").read_text() == "kept"
    assert not (space / "out" / "kept.txt").is_symlink()
    assert (space / "out" / "big.csv").is_symlink()
    assert not (space / "out" / "stale.txt").exists()
    assert (space / "logs" / "deep").is_dir()
    (space / "out" / "kept.txt").write_text("changed")
    assert (project / "out" / "kept.txt").read_text() == "kept"
    remove(space)
    assert (project / "src" / "a.py").read_text() == "a"
    assert not space.exists()


def test_remove__folders_nobody_may_write_to(tmp_path: Path) -> None:
    inner = tmp_path / "x" / "y"
    inner.mkdir(parents=True)
    (inner / "f").write_text("")
    inner.chmod(0o500)
    remove(tmp_path / "x")
    assert not (tmp_path / "x").exists()
    remove(tmp_path / "x")
