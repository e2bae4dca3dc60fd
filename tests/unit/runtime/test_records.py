from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlspec.runtime.records import (
    AttemptRecord,
    InstanceRecord,
    RunRecord,
    StepRecord,
    all_runs,
    find_run,
    load,
    new_run,
    save,
)

NOW = datetime(2026, 1, 31, 4, 5, 6, tzinfo=UTC)


def _record(run: str) -> RunRecord:
    instance = InstanceRecord(
        combination="1",
        matrix={"seed": "1"},
        outcome="failed",
        reason="exit code 1 \udcff",
        metrics={"a": 1, "b": 0.5},
        attempts=[AttemptRecord(number=1, started="x", log="l", exit=1)],
    )
    step = StepRecord(id="a", outcome="failed", instances=[instance])
    return RunRecord(
        id=run,
        application="app",
        pipeline="p",
        environment="default",
        spec="sha256:x",
        params={"x": "ü\u2028"},
        date="d",
        started="s",
        results="r",
        steps=[step],
    )


def test_save__reads_back(tmp_path: Path) -> None:
    folder = new_run(tmp_path, NOW)
    record = _record(folder.name)
    save(record, folder)
    assert load(folder) == record
    assert [p.name for p in folder.iterdir()] == ["run.json"]
    assert (tmp_path / ".mlspec" / ".gitignore").read_text().splitlines()[0] == "/runs/"


def test_new_run__sorts_and_is_unique(tmp_path: Path) -> None:
    names = [new_run(tmp_path, NOW).name for _ in range(20)]
    assert len(set(names)) == 20
    assert all(name.startswith("20260131-040506-") for name in names)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("id"),
        lambda d: d.update(format_version="2.0"),
        lambda d: d.update(steps=3),
        lambda d: d["steps"].append({}),
        lambda d: d.update(surprise=1),
    ],
)
def test_load__anything_else(tmp_path: Path, change: object) -> None:
    folder = new_run(tmp_path, NOW)
    save(_record(folder.name), folder)
    data = json.loads((folder / "run.json").read_text(encoding="utf-8", errors="surrogateescape"))
    change(data)  # type: ignore[operator]  # a function
    (folder / "run.json").write_text(json.dumps(data))
    assert load(folder) is None
    assert list(all_runs(tmp_path)) == []


def test_find_run__by_a_part_of_the_id(tmp_path: Path) -> None:
    for name in ("20260101-000000-aaa", "20260102-000000-aab", "20260103-000000-aaa"):
        folder = tmp_path / ".mlspec" / "runs" / name
        folder.mkdir(parents=True)
        save(_record(name), folder)
    assert [record.id[:8] for _, record in all_runs(tmp_path)] == [
        "20260103",
        "20260102",
        "20260101",
    ]
    found = find_run(tmp_path, "aab")
    assert found is not None
    assert found[1].id == "20260102-000000-aab"
    assert find_run(tmp_path, "aaa") is None
    assert find_run(tmp_path, "zzz") is None
    assert find_run(tmp_path, "") is None
    assert find_run(tmp_path, "20260101-000000-aaa") is not None


def test_first_failure__names_the_combination() -> None:
    step = _record("x").steps[0]
    assert step.first_failure() == "1: exit code 1 \udcff"
    step.instances.append(InstanceRecord(combination="2", outcome="failed", reason="r"))
    assert step.first_failure().endswith("(and 1 more)")
