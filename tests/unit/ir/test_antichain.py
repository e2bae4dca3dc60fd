"""The heaviest antichain against brute force."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.ir.graph import ancestors, heaviest_antichain, topological_order


@st.composite
def weighted_graphs(draw):
    size = draw(st.integers(0, 8))
    names = [f"n{index}" for index in range(size)]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else ())
        for index, name in enumerate(names)
    }
    return needs, {name: draw(st.integers(0, 9)) for name in names}


def heaviest_by_hand(needs, weight):
    above = ancestors(needs, topological_order(needs))
    best = 0
    for count in range(len(needs) + 1):
        for chosen in combinations(needs, count):
            if not any(one in above[other] for one in chosen for other in chosen):
                best = max(best, sum(weight[one] for one in chosen))
    return best


@given(weighted_graphs())
def test_heaviest_antichain__weighs_what_brute_force_finds(graph):
    needs, weight = graph
    found = heaviest_antichain(needs, weight)
    above = ancestors(needs, topological_order(needs))
    assert sum(weight[one] for one in found) == heaviest_by_hand(needs, weight)
    assert not any(one in above[other] for one in found for other in found)
    assert all(weight[one] > 0 for one in found)


@pytest.mark.parametrize("needs", [{"a": ("b",), "b": ("a",)}, {}])
def test_heaviest_antichain__of_nothing(needs):
    assert heaviest_antichain(needs, dict.fromkeys(needs, 1)) == ()
