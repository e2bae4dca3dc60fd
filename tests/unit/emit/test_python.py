"""The guarded template: nothing unchecked gets printed, everything printed reads back the same."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.emit import python
from mlspec.emit.python import (
    Block,
    Call,
    Docstring,
    Import,
    Name,
    Shift,
    docstring_line,
    identifier,
    names_in,
    print_expression,
    render,
    string,
)
from mlspec.errors import MlspecBug
from mlspec.resources import data_folder
from tests.support.nasty import NASTY

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=40)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | FLOATS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(python, "data_folder", lambda _: tmp_path)
    return tmp_path


def made(templates: Path, text: str, **values: object) -> str:
    (templates / "t.j2").write_text(text, encoding="utf-8")
    return render("t.j2", **values)


# ------------------------------------------------------------------ the guard


@pytest.mark.parametrize(
    "text",
    [
        "x = {{ value }}",
        "x = {{ 'constant' }}",
        "x = {{ 1 }}",
        "x = {{ value|py|upper }}",
        "x = {{ (value|py) ~ '' }}",
        "x = {{ [value|py]|join }}",
        "x = {{ value|e }}",
        "x = {{ value|string }}",
        "{% macro m() %}1{% endmacro %}x = {{ m() }}",
        "x = {{ missing }}",
        "x = {{ missing|py }}",
        "x = {{ value.missing|py }}",
        "x = {{ value|safe }}",
    ],
)
def test_render__refuses_what_no_filter_made(templates: Path, text: str) -> None:
    with pytest.raises((TypeError, jinja2.TemplateError)):
        made(templates, text, value="1")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), b"x", {1: 2}, {"a": {3}}, 1j, print]
)
def test_py__refuses_other_types(templates: Path, value: object) -> None:
    with pytest.raises(TypeError):
        made(templates, "x = {{ value|py }}", value=value)


@pytest.mark.parametrize("name", ["1a", "a b", "class", "a;b", "", "a.b.", "é", "a\n", 3])
def test_ident__refuses_what_is_no_name(templates: Path, name: object) -> None:
    with pytest.raises(TypeError):
        made(templates, "{{ name|ident }} = 1", name=name)


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\u2028b", "\x00", 3])
def test_comment__refuses_more_than_one_line(templates: Path, text: object) -> None:
    with pytest.raises(TypeError):
        made(templates, "# {{ text|comment }}", text=text)


def test_render__refuses_constants_of_its_own(templates: Path) -> None:
    with pytest.raises(MlspecBug, match="other constants"):
        made(templates, "x = 'sneaked in'\n")


def test_render__refuses_what_does_not_parse(templates: Path) -> None:
    with pytest.raises(MlspecBug, match="does not parse"):
        made(templates, "x = = {{ value|py }}\n", value=1)


def test_block_and_comment__print_lines(templates: Path) -> None:
    text = made(
        templates,
        "# {{ said|comment }}\nx = [\n{{ values|block(4) }}]\n",
        said="it's {{ fine }}",
        values=["a", -1.5, None],
    )
    assert text == '# it\'s {{ fine }}\nx = [\n    "a",\n    -1.5,\n    None,\n]\n'


def test_templates__use_only_what_the_guard_covers() -> None:
    """`{% filter %}` blocks bypass `finalize`; extensions and raw output could as well."""
    allowed = (
        jinja2.nodes.Template,
        jinja2.nodes.Output,
        jinja2.nodes.TemplateData,
        jinja2.nodes.For,
        jinja2.nodes.If,
        jinja2.nodes.Name,
        jinja2.nodes.Filter,
        jinja2.nodes.Const,
        jinja2.nodes.Tuple,
        jinja2.nodes.Getattr,
        jinja2.nodes.Not,
    )
    environment = jinja2.Environment(autoescape=False)
    found = sorted(data_folder("templates").glob("**/*.py.j2"))
    assert found
    for path in found:
        tree = environment.parse(path.read_text(encoding="utf-8"))
        todo: list[jinja2.nodes.Node] = [tree]
        while todo:
            node = todo.pop()
            assert isinstance(node, allowed), (path, node)
            if isinstance(node, jinja2.nodes.Filter):
                assert node.name in ("py", "ident", "comment", "block")
            todo.extend(node.iter_child_nodes())


# ------------------------------------------------------------------ printing


@given(VALUES)
def test_print_expression__reads_back_as_the_value(value: object) -> None:
    assert ast.literal_eval(print_expression(value)) == value  # type: ignore[arg-type]


@given(st.text())
def test_string__reads_back(text: str) -> None:
    printed = string(text)
    assert ast.literal_eval(printed) == text
    assert printed.isprintable()


@pytest.mark.parametrize("text", NASTY)
def test_block__reads_back(text: str) -> None:
    for whole in (text, f"{text}\n", f"a\n{text}\n", f"{text}\nb\n"):
        assert ast.literal_eval(print_expression(Block(whole))) == whole


@pytest.mark.parametrize("text", NASTY)
def test_docstring_line__fits_a_docstring(text: str) -> None:
    line = docstring_line(text)
    printed = print_expression(Docstring(("Title.", "", f"x {line}".rstrip())))
    assert ast.literal_eval(printed) == f"Title.\n\nx {line}".rstrip() + "\n"


@pytest.mark.parametrize("line", ['say "x"', "back\\slash", "two\nlines", "blank ", "\x1b[31m"])
def test_docstring__refuses_other_lines(line: str) -> None:
    with pytest.raises(TypeError):
        print_expression(Docstring(("a", line)))


def test_identifier__checks() -> None:
    assert identifier("train_2") == "train_2"
    with pytest.raises(TypeError):
        identifier("import")


def test_names_in__finds_first_parts() -> None:
    inner = Call(function=Name("k8s.V1Pod"), args=(Name("rows.x"),))
    mapped = Call(function=Name("expand"), on=Call(function=Name("Bash.partial")))
    value = [inner, {"a": mapped}, Shift(Name("x"), [Name("y")])]
    assert names_in(value) == {"k8s", "rows", "Bash", "x", "y"}


@given(VALUES, VALUES, st.integers(0, 3))
def test_print_expression__is_one_call_at_any_indent(
    value: object, other: object, depth: int
) -> None:

    call = Call(function=Name("f"), args=(value,), keywords=(("key", other),))  # type: ignore[arg-type]
    text = print_expression(call, 4 * depth)
    tree = ast.parse(text.strip(), mode="eval")
    assert isinstance(tree.body, ast.Call)
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_print_expression__long_calls_are_formatted_as_ruff_does(tmp_path: Path) -> None:
    long = ["word" * 4] * 9
    call = Call(
        function=Name("operator"),
        args=(Block("line\nline\n"),),
        keywords=(
            ("rows", [{"key": "value" * 9, "other": "value" * 9}]),
            ("words", long),
            ("**", Call(function=Name("hooks.of"), keywords=(("inputs", {"a": long}),))),
            ("one", (1,)),
            ("quote", "it's"),
            ("double", 'say "x"'),
        ),
        exploded=True,
    )
    mapped = Call(function=Name("expand"), on=call, keywords=(("env", Name("rows")),))
    lines = [
        print_expression(Docstring(("Title.",))),
        "",
        print_expression(Import("a.b", tuple(f"Name{n}" for n in range(20)))),
        "",
        f"x = {print_expression(mapped, 0, 4)}",
        print_expression(Shift([Name(f"task_number_{n}") for n in range(9)], Name("last"))),
        print_expression(Shift(Name("a"), Name("b"))),
        "",
    ]
    path = tmp_path / "x.py"
    path.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", "--no-cache", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
