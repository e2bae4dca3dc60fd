"""Why a derived step ended as it did, in its own words: the end of its log.

Input: the log of an attempt and its exit code. Output: one sentence, or nothing. What `mlspec step`
says last is `error: …`; a gate that says no, or cannot tell, lists its checks with their outcomes.
A log also holds what the project's own code printed: the sentence is for people only.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlspec.runtime import model

_TAIL = 64_000
"""Bytes at the end of a log that are looked at."""
_LONGEST = 400
_ERROR = "error: "
_OUTCOMES = {
    model.GATE_FAILED: ("fail", "says no"),
    model.INCONCLUSIVE: ("inconclusive", "cannot tell"),
}
_COMMAND = re.compile(r"^  (mlspec approve .+)$")


def tail_of(log: Path) -> list[str]:
    """Return the last lines of a log; none when it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def reason_in(log: Path, code: int) -> str:
    """Return why a step ended, as its log says; empty when it does not.

    Args:
        log: of the attempt.
        code: how the step ended, not 0.
    """
    lines = tail_of(log)
    last = next((one for one in reversed(lines) if one.startswith(_ERROR)), "")
    if last:
        return _short(last.removeprefix(_ERROR))
    if code not in _OUTCOMES:
        return ""
    word, verb = _OUTCOMES[code]
    mark = f"  {word}: "
    checks = [one.removeprefix(mark).partition(": ")[0] for one in lines if one.startswith(mark)]
    return _short(f"it {verb}: " + ", ".join(f"`{one}`" for one in checks)) if checks else ""


def asked_in(log: Path) -> tuple[str, tuple[str, ...]]:
    """Return who is asked to approve a version, and the commands with which they do."""
    lines = tail_of(log)
    who, commands = "", []
    for place, line in enumerate(lines):
        found = _COMMAND.match(line)
        if found:
            commands.append(found[1])
            who = lines[place - 1].rpartition("; ")[0] if place else ""
    return who, tuple(dict.fromkeys(commands))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
