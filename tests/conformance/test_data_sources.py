"""Real tables and stores: what the step `snapshot` makes of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mlspec.ir.facts import DataFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.steps import snapshot
from mlspec.runtime.steps.contract import StepError, StepExit
from mlspec.runtime.tables import read_data, read_snapshot
from tests.support.data_steps import call, columns
from tests.support.dvc import dvc_program

ROOT = Path(__file__).resolve().parents[2]
TYPES = ["string", "int64", "timestamp[us, tz=UTC]", "double"]
THREE = ["1.10", "2.10", "3.10"]
SIX = [*THREE, "4.10", "5.10", "6.10"]


def found(case: str, tmp_path: Path) -> list[dict[str, object]]:
    """Run a case inside the environment that has the libraries."""
    engines = os.environ.get("MLSPEC_ENGINES") or Path.home() / ".cache" / "mlspec-engines"
    python = Path(engines) / "data" / "bin" / "python"
    if not python.exists():
        pytest.skip("the data libraries are not installed: tests/engines/install.sh data")
    script = ROOT / "tests" / "support" / "data_sources_run.py"
    done = subprocess.run(
        [python, script, case, tmp_path],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((tmp_path / "found.json").read_text())


@pytest.mark.engine("data")
def test_delta__the_version_is_the_number_of_the_table(tmp_path):
    first, latest, rooted, pinned, beyond, none = found("delta", tmp_path)
    assert (first["version"], first["ids"], first["types"]) == ("delta:0", THREE, TYPES)
    assert first["undeclared"] == ["extra"]
    assert (latest["version"], latest["ids"]) == ("delta:1", SIX)
    assert rooted == latest
    assert pinned == first
    assert beyond["exit"] == 1
    assert none["error"] == "data `trips`: there is no Delta table at `lake`"


@pytest.mark.engine("data")
def test_iceberg__the_version_is_the_snapshot(tmp_path):
    empty, first, latest, path, pinned, none, truth = found("iceberg", tmp_path)
    assert "has no snapshot" in empty["error"]
    assert (first["ids"], first["types"], first["undeclared"]) == (THREE, TYPES, ["extra"])
    assert (latest["version"], latest["ids"]) == (truth["version"], SIX)
    assert path == latest
    assert pinned == first
    assert none["error"] == "data `trips`: there is no table `iceberg:db.nothing`"


@pytest.mark.engine("data")
def test_avro__values_and_a_file_that_is_cut_off(tmp_path):
    whole, cut = found("avro", tmp_path)
    assert (whole["ids"], whole["types"]) == (THREE[::-1], TYPES)
    assert "`cut.avro` is no readable Avro file" in cut["error"]


@pytest.mark.engine("data")
def test_s3__files_folders_patterns_and_a_store_that_is_gone(tmp_path):
    folder, file, pattern, none, bucket, gone = found("s3", tmp_path)
    assert folder["ids"] == ["3.10", "2.10", "1.10", "6.10", "5.10", "4.10"]
    assert folder["undeclared"] == ["extra", "day"]
    assert file["ids"] == ["3.10", "2.10", "1.10"]
    assert file["version"].startswith("sha256:")
    assert pattern["ids"] == ["6.10", "5.10", "4.10"]
    assert none["error"] == "data `trips`: `s3://lake/nothing/` does not exist"
    assert bucket["exit"] == StepExit.ERROR
    assert gone["exit"] == StepExit.TEMPORARY


@pytest.mark.engine("data")
def test_fsspec__any_store_that_it_knows(tmp_path):
    one, none = found("memory", tmp_path)
    assert (one["ids"], one["types"]) == (["1.10"], TYPES)
    assert "does not exist" in none["error"]


@pytest.mark.engine("data")
def test_postgresql__tables_queries_and_a_server_that_is_gone(tmp_path):
    table, query, delete, nothing, schema, gone = found("postgresql", tmp_path)
    assert (table["ids"], table["types"]) == (["1.10", "2.10"], TYPES)
    assert table["version"] == f"sha256:{table['sha256']}"
    assert query["ids"] == ["2.10"]
    assert "read-only transaction" in delete["error"]
    assert 'relation "nothing" does not exist' in nothing["error"]
    assert schema == table
    assert gone["exit"] == StepExit.TEMPORARY


# ------------------------------------------------------------------ DVC


def shell(folder: Path, *commands: str) -> None:
    tools = f"{Path(dvc_program()).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        subprocess.run(
            ["bash", "-ec", command],
            cwd=folder,
            env={**os.environ, "PATH": tools, "DVC_NO_ANALYTICS": "1"},
            check=True,
            capture_output=True,
            timeout=120,
        )


def take(folder: Path, source: str) -> Path:
    facts = DataFacts(id="t", source=source, columns=columns(id="string"))
    out = folder / "out" / "data"
    out.parent.mkdir(exist_ok=True)
    environ = dict(os.environ)
    environ["PATH"] = f"{Path(dvc_program()).parent}{os.pathsep}{environ['PATH']}"
    snapshot.run(call(Kind.SNAPSHOT, facts, folder, outputs={"data": out}, environ=environ))
    return out


@pytest.mark.engine("dvc")
def test_dvc__a_file_that_is_not_here_is_pulled(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "t.csv").write_text("id\n1.10\n")
    (home / "days").mkdir()
    (home / "days" / "1.csv").write_text("id\na\n")
    shell(
        home,
        "git init -q && git config user.name r && git config user.email r@example.com",
        'dvc init -q && dvc remote add -q -d away "$PWD/../away"',
        "dvc add -q t.csv days && dvc push -q",
        "git add -A && git commit -qm one",
        "rm -rf t.csv days .dvc/cache",
    )
    table, known = read_data(take(home, "dvc:t.csv"))
    assert table["id"].to_pylist() == ["1.10"]
    said = (home / "t.csv.dvc").read_text()
    assert known.version.startswith("dvc:md5:")
    assert known.version.removeprefix("dvc:md5:") in said
    folder = read_snapshot(take(home, "dvc:days/"))
    assert folder.version.endswith(".dir")
    other = tmp_path / "other"
    other.mkdir()
    elsewhere, version = read_data(take(other, f"dvc:file://{home}?path=t.csv&rev=HEAD"))
    assert elsewhere["id"].to_pylist() == ["1.10"]
    assert version.version == known.version
    shell(home, "rm -rf t.csv .dvc/cache ../away")
    with pytest.raises(StepError, match="`dvc pull` failed"):
        take(home, "dvc:t.csv")
