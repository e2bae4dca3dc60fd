from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlspec.backends.kubernetes.model import Manifest
from mlspec.backends.kubernetes.overlays import merge_apply, merge_diff, overlay_of

LEAVES = st.one_of(st.booleans(), st.integers(0, 3), st.text("ab", max_size=2))
DATA = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), DATA)


@given(OBJECTS, OBJECTS)
def test_merge_diff__applied_gives_what_was_wanted(base: dict, wanted: dict) -> None:
    assert merge_apply(base, merge_diff(base, wanted)) == wanted


@given(OBJECTS)
def test_merge_diff__of_equal_objects_is_empty(base: dict) -> None:
    assert merge_diff(base, base) == {}


def manifest(name: str, **more: object) -> Manifest:
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}
    return Manifest(data=data, file="config")


def test_overlay_of__sorts_objects_into_changed_added_and_removed() -> None:
    base = (manifest("same"), manifest("changed", data={"a": "1"}), manifest("gone"))
    wanted = (manifest("same"), manifest("changed", data={"a": "2"}), manifest("new"))
    overlay = overlay_of("prod", "ns", base, wanted)
    assert [p.name for p in overlay.patches] == ["changed"]
    assert dict(overlay.patches[0].data) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "changed"},
        "data": {"a": "2"},
    }
    assert [m.name for m in overlay.added] == ["new"]
    assert [m.name for m in overlay.removed] == ["gone"]
