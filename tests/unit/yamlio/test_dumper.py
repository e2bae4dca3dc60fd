from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.source import SourceFile
from mlspec.yamlio.dumper import Commented, dump, dump_all
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.nodes import MapNode, Node, ScalarNode, SeqNode
from mlspec.yamlio.scalars import resolve_plain
from tests.support.nasty import NASTY

READABLE = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("\n\t\"'\\ :#-{}[],&*!|>%@`$\x7f\x1b"),
    max_size=40,
)
STRINGS = READABLE | st.sampled_from(NASTY)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=20,
)


def back(node: Node):
    """The plain data of a tree."""
    match node:
        case ScalarNode(text=text, plain=plain):
            return resolve_plain(text) if plain else text
        case SeqNode(items=items):
            return [back(item) for item in items]
        case MapNode(entries=entries):
            return {key: back(entry.value) for key, entry in entries.items()}


def same(one, other) -> bool:
    """Equality that tells 1 from 1.0 and True, and 0.0 from -0.0."""
    if type(one) is not type(other):
        return False
    match one:
        case dict():
            return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
        case list():
            return len(one) == len(other) and all(map(same, one, other))
        case float():
            return one == other and math.copysign(1, one) == math.copysign(1, other)
        case _:
            return one == other


@settings(deadline=None)
@given(DATA)
def test_dump__pyyaml_reads_the_same_data_back(data):
    text = dump(data)
    assert same(yaml.safe_load(text), data), text
    assert text.isascii()


@settings(deadline=None)
@given(DATA)
def test_dump__our_loader_reads_the_same_data_back(data):
    text = dump(data)
    result = load_text(SourceFile("x.yaml", text))
    nul = "\\u0000" in text
    controls = [d for d in result.diagnostics if d.code.id == "ML011"]
    assert len(controls) == len(result.diagnostics)
    if not controls and not nul:
        assert same(back(result.value), data), text


@pytest.mark.parametrize("text", NASTY)
def test_dump__nasty_text_survives_everywhere(text):
    data = {
        "value": text,
        text: "key",
        "list": [text, [text, {text: text}], {"a": text, "b": [text]}],
        "deep": {"a": {"b": {"c": text}}},
    }
    assert yaml.safe_load(dump(data)) == data
    assert yaml.safe_load(dump(text)) == text
    assert yaml.safe_load(dump([text])) == [text]
    assert list(yaml.safe_load_all(dump_all([text, data, [text]]))) == [text, data, [text]]


def test_dump__readable_form():
    data = {
        "name": "a b",
        "on": {"push": None},
        "steps": [{"run": "set -e\necho\n", "if": True}, [], {}, ["x", ["z"]]],
        "version": "1.10",
        "share": 1e-7,
        "emoji": "😀",
        "kept": "a\n\n",
    }
    assert dump(data, comment="one\ntwo") == (
        '# one\n# two\nname: a b\n"on":\n  push: null\nsteps:\n  - run: |\n      set -e\n      echo\n'
        "    if: true\n  - []\n  - {}\n  -\n    - x\n    -\n      - z\n"
        'version: "1.10"\nshare: 1.0e-07\nemoji: "\\U0001f600"\nkept: |+\n  a\n\n'
    )


def test_dump__long_key_is_explicit():
    key = "k" * 3000
    data = {"a": [{key: {"b": 1}, "c": 2}], key: [1], "d": {key: "x\ny\n"}}
    assert yaml.safe_load(dump(data)) == data


@pytest.mark.parametrize("value", ["\ud800", "a\udc00", "\ud83d\ud83d"])
def test_dump__half_of_a_surrogate_pair_is_refused(value):
    with pytest.raises(ValueError, match="surrogate"):
        dump({"a": value})
    with pytest.raises(ValueError, match="surrogate"):
        dump({value: 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, b"x", object(), {1: 2}, {1}, 1j])
def test_dump__other_types_are_refused(value):
    with pytest.raises(TypeError):
        dump({"a": value})


@pytest.mark.parametrize(
    "comment", ["a\nb: c", "a\u2028b: c", "a\rb: c", "a\x85b: c", "\x1b[2J", "😀\n"]
)
def test_dump__comment_stays_a_comment(comment):
    assert yaml.safe_load(dump({"x": 1}, comment=comment)) == {"x": 1}
    assert yaml.safe_load(dump({"x": Commented("1", comment)})) == {"x": "1"}


@settings(deadline=None)
@given(STRINGS, STRINGS)
def test_dump__commented_text_is_only_the_text(text, comment):
    assert yaml.safe_load(dump([Commented(text, comment)])) == [text]


@settings(deadline=None)
@given(DATA)
def test_dump__is_deterministic(data):
    assert dump(data) == dump(data)
