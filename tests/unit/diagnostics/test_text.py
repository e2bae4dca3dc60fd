import re

import pytest

from mlspec.diagnostics.model import Code, Diagnostic, Fix, Label, RawPlace, Severity
from mlspec.diagnostics.render.concise import render_concise
from mlspec.diagnostics.render.text import render_text
from mlspec.diagnostics.report import ResolvedPlace, build_report
from mlspec.source import SourceFile, Span

CYCLE = Code("ML060", "dependency-cycle", "steps that need each other")
SECRET = Code("ML601", "inline-secret", "a secret", security=True)
WARNING = Code("ML052", "path-missing", "a path", Severity.WARNING)

LAB = """\
env:
  WAREHOUSE_PASSWORD: hunter2-prod-9f3a

steps:
  features:
    needs: [evaluate]
    run: x
  train:
    inputs:
      data: features.table
  evaluate:
    run: x
    inputs:
      model: train.model
"""


def span(text: str, word: str, number: int = 1) -> RawPlace:
    start = -1
    for _ in range(number):
        start = text.index(word, start + 1)
    return RawPlace("mlspec.yaml", Span(start, start + len(word)))


def show(text: str, *found: Diagnostic, **options: object) -> str:
    source = SourceFile("mlspec.yaml", text)
    report = build_report(found, lambda place: ResolvedPlace(file=source, span=place.span))
    return render_text(report, **options)


def test_render_text__several_labels_and_a_masked_line():
    shown = show(
        LAB,
        Diagnostic(
            code=SECRET,
            message="`WAREHOUSE_PASSWORD` holds a secret in plain text",
            at=span(LAB, "WAREHOUSE_PASSWORD"),
            label="key name matches `*PASSWORD`; value hidden",
            notes=("plain-text values end up in every generated file",),
            help=("reference a secret store instead",),
            sensitive=True,
        ),
        Diagnostic(
            code=CYCLE,
            message="dependency cycle: features -> train -> evaluate -> features",
            at=span(LAB, "evaluate"),
            label="`features` needs `evaluate` ...",
            labels=(
                Label(span(LAB, "features.table"), "... `train` reads `features.table` ..."),
                Label(span(LAB, "train.model"), "... and `evaluate` reads `train.model`"),
            ),
            notes=("3 steps are in the cycle",),
            fixes=(Fix("remove this `needs` entry", span(LAB, "evaluate"), ""),),
        ),
    )
    assert (
        shown
        == """\
error[ML601]: `WAREHOUSE_PASSWORD` holds a secret in plain text
 --> mlspec.yaml:2:3
  |
2 |   WAREHOUSE_PASSWORD: ********
  |   ^^^^^^^^^^^^^^^^^^ key name matches `*PASSWORD`; value hidden
  |
  = note: plain-text values end up in every generated file
  = help: reference a secret store instead

error[ML060]: dependency cycle: features -> train -> evaluate -> features
  --> mlspec.yaml:6:13
   |
 6 |     needs: [evaluate]
   |             ^^^^^^^^ `features` needs `evaluate` ...
   :
10 |       data: features.table
   |             -------------- ... `train` reads `features.table` ...
   :
14 |       model: train.model
   |              ----------- ... and `evaluate` reads `train.model`
   |
   = note: 3 steps are in the cycle
   = help: remove this `needs` entry

2 errors in 1 file. 1 has a suggested fix. Details: `mlspec explain ML601`.
"""
    )


def test_render_text__several_marks_on_one_line():
    text = "a: [one, two, three]\n"
    shown = show(
        text,
        Diagnostic(
            code=CYCLE,
            message="m",
            at=span(text, "two"),
            label="second",
            labels=(Label(span(text, "one"), "first"), Label(span(text, "three"), "third")),
        ),
    )
    assert (
        "\n".join(shown.splitlines()[2:8])
        == """\
  |
1 | a: [one, two, three]
  |     ---  ^^^  ----- third
  |     |    |
  |     |    second
  |     first"""
    )


def test_render_text__overlapping_marks_get_rows_of_their_own():
    text = "abcdef\n"
    shown = show(
        text,
        Diagnostic(
            code=CYCLE,
            message="m",
            at=span(text, "bcd"),
            label="p",
            labels=(Label(span(text, "cdef"), "q"),),
        ),
    )
    assert "1 | abcdef\n  |  ^^^ p\n  |   ---- q\n" in shown


def test_render_text__span_over_lines_gets_a_bar():
    text = "run: |\n  one\n  two\n  three\n  four\n  five\nnext: 1\n"
    body = text[text.index("|") : text.index("next")]
    shown = show(
        text, Diagnostic(code=CYCLE, message="m", at=span(text, body), label="this script")
    )
    assert (
        "\n".join(shown.splitlines()[2:10])
        == """\
  |
1 | / run: |
2 | |   one
3 | |   two
4 | |   three
  : |
6 | |   five
  | |______^ this script"""
    )


@pytest.mark.parametrize(
    ("line", "word", "picture"),
    [
        ("\ta: bad", "bad", ("    a: bad", "       ^^^")),
        ("x: 宽字 bad", "bad", ("x: 宽字 bad", "        ^^^")),
        ("x: 宽字 bad", "宽字", ("x: 宽字 bad", "   ^^^^")),
        ("e\u0301: bad", "bad", ("e\u0301: bad", "   ^^^")),
        ("e\u0301: bad", "\u0301", ("e\u0301: bad", " ^")),
        ("a\x1b[31m: bad", "bad", ("a\\x1b[31m: bad", "           ^^^")),
        ("a\u202eb: bad", "bad", ("a\\u202eb: bad", "          ^^^")),
        ("", "", ("", "^")),
    ],
)
def test_render_text__underlines_stand_below_their_characters(line, word, picture):
    shown = show(line, Diagnostic(code=CYCLE, message="m", at=span(line, word)))
    lines = shown.splitlines()
    assert (lines[3], lines[4]) == (f"1 | {picture[0]}".rstrip(), f"  | {picture[1]}")


def test_render_text__long_line_is_cut_around_the_mark():
    text = f"key: {'a' * 500} BAD {'b' * 500}"
    shown = show(
        text, Diagnostic(code=CYCLE, message="m", at=span(text, "BAD"), label="x"), width=80
    )
    source, marked = shown.splitlines()[3:5]
    assert len(source) <= 80
    assert source.startswith("1 | ...a")
    assert source.endswith("b...")
    assert source.index("BAD") == marked.index("^^^ x")


def test_render_text__long_line_with_far_marks_is_shown_twice():
    text = f"FIRST {'a' * 500} BAD"
    shown = show(
        text,
        Diagnostic(
            code=CYCLE, message="m", at=span(text, "BAD"), labels=(Label(span(text, "FIRST"), "f"),)
        ),
    )
    assert len(re.findall(r"^1 \|", shown, re.MULTILINE)) == 2
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_render_text__mark_longer_than_the_page():
    text = f"key: {'a' * 5000} end"
    shown = show(text, Diagnostic(code=CYCLE, message="m", at=span(text, "a" * 5000), label="x"))
    assert all(len(line) <= 105 for line in shown.splitlines())


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x9b31m", "\r", "\u202e", "\x07", "\ud800"])
def test_render_text__no_control_character_of_a_user_gets_through(hostile):
    text = f"a: b{hostile}c\n"
    found = Diagnostic(
        code=CYCLE,
        message=f"m{hostile}",
        at=RawPlace("f", Span(0, 4)),
        label=hostile,
        notes=(hostile,),
        help=(f"x{hostile}\n::error::y",),
    )
    for shown in (show(text, found), _concise(text, found)):
        assert hostile not in shown
        assert not re.search(r"^\s*::", shown, re.MULTILINE)


def test_render_text__color_only_by_request():
    found = Diagnostic(code=CYCLE, message="m", at=RawPlace("f", Span(0, 1)))
    plain, colored = show("ab", found), show("ab", found, color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_render_text__empty_report_is_empty():
    assert show("a") == ""


def test_render_text__places_in_other_files():
    first, second = SourceFile("a.yaml", "x: 1\n"), SourceFile("b.yaml", "\ny: 2\n")
    files = {"a.yaml": first, "b.yaml": second}
    report = build_report(
        [
            Diagnostic(
                code=CYCLE,
                message="m",
                at=RawPlace("b.yaml", Span(1, 2)),
                label="here",
                labels=(Label(RawPlace("a.yaml", Span(0, 1)), "there"),),
            )
        ],
        lambda place: ResolvedPlace(
            file=files[place.source], span=place.span, notes=("overrides `1`",)
        ),
    )
    assert (
        render_text(report)
        == """\
error[ML060]: m
 --> b.yaml:2:1
  |
2 | y: 2
  | ^ here
 ::: a.yaml:1:1
  |
1 | x: 1
  | - there
  |
  = note: overrides `1`

1 error in 1 file. Details: `mlspec explain ML060`.
"""
    )


def test_render_text__hidden_findings_are_counted():
    source = SourceFile("mlspec.yaml", "abc")
    report = build_report(
        [
            Diagnostic(code=WARNING, message=str(n), at=RawPlace("f", Span(n, n + 1)))
            for n in range(3)
        ],
        lambda place: ResolvedPlace(file=source, span=place.span),
        cap=1,
    )
    assert render_text(report).endswith(
        "\n... and 2 more in mlspec.yaml\n3 warnings in 1 file. Details: `mlspec explain ML052`.\n"
    )


def _concise(text: str, *found: Diagnostic) -> str:
    source = SourceFile("mlspec.yaml", text)
    return render_concise(
        build_report(found, lambda place: ResolvedPlace(file=source, span=place.span))
    )


def test_render_concise__one_line_each():
    found = Diagnostic(code=CYCLE, message="m", at=span(LAB, "evaluate"), label="here")
    assert _concise(LAB, found) == "mlspec.yaml:6:13: error[ML060] m: here\n"
    assert _concise(LAB, Diagnostic(code=WARNING, message="m")) == "mlspec: warning[ML052] m\n"
