"""The evidence page: what it says, what it refuses, and that no text becomes markup."""

from __future__ import annotations

import html.parser
import json
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from mlspec.runtime.documents import evidence
from mlspec.runtime.documents.facts import Lock
from mlspec.runtime.steps.contract import StepError
from tests.support.documents import HOSTILE, hostile, made
from tests.support.evidence import IMPORTANCE, VERDICT, write_package, write_verdict

VOID = {"meta", "br", "line", "circle", "rect"}


class Reader(html.parser.HTMLParser):
    """Reads a page strictly: every element is closed, texts and elements are kept."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture
def places(tmp_path):
    champion = replace(
        made(),
        commit="0" * 40,
        model={**made().model, "params": {"C": 1.0, "gone": True}},
        data=(replace(made().data[0], version="sha256:" + "e" * 64),),
        lock=Lock(python="3.11.6", packages=(("numpy", "2.4.5"), ("scikit-learn", "1.9.1"))),
    )
    return (
        write_package(tmp_path / "candidate", made(), IMPORTANCE),
        write_verdict(tmp_path / "verdict", VERDICT),
        write_package(tmp_path / "champion", champion),
    )


def test_render__says_what_an_approver_must_know(places):
    page = evidence.render(*places)
    for wanted in (
        "# ads/ctr, version 42",
        "Verdict: **inconclusive**",
        "| average_precision &gt;= champion - 0.005 |",
        "champion 41: 0.7731",
        "difference -0.0093 to 0.0054",
        "fail (warns only)",
        "Too small to be tested: LU, MT.",
        "country = FR",
        "does not apply yet",
        "| parameter C | 1.0 | 0.25 |",
        "| parameter gone | true | none |",
        "| commit | " + "0" * 40,
        "| python package numpy | 2.4.5 | 2.4.6 |",
        "| data clicks | sha256:" + "e" * 64,
        "| amount | 0.112 ± 0.004 |",
        "the orders agree by 0.83",
        "version digest | sha256:" + "7" * 64,
    ):
        assert wanted in page, wanted
    assert "noise" not in page, "only the inputs to look at"
    assert "scikit-learn |" not in page.split("## Since")[1].split("##")[0], "unchanged"


def test_render__slices_that_decide_stand_first(places):
    page = evidence.render(*places)
    assert page.index("country = FR") < page.index("country = DE")


def test_render__without_a_champion(places):
    package, verdict, _ = places
    assert "the first version to serve" in evidence.render(package, verdict, None)
    assert "the first version to serve" in evidence.render(package, verdict / "verdict.json", None)


def test_render__a_model_that_no_check_judges(places):
    package, _, champion = places
    page = evidence.render(package, None, champion)
    assert "Verdict: **not judged**" in page
    assert "verdict digest" not in page
    assert "| parameter C | 1.0 | 0.25 |" in page
    read(evidence.render_html(package, None, None))


def test_render__the_same_version_twice_has_no_differences(places):
    package, verdict, _ = places
    assert "Nothing that is recorded differs." in evidence.render(package, verdict, package)


def test_render_html__is_whole_and_loads_nothing(places):
    page = evidence.render_html(*places)
    reader = read(page)
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "img", "link", "iframe", "object", "a"}
    assert "default-src 'none'" in page
    assert not [a for _, attributes in reader.elements for a in attributes if a in {"src", "href"}]
    drawn = [tag for tag, _ in reader.elements if tag == "circle"]
    assert len(drawn) == 2, "the intervals that are whole"
    assert "104 000 rows would decide" in " ".join(reader.texts)
    assert page == evidence.render_html(*places)


@pytest.mark.parametrize("render", [evidence.render, evidence.render_html])
def test_render__refuses_damaged_files(places, render):
    package, verdict, _ = places
    (verdict / "verdict.json").write_text('{"checks": [1]}', encoding="utf-8")
    with pytest.raises(StepError, match="cannot be read"):
        render(package, verdict, None)
    (verdict / "verdict.json").write_text("{", encoding="utf-8")
    with pytest.raises(StepError, match="verdict is not readable"):
        render(package, verdict, None)
    (package / "package.json").unlink()
    with pytest.raises(StepError, match="missing"):
        render(package, package / "lock.json", None)


def test_render__hostile_text_stays_text(tmp_path):
    bad = "".join(HOSTILE)
    verdict = json.loads(json.dumps(VERDICT))
    verdict |= {"verdict": bad, "reason": bad, "environment": bad}
    for check in verdict["checks"]:
        check |= {"check": bad, "sentence": bad, "verdict": bad}
    verdict["checks"][3]["slices"] = [{bad: bad, "n": 1}]
    verdict["checks"][3]["too_small"] = [bad]
    importance = {**IMPORTANCE, "inputs": [{"input": bad, "importance": 1.0, "spread": 0}]}
    places = (
        write_package(tmp_path / "candidate", hostile(), importance),
        write_verdict(tmp_path / "verdict", verdict),
        write_package(tmp_path / "champion", made()),
    )
    reader = read(evidence.render_html(*places))
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "img", "a", "iframe"}
    assert not [a for _, attributes in reader.elements for a in attributes if a.startswith("on")]
    tokens = MarkdownIt("commonmark").enable("table").parse(evidence.render(*places))
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner <= {"text", "text_special", "strong_open", "strong_close"}
    assert not [token for token in tokens if token.type in {"html_block", "fence", "code_block"}]
