"""Which derived steps a text runs, and the argument vector of a command that runs just one.

Input: texts of artifacts; output: names of kinds, or words with `${NAME}` for variables. A
command is understood only when its exit code is that of the one program it runs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

_STEP = re.compile(r"\bmlspec\b[\"'\s,]+(?:-[^\s\"']+[\"'\s,]+)*step[\"'\s,]+([a-z]+)\b")
_TIMEOUT = re.compile(r"timeout --kill-after=[0-9.]+ [0-9.]+ ")
_LOOP = re.compile(
    r"attempt=1\n"
    r"for delay in [0-9. ]+ last; do\n"
    r"  status=0\n"
    r"(?P<before>(?:  [^\n]*\n)*?)"
    r"  (?P<command>[^\n]*(?: \\\n[^\n]*)*) \|\| status=\$\?\n"
    r'  if \[ "\$status" -(?:ne [0-9]+|eq 0) \] \|\| \[ "\$delay" = last \]; '
    r'then exit "\$status"; fi\n'
    r'  echo "attempt \$attempt ended with exit code \$status; next one in \$delay s" >&2\n'
    r'  sleep "\$delay"\n'
    r"  attempt=\$\(\(attempt \+ 1\)\)\n"
    r"done\n*"
)
_AFRESH = re.compile(
    r'  if \[ "\$attempt" -gt 1 \]; then rm -rf -- [A-Za-z0-9_./ -]+; fi\n'
    r"|  docker rm --force \"\$container\" > /dev/null 2>&1 \|\| true\n"
)
_CONTAINER = re.compile(
    r"container=mlspec-\$GITHUB_RUN_ID-\$RANDOM\$RANDOM\n"
    r"trap 'docker rm --force \"\$container\" > /dev/null 2>&1 \|\| true' EXIT\n"
    r"(?:docker rm --force \"\$container\" > /dev/null 2>&1 \|\| true\n)?"
)
_DOCKER = re.compile(
    r'docker run --rm --init(?: --name "\$container")?(?: --gpus [0-9]+)?'
    r'(?: --volume (?:"\$RUNNER_TEMP/mlspec:/mlspec"|[A-Za-z0-9_./:\'-]+))*'
    r"(?: --env [A-Z][A-Z0-9_]*)*"
    r" --entrypoint '' \"\$MLSPEC_IMAGE\" "
)


def kinds_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the kinds of all derived steps that texts name."""
    return frozenset(kind for text in texts for kind in _STEP.findall(text))


def of_vector(words: Sequence[str]) -> tuple[str, ...]:
    """Return an argument vector as Kubernetes expands it: `$(NAME)` is a variable."""
    return tuple(
        re.sub(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_]*)\)", r"${\1}", word).replace("$$", "$")
        for word in words
    )


def of_line(text: str) -> tuple[str, ...] | None:
    """Return the words of a Bash command line that is one simple command, else None."""
    text = text.rstrip("\n")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    text = _TIMEOUT.sub("", text, count=1) if _TIMEOUT.match(text) else text
    if "\n" in text or re.search(r"[;&|<>()`#!*?\[\]~\\]", _without_quoted(text)):
        return None
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return None


def _without_quoted(text: str) -> str:
    """Return a text without what stands in quotes and starts no substitution."""
    text = re.sub(r"'[^']*'", "", text)
    return re.sub(r'"[^"`\\]*"', lambda found: "$(" if "$(" in found[0] else "", text)


def of_script(text: str) -> tuple[str, ...] | None:
    """Return the words of a script that is one command, plain or tried again; else None."""
    container = _CONTAINER.match(text)
    rest = text[container.end() :] if container else text
    loop = _LOOP.fullmatch(rest)
    if loop is not None:
        if _AFRESH.sub("", loop["before"]):
            return None
        rest = loop["command"]
    rest = re.sub(r" \\\n\s*", " ", rest)
    timeout = _TIMEOUT.match(rest)
    inner = rest[timeout.end() :] if timeout else rest
    docker = _DOCKER.match(inner)
    return of_line(inner[docker.end() :] if docker else rest)
