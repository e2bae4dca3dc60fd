"""Programs of the user's inside our steps: what they are told, and what their exit code means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlspec.ir.facts import DataFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.digests import digest_of_file
from mlspec.runtime.scoring.own import call_program
from mlspec.runtime.steps import validate
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit
from mlspec.runtime.tables import Snapshot, write_rows
from tests.support.data_steps import call, columns

FACTS = DataFacts(
    id="trips",
    format="csv",
    columns=columns(id={"type": "string", "unique": True}, fare={"type": "float", "min": 0}),
)
ENVIRON = {"PATH": "/usr/bin:/bin", "MLSPEC_RUN_ID": "r7"}


def step(tmp_path: Path, **node: Any) -> StepCall:
    """A validation of three rows, one of them refused, that calls a program."""
    folder = tmp_path / "snap"
    folder.mkdir()
    write_rows(
        pa.table({"id": ["a", "b", "c"], "fare": [1.5, -2.0, None]}), folder / "rows.parquet"
    )
    digest = digest_of_file(folder / "rows.parquet")
    Snapshot(
        data="trips",
        source="t.csv",
        version=digest,
        sha256=digest.removeprefix("sha256:"),
        rows=3,
        bytes=1,
        columns={},
    ).write(folder)
    made = call(
        Kind.VALIDATE,
        FACTS,
        tmp_path,
        inputs={"data": folder},
        outputs={"data": tmp_path / "valid"},
        environ=ENVIRON,
    )
    return replace(made, node=replace(made.node, **node))


def test_validate__program_sees_what_arrived_as_a_table(tmp_path):
    made = step(tmp_path, script='cp "${MLSPEC_INPUTS_DATA}" seen.csv', table="csv")
    assert validate.run(made) is StepExit.OK
    assert (tmp_path / "seen.csv").read_text() == '"id","fare"\n"a",1.5\n"b",-2\n"c",\n'
    assert (tmp_path / "valid" / "quarantine.parquet").exists()  # the contract holds as well


def test_validate__program_that_says_no_stops(tmp_path):
    made = step(tmp_path, script="echo never; exit 3; exit 0", table="jsonl")
    with pytest.raises(StepError, match="says no: it ended with 3") as caught:
        validate.run(made)
    assert caught.value.exit is StepExit.GATE_FAILED
    assert not (tmp_path / "valid").exists()


def test_validate__script_stops_at_its_first_failure(tmp_path):
    with pytest.raises(StepError, match="ended with 1"):
        validate.run(step(tmp_path, script="false\ntrue"))


def test_validate__of_files_hands_over_their_folder(tmp_path):
    folder = tmp_path / "photos"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a.png").write_bytes(b"x")
    Snapshot(
        data="trips", source="p", version="sha256:1", sha256="1", rows=None, bytes=1, columns={}
    ).write(folder)
    made = call(
        Kind.VALIDATE,
        DataFacts(id="trips", format="files"),
        tmp_path,
        inputs={"data": folder},
        outputs={"data": tmp_path / "valid"},
        environ=ENVIRON,
    )
    node = replace(made.node, words=("cp", "-r", "${inputs.data}", "seen-${run.id}"))
    assert validate.run(replace(made, node=node)) is StepExit.OK
    assert [one.name for one in (tmp_path / "seen-r7").iterdir()] == ["a.png"]


def test_call__of_a_program_that_is_not_there_says_so(tmp_path):
    made = step(tmp_path, words=("no-such-program-anywhere", "${inputs.data}"))
    with pytest.raises(StepError, match="cannot start `no-such-program-anywhere`"):
        call_program(made, {"inputs.data": "x"})


def test_call__words_are_never_read_by_a_shell(tmp_path):
    made = step(tmp_path, words=("touch", "a;b $(id) ${HOME}", "${inputs.data}"))
    assert call_program(made, {"inputs.data": "it's $x"}) == 0
    assert (tmp_path / "a;b $(id) ${HOME}").exists()
    assert (tmp_path / "it's $x").exists()
