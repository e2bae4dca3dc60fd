"""What `mlspec.backends.shell` prints is run in Bash, and must hand over the very bytes."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.backends.shell import (
    argv_to_bash,
    bash_quote,
    command_to_bash,
    retry_loop,
    seconds,
    text_to_bash,
    with_timeout,
)
from mlspec.ir.model import Retry
from mlspec.ir.values import Duration, Literal, Namespace, Ref, literal

LR = Ref(Namespace.PARAMS, "lr")


def bash(script: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", **env},
        timeout=30,
        check=False,
    )


def words_seen(line: str, **env: str) -> list[str]:
    done = bash(f"printf '%s\\0' {line}", **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8").split("\0")[:-1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12),
        min_size=1,
        max_size=6,
    )
)
def test_argv_to_bash__any_text_arrives_unchanged(words: list[str]) -> None:
    assert words_seen(argv_to_bash(tuple(literal(word) for word in words))) == words


@pytest.mark.parametrize(
    "text", ["", "a b", "it's", "$HOME", "`x`", "a\nb", "\x1b[0m", "\u0085\u2028", "\\n", "~", "*"]
)
def test_bash_quote__nasty(text: str) -> None:
    assert words_seen(bash_quote(text)) == [text]


def test_bash_quote__null_is_refused() -> None:
    with pytest.raises(ValueError, match=r"U\+0000"):
        bash_quote("a\0b")


def test_text_to_bash__reference_is_not_split() -> None:
    word = text_to_bash((Literal("--lr="), LR, Literal("'x")))
    assert words_seen(word, MLSPEC_PARAMS_LR="1 $(id) *") == ["--lr=1 $(id) *'x"]


@pytest.mark.parametrize("name", ["echo", "printf", "true", "false", "test"])
def test_command_to_bash__runs_the_program_and_not_the_builtin(name: str) -> None:
    assert command_to_bash((literal(name),)) == f"exec -- {name}"


@pytest.mark.parametrize("name", ["if", "A=b", "exit", "nothing-like-that", "", "!", "{", "~/x"])
def test_command_to_bash__what_is_no_program_is_not_found(name: str) -> None:
    assert bash(command_to_bash((literal(name), literal("0")))).returncode in (126, 127)


def test_command_to_bash__ordinary_program_reads_as_people_write_it() -> None:
    words = (literal("python"), literal("train.py"), (LR,))
    assert command_to_bash(words) == 'python train.py "${MLSPEC_PARAMS_LR}"'


def test_seconds__exact() -> None:
    assert [seconds(Duration(n)) for n in (0, 250, 1500, 60_000)] == ["0", "0.25", "1.5", "60"]


def test_with_timeout__ends_the_whole_group(tmp_path) -> None:
    started = time.monotonic()
    inner = f"bash -c 'sleep 20 & echo $! > {tmp_path}/pid; wait'"
    done = bash(with_timeout(inner, Duration(300)))
    assert done.returncode == 124
    assert time.monotonic() - started < 18
    pid = (tmp_path / "pid").read_text().strip()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and bash(f"kill -0 {pid}").returncode == 0:
        time.sleep(0.05)
    assert bash(f"kill -0 {pid}").returncode != 0


def test_with_timeout__none_is_the_command() -> None:
    assert with_timeout("x", None) == "x"


@pytest.mark.parametrize(("succeeds_at", "code", "runs"), [(1, 0, 1), (3, 0, 3), (9, 7, 4)])
def test_retry_loop__attempts(tmp_path, succeeds_at: int, code: int, runs: int) -> None:
    count = tmp_path / "count"
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, pathlib\n"
        f"p = pathlib.Path({str(count)!r})\n"
        "n = int(p.read_text() or 0) + 1 if p.exists() else 1\n"
        "p.write_text(str(n))\n"
        f"sys.exit(0 if n == {succeeds_at} else 7)\n"
    )
    retry = Retry(max=3, delay=Duration(1), factor=2.0)
    done = bash(retry_loop(f"{sys.executable} {program}", retry))
    assert done.returncode == code
    assert count.read_text() == str(runs)


@pytest.mark.parametrize(
    ("codes", "ended", "attempts"),
    [("", 0, 1), ("75", 0, 2), ("10", 10, 1), ("75 10", 10, 2), ("75 75 75", 75, 3)],
)
def test_retry_loop__after_one_exit_code_only(
    tmp_path, codes: str, ended: int, attempts: int
) -> None:
    mark = tmp_path / "mark"
    program = tmp_path / "program.sh"
    program.write_text(
        f'echo >> {mark}; codes=({codes}); exit "${{codes[$(wc -l < {mark}) - 1]:-0}}"\n'
    )
    done = bash(retry_loop(f"bash {program}", Retry(max=2), only=75))
    assert done.returncode == ended
    assert len(mark.read_text().splitlines()) == attempts


def test_retry_loop__exact_pauses() -> None:
    retry = Retry(max=4, delay=Duration(30_000), factor=2.0, max_delay=Duration(100_000))
    assert "for delay in 30 60 100 100 last; do" in retry_loop("x", retry)


def test_retry_loop__without_attempts_is_the_command() -> None:
    assert retry_loop("x", None) == retry_loop("x", Retry(max=0)) == "x"
