"""Calls that no engine should make: nodes, dates and stores that make no sense."""

from __future__ import annotations

import json

import pytest

from mlspec.ir.facts import NODE_VARIABLE


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "[",
        lambda text: "[" * 100_000,
        lambda text: "{}",
        lambda text: "null",
        lambda text: json.dumps(dict.fromkeys(json.loads(text))),
        lambda text: json.dumps({key: [[]] for key in json.loads(text)}),
        lambda text: text[:-1] + ',"unknown": "' + "x" * 2_000_000 + '"}',
        lambda text: text.replace('"split"', '"train"'),
    ],
)
def test_node__that_makes_no_sense(bench, change):
    end = bench.run("split", **{NODE_VARIABLE: change(bench.node("split"))})
    assert end.code == 64
    assert end.said.startswith("error: ")
    assert len(end.said) < 1000


def test_node__of_two_megabytes(bench):
    text = bench.node("split")
    assert bench.run("split", **{NODE_VARIABLE: text[:-1] + " " * 2_000_000 + "}"}).code == 0


@pytest.mark.parametrize("date", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_date__that_is_none(bench, date):
    end = bench.run("features", MLSPEC_RUN_DATE=date)
    assert (end.code, "the date of the run is not RFC 3339" in end) == (1, True)


@pytest.mark.parametrize("store", ["", "nonsense://x", "file:///proc/nope"])
@pytest.mark.parametrize("step", ["register", "gate", "promote"])
def test_store__that_is_none(bench, step, store):
    end = bench.run(step, MLSPEC_RUN_STORE=store)
    assert end.code in (1, 75)
    assert "error: " in end


@pytest.mark.parametrize("run", ["../../x", "a/b", "x" * 300, "a\n::error::b"])
def test_run_id__of_any_text_stays_inside_the_store(bench, run):
    before = {path for path in bench.folder.rglob("*") if not path.is_relative_to(bench.store)}
    for step in ("validate-sales", "register", "gate", "promote"):
        end = bench.run(step, MLSPEC_RUN_ID=run, MLSPEC_RUN_ACTOR="a\n::error::b\x1b[31m")
        assert end.code == 0, end
        assert not any(line.lstrip().startswith("::") for line in end.said.splitlines())
    after = {path for path in bench.folder.rglob("*") if not path.is_relative_to(bench.store)}
    made = {path.relative_to(bench.folder).parts[:2] for path in after - before}
    assert made <= {("made", "promote"), ("home",), ("home", "mlspec")}  # the key of the runner
