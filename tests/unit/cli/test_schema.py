"""`mlspec schema` prints one self-contained file."""

import json
from pathlib import Path

import pytest
import typer

from mlspec.cli.schema import schema
from mlspec.resources import data_folder


def test_schema__is_the_published_file(capsys: pytest.CaptureFixture[str]) -> None:
    schema(None)
    printed = capsys.readouterr().out
    published = data_folder("schemas") / "mlspec" / "v1" / "spec.schema.json"
    assert printed == published.read_text("utf-8")
    references = [part.split('"', 1)[0] for part in printed.split('"$ref": "')[1:]]
    assert references
    assert all(reference.startswith("#/definitions/") for reference in references)


def test_schema__output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "spec.schema.json"
    schema(target)
    assert json.loads(target.read_text("utf-8"))["properties"]["mlspec"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"$schema={target.as_posix()}" in printed.err


def test_schema__output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(typer.Exit) as found:
        schema(tmp_path / "file" / "x.json")
    assert found.value.exit_code == 73


def test_schema__of_components(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema(None, component=True)
    found = json.loads(capsys.readouterr().out)
    assert found["properties"]["component"]["const"] == "1"
    assert "overlay" not in found["definitions"]
    schema(tmp_path / "c.json", component=True)
    assert "First line of a component" in capsys.readouterr().err
