"""User text survives Airflow's Jinja and Kubernetes' expansion."""

from __future__ import annotations

import ast

import jinja2
import pytest

from mlspec.backends.airflow.quoting import (
    bash_command,
    jinja_text,
    pod_literal,
    pod_text,
    template_changes,
    template_text,
)
from mlspec.emit.python import Call, print_expression
from mlspec.ir.model import Argv, Script
from mlspec.ir.values import Literal, Namespace, Ref, literal
from tests.support.nasty import NASTY


def rendered(text: str) -> str:
    """What Airflow's templates make of a text."""
    return jinja2.Environment(autoescape=False).from_string(text).render(x="WRONG")


@pytest.mark.parametrize("text", NASTY)
def test_template_changes__is_false_only_where_jinja_keeps_the_text(text: str) -> None:
    if not template_changes(text):
        assert rendered(text) == text


@pytest.mark.parametrize("text", NASTY)
def test_jinja_text__renders_as_the_text(text: str) -> None:
    assert rendered(jinja_text(text)) == text
    assert not jinja_text(text).endswith((".sh", ".bash", ".md", ".yaml"))


@pytest.mark.parametrize("text", ["run.sh", "x.bash", "a.json", "{{ x }}", "a\n", "a\rb"])
def test_template_text__wraps_what_airflow_would_read(text: str) -> None:
    wrapped = template_text(text)
    assert isinstance(wrapped, Call)
    assert wrapped.args == (text,)


def test_bash_command__script_and_words() -> None:
    assert print_expression(bash_command(Script(text="true\n"))) == (
        '"""\\\nset -euo pipefail\ntrue\n"""'
    )
    braces = print_expression(bash_command(Script(text="echo '{{ x }}'\n")))
    assert braces.startswith("literal(")
    seed = Ref(Namespace.MATRIX, "seed")
    words = Argv(words=(literal("train"), (Literal("--seed=a b"), seed)))
    printed = ast.literal_eval(print_expression(bash_command(words)))
    assert printed == "train '--seed=a b'\"${MLSPEC_MATRIX_SEED}\""
    assert print_expression(bash_command(Argv(words=(literal("./run.sh"),)))).startswith("literal(")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("$(date)", True),
        ("$(date +%F)", True),
        ("$HOME", True),
        ("$(HOME)", False),
        ("$(mine)", False),
        ("$$", False),
        ("cost: 5$", False),
    ],
)
def test_pod_literal__escapes_only_what_kubernetes_reads(text: str, kept: bool) -> None:
    own = frozenset({"mine"})
    assert pod_literal(text, own) == (text if kept else text.replace("$", "$$"))


def test_pod_text__references_are_expanded_by_kubernetes() -> None:
    text = (Literal("5$"), Ref(Namespace.PARAMS, "lr"))
    assert pod_text(text) == "5$$$(MLSPEC_PARAMS_LR)"
