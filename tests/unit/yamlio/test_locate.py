from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.diagnostics.model import RawPlace
from mlspec.source import NOWHERE, Origin, SourceFile, Span
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.locate import locate, provenance
from mlspec.yamlio.nodes import Document, MapEntry, MapNode

ROOT = Origin("m.yaml")


def document(text: str) -> Document:
    file = SourceFile("m.yaml", text)
    return Document("m.yaml", load_text(file).value, {"m.yaml": file})


def underlined(doc: Document, place) -> str:
    file, span = locate(doc, place)
    return file.text[span.start : span.end]


TEXT = """\
app: {name: x, list: [1, 2]}
steps:
  a:
    run: go
    needs:
    - b
    - - c
  e:
list:
  - run: first
    x: 1
"""


def test_locate__values_and_keys():
    doc = document(TEXT)
    assert underlined(doc, ROOT / "app") == "{name: x, list: [1, 2]}"
    assert underlined(doc, (ROOT / "app").key()) == "app"
    assert underlined(doc, ROOT / "app" / "list" / 1) == "2"
    assert underlined(doc, ROOT / "steps" / "a" / "run") == "go"


def test_locate__blocks_are_underlined_at_their_key():
    doc = document(TEXT)
    assert locate(doc, ROOT / "steps" / "a") == (doc.files["m.yaml"], Span(38, 39))
    assert underlined(doc, ROOT / "steps" / "a" / "needs") == "needs"
    assert underlined(doc, ROOT / "steps" / "a" / "needs" / 1) == "-"
    assert underlined(doc, ROOT / "list" / 0) == "run"
    assert underlined(doc, ROOT) == "app"


def test_locate__empty_value_is_underlined_at_its_key():
    assert underlined(document(TEXT), ROOT / "steps" / "e") == "e"


def test_locate__missing_place_is_the_nearest_that_exists():
    doc = document(TEXT)
    assert underlined(doc, ROOT / "steps" / "a" / "timeout") == "a"
    assert underlined(doc, ROOT / "app" / "list" / 7) == "[1, 2]"
    assert underlined(doc, (ROOT / "steps" / "zzz" / "run").key()) == "steps"
    assert underlined(doc, (ROOT / "app" / "name" / "x").within(0, 1)) == "x"


def test_locate__place_in_no_file_is_none():
    doc = document(TEXT)
    assert locate(doc, NOWHERE) is None
    assert locate(doc, RawPlace("other.yaml", Span(0, 1))) is None


def test_locate__raw_place_is_kept_inside_the_file():
    doc = document("a: 1\n")
    assert locate(doc, RawPlace("m.yaml", Span(3, 99)))[1] == Span(3, 5)


@pytest.mark.parametrize(
    "written",
    [
        "go ${inputs.a} on",
        '"go ${inputs.a} on"',
        "'it''s ${inputs.a}'",
        '"\\t\\"\\u00e4\\x41\\U0001f600\\n${inputs.a}\\\\"',
        "&x 'b ${inputs.a}'",
        "|\n  set -e\n    x\n  go ${inputs.a} on\n\n  end\n",
        "|2-\n    x\n\n  go ${inputs.a}\n",
        "> # why\n  folded\n  go ${inputs.a}\n    more\n\n  x\n",
        "folded\n    over ${inputs.a}\n    lines",
        '"folded\n    over \\\n    ${inputs.a}\n\n    lines"',
    ],
)
def test_locate__sub_range_is_exact_in_every_style(written):
    doc = document(f"k: {written}\nz: 1\n")
    text = doc.root.get("k").text
    start = text.index("${")
    place = (ROOT / "k").within(start, start + len("${inputs.a}"))
    assert underlined(doc, place) == "${inputs.a}"


def test_locate__sub_range_of_nothing_is_the_whole_scalar():
    assert underlined(document("k: a b\n"), (ROOT / "k").within(1, 2)) == "a b"


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30))
def test_locate__sub_range_of_quoted_text_never_leaves_the_scalar(text):
    written = "'" + text.replace("'", "''") + "'"
    file = SourceFile("m.yaml", f"k: {written}\n")
    root = load_text(file).value
    if root is None or root.get("k").text != text:
        return
    doc = Document("m.yaml", root, {"m.yaml": file})
    for at, character in enumerate(text):
        if not character.isspace():
            expected = "''" if character == "'" else character
            assert underlined(doc, (ROOT / "k").within(at, at + 1)) == expected


def test_locate__alias_value_stands_at_its_anchor_and_its_key_at_the_use():
    doc = document("a: &x [1]\nb: *x\n")
    assert locate(doc, ROOT / "b" / 0)[1] == Span(7, 8)
    assert locate(doc, (ROOT / "b").key())[1] == Span(10, 11)


def test_provenance__names_what_was_replaced_and_what_brought_it():
    doc = document("a: {old: 1}\nb: 2\nextends: gbdt\n")
    entries = dict(doc.root.entries)
    brought_by = entries["extends"].value
    entries["b"] = MapEntry(
        entries["b"].key, entries["b"].value, entries["a"].value, brought_by, "extends"
    )
    merged = MapNode(entries, False, "m.yaml", 0, 5)
    doc = Document("m.yaml", merged, doc.files)
    assert provenance(doc, ROOT / "b") == (
        "overrides `{old: 1}` from m.yaml:1:4",
        "inherited through `extends` from `gbdt` at m.yaml:3:10",
    )
    assert provenance(doc, ROOT / "a") == ()
    assert provenance(doc, NOWHERE) == ()


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("b", "0.20", "`0.20`"),
        ("b", "[5, 10]", "`[5, 10]`"),
        ("DB_PASSWORD", "hunter2", "a value"),
        ("b", "postgresql://me:pw@host/db", "a value"),
        ("b", "ghp_0123456789abcdefghijABCDEFGHIJ", "a value"),
        ("b", "{token: x}", "a mapping of 1"),
    ],
)
def test_provenance__replaced_value_that_may_be_a_secret_is_not_shown(key, value, shown):
    doc = document(f"old: {value}\n{key}: 2\n")
    entries = dict(doc.root.entries)
    entries[key] = MapEntry(entries[key].key, entries[key].value, entries["old"].value)
    doc = Document("m.yaml", MapNode(entries, False, "m.yaml", 0, 5), doc.files)
    assert provenance(doc, ROOT / key) == (f"overrides {shown} from m.yaml:1:6",)
