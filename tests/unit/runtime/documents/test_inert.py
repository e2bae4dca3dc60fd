"""Text of users stays text: in Markdown, HTML, YAML and addresses."""

from __future__ import annotations

import html.parser
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mlspec.runtime.documents.inert import (
    address,
    json_bytes,
    markdown,
    markup,
    one_line,
    paragraphs,
    plain,
    yaml_text,
)
from tests.support.documents import HOSTILE

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TEXTS = st.text(
    alphabet=st.sampled_from(list("ab1 \n\t#*_-+=>|`~[]()<>!&;:.'\"\\$@{}")), max_size=30
)


def shown(source: str) -> list[str]:
    """Texts that a reader of Markdown sees; fails when anything else than a paragraph is there."""
    found = []
    for token in READER.parse(source):
        assert token.type in {"paragraph_open", "paragraph_close", "inline"}, token
        for child in token.children or ():
            assert child.type in {"text", "text_special"}, child
        if token.children:
            found.append("".join(child.content for child in token.children))
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown__shows_exactly_the_text(text):
    line = one_line(text)
    assert shown(markdown(text)) == ([line] if line else [])


@given(TEXTS)
def test_markdown__any_text(text):
    line = one_line(text)
    assert shown(markdown(text)) == ([line] if line else [])


@given(TEXTS)
def test_markdown__in_a_cell_stays_one_cell(text):
    tokens = READER.parse(f"| a | b |\n| --- | --- |\n| {markdown(text)} | end |\n")
    cells = [t for t in tokens if t.type == "td_open"]
    assert len(cells) == 2
    assert not [t for t in tokens if t.type.startswith(("html", "fence", "heading"))]


def test_paragraphs__are_kept_apart():
    assert shown(paragraphs("one\ntwo\n\n# three\r\n\r\n- four")) == [
        "one two",
        "# three",
        "- four",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_markup__shows_exactly_the_text(text):
    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag == "p"
            assert dict(attrs) == {"title": self.wanted}

        def handle_data(self, data):
            self.seen += data

    reader = Reader()
    reader.seen, reader.wanted = "", None
    safe = markup(text)
    reader.wanted = html.unescape(safe)
    reader.feed(f'<p title="{safe}">{safe}</p>')
    reader.close()
    assert reader.seen == reader.wanted
    assert "<" not in safe
    assert '"' not in safe


def test_invisible_characters__are_seen():
    assert markdown("a\u202eb\u200bc") == "a\ufffdb\ufffdc"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_yaml_text__reads_back_as_the_same_data(value):
    assert yaml.safe_load(yaml_text({"root": value})) == {"root": plain(value)}


@pytest.mark.parametrize("value", [1e-05, 1e16, 1.5e-7, -0.0, 5.0, 1e300])
def test_yaml_text__floats_stay_floats(value):
    read = yaml.safe_load(yaml_text({"x": value}))["x"]
    assert isinstance(read, float)
    assert read == value


def test_json_bytes__what_json_cannot_write_is_text():
    data = {"b": float("nan"), "a": [float("inf"), "\ud800"], 3: None}
    assert json.loads(json_bytes(data)) == {"3": None, "a": ["inf", "?"], "b": "nan"}
    assert json_bytes({"b": 1, "a": 2}) == json_bytes({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("postgresql://me:secret@db:5432/ads?password=secret#x", "postgresql://db:5432/ads"),
        ("https://h/p?X-Amz-Signature=abc", "https://h/p"),
        ("s3://a:b@c@bucket/key", "s3://bucket/key"),
        ("sample:fraud?rate=5%", "sample:fraud?rate=5%"),
        ("data/clicks.csv", "data/clicks.csv"),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_address__loses_its_credentials(uri, wanted):
    assert address(uri) == wanted
