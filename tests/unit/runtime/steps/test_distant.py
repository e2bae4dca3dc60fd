from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlspec.cli.app import build
from mlspec.ir.facts import AppFacts, Node
from mlspec.ir.kinds import Kind
from mlspec.ir.node import write_node
from mlspec.runtime.steps import distant, split
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit


def rows(folder: Path, text: str = "x") -> Path:
    (folder / "rows" / "deep").mkdir(parents=True)
    (folder / "rows" / "deep" / "rows.txt").write_text(text, encoding="utf-8")
    return folder / "rows"


@pytest.mark.parametrize("name", ["train.tgz", "train"])
def test_take_and_bring__the_same_comes_back(tmp_path: Path, name: str) -> None:
    address = (tmp_path / "store" / "run" / name).as_uri()
    distant.take(rows(tmp_path / "here"), address)
    back = distant.bring(address, tmp_path / "there")
    assert back is not None
    assert (back / "deep" / "rows.txt").read_text(encoding="utf-8") == "x"


def test_take__a_file(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text("{}", encoding="utf-8")
    for name in ("params.tgz", "params.json"):
        address = (tmp_path / "store" / name).as_uri()
        distant.take(tmp_path / "params.json", address)
        back = distant.bring(address, tmp_path / f"there-{name}")
        assert back is not None
        assert back.read_text(encoding="utf-8") == "{}"


def test_take__again_replaces(tmp_path: Path) -> None:
    address = (tmp_path / "store" / "a.tgz").as_uri()
    for text in ("one", "two"):
        distant.take(rows(tmp_path / text, text), address)
    back = distant.bring(address, tmp_path / "there")
    assert back is not None
    assert (back / "deep" / "rows.txt").read_text(encoding="utf-8") == "two"


def test_bring__nothing_there(tmp_path: Path) -> None:
    assert distant.bring((tmp_path / "none.tgz").as_uri(), tmp_path / "in") is None


def test_bring__what_is_no_archive_of_one_thing(tmp_path: Path) -> None:
    (tmp_path / "bad.tgz").write_bytes(b"nonsense")
    with pytest.raises(StepError, match="no archive"):
        distant.bring((tmp_path / "bad.tgz").as_uri(), tmp_path / "a")
    with tarfile.open(tmp_path / "two.tgz", "w:gz") as packed:
        packed.add(rows(tmp_path / "x"), arcname="one")
        packed.add(rows(tmp_path / "y"), arcname="two")
    with pytest.raises(StepError, match="2 entries"):
        distant.bring((tmp_path / "two.tgz").as_uri(), tmp_path / "b")


def test_bring__a_scheme_that_nobody_opens(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="cannot reach nowhere://x"):
        distant.bring("nowhere://x/y", tmp_path / "in")


@pytest.mark.parametrize(("rank", "left"), [("", True), ("0", True), ("1", False)])
def test_step__with_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str, left: bool
) -> None:
    seen: dict[str, Any] = {}

    def run(call: StepCall) -> StepExit:
        seen["rows"] = (call.input("rows") / "deep" / "rows.txt").read_text(encoding="utf-8")
        seen["absent"] = call.inputs["absent"]
        call.output("train").mkdir()
        (call.output("train") / "made").write_text("made", encoding="utf-8")
        return StepExit.OK

    monkeypatch.setattr(split, "run", run)
    node = Node(
        kind=Kind.SPLIT,
        step="split",
        pipeline="model-ctr",
        subject="models.ctr",
        environment="default",
        app=AppFacts(name="a"),
    )
    monkeypatch.setenv("MLSPEC_NODE", write_node(node))
    monkeypatch.setenv(distant.NODE_RANK, rank)
    store = tmp_path / "store"
    distant.take(rows(tmp_path / "here"), (store / "rows.tgz").as_uri())
    words = ["split", "--in", f"rows={(store / 'rows.tgz').as_uri()}"]
    words += ["--in", f"absent={(store / 'absent.tgz').as_uri()}"]
    words += ["--out", f"train={(store / 'train.tgz').as_uri()}"]
    done = CliRunner().invoke(build(("step", "run")), ["step", *words])
    assert done.exit_code == 0, done.output
    assert seen == {"rows": "x", "absent": None}
    assert (store / "train.tgz").exists() is left
    if left:
        back = distant.bring((store / "train.tgz").as_uri(), tmp_path / "there")
        assert back is not None
        assert (back / "made").exists()
