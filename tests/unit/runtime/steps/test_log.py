"""What a step says is inert on a terminal and on CI systems."""

from __future__ import annotations

import sys

import pytest

from mlspec.runtime.steps.log import inert, say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größe 名前\tx", "plain, größe 名前\tx"),
        ("two\nlines", "two\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\x07\u202ec", "a\\rb\\x07\\u202ec"),
        ("::error::x", "| ::error::x"),
        ("a\n  ::set-output name=x::y", "a\n|   ::set-output name=x::y"),
        ("a ::error::x", "a ::error::x"),
        ("see ##[group]x and ##vso[task]", "see # #[group]x and # #vso[task]"),
        ("## Heading", "## Heading"),
        ("a\u2028::error::x", "a\\u2028::error::x"),
        ("\ud800", "\\ud800"),
    ],
)
def test_inert__shows_text_that_steers_nothing(text, shown):
    assert inert(text) == shown


def test_say__writes_inert_lines(capsys):
    say("a\n::error::x")
    assert capsys.readouterr().out == "a\n| ::error::x\n"


def test_say__to_a_log_that_was_closed_is_lost(monkeypatch, tmp_path):
    with (tmp_path / "log").open("w") as closed:
        pass
    monkeypatch.setattr(sys, "stdout", closed)
    say("anything")
