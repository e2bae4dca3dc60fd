from pathlib import Path

import pytest

from mlspec.cli.app import run
from mlspec.cli.exits import Exit

SPEC = """\
mlspec: "1"
app: {name: demo}
pipelines:
  nightly:
    steps:
      prepare: {run: python prepare.py, outputs: {rows: out/rows}}
      train: {run: python train.py, inputs: {rows: prepare.rows}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "mlspec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def mlspec(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(one) for one in arguments])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("text", "demo"),
        ("mermaid", "flowchart"),
        ("dot", "digraph"),
        ("svg", "<svg"),
        ("html", "<!doctype html>"),
    ],
)
def test_graph__formats(spec, capsys, kind, start):
    assert mlspec("graph", "-f", spec, "--format", kind) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(start)
    assert "prepare" in shown


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.svg", "<svg"), ("a.html", "<!doctype"), ("a.mmd", "flow"), ("a", "demo")],
)
def test_graph__ending_decides_the_format(spec, tmp_path, name, start):
    target = tmp_path / "deep" / name
    assert mlspec("graph", "-f", spec, "-o", target) == 0
    assert target.read_text(encoding="utf-8").startswith(start)


def test_graph__lines_are_relative_to_the_spec(spec, capsys):
    assert mlspec("graph", "-f", spec, "--format", "svg") == 0
    assert 'data-where="mlspec.yaml:7  pipelines.nightly.steps.train"' in capsys.readouterr().out


def test_graph__unknown_pipeline_and_format(spec, capsys):
    assert mlspec("graph", "-f", spec, "--pipeline", "nightli") == Exit.USAGE
    shown = capsys.readouterr().err
    assert "error[ML048]" in shown
    assert "did you mean `nightly`?" in shown
    assert mlspec("graph", "-f", spec, "--format", "png") == Exit.USAGE


def test_graph__cannot_write(spec, tmp_path, capsys):
    assert mlspec("graph", "-f", spec, "-o", tmp_path) == Exit.WOULD_OVERWRITE
    assert "error[ML905]" in capsys.readouterr().err
