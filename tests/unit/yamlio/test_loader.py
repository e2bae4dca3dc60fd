from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mlspec.source import SourceFile
from mlspec.yamlio import loader
from mlspec.yamlio.loader import load_text, read_file
from mlspec.yamlio.nodes import MapNode, ScalarNode, SeqNode

DESIGN = Path(__file__).parents[2] / "inputs" / "design"


def load(text: str):
    return load_text(SourceFile("mlspec.yaml", text))


def found(text: str) -> list[tuple[str, str, str]]:
    """Id, `line:column` and underlined text of all diagnostics."""
    file = SourceFile("mlspec.yaml", text)
    rows = []
    for diagnostic in load_text(file).diagnostics:
        span = diagnostic.at.span
        place = file.position(span.start)
        assert 0 <= span.start <= span.end <= len(text)
        rows.append(
            (diagnostic.code.id, f"{place.line}:{place.column}", text[span.start : span.end])
        )
    return rows


@pytest.mark.parametrize("path", sorted(DESIGN.glob("*.yaml")), ids=lambda p: p.name)
def test_load_text__design_example_is_read_without_a_diagnostic(path):
    result = load_text(read_file(path, path.name).value)
    assert result.ok
    assert result.diagnostics == ()
    assert isinstance(result.value, MapNode)


def test_load_text__offsets_are_characters_also_after_emoji_and_umlauts():
    text = 'ä😀: [x, "y z"]  # 😀\nb:\n  - 😀😀\n'
    root = load(text).value
    sequence = root.get("ä😀")
    assert isinstance(sequence, SeqNode)
    assert text[sequence.start : sequence.end] == '[x, "y z"]'
    assert [text[i.start : i.end] for i in sequence.items] == ["x", '"y z"']
    item = root.get("b").items[0]
    assert text[item.start : item.end] == "😀😀"


def test_load_text__scalars_keep_their_text_and_how_they_were_written():
    root = load("a: 1.10\nb: '1.10'\nc: |\n  x\n\n\nd: e\n").value
    assert root.get("a") == ScalarNode("1.10", True, "mlspec.yaml", 3, 7)
    assert not root.get("b").plain
    block = root.get("c")
    assert (block.text, block.plain) == ("x\n", False)
    assert block.end == len("a: 1.10\nb: '1.10'\nc: |\n  x")


def test_load_text__alias_shares_the_node_and_the_key_keeps_its_own_place():
    root = load("a: &x [1, 2]\nb: *x\n").value
    assert root.get("a") is root.get("b")
    assert root.get("a").start == len("a: &x ")
    assert root.entries["b"].key.start == len("a: &x [1, 2]\n")


SYNTAX = {
    "a: [1, 2\nb: 3\n": ("ML004", "2:2", ":"),
    "a: 'x\n\nb": ("ML004", "1:4", "'x"),
    "a: b: c\n": ("ML004", "1:5", ":"),
    "a: 1\n b: 2\n": ("ML004", "2:2", "b"),
    "a\nb: c\n": ("ML004", "2:1", "b"),
    "- a\nb: 1\n": ("ML004", "2:1", "b"),
    "a: @x\n": ("ML004", "1:4", "@x"),
    "a: *x\n": ("ML004", "1:4", "*x"),
    "a: |\n  x\n y\n": ("ML004", "3:2", "y"),
    'a: "\\q"': ("ML004", "1:5", "\\q"),
    'a: "\\xzz"': ("ML004", "1:7", 'zz"'),
    "key: 'a' b": ("ML004", "1:10", "b"),
    "{a: 1}}": ("ML004", "1:7", "}"),
    "{a: 1": ("ML004", "1:6", ""),
    "a: - b": ("ML004", "1:4", "-"),
    "a: &": ("ML004", "1:5", ""),
    "a: |x\n b": ("ML004", "1:5", "x"),
    "a: 1\nb": ("ML004", "2:1", "b"),
    "cron: * * * * *\n": ("ML004", "1:8", " "),
    "a: b\n%x": ("ML004", "2:1", "%x"),
    "a:\n\tb: 1\n": ("ML004", "2:1", "\t"),
    "a:\n  b: 1\n\tc: 2\n": ("ML004", "3:1", "\t"),
    "{run: python x.py ${inputs.a}}": ("ML005", "1:19", "${inputs.a}"),
    "%YAML 1.1\n---\na: 1\n": ("ML007", "1:1", "%YAML 1.1"),
    "a: !!str 1\n": ("ML007", "1:4", "!!str"),
    "a: &x !t 1\n": ("ML007", "1:7", "!t"),
    "? [a]\n: b": ("ML007", "1:3", "[a]"),
    "&x a: 1\n*x : d\n": ("ML007", "2:1", "*x"),
    "<<: {a: 1}\n": ("ML007", "1:1", "<<"),
    "1: a\n": ("ML007", "1:1", "1"),
    "true: a\n": ("ML007", "1:1", "true"),
    "~: a\n": ("ML007", "1:1", "~"),
    "a: &x [*x]\n": ("ML007", "1:8", "*x"),
    "a: 1\n--- \nb: 2\n": ("ML007", "2:1", "---"),
    "": ("ML010", "1:1", ""),
    "# nothing\n": ("ML010", "1:1", ""),
    "---\n": ("ML010", "1:1", ""),
    "a: \x00\n": ("ML011", "1:4", "\x00"),
    "a: 1 # \x1b[2J\n": ("ML011", "1:8", "\x1b"),
    "a: 1 # x\u2028b: 2\n": ("ML011", "1:9", "\u2028"),
    "a: \u202ex\n": ("ML011", "1:4", "\u202e"),
    "a: 1\rb: 2\n": ("ML011", "1:5", "\r"),
    'a: "\\0"\n': ("ML011", "1:4", '"\\0"'),
    '"a\\e": 1\n': ("ML011", "1:1", '"a\\e"'),
}


@pytest.mark.parametrize(("text", "expected"), SYNTAX.items())
def test_load_text__mistake_is_named_at_its_exact_place(text, expected):
    assert found(text) == [expected]


@pytest.mark.parametrize(("text", "expected"), SYNTAX.items())
def test_load_text__pure_python_parser_gives_the_same_code(monkeypatch, text, expected):
    from mlspec.yamlio.pure import PureParser

    monkeypatch.setattr(loader, "_parser", PureParser)
    assert [row[0] for row in found(text)] == [expected[0]]


def test_load_text__messages_never_quote_pyyaml():
    for text in SYNTAX:
        for diagnostic in load(text).diagnostics:
            assert "did not find expected" not in diagnostic.message
            assert "context" not in diagnostic.message
            assert diagnostic.message.isprintable()


def test_load_text__yaml_1_1_words_are_text_and_may_be_keys():
    root = load("on: yes\nno: off\n").value
    assert list(root.entries) == ["on", "no"]


def test_load_text__independent_mistakes_are_all_found_in_order():
    text = "a: 1\nb: !t 2\na: 3\n<<: {}\nc: {run: x ${inputs.a}, y: [${inputs.b}]}\n1: 2\nd: @\n"
    assert [(row[0], row[1]) for row in found(text)] == [
        ("ML007", "2:4"),
        ("ML006", "3:1"),
        ("ML007", "4:1"),
        ("ML005", "5:12"),
        ("ML005", "5:29"),
        ("ML007", "6:1"),
        ("ML004", "7:4"),
    ]


def test_load_text__duplicate_key_names_both_places_and_keeps_the_first():
    text = 'a: 1\n"a": 2\n'
    result = load(text)
    (diagnostic,) = result.diagnostics
    (label,) = diagnostic.labels
    assert text[label.place.span.start : label.place.span.end] == "a"
    assert result.value.get("a").text == "1"


def test_load_text__unquoted_reference_offers_the_quoted_text():
    text = "{run: python x.py ${inputs.a} --b, c: d}"
    (diagnostic,) = load(text).diagnostics
    (fix,) = diagnostic.fixes
    fixed = text[: fix.place.span.start] + fix.text + text[fix.place.span.end :]
    assert fixed == '{run: "python x.py ${inputs.a} --b", c: d}'
    assert load(fixed).ok


def test_load_text__alias_bomb_is_refused_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    started = time.perf_counter()
    rows = found("\n".join(lines))
    assert [row[0] for row in rows] == ["ML009"]
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "? " * 100_000])
def test_load_text__deep_nesting_is_refused_at_once(text):
    started = time.perf_counter()
    assert [row[0] for row in found(text)] == ["ML008"]
    assert time.perf_counter() - started < 20


def test_load_text__deep_nesting_through_aliases_is_refused():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 150)]
    assert [row[0] for row in found("\n".join(lines))] == ["ML008"]


def test_load_text__hundred_levels_are_read():
    assert load("[" * 100 + "]" * 100).ok
    assert not load("[" * 101 + "]" * 101).ok


def test_load_text__number_of_reports_is_bounded():
    assert len(load("a: 1\n" * 10_000).diagnostics) == 100
    assert len(load("# \x01" * 10_000).diagnostics) <= 21


def test_load_text__ten_thousand_steps_pass():
    text = "steps:\n" + "".join(
        f"  s{i}:\n    run: x ${{inputs.a}}\n    inputs: {{a: s.o}}\n    env: {{A: b}}\n    timeout: 1h\n"
        for i in range(10_000)
    )
    assert load(text).ok


def test_read_file__drops_a_byte_order_mark(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_file(path, "m.yaml").value.text == "a: 1\n"


def test_read_file__missing_folder_and_pipe_are_diagnostics(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, words in {
        "missing": "does not exist",
        ".": "folder",
        "pipe": "not a regular file",
        "loop": "circle",
        "x" * 300: "",
        "a\0b": "no possible file name",
    }.items():
        result = read_file(tmp_path / name, "shown.yaml")
        (diagnostic,) = result.diagnostics
        assert (diagnostic.code.id, result.value) == ("ML001", None)
        assert words in diagnostic.message
        assert "`shown.yaml`" in diagnostic.message


def test_read_file__device_without_end_is_not_read():
    assert read_file(Path("/dev/zero"), "zero").diagnostics[0].code.id == "ML001"


@pytest.mark.parametrize("data", [b"a: \xe9\n", "a: é".encode("utf-16"), b"\xed\xa0\x80"])
def test_read_file__other_encodings_are_refused(tmp_path, data):
    path = tmp_path / "m.yaml"
    path.write_bytes(data)
    assert read_file(path, "m.yaml").diagnostics[0].code.id == "ML002"


def test_read_file__large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "m.yaml"
    with path.open("wb") as stream:
        stream.truncate(50_000_000_000)  # a hole: no disk is used
    started = time.perf_counter()
    assert read_file(path, "m.yaml").diagnostics[0].code.id == "ML003"
    assert time.perf_counter() - started < 20
