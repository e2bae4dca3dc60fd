"""Places: nothing overlaps, no edge crosses a box, the same input gives the same numbers."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.drawing.layers import arrange
from mlspec.drawing.layout import Box, Layout, Size, lay_out


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    names = [f"n{number}" for number in range(count)]
    labels = st.sampled_from(["", "a", "b"])
    edges = [
        (names[source], names[target], draw(labels))
        for target in range(count)
        for source in range(target)
        if draw(st.integers(0, 3)) == 0
    ]
    sizes = {
        name: Size(draw(st.integers(20, 300)), draw(st.integers(20, 90)), draw(st.booleans()))
        for name in names
    }
    last = draw(st.sampled_from([None, names[-1]]))
    return sizes, edges, last


def laid_out(sizes, edges, last=None, *, sideways=True) -> Layout:
    return lay_out(
        sizes, edges, lambda text: Size(8.0 * len(text), 15), sideways=sideways, last=last
    )


def points(route, steps=24):
    """Points along a route."""
    at = route[0][0]
    yield at
    for piece in route[1:]:
        end = piece[-1]
        for number in range(1, steps + 1):
            t, u = number / steps, 1 - number / steps
            if len(piece) == 3:
                a, b = piece[:2]
                yield tuple(
                    at[i] * u**3 + 3 * a[i] * u * u * t + 3 * b[i] * u * t * t + end[i] * t**3
                    for i in (0, 1)
                )
            else:
                yield tuple(at[i] * u + end[i] * t for i in (0, 1))
        at = end


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width - 0.01
        and other.x < one.x + one.width - 0.01
        and one.y < other.y + other.height - 0.01
        and other.y < one.y + one.height - 0.01
    )


def inside(point, box: Box) -> bool:
    x, y = point
    return box.x + 0.5 < x < box.x + box.width - 0.5 and box.y + 0.5 < y < box.y + box.height - 0.5


@pytest.mark.parametrize("sideways", [True, False])
@given(graphs())
@settings(max_examples=60, deadline=None)
def test_lay_out__boxes_never_overlap_and_edges_cross_none(sideways, graph):
    sizes, edges, last = graph
    layout = laid_out(sizes, edges, last, sideways=sideways)
    boxes = layout.boxes
    assert list(boxes) == list(sizes)
    for name, size in sizes.items():
        assert boxes[name].width >= size.width - 0.01
        assert boxes[name].height >= size.height - 0.01
        assert boxes[name].x >= -0.01
        assert boxes[name].y >= -0.01
    assert not [pair for pair in combinations(boxes, 2) if overlap(*(boxes[one] for one in pair))]
    for (source, target, _), route in zip(edges, layout.routes, strict=True):
        others = [box for name, box in boxes.items() if name not in (source, target)]
        assert not [p for p in points(route) for box in others if inside(p, box)]


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_lay_out__labels_lie_on_no_box_and_no_other_label(graph):
    sizes, edges, last = graph
    layout = laid_out(sizes, edges, last)
    labels = [Box(x=one.at[0] - 4, y=one.at[1] - 7.5, width=8, height=15) for one in layout.labels]
    assert not [pair for pair in combinations(labels, 2) if overlap(*pair)]
    assert not [1 for one in labels for box in layout.boxes.values() if overlap(one, box)]
    assert {one.text for one in layout.labels} == {label for _, _, label in edges if label}


def test_lay_out__is_deterministic():
    sizes = {f"n{n}": Size(90, 40) for n in range(30)}
    edges = [
        (f"n{a}", f"n{b}", "") for b in range(30) for a in range(b) if (a * 7 + b * 3) % 11 == 0
    ]
    assert laid_out(sizes, edges) == laid_out(sizes, edges)


def test_lay_out__ends_touch_the_boxes():
    layout = laid_out({"a": Size(50, 30), "b": Size(80, 30)}, [("a", "b", "out")])
    a, b = layout.boxes["a"], layout.boxes["b"]
    (route,) = layout.routes
    assert route[0][0] == pytest.approx((a.x + a.width, a.y + a.height / 2))
    assert route[-1][-1] == pytest.approx((b.x, b.y + b.height / 2))


def test_lay_out__nothing_is_nothing():
    layout = laid_out({}, [])
    assert (layout.width, layout.height, layout.boxes) == (0, 0, {})


def test_lay_out__parts_that_do_not_hang_together_stand_close():
    sizes = {name: Size(50, 30) for name in "abcdefgh"}
    layout = laid_out(sizes, [("a", "b", ""), ("a", "c", ""), ("d", "e", ""), ("f", "g", "")])
    assert layout.height < 260


def test_arrange__edges_lead_to_later_layers_through_bends():
    graph = arrange("abcd", [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")])
    layer = dict(zip("abcd", graph.layer_of, strict=False))
    assert layer["a"] < layer["b"] < layer["c"]
    assert layer["d"] == layer["c"] - 1  # a source stands near what reads it
    assert [len(chain) for chain in graph.chains] == [2, 2, 3, 2]


def test_arrange__cycles_are_turned():
    graph = arrange("ab", [("a", "b"), ("b", "a")])
    assert graph.turned == {1}
    layout = laid_out({"a": Size(9, 9), "b": Size(9, 9)}, [("a", "b", ""), ("b", "a", "")])
    assert layout.routes[1][0][0][0] > layout.routes[1][-1][-1][0]


def test_arrange__last_stands_behind_everything_unconnected():
    graph = arrange("zab", [("a", "b")], last="z")
    assert graph.layer_of == (2, 0, 1)


def test_arrange__removes_avoidable_crossings():
    edges = [("a", "z"), ("b", "y"), ("c", "x")]
    graph = arrange("abcxyz", edges)
    upper, lower = ([graph.names[n] for n in layer] for layer in graph.layers)
    partner = dict(edges)
    assert [partner[name] for name in upper] == lower


def test_arrange__long_chain_does_not_recurse():
    names = [f"n{n}" for n in range(3000)]
    graph = arrange(names, list(pairwise(names)))
    assert len(graph.layers) == 3000
