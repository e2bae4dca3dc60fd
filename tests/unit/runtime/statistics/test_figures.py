"""The figures on which the gates rest hold: a quick draw of bench/figures.py."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[4] / "bench" / "figures.py"


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("bench_figures", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_figures"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["bench_figures"]


@pytest.mark.slow
def test_figures__hold(figures):
    found = figures.collect(quick=True)
    assert len(found) > 100
    odd = [(one.table, one.what, one.design, one.measured) for one in found if not one.holds]
    assert not odd


def test_figures__that_need_no_draws_hold(figures):
    found = [*figures.looks(quick=True), *figures.sizes(quick=True)]
    assert all(one.holds for one in found)


def test_figure__that_does_not_hold_is_seen(figures):
    wrong = figures.share("t", "w", 0.5, 0.9, 200)
    assert not wrong.holds
    assert "| w | 50% | 90% (differs) |" in figures.tables([wrong])
    low = figures.Figure(
        table="t", what="w", design=0.5, measured=0.1, tolerance=0.01, at_most=True
    )
    assert low.holds
