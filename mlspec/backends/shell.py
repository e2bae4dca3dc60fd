"""Exact Bash text for engines that only have a shell: words, timeouts, retries.

Input: values of the IR; output: Bash that hands a program the very bytes that the IR holds.
Literals are quoted, references are `"${MLSPEC_…}"`, so no value is ever read as code.
Checked by running what it prints (tests/unit/backends/test_shell.py).
"""

from __future__ import annotations

import re
import shlex

from mlspec.ir.model import Retry
from mlspec.ir.values import Duration, Literal, Text

KILL_AFTER = Duration(10_000)
"""How long a step may take to end after the signal of its timeout."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PROGRAM = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*|\.{0,2}/[A-Za-z0-9_./+-]*)\Z")
_SHELL_WORDS = frozenset(
    """if then else elif fi case esac for select while until do done in function time coproc
    alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs
    disown echo enable eval exec exit export false fc fg getopts hash help history jobs kill let
    local logout mapfile popd printf pushd pwd read readarray readonly return set shift shopt
    source suspend test times trap true type typeset ulimit umask unalias unset wait""".split()  # noqa: SIM905 (a list of words reads better as words)
)


def bash_quote(text: str) -> str:
    """Return one Bash word that is exactly `text`.

    Control characters are written as octal bytes of their UTF-8 form in `$'…'`, because a
    literal one may not survive the file that carries the script.

    Raises:
        ValueError: for U+0000, which no argument and no environment variable can hold.
    """
    if "\x00" in text:
        raise ValueError("no argument of a program can hold U+0000")
    if not _CONTROL.search(text):
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + _CONTROL.sub(_octal, escaped) + "'"


def _octal(found: re.Match[str]) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(found[0])
    return short or "".join(f"\\{byte:03o}" for byte in found[0].encode("utf-8"))


def text_to_bash(text: Text) -> str:
    """Return one Bash word for a text: literals quoted, references as `"${MLSPEC_…}"`."""
    parts = [
        bash_quote(part.text) if isinstance(part, Literal) else f'"${{{part.variable}}}"'
        for part in text
    ]
    return "".join(parts) or "''"


def argv_to_bash(words: tuple[Text, ...]) -> str:
    """Return the words of an argument vector as Bash words, separated by blanks.

    Only for a place where Bash expects arguments; for a command line use `command_to_bash`.
    """
    return " ".join(text_to_bash(word) for word in words)


def command_to_bash(words: tuple[Text, ...]) -> str:
    """Return a command line that runs an argument vector as `execve` would, found on PATH.

    A first word that means something else to Bash (a keyword, a builtin, an assignment) or that
    is only known at run time is run through `exec`.
    """
    first = words[0]
    name = first[0].text if len(first) == 1 and isinstance(first[0], Literal) else ""
    plain = bool(_PROGRAM.match(name)) and name not in _SHELL_WORDS
    return argv_to_bash(words) if plain else f"exec -- {argv_to_bash(words)}"


def seconds(duration: Duration) -> str:
    """Return a duration in seconds as `timeout` and `sleep` read it, exact to the millisecond."""
    whole, rest = divmod(duration.milliseconds, 1000)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


def with_timeout(command: str, timeout: Duration | None) -> str:
    """Return a command line that ends a program, and what it started, after a time.

    `timeout` (GNU coreutils) runs the program in its own process group, signals the whole group
    with TERM and, when that was not enough, with KILL; its exit code is then 124 or 137.

    Args:
        command: a simple command: words only, no keyword, builtin, pipe or assignment.
        timeout: None returns the command unchanged.
    """
    if timeout is None:
        return command
    return f"timeout --kill-after={seconds(KILL_AFTER)} {seconds(timeout)} {command}"


def retry_loop(command: str, retry: Retry | None, only: int | None = None) -> str:
    """Return Bash lines that run a command until it succeeds or the attempts are used up.

    The variable `attempt` counts from 1. The lines exit with the last attempt's code. They may
    only stand at the end of a script.

    Args:
        command: a command line, run once for each attempt; must not be a builtin that ends the
            shell, and must not rely on `errexit` (run a script through `bash -c`).
        retry: None, or no attempts: the command alone.
        only: the exit code of the attempts that are repeated; None: any but 0.
    """
    if retry is None or retry.max == 0:
        return command
    ended = '[ "$status" -eq 0 ]' if only is None else f'[ "$status" -ne {only} ]'
    delays = [seconds(retry.delay_before(number)) for number in range(1, retry.max + 1)]
    return "\n".join(
        [
            "attempt=1",
            f"for delay in {' '.join(delays)} last; do",
            "  status=0",
            *(f"  {line}" for line in f"{command} || status=$?".split("\n")),
            f'  if {ended} || [ "$delay" = last ]; then exit "$status"; fi',
            '  echo "attempt $attempt ended with exit code $status; next one in $delay s" >&2',
            '  sleep "$delay"',
            "  attempt=$((attempt + 1))",
            "done",
        ]
    )
