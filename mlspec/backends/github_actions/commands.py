"""The command of a step: plain, with a timeout, in a loop, in a container.

Output: the script and the shell of the job's `run` step. Without retry or image the user's text
stands there as it is; a timeout is then the shell's. Otherwise the script is a variable,
`MLSPEC_SCRIPT`, that each attempt hands to Bash.
"""

from __future__ import annotations

from mlspec.backends.github_actions import scripts
from mlspec.backends.github_actions.quoting import Value
from mlspec.backends.github_actions.values import TOKEN, file_path, line_end
from mlspec.backends.records import STORE
from mlspec.backends.shell import (
    argv_to_bash,
    bash_quote,
    command_to_bash,
    retry_loop,
    with_timeout,
)
from mlspec.ir.model import Script, Step
from mlspec.ir.values import Namespace

_CONTAINER = """\
container=mlspec-$GITHUB_RUN_ID-$RANDOM$RANDOM
trap 'docker rm --force "$container" > /dev/null 2>&1 || true' EXIT
"""
_REMOVE = 'docker rm --force "$container" > /dev/null 2>&1 || true\n'
_COUNT = 'export MLSPEC_RUN_ATTEMPT="$attempt"\n'


_WHICH_RUN = ("GITHUB_ACTIONS", "GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
"""What the runner says and a container must be told to ask about the run."""


def retries(step: Step) -> bool:
    """Return whether a step may run more than once."""
    return step.retry is not None and step.retry.max > 0


def shell(step: Step) -> str | None:
    """Return the shell of the run step; None: the workflow's default."""
    if step.timeout is None or retries(step) or step.image is not None:
        return None
    return with_timeout(f"{scripts.STRICT_BASH} {{0}}", step.timeout)


def command(step: Step, env: list[tuple[str, Value]]) -> str:
    """Return the script of the run step.

    Args:
        step: what to run.
        env: the variables of the run step; for a script in a loop, `MLSPEC_SCRIPT` is added.
    """
    if not retries(step) and step.image is None:
        if isinstance(step.action, Script):
            return line_end(step.action.text)
        return line_end(command_to_bash(step.action.words))
    if isinstance(step.action, Script) and step.image is None:
        env.append(("MLSPEC_SCRIPT", (line_end(step.action.text),)))
    guarded = step.image is not None and step.timeout is not None
    attempt = _in_container(step, env) if step.image is not None else _on_runner(step)
    counts = any(r.namespace is Namespace.RUN and r.name == "attempt" for r in step.refs)
    again = _afresh(step) if retries(step) else ""
    before = again + (_COUNT if counts and retries(step) else "") + (_REMOVE if guarded else "")
    loop = retry_loop(before + attempt, step.retry, step.retry_exit)
    return line_end((_CONTAINER if guarded else "") + loop)


def _afresh(step: Step) -> str:
    """Return a line that takes away what an earlier attempt may have left half done."""
    paths = [output.path for output in step.outputs]
    paths += [step.metrics] if step.metrics else []
    if not paths:
        return ""
    words = " ".join(bash_quote(path) for path in dict.fromkeys((*paths, *step.report)))
    return f'if [ "$attempt" -gt 1 ]; then rm -rf -- {words}; fi\n'


def _on_runner(step: Step) -> str:
    if isinstance(step.action, Script):
        return with_timeout(f'{scripts.STRICT_BASH} -c "$MLSPEC_SCRIPT"', step.timeout)
    if step.timeout is not None:
        return with_timeout(argv_to_bash(step.action.words), step.timeout)
    return f"({command_to_bash(step.action.words)})"


def _store_volume(env: list[tuple[str, Value]]) -> list[str]:
    """Let a container see a store on the runner's own disk at the same place."""
    store = dict(env).get(STORE.variable, ("",))[0]
    path = file_path(store) if isinstance(store, str) else None
    return [f"--volume {bash_quote(f'{path}:{path}')}"] if path is not None else []


def _in_container(step: Step, env: list[tuple[str, Value]]) -> str:
    passed = [name for name, _ in env if name not in ("MLSPEC_SCRIPT", "MLSPEC_IMAGE")]
    passed += _WHICH_RUN if TOKEN in passed else ()
    if isinstance(step.action, Script):
        tail = '--entrypoint bash "$MLSPEC_IMAGE" -euo pipefail -c "$MLSPEC_SCRIPT"'
    else:
        tail = f"--entrypoint '' \"$MLSPEC_IMAGE\" {argv_to_bash(step.action.words)}"
    gpus = f" --gpus {step.resources.gpu}" if step.resources.gpu else ""
    name = ' --name "$container"' if step.timeout is not None else ""
    lines = [
        f"docker run --rm --init{name}{gpus}",
        f'--volume "{scripts.HOME}:{scripts.MOUNT}"',
        *_store_volume(env),
        *(f"--env {variable}" for variable in passed),
        tail,
    ]
    return with_timeout(" \\\n  ".join(lines), step.timeout)
