"""Which commands are understood: those that end as their one program does, and no others."""

from __future__ import annotations

import pytest

from mlspec.proving.words import kinds_in, of_line, of_script, of_vector

ONE = 'mlspec step gate --in a="${MLSPEC_INPUTS_A}"'
WORDS = ("mlspec", "step", "gate", "--in", "a=${MLSPEC_INPUTS_A}")
LOOP = """\
attempt=1
for delay in 30 60 last; do
  status=0
  ({}) || status=$?
  if [ "$status" -ne 75 ] || [ "$delay" = last ]; then exit "$status"; fi
  echo "attempt $attempt ended with exit code $status; next one in $delay s" >&2
  sleep "$delay"
  attempt=$((attempt + 1))
done
"""


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        f"({ONE})",
        f"{ONE}\n",
        f"timeout --kill-after=10 60 {ONE}",
        ONE.replace(" --in", '  "--in"'),
    ],
)
def test_of_line__one_command(text):
    assert of_line(text) == WORDS


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE} || true",
        f"{ONE}; true",
        f"{ONE} & wait",
        f"{ONE} | cat",
        f"{ONE} > /dev/null",
        f"{ONE} # more",
        f"{ONE}\ntrue",
        f"! {ONE}",
        f'{ONE} "$(true)"',
        f"{ONE} `true`",
        f"{ONE} {{a,*}}",
        f'{ONE} "open',
        f"({ONE}) || (true)",
    ],
)
def test_of_line__more_than_one_command(text):
    assert of_line(text) is None


def test_of_line__a_variable_that_bash_would_not_expand_is_seen():
    # In single quotes `${…}` is just text; the words are equal, the fault is Bash's own error.
    assert of_line("a='${B}'") == ("a=${B}",)
    assert of_line("true ") == ("true",)


@pytest.mark.parametrize(
    "text", [ONE, LOOP.format(ONE), LOOP.format(f"timeout --kill-after=10 60 {ONE}")]
)
def test_of_script__plain_or_tried_again(text):
    assert of_script(text) == WORDS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("attempt=1\n", "attempt=1\nset +e\n"),
        ("  status=0\n", "  status=0\n  true\n"),
        ("|| status=$?", "|| status=0"),
        ('exit "$status"', "exit 0"),
        ("done\n", "done\nexit 0\n"),
        ("  sleep", "  break; sleep"),
        ("-ne 75 ]", "-ne 75 -o 1 ]"),
        ("for delay in 30 60 last", "for delay in"),
    ],
)
def test_of_script__a_loop_that_is_not_ours(old, new):
    text = LOOP.format(ONE)
    assert old in text
    assert of_script(text.replace(old, new)) is None


def test_of_vector__as_kubernetes_expands_it():
    assert of_vector(["a=$(B_1)", "$$(C)", "d$$"]) == ("a=${B_1}", "$(C)", "d$")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("mlspec step promote", {"promote"}),
        ("cd x && mlspec --quiet step promote --in a=b; mlspec step gate", {"promote", "gate"}),
        ('["mlspec", "step", "promote"]', {"promote"}),
        ("python -m mlspec step approve", {"approve"}),
        ("/usr/bin/mlspec  step\tpromote", {"promote"}),
        ("mlspec run p", set()),
        ("a step promotes", set()),
    ],
)
def test_kinds_in__finds_them_wherever_they_stand(text, kinds):
    assert kinds_in([text]) == kinds
