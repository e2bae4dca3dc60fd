from __future__ import annotations

import json
import re

import pytest

from mlspec.backends.github_actions.quoting import (
    Code,
    is_evaluated,
    path_pattern,
    render,
    string,
)
from tests.support.nasty import NASTY


def test_render__literal_is_never_evaluated() -> None:
    assert render(("a ${{ x }} b",)) == "a ${{ '${{' }} x }} b"


def test_render__code_is() -> None:
    assert render(("at ", Code("github.run_id"), "!")) == "at ${{ github.run_id }}!"


def test_render__opening_that_straddles_two_literals() -> None:
    assert render(("$", "{{ x }}")) == "${{ '${{' }} x }}"


def test_render__dollar_before_code_stays() -> None:
    assert render(("$", Code("x"))) == "$${{ x }}"


@pytest.mark.parametrize("text", NASTY)
def test_render__every_opening_is_ours(text: str) -> None:
    rest = render((text,)).replace("${{ '${{' }}", "")
    assert "${{" not in rest or "${{" not in text


def test_is_evaluated() -> None:
    assert is_evaluated(("${{",))
    assert is_evaluated((Code("x"),))
    assert not is_evaluated(("$ {{ x }}",))


@pytest.mark.parametrize("text", NASTY)
def test_string__holds_only_harmless_characters(text: str) -> None:
    made = string(text)
    found = re.fullmatch(r"'([A-Za-z0-9 _./:@+,=-]*)'", made)
    if found:
        assert found[1] == text
        return
    found = re.fullmatch(r"fromJSON\('(\"(?:[A-Za-z0-9 _./:@+,=-]|\\u[0-9a-f]{4})*\")'\)", made)
    assert found
    assert json.loads(found[1]) == text


def test_path_pattern__special_characters_are_literal() -> None:
    assert path_pattern("a*b?[c]+!d\\e") == "a\\*b\\?\\[c\\]\\+\\!d\\\\e"
