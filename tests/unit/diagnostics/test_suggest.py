"""Did-you-mean: near words are found, far ones are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.diagnostics.suggest import did_you_mean, nearest

STEP = [
    "run",
    "uses",
    "with",
    "needs",
    "join",
    "when",
    "retry",
    "timeout",
    "inputs",
    "outputs",
    "env",
]


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("retries", "retry"),
        ("imputs", "inputs"),
        ("input", "inputs"),
        ("ouptuts", "outputs"),
        ("time_out", "timeout"),
        ("Run", "run"),
        ("rum", "run"),
        ("nedes", "needs"),
        ("foo", None),
        ("x", None),
        ("", None),
        ("script", None),
        ("z" * 1000, None),
    ],
)
def test_nearest(word: str, known: str | None) -> None:
    assert nearest(word, STEP) == known


def test_nearest__first_of_equally_near_ones() -> None:
    assert nearest("tain", ["main", "train"]) == "train"
    assert nearest("bat", ["cat", "hat"]) == "cat"


@pytest.mark.parametrize(
    ("word", "candidates", "known"),
    [
        ("mem", ["cpu", "memory"], "memory"),
        ("integer", ["string", "int"], "int"),
        ("github", ["airflow", "github-actions"], "github-actions"),
        ("pre", ["predict", "prepare"], None),
        ("no", ["notify"], None),
    ],
)
def test_nearest__the_only_word_that_begins_like_it(
    word: str, candidates: list[str], known: str | None
) -> None:
    assert nearest(word, candidates) == known


def test_nearest__never_the_word_itself() -> None:
    assert nearest("run", ["run"]) is None


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=8))
def test_nearest__is_a_candidate(word: str, candidates: list[str]) -> None:
    found = nearest(word, candidates)
    assert found is None or found in candidates


def test_did_you_mean() -> None:
    assert did_you_mean("retries", STEP) == ("did you mean `retry`?",)
    assert did_you_mean("foo", STEP) == ()
