from __future__ import annotations

from mlspec.backends.kubernetes.names import NameTable


def test_step__keeps_its_id() -> None:
    assert NameTable(["train", "score"]).step("train") == "train"


def test_step__is_renamed_where_depends_would_read_an_operator() -> None:
    names = NameTable(["not", "step-not", "in", "all"])
    assert names.step("step-not") == "step-not"
    assert names.step("not") == "step-not-x2"
    assert names.step("in") == "step-in"
    assert names.step("all") == "all"


def test_fresh__never_takes_a_steps_name() -> None:
    names = NameTable(["train", "train-1", "verdict"])
    assert names.fresh("train-1") == "train-1-x2"
    assert names.fresh("verdict") == "verdict-x2"
    assert names.fresh("train-2") == "train-2"
    assert names.fresh("train-2") == "train-2-x2"
