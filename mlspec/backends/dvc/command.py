"""The command of a stage: Bash that sets the variables of a step and runs it.

Input: an instance and the places of what it reads; output: one shell command. A step that is a
plain script or program is a few exports and the script itself. With `retry`, `timeout`, a matrix
or nothing but a mark to leave, the script becomes an argument and is run by a managed part, so
that whatever it does (`exit 0`, `trap`) the rest of the command still happens.

Values reach the step through variables only: literals are quoted, parameters are arguments that
DVC quotes, and no text of the user becomes code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import basename, dirname

from mlspec.backends.dvc.naming import HIDDEN, Instance
from mlspec.backends.dvc.quoting import shell_word
from mlspec.backends.shell import (
    argv_to_bash,
    bash_quote,
    command_to_bash,
    seconds,
    text_to_bash,
    with_timeout,
)
from mlspec.ir.model import Argv, Pairing, Param, ParamType, RepoInput, Script, Step, StepInput
from mlspec.ir.values import Namespace, Ref, refs_of

_THREADS = "OMP_NUM_THREADS"
_ATTEMPT = Ref(Namespace.RUN, "attempt")
_NO_NAME = re.compile(r"[^A-Z0-9_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an instance's command must know of the rest of the pipeline.

    Attributes:
        params: all parameters of the pipeline, as DVC passes all of them.
        producers: the instances of every step, by step id.
        is_ordered_after: whether another stage only waits for this one.
    """

    params: tuple[Param, ...]
    producers: Mapping[str, tuple[Instance, ...]]
    is_ordered_after: bool


def reads_params(step: Step) -> bool:
    """Return whether a step reads a run parameter."""
    return any(ref.namespace is Namespace.PARAMS for ref in step.refs)


def command_of(instance: Instance, around: Surroundings) -> str:
    """Return the shell command of an instance; DVC appends the parameters to it."""
    step = instance.step
    lines: list[str] = []
    is_managed = _is_managed(instance, around)
    if is_managed and isinstance(step.action, Script):
        lines += ["mlspec_script=$1", "shift"]
    if reads_params(step):
        lines += _params(around.params)
    lines += _links(instance, around)
    lines += _exports(instance, around)
    words = ["bash", "-euo", "pipefail", "-c"]
    if is_managed:
        lines += _managed(instance, around)
        body = "\n".join(lines)
        extra = [step.action.text] if isinstance(step.action, Script) else []
    else:
        folders = _folders(_written(step))
        lines += [folders] if folders else []
        match step.action:
            case Script(text=text):
                lines.append(text.rstrip("\n"))
            case Argv(words=argv):
                lines.append(command_to_bash(argv))
        body = "\n".join(lines)
        extra = []
    arguments = [f"\n{body}\n" if "\n" in body else body, instance.stage, *extra]
    return " ".join(map(shell_word, [*words, *arguments]))


def _is_managed(instance: Instance, around: Surroundings) -> bool:
    step = instance.step
    retries = step.retry is not None and step.retry.max > 0
    mark = instance.needs_mark and around.is_ordered_after
    return retries or step.timeout is not None or instance.combination is not None or mark


# ------------------------------------------------------------------ variables


def _params(params: Iterable[Param]) -> list[str]:
    """Read `--name value …`; DVC writes a true boolean as `--name` and leaves a false one out."""
    lines = []
    cases = []
    for param in params:
        variable = Ref(Namespace.PARAMS, param.name).variable
        if param.type is ParamType.BOOL:
            lines.append(f"{variable}=false")
            cases += [
                f"  --{param.name})",
                f"    {variable}=true",
                f'    case "${{2-}}" in true|false) {variable}=$2; shift ;; esac ;;',
                f"  --no-{param.name}) ;;",
            ]
        else:
            cases.append(f"  --{param.name}) {variable}=$2; shift ;;")
    lines += ['while [ "$#" -gt 0 ]; do', '  case "$1" in', *(f"  {case}" for case in cases)]
    lines += ['    *) echo "unexpected parameter $1" >&2; exit 64 ;;', "  esac", "  shift", "done"]
    return lines


def _links(instance: Instance, around: Surroundings) -> list[str]:
    """Make the folders that hold every combination of a producer."""
    lines = []
    for item in instance.step.inputs:
        if not isinstance(item, StepInput) or item.pairing is not Pairing.FOLDER:
            continue
        folder = bash_quote(_folder_path(instance, item, around))
        lines += [f"rm -rf -- {folder}", f"mkdir -p -- {folder}"]
        index = []
        for producer in around.producers[item.step]:
            assert producer.combination is not None  # noqa: S101  the pairing says so
            name = producer.combination.name
            path = bash_quote(_output_place(producer, item))
            lines.append(f'ln -s -- "$PWD"/{path} {folder}/{bash_quote(name)}')
            index.append({"entry": name, "matrix": dict(producer.combination.values)})
        text = bash_quote(json.dumps(index))
        lines.append(f"printf '%s\\n' {text} > {folder}/index.json")
    return lines


def _folder_path(instance: Instance, item: StepInput, around: Surroundings) -> str:
    first = around.producers[item.step][0]
    base = basename(_output_place(first, item))
    return f"{HIDDEN}/{instance.stage}/{item.name}/{base}"


def _output_place(producer: Instance, item: StepInput) -> str:
    output = producer.step.output(item.output)
    assert output is not None  # noqa: S101  an invariant of the IR
    return producer.place(output.path)


def _exports(instance: Instance, around: Surroundings) -> list[str]:
    step = instance.step
    lines = []
    cpu = step.resources.cpu
    if cpu is not None and all(name != _THREADS for name, _ in step.env):
        threads = max(1, cpu.milli // 1000)
        lines.append(f'export {_THREADS}="${{{_THREADS}-{threads}}}"')
    for secret in step.secrets:
        source = _NO_NAME.sub("_", secret.name.upper())
        lines.append(f'export {secret.variable}="${{{source}?the secret is not set}}"')
    for ref in step.refs:
        match ref.namespace:
            case Namespace.PARAMS:
                lines.append(f"export {ref.variable}")
            case Namespace.RUN:
                continue  # only `run.attempt`, which the loop counts
            case _:
                lines.append(f"export {ref.variable}={_value(instance, ref, around)}")
    if not _counts(step) and _reads_attempt(step):
        lines.append(f"export {_ATTEMPT.variable}=1")
    later = _counted(step)
    exported = (f"export {name}={text_to_bash(text)}" for name, text in step.env)
    return [*lines, *(line for line in exported if line not in later)]


def _counted(step: Step) -> list[str]:
    """Exports that each attempt makes anew."""
    if not (_counts(step) and _reads_attempt(step)):
        return []
    return [
        f"export {_ATTEMPT.variable}=$attempt",
        *(
            f"export {name}={text_to_bash(text)}"
            for name, text in step.env
            if _ATTEMPT in refs_of(text)
        ),
    ]


def _reads_attempt(step: Step) -> bool:
    return _ATTEMPT in step.refs


def _counts(step: Step) -> bool:
    return step.retry is not None and step.retry.max > 0


def _value(instance: Instance, ref: Ref, around: Surroundings) -> str:
    step = instance.step
    if ref.namespace is Namespace.MATRIX:
        known = dict(instance.combination.values) if instance.combination is not None else {}
        return bash_quote(known[ref.name])
    if ref.namespace is Namespace.OUTPUTS:
        output = step.output(ref.name)
        assert output is not None  # noqa: S101  an invariant of the IR
        return f'"$PWD"/{bash_quote(output.path)}'
    return f'"$PWD"/{bash_quote(input_place(instance, ref.name, around))}'


def input_place(instance: Instance, name: str, around: Surroundings) -> str:
    """Return the path at which an instance reads an input."""
    item = instance.step.input(name)
    match item:
        case RepoInput(path=path):
            return path
        case StepInput(pairing=Pairing.FOLDER):
            return _folder_path(instance, item, around)
        case StepInput():
            return _output_place(partner(instance, item, around), item)
    raise KeyError(name)


def partner(instance: Instance, item: StepInput, around: Surroundings) -> Instance:
    """Return the instance of the producer that an input of one instance reads."""
    producers = around.producers[item.step]
    if item.pairing is Pairing.PLAIN or instance.combination is None:
        return producers[0]
    wanted = dict(instance.combination.values)
    return next(
        one
        for one in producers
        if one.combination is not None and dict(one.combination.values) == wanted
    )


# ------------------------------------------------------------------ the managed part


def _written(step: Step) -> tuple[str, ...]:
    """Paths that must exist when the step has succeeded."""
    metrics = (step.metrics,) if step.metrics is not None else ()
    return (*(output.path for output in step.outputs), *metrics)


def _folders(paths: Iterable[str]) -> str:
    folders = dict.fromkeys(dirname(path) for path in paths if dirname(path))
    return "mkdir -p -- " + " ".join(map(bash_quote, folders)) if folders else ""


def _managed(instance: Instance, around: Surroundings) -> list[str]:
    step = instance.step
    match step.action:
        case Script():
            words = f'bash -euo pipefail -c "$mlspec_script" {bash_quote(instance.stage)}'
        case Argv(words=argv):
            words = argv_to_bash(argv)
    command = with_timeout(words, step.timeout)
    if step.timeout is None and isinstance(step.action, Argv):
        command = f"(exec -- {words})"
    written = _written(step)
    attempt = []
    if written:
        attempt += ["rm -rf -- " + " ".join(map(bash_quote, (*written, *step.report)))]
    folders = _folders((*written, *step.report))
    attempt += [folders] if folders else []
    checks = "".join(f" && [ -e {bash_quote(path)} ]" for path in written)
    if _counts(step):
        attempt = _loop(step, attempt, command + checks)
    else:
        attempt.append(command)
        attempt += [f"[ -e {bash_quote(path)} ]" for path in written]
    return [*attempt, *_moves(instance), *_mark(instance, around)]


def _loop(step: Step, before: list[str], command: str) -> list[str]:
    """Attempts, with pauses between them, until one succeeds."""
    assert step.retry is not None  # noqa: S101  the caller looked
    pauses = [seconds(step.retry.delay_before(n)) for n in range(1, step.retry.max + 1)]
    return [
        "attempt=1",
        f"for pause in {' '.join(pauses)} none; do",
        *(f"  {line}" for line in before),
        *(f"  {line}" for line in _counted(step)),
        *_leave(step, command),
        '  echo "attempt $attempt failed; next one in $pause s" >&2',
        '  sleep "$pause"',
        "  attempt=$((attempt + 1))",
        "done",
    ]


def _leave(step: Step, command: str) -> list[str]:
    """Leave the loop after a success, and when no further attempt is made."""
    if step.retry_exit is None:
        return [
            f"  if {command}; then break; fi",
            '  if [ "$pause" = none ]; then exit 1; fi',
        ]
    final = f'[ "$status" -ne {step.retry_exit} ]'
    return [
        f"  if {command}; then break; else status=$?; fi",
        f'  if {final} || [ "$pause" = none ]; then exit "$status"; fi',
    ]


def _moves(instance: Instance) -> list[str]:
    """Move what an instance of a matrix wrote to places of its own."""
    if instance.combination is None:
        return []
    step = instance.step
    lines = []
    targets = [instance.place(path) for path in (*_written(step), *step.report)]
    if targets:
        lines.append(_folders(targets))
    for path in _written(step):
        source, target = bash_quote(path), bash_quote(instance.place(path))
        lines += [f"rm -rf -- {target}", f"mv -- {source} {target}"]
    for path in step.report:
        source, target = bash_quote(path), bash_quote(instance.place(path))
        lines.append(f"if [ -e {source} ]; then rm -rf -- {target} && mv -- {source} {target}; fi")
    return lines


def _mark(instance: Instance, around: Surroundings) -> list[str]:
    if not (instance.needs_mark and around.is_ordered_after):
        return []
    return [_folders([instance.mark]), f"echo done > {bash_quote(instance.mark)}"]
