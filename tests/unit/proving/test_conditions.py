"""Conditions against Python's own evaluation, and three values against all assignments."""

from __future__ import annotations

import itertools
import random

import pytest

from mlspec.ir.joins import Outcome
from mlspec.proving.conditions import NotUnderstoodError, parse
from mlspec.proving.graph import FALSE, TRUE, UNKNOWN, Ended, values

NAMES = ("a", "b", "c")


def _atom(text):
    return {"true": TRUE, "false": FALSE, "what()": UNKNOWN}.get(
        text, Ended(text, frozenset({Outcome.SUCCESS}))
    )


def _text(chance, depth):
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(NAMES)
    kind = chance.choice(("not", "and", "or", "group"))
    if kind == "not":
        return f"!{_text(chance, 0)}" if chance.random() < 0.5 else f"!({_text(chance, depth - 1)})"
    if kind == "group":
        return f"( {_text(chance, depth - 1)})"
    sign = " && " if kind == "and" else "||"
    return sign.join(_text(chance, depth - 1) for _ in range(chance.randint(2, 3)))


def test_parse__means_what_python_means():
    chance = random.Random(5)
    for _ in range(300):
        text = _text(chance, 4)
        start = parse(text, _atom)
        python = text.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
        for truth in itertools.product((True, False), repeat=len(NAMES)):
            known = dict(zip(NAMES, truth, strict=True))
            ends = {
                name: frozenset({Outcome.SUCCESS if value else Outcome.FAILED})
                for name, value in known.items()
            }
            wanted = eval(python.strip(), {"__builtins__": {}}, known)
            assert values(start, ends) == {wanted}, text


def test_values__cover_every_assignment():
    chance = random.Random(6)
    for _ in range(200):
        start = parse(_text(chance, 3), _atom)
        both = frozenset({Outcome.SUCCESS, Outcome.FAILED})
        ends = {name: chance.choice((both, frozenset({Outcome.SUCCESS}))) for name in NAMES}
        possible = set()
        for picks in itertools.product(*(ends[name] for name in NAMES)):
            one = {name: frozenset({pick}) for name, pick in zip(NAMES, picks, strict=True)}
            possible |= values(start, one)
        assert possible <= values(start, ends)


def test_values__of_a_task_that_nobody_knows_are_open():
    assert values(Ended("x", frozenset()), {}) == {True, False}


@pytest.mark.parametrize(
    "text", ["", "&&", "a &&", "a b)", "(a", "!", "a || || b", "f(", "(" * 500, "!" * 500]
)
def test_parse__refuses(text):
    with pytest.raises(NotUnderstoodError):
        parse(text, _atom)


def test_parse__calls_and_comparisons_are_atoms():
    seen = []
    parse("what( 1, (2) ) == 'a && b' && x.y != '('", lambda text: seen.append(text) or UNKNOWN)
    assert seen == ["what(1, ( 2 ))", "x.y != '('"]
