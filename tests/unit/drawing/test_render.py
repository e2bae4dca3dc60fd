# ruff: noqa: RUF001  the sign is what pictures show
"""Formats: every step is there, hostile text stays text, the bytes do not depend on anything."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from mlspec.drawing.build import draw
from mlspec.drawing.dot import render_dot
from mlspec.drawing.gather import gather
from mlspec.drawing.html import render_html
from mlspec.drawing.markup import number
from mlspec.drawing.measure import shortened, text_width, wrapped
from mlspec.drawing.mermaid import render_mermaid
from mlspec.drawing.svg import render_svg
from mlspec.drawing.text import render_text_graph
from mlspec.ir.model import (
    Application,
    Approval,
    Combination,
    DataInput,
    DataSet,
    Join,
    Matrix,
    MetricCondition,
    Op,
    Output,
    Pairing,
    Pipeline,
    Schedule,
    Script,
    Step,
    StepInput,
    Triggers,
)
from mlspec.ir.values import Duration
from mlspec.source import Origin

RENDERERS = (render_text_graph, render_mermaid, render_dot, render_svg, render_html)
HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]> & <!-- --> ' \"",
    '"]; evil -> "',
    '"]:::x\n  click p0s0 href "javascript:alert(1)"',
    "\x1b[31mred\x00\x9b",
    "\u202etxt\u2028\ud800",
    "{{7*7}} ${{ x }} `a` *b* |c| #quot;",
)


def at(*route: str) -> Origin:
    return Origin("mlspec.yaml", ("pipelines", "nightly", "steps", *route))


def step(name: str, **more) -> Step:
    more = {"action": Script(text=f"python {name}.py\n"), **more}
    return Step(id=name, at=at(name), **more)


def application(text: str = "plain") -> Application:
    minutes = Duration(30 * 60_000)
    steps = (
        step("prepare", description=text, outputs=(Output(name="rows", path="o/rows"),)),
        step(
            "train",
            needs=("prepare",),
            inputs=(
                StepInput(name="rows", step="prepare", output="rows"),
                DataInput(name="trips", data="trips"),
            ),
            outputs=(Output(name="model", path="o/model"),),
            matrix=Matrix(
                keys=("seed",), rows=tuple(Combination((("seed", text + n),)) for n in "12")
            ),
            lock="gpu",
        ),
        step(
            "publish",
            needs=("prepare", "train"),
            inputs=(StepInput(name="m", step="train", output="model", pairing=Pairing.FOLDER),),
            when=(MetricCondition(step="prepare", metric="auc", op=Op.GE, value=0.9),),
            approvals=(Approval(role="lead", members=(text,), count=2),),
            outputs=(Output(name="scores", path="mlspec-out/scores", data="scores"),),
        ),
        step("tell", needs=("publish",), join=Join.ALL_DONE, allow_failure=True),
    )
    nightly = Pipeline(
        id="nightly",
        description=text,
        owner=text,
        triggers=Triggers(schedule=Schedule(cron="0 3 * * *", timezone="Europe/Oslo")),
        steps=tuple(replace(one, timeout=minutes) for one in steps),
        final=Step(id="finally", action=Script(text=text), at=at("finally")),
    )
    reader = Pipeline(
        id="reader",
        triggers=Triggers(data=("scores",)),
        steps=(step("read", inputs=(DataInput(name="s", data="scores"),)),),
    )
    return Application(
        name=text,
        description=text,
        data=(DataSet(id="trips", source=text), DataSet(id="scores")),
        pipelines=(nightly, reader),
    )


@pytest.mark.parametrize("render", RENDERERS)
def test_render__every_step_badge_and_trigger_is_there(render):
    shown = render(draw(application()))
    if render is render_mermaid:
        shown = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), shown)
    for word in ("prepare", "train", "publish", "tell", "finally", "read", "trips", "scores"):
        assert word in shown
    for mark in ("× 2 (seed)", "2 × lead", "join all_done", "may fail", "lock gpu"):
        assert mark in shown
    assert "when prepare.auc" in shown
    assert "Europe/Oslo" in shown


@pytest.mark.parametrize("render", RENDERERS)
def test_render__is_deterministic_and_ends_with_one_line_break(render):
    shown = render(draw(application()))
    assert shown == render(draw(application()))
    assert shown.endswith("\n")
    assert not shown.endswith("\n\n")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("render", RENDERERS)
def test_render__control_characters_are_gone(render, text):
    shown = render(draw(application(text)))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ud800]", shown)
    shown.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_render_svg__hostile_text_is_only_text(text):
    root = ET.fromstring(render_svg(draw(application(text))))
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {
        *("svg", "title", "style", "defs", "marker", "path", "rect", "g", "text", "polygon"),
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]


class Elements(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.scripts: list[tuple[dict, str]] = []
        self.styles: list[str] = []
        self._inside: tuple[str, dict] | None = None
        self.policy = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        self._inside = (tag, found) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside is not None:
            tag, attrs = self._inside
            if tag == "script":
                self.scripts.append((attrs, data))
            else:
                self.styles.append(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_render_html__hostile_text_is_only_text(text):
    page = Elements(render_html(draw(application(text))))
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not page.attributes & {"href", "src", "style", "srcdoc"}
    (kind, data), _ = page.scripts
    assert kind["type"] == "application/json"
    graphs = json.loads(data)["graphs"]
    assert [graph["key"] for graph in graphs] == ["g0", "g1", "g2"]


def test_render_html__policy_allows_only_its_own_script_and_sheet():
    page = Elements(render_html(draw(application())))

    def digest(content: str) -> str:
        return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

    assert "default-src 'none'" in page.policy
    assert f"script-src 'sha256-{digest(page.scripts[1][1])}'" in page.policy
    assert f"style-src 'sha256-{digest(page.styles[0])}'" in page.policy
    assert "unsafe" not in page.policy


def test_render_html__fetches_nothing():
    shown = render_html(draw(application())) + render_svg(draw(application()))
    found = set(re.findall(r"https?://[^\s\"'<)]+", shown))
    assert found == {"http://www.w3.org/2000/svg"}
    assert "@import" not in shown


def test_render_html__every_node_of_the_data_is_an_element():
    shown = render_html(draw(application()))
    data = json.loads(Elements(shown).scripts[0][1])
    ids = set(re.findall(r' id="([^"]+)"', shown))
    for graph in data["graphs"]:
        assert set(graph["nodes"]) <= ids
        assert {end for edge in graph["edges"] for end in edge} <= set(graph["nodes"])


@pytest.mark.parametrize("text", HOSTILE)
def test_render_dot__strings_are_closed(text):
    shown = render_dot(draw(application(text)))
    rest = re.sub(r'"(?:[^"\\]|\\.)*"', "S", shown)
    assert re.fullmatch(r"[\w\s{}\[\];=,.>#-]*", rest)


@pytest.mark.parametrize("text", HOSTILE)
def test_render_mermaid__labels_hold_no_syntax(text):
    shown = render_mermaid(draw(application(text)))
    for line in shown.splitlines():
        for label in re.findall(r'"([^"]*)"', line):
            plain = re.sub(r"#\d+;|</?b>|<br/>", "", label)
            assert not set(plain) & set("\"<>[]{}|`*_#;&'\\")
    assert "click" not in {line.split()[0] for line in shown.splitlines()}


def test_draw__edges_are_reduced_labelled_and_critical():
    graph = draw(application()).pipelines[0]
    edges = {(edge.source, edge.target): edge for edge in graph.edges}
    assert ("prepare", "publish") not in edges  # train is on the way
    assert edges["prepare", "train"].label == "rows"
    assert edges["train", "publish"].critical
    assert edges["data:trips", "train"].kind.value == "data"
    assert ("publish", "new:scores") in edges
    assert graph.chain == "longest chain: 4 steps, at most 2h by timeouts"


def test_draw__every_step_knows_where_it_was_written():
    graph = draw(application()).pipelines[0]
    assert graph.node("train").where == "pipelines.nightly.steps.train"
    assert 'data-where="pipelines.nightly.steps.train"' in render_svg(draw(application()))


def test_draw__chosen_pipelines_only():
    drawing = draw(application(), ("reader",))
    assert [graph.id for graph in drawing.pipelines] == ["reader"]
    assert drawing.overview is None


def test_draw__overview_links_pipelines_by_data():
    overview = draw(application()).overview
    assert overview is not None
    assert [(edge.source, edge.target, edge.label) for edge in overview.edges] == [
        ("data:trips", "pipeline:nightly", ""),
        ("pipeline:nightly", "data:scores", ""),
        ("data:scores", "pipeline:reader", "starts"),
    ]


def test_render_text_graph__picture():
    assert (
        render_text_graph(draw(application()))
        == """\
plain — plain

nightly  (schedule 0 3 * * * Europe/Oslo; 4 steps)
  plain · owner plain
  ◆ longest chain: 4 steps, at most 2h by timeouts

  ◆  prepare  ≤ 30m
  ◆  train    [× 2 (seed)]  [lock gpu]  ≤ 30m  <- data trips, prepare.rows
  ◆  publish  [approval: 2 × lead]  [when prepare.auc >= 0.9]  ≤ 30m  <- train.model  -> data scores
  ◆  tell     [join all_done]  [may fail]  ≤ 30m  <- publish

  finally  plain

reader  (new data: scores; 1 step)

  ●  read  <- data scores

data
  (trips) ─▶ nightly
  nightly ─▶ (scores) ─▶ reader
"""
    )


def test_render_text_graph__folds_to_the_terminal():
    shown = render_text_graph(draw(application()), columns=50)
    assert max(map(len, shown.splitlines()[4:])) <= 60
    assert "publish  [approval: 2 × lead]\n" in shown


def test_render_text_graph__lanes_of_a_diamond():
    steps = (
        step("a"),
        step("b", needs=("a",)),
        step("c", needs=("a",)),
        step("d", needs=("b", "c")),
    )
    app = Application(name="x", pipelines=(Pipeline(id="p", steps=steps),))
    lines = [line[:6] for line in render_text_graph(draw(app)).splitlines()[5:9]]
    assert lines == ["  ◆   ", "  ├─◆ ", "  ● │ ", "  ◆─┘ "]


def test_render_svg__boxes_are_wide_enough_for_the_longest_name():
    name = "w" * 40
    app = Application(name="x", pipelines=(Pipeline(id="p", steps=(step(name),)),))
    root = ET.fromstring(render_svg(draw(app)))
    svg = "{http://www.w3.org/2000/svg}"
    (group,) = [g for g in root.iter(f"{svg}g") if g.get("class", "").startswith("n ")]
    box = group.find(f"{svg}rect")
    assert box is not None
    assert float(box.get("width", 0)) > text_width(name, 13, bold=True) + 20


def test_render_svg__two_hundred_steps_in_a_second():
    steps = tuple(
        step(f"s{n}", needs=tuple(f"s{m}" for m in range(max(0, n - 9), n) if (m * n) % 4 == 1))
        for n in range(200)
    )
    app = Application(name="x", pipelines=(Pipeline(id="p", steps=steps),))
    shown = render_svg(draw(app))
    assert all(f">s{n}</text>" in shown for n in range(200))


def test_text_width__grows_with_text_and_knows_wide_and_combining():
    assert text_width("WWW", 10) > text_width("iii", 10)
    assert text_width("宽", 10) == 10
    assert text_width("e\u0301", 10) == text_width("e", 10)
    assert text_width("abc", 10, bold=True) > text_width("abc", 10)


def test_shortened_and_wrapped__fit():
    text = "a long line of words " * 5
    assert text_width(shortened(text, 11, 100), 11) <= 100
    assert shortened("short", 11, 100) == "short"
    lines = wrapped(text.strip() + " " + "x" * 80, 11, 100)
    assert all(text_width(line, 11) <= 100 for line in lines)
    assert "".join(lines).replace(" ", "") == (text + "x" * 80).replace(" ", "")


def test_number__short_and_never_minus_zero():
    assert [number(value) for value in (1, 1.25, -0.01, 10.04)] == ["1", "1.2", "0", "10"]


def test_gather__twins_stand_in_one_block_in_natural_order():
    works = tuple(step(f"work-{n}", needs=("split",)) for n in range(12))
    join = step("join", needs=tuple(one.id for one in works))
    app = Application(name="x", pipelines=(Pipeline(id="p", steps=(step("split"), *works, join)),))
    graph = draw(app).pipelines[0]
    (block,), edges = gather(graph)
    assert block.members == tuple(f"work-{n}" for n in range(12))
    assert [(edge.source, edge.target, edge.critical) for edge in edges] == [
        ("split", block.id, True),
        (block.id, "join", True),
    ]
    shown = render_svg(draw(app))
    assert "12 steps side by side" in shown
    assert all(f">work-{n}</text>" in shown for n in range(12))


def test_gather__few_twins_stay_apart():
    works = tuple(step(f"work-{n}", needs=("split",)) for n in range(6))
    app = Application(name="x", pipelines=(Pipeline(id="p", steps=(step("split"), *works)),))
    blocks, edges = gather(draw(app).pipelines[0])
    assert blocks == ()
    assert len(edges) == 6
