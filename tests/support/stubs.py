"""Stub steps: plain Bash that records what it sees, and behaves as its first line says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from mlspec.ir.model import (
    Application,
    Combination,
    Environment,
    Matrix,
    Output,
    Pairing,
    Param,
    ParamCondition,
    Pipeline,
    Script,
    Step,
    StepInput,
)
from mlspec.ir.values import Namespace, Ref

OUTPUT = "result"
"""Name of every stub's output."""

SEEDS = Matrix(keys=("seed",), rows=tuple(Combination((("seed", v),)) for v in ("1", "2", "3")))
KINDS = Matrix(
    keys=("kind", "size"),
    rows=tuple(Combination((("kind", k), ("size", s))) for k in ("a", "b") for s in ("10", "2.5")),
)
PARAMS = (Param(name="mode", default="full", enum=("full", "quick")),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a stub does.

    Attributes:
        fail: names of the combinations that fail ("" without a matrix).
        code: exit code of those that fail.
        forget: those that fail exit 0 but write neither output nor metrics (where declared).
        metrics: content of the metrics file; None: no metrics.
        text: if not empty, the metrics file's text instead.
        output: whether there is an output.
        folder: the output is a folder (with `part.txt`) instead of a file.
        values: what the output holds if it `lists`.
        lists: the output is a JSON list of the strings `values`.
        sleep: pause in seconds between start and end.
    """

    fail: tuple[str, ...] = ()
    code: int = 1
    forget: bool = False
    metrics: dict[str, Any] | None = None
    text: str = ""
    output: bool = False
    folder: bool = False
    values: tuple[str, ...] = ()
    lists: bool = False
    sleep: float = 0.0

    def changed(self, **changes: Any) -> Behaviour:
        """Return a copy with changes."""
        return replace(self, **changes)

    def forgets(self) -> bool:
        """Whether failing shows in a missing file instead of the exit code."""
        return self.forget and (self.output or self.metrics is not None)

    def succeeds(self, combination: str) -> bool:
        """Whether the instance of a combination succeeds."""
        return combination not in self.fail


def behaviour_of(step: Step) -> Behaviour:
    """Read a stub's behaviour from the first line of its script."""
    assert isinstance(step.action, Script)
    told = json.loads(step.action.text.splitlines()[0].removeprefix("# stub "))
    return Behaviour(**{**told, "fail": tuple(told["fail"]), "values": tuple(told["values"])})


def stub(
    step_id: str,
    behaviour: Behaviour | None = None,
    *,
    inputs: tuple[StepInput, ...] = (),
    matrix: Matrix | None = None,
    status: bool = False,
    **settings: Any,
) -> Step:
    """Return a stub step; `settings` are further fields of `Step`."""
    does = behaviour or Behaviour()
    refs = [Ref(Namespace.MATRIX, key) for key in matrix.keys] if matrix else []
    refs += [Ref(Namespace.INPUTS, item.name) for item in inputs]
    refs += [Ref(Namespace.OUTPUTS, OUTPUT)] if does.output else []
    refs += [Ref(Namespace.RUN, "status")] if status else []
    name = f"{step_id}.d" if does.folder else f"{step_id}.txt"
    return Step(
        id=step_id,
        action=Script(
            text="\n".join(_script(step_id, does, inputs, matrix, status)) + "\n",
            refs=tuple(sorted(refs, key=lambda ref: ref.variable)),
        ),
        inputs=inputs,
        matrix=matrix,
        outputs=(Output(name=OUTPUT, path=f"out/{name}"),) if does.output else (),
        metrics=_metrics_path(step_id) if does.metrics is not None else None,
        **settings,
    )


def stub_finally(
    behaviour: Behaviour, *, inputs: tuple[StepInput, ...] = (), status: bool = True
) -> Step:
    """Return a stub for `finally`."""
    return stub("finally", behaviour, inputs=inputs, status=status)


def application(
    steps: Iterable[Step],
    final: Step | None = None,
    *,
    store: str | None = None,
) -> Application:
    """Return an application with one pipeline `p` of the given steps, and PARAMS if they ask."""
    chosen = tuple(steps)
    asks = any(isinstance(one, ParamCondition) for step in chosen for one in step.when)
    params = PARAMS if asks else ()
    pipeline = Pipeline(id="p", steps=chosen, final=final, params=params)
    return Application(
        name="conformance", environment=Environment(store=store), pipelines=(pipeline,)
    )


def _metrics_path(step_id: str) -> str:
    return f"out/{step_id}-metrics.json"


def _script(
    step_id: str,
    does: Behaviour,
    inputs: tuple[StepInput, ...],
    matrix: Matrix | None,
    status: bool,
) -> list[str]:
    variables = (
        [f"${{{Ref(Namespace.MATRIX, key).variable}}}" for key in matrix.keys] if matrix else []
    )
    lines = [
        "# stub " + json.dumps(asdict(does)),
        f'combination="{"-".join(variables)}"',
        "seen=",
    ]
    for item in inputs:
        lines += _look(item)
    shown = "$MLSPEC_RUN_STATUS" if status else ""
    lines += [
        "record() {",
        '  printf \'{"step":"%s","combination":"%s","event":"%s","inputs":%s,"status":"%s"}\\n\' \\',
        f'    {step_id} "$combination" "$1" "{{ $seen }}" "{shown}" >> "$MLSPEC_TEST_EVENTS"',
        "}",
        "record start",
        "code=0",
        "fails=no",
    ]
    if does.fail:
        names = "|".join(f'"{name}"' for name in does.fail)
        lines += [f'case "$combination" in {names}) fails=yes ;; esac']
        if not does.forgets():
            lines += [f'if [ "$fails" = yes ]; then code={does.code}; fi']
    if does.sleep:
        lines.append(f"sleep {does.sleep}")
    writes = _writes(step_id, does)
    if does.forgets() and does.fail:
        writes = ['if [ "$fails" = no ]; then', *(f"  {line}" for line in writes), "fi"]
    return [*lines, *writes, "record end", 'exit "$code"']


def _look(item: StepInput) -> list[str]:
    """Bash that appends `"name": what is seen of the input` to `seen`."""
    path = f"${{{Ref(Namespace.INPUTS, item.name).variable}}}"
    read = 'if [ -d "$one" ]; then text="$(cat "$one/part.txt")"; else text="$(cat "$one")"; fi'
    if item.pairing is not Pairing.FOLDER:
        shown = [read, 'what="\\"${one##*/}=$text\\""']
    else:
        shown = [
            'folder="$one"; what=',
            'for one in "$folder"/*; do',
            '  if [ "${one##*/}" != index.json ]; then',
            f"    {read}",
            '    what="$what${what:+,}\\"${one##*/}\\":\\"$text\\""',
            "  fi",
            "done",
            'index="$(tr -d \'\\n\' < "$folder/index.json")"',
            'what="{ \\"entries\\": { $what }, \\"index\\": $index }"',
        ]
    return [
        f'one="{path}"',
        "what='\"\"'",
        'if [ -n "$one" ]; then',
        *(f"  {line}" for line in shown),
        "fi",
        f'seen="$seen${{seen:+,}}\\"{item.name}\\":$what"',
    ]


def _writes(step_id: str, does: Behaviour) -> list[str]:
    lines = []
    if does.output:
        path = f"${{{Ref(Namespace.OUTPUTS, OUTPUT).variable}}}"
        if does.lists:
            lines.append(f"printf '%s\\n' '{json.dumps(list(does.values))}' > \"{path}\"")
        elif does.folder:
            lines += [f'mkdir -p "{path}"', f'echo "{step_id}:$combination" > "{path}/part.txt"']
        else:
            lines.append(f'echo "{step_id}:$combination" > "{path}"')
    if does.metrics is not None:
        text = does.text or json.dumps(does.metrics)
        lines.append(f"printf '%s\\n' '{text}' > {_metrics_path(step_id)}")
    return lines
