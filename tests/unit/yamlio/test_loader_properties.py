"""Whatever the text is, the loader answers with a tree or with diagnostics, never with an exception."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.source import SourceFile
from mlspec.yamlio import loader
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.nodes import MapNode, Node, ScalarNode, SeqNode
from mlspec.yamlio.pure import PureParser
from tests.support.nasty import NASTY

TEXTS = [
    p.read_text(encoding="utf-8")
    for p in sorted((Path(__file__).parents[2] / "inputs" / "design").glob("*.yaml"))
]
PIECES = [
    *NASTY,
    *[
        ":",
        ",",
        "-",
        "?",
        "|",
        ">",
        "&",
        "*",
        "!",
        "%",
        "@",
        "`",
        "{",
        "}",
        "[",
        "]",
        "#",
        "'",
        '"',
        "\n",
        "\t",
    ],
    "${inputs.a}",
    "{a: ${b.c}}",
    "&x ",
    "*x",
    "<<: *x\n",
    "!!str ",
    "\n---\n",
    "\n...\n",
    "? ",
    "|2-\n",
    "\ud800",
    "%YAML 1.1\n---\n",
    "%TAG ! x\n---\n",
]


def check(text: str) -> None:
    """All places are inside the text; a tree's nodes stand in order, inside of each other."""
    result = load_text(SourceFile("m.yaml", text))
    assert result.value is not None or result.diagnostics
    for diagnostic in result.diagnostics:
        spans = [diagnostic.at.span, *(label.place.span for label in diagnostic.labels)]
        assert all(0 <= span.start <= span.end <= len(text) for span in spans)
        assert diagnostic.message.isprintable()
        assert all(line.isprintable() for line in diagnostic.help)
    if result.value is not None:
        check_node(result.value, len(text))


def check_node(node: Node, size: int) -> None:
    assert 0 <= node.start <= node.end <= size
    match node:
        case SeqNode(items=items):
            for item in items:
                check_node(item, size)
        case MapNode(entries=entries):
            for key, entry in entries.items():
                assert isinstance(entry.key, ScalarNode)
                assert entry.key.text == key
                check_node(entry.key, size)
                check_node(entry.value, size)


def mutate(source: random.Random, text: str) -> str:
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(text) + 1)
        end = min(len(text), at + source.choice([0, 0, 1, 2, 10, 200]))
        text = text[:at] + source.choice([*PIECES, ""]) + text[end:]
    return text


@pytest.mark.parametrize("seed", range(300))
def test_load_text__mutated_example_is_never_an_exception(seed):
    source = random.Random(seed)
    check(mutate(source, source.choice(TEXTS)))


@pytest.mark.parametrize("seed", range(40))
def test_load_text__mutated_example_with_the_pure_parser(monkeypatch, seed):
    monkeypatch.setattr(loader, "_parser", PureParser)
    source = random.Random(seed)
    check(mutate(source, source.choice(TEXTS)[:2000]))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=20).map("".join))
def test_load_text__random_text_is_never_an_exception(text):
    check(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join))
def test_load_text__both_parsers_agree_whether_text_is_acceptable(text):
    with_c = load_text(SourceFile("m.yaml", text))
    root, built, failure, _ = build_pure(text)
    if with_c.ok and failure is None and not built:
        assert root == with_c.value


def build_pure(text: str):
    kept = loader._parser
    loader._parser = PureParser
    try:
        return loader._build(SourceFile("m.yaml", loader.without_bad_characters(text)))
    finally:
        loader._parser = kept
