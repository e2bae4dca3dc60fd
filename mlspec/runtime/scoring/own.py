"""Calls a program of the user's inside a derived step (`evaluate.run`, `validate.run`).

Input: a step whose node holds a script or words, and paths. Output: the exit code. The program is
told its paths by `MLSPEC_INPUTS_…` and `MLSPEC_OUTPUTS_…`; no value ever becomes script text.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from mlspec.ir.facts import Node
from mlspec.runtime.steps.contract import StepCall, StepError

_PROLOGUE = "set -euo pipefail\n"
_RUN = ("id", "date", "attempt")


def has_program(node: Node) -> bool:
    """Whether a derived step calls a program of the user's."""
    return node.script is not None or bool(node.words)


def call_program(call: StepCall, values: Mapping[str, str]) -> int:
    """Return the exit code of a step's program.

    Args:
        call: of the step.
        values: paths by reference, such as `inputs.data`.

    Raises:
        StepError: the program cannot be started.
    """
    told = {f"MLSPEC_{name.upper().replace('.', '_')}": value for name, value in values.items()}
    run = {f"run.{name}": call.environ.get(f"MLSPEC_RUN_{name.upper()}", "") for name in _RUN}
    words = _words(call.node, {**values, **run})
    try:
        ended = subprocess.run(words, cwd=call.project, env={**call.environ, **told}, check=False)
    except OSError as error:
        raise StepError(f"cannot start `{words[0]}`: {error.strerror or error}") from error
    return ended.returncode


def _words(node: Node, values: Mapping[str, str]) -> list[str]:
    if node.script is not None:
        return ["bash", "-c", _PROLOGUE + node.script]
    words = []
    for word in node.words:
        for name, value in values.items():
            word = word.replace("${" + name + "}", value)  # noqa: PLW2901  each in turn
        words.append(word)
    return words
