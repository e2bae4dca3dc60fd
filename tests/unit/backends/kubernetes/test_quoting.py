from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.backends.kubernetes.quoting import (
    expr_string,
    json_text,
    kubernetes_text,
    reads_as_argo,
    text_for_kubernetes,
)
from mlspec.ir.values import Literal, Namespace, Ref, Text
from tests.support.kubernetes_text import expand

LR = Ref(Namespace.PARAMS, "lr")

NASTY = st.text(alphabet=st.sampled_from("$(){}= ab\\'\"\n%`é😀"), max_size=12)


@given(NASTY)
def test_kubernetes_text__arrives_unchanged(text: str) -> None:
    assert expand(kubernetes_text(text), {"a": "no", "b": "no"}) == text


@given(st.lists(st.one_of(NASTY.map(Literal), st.just(LR)), max_size=6), NASTY)
def test_text_for_kubernetes__arrives_with_references_replaced(
    parts: list[Literal | Ref], value: str
) -> None:
    aside: dict[str, str] = {}

    def put_aside(text: str) -> str:
        aside[f"T{len(aside)}"] = text
        return f"T{len(aside) - 1}"

    text: Text = tuple(parts)
    made = text_for_kubernetes(text, put_aside)
    wanted = "".join(p.text if isinstance(p, Literal) else value for p in parts)
    assert not reads_as_argo(made)
    assert expand(made, {**aside, LR.variable: value}) == wanted


@given(st.recursive(NASTY, lambda inner: st.dictionaries(NASTY, inner) | st.lists(inner)))
def test_json_text__is_the_value_and_nothing_argo_reads(value: object) -> None:
    made = json_text(value)
    assert json.loads(made) == value
    assert "{{" not in made
    assert "}}" not in made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("plain", "'plain'"),
        ("it's", "'it\\u0027s'"),
        ("{{x}}", "'\\u007b\\u007bx\\u007d\\u007d'"),
        ("a\\b\n", "'a\\u005cb\\u000a'"),
        ("é", "'\\u00e9'"),
        ("😀", "'\\U0001f600'"),
    ],
)
def test_expr_string__escapes_what_ends_it(text: str, made: str) -> None:
    assert expr_string(text) == made
