"""The invariants of the IR, as code: a broken one is our bug, never the user's.

Input: an `Application`; output: nothing. Raises `MlspecBug` with the address and the rule that is
broken. Back ends and the interpreter rely on every rule here and do not check them again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from posixpath import isabs, normpath

from mlspec.errors import MlspecBug
from mlspec.ir.model import (
    Application,
    Argv,
    DataInput,
    Join,
    Matrix,
    MetricCondition,
    Pairing,
    ParamCondition,
    Pipeline,
    RepoInput,
    Script,
    StageMode,
    Step,
    StepInput,
)
from mlspec.ir.values import DERIVED_RUN_NAMES, RUN_NAMES, Literal, Namespace, Ref, Text

_ONLY_FINALLY = frozenset({"status", "url"})


def verify_application(application: Application) -> None:
    """Check every invariant of an application.

    Raises:
        MlspecBug: naming the first broken invariant.
    """
    _distinct("data", (dataset.id for dataset in application.data))
    _distinct("targets", (choice.part for choice in application.targets))
    _distinct("pipelines", (pipeline.id for pipeline in application.pipelines))
    data = frozenset(dataset.id for dataset in application.data)
    for pipeline in application.pipelines:
        verify_pipeline(pipeline, data)


def verify_pipeline(pipeline: Pipeline, data: Collection[str] | None = None) -> None:
    """Check every invariant of one pipeline.

    Args:
        pipeline: what to check.
        data: ids of the data nouns; None: references to data are not checked.

    Raises:
        MlspecBug: naming the first broken invariant.
    """
    where = f"pipelines.{pipeline.id}"
    _distinct(where, (step.id for step in pipeline.all_steps))
    _distinct(f"{where}.params", (param.name for param in pipeline.params))
    for name in pipeline.triggers.data:
        _must(data is None or name in data, where, f"trigger data `{name}` resolves")
    before: dict[str, Step] = {}
    for step in pipeline.steps:
        _verify_step(pipeline, step, before, data)
        _must_need_all(f"{where}.steps.{step.id}", step)
        before[step.id] = step
    if pipeline.final is not None:
        final = pipeline.final
        address = f"{where}.finally"
        _must(final.id == "finally", address, "the last step's id is `finally`")
        _must(
            not final.needs and not final.when and final.join is Join.ALL_SUCCESS,
            address,
            "`finally` has no needs, no join and no `when`",
        )
        _verify_step(pipeline, final, before, data)


def _must(holds: bool, where: str, rule: str) -> None:  # noqa: FBT001  reads as an assertion
    if not holds:
        raise MlspecBug(f"broken invariant of the IR at {where}: {rule}")


def _distinct(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        _must(name not in seen, where, f"`{name}` stands there once")
        seen.add(name)


def _verify_step(
    pipeline: Pipeline, step: Step, before: dict[str, Step], data: Collection[str] | None
) -> None:
    where = f"pipelines.{pipeline.id}.steps.{step.id}"
    _distinct(f"{where}.needs", step.needs)
    for need in step.needs:
        _must(need in before, where, f"need `{need}` is a step that stands before")
    for name, items in (("inputs", step.inputs), ("outputs", step.outputs)):
        _distinct(f"{where}.{name}", (item.name for item in items))
    _distinct(f"{where}.env", (name for name, _ in step.env))
    _distinct(f"{where}.secrets", (secret.variable for secret in step.secrets))
    for item in step.inputs:
        match item:
            case StepInput():
                _verify_step_input(where, step, item, before)
            case DataInput():
                found = data is None or item.data in data
                _must(found, where, f"input data `{item.data}` resolves")
            case RepoInput():
                _verify_path(where, item.path)
    for output in step.outputs:
        found = data is None or output.data is None or output.data in data
        _must(found, where, f"output data `{output.data}` resolves")
        if output.mode is StageMode.PATH:
            _verify_path(where, output.path)
            normal = normpath(output.path) == output.path
            _must(normal, where, f"output path {output.path!r} is normal")
    for path in (*step.report, *((step.metrics,) if step.metrics is not None else ())):
        _verify_path(where, path)
    _verify_conditions(where, pipeline, step, before)
    if step.matrix is not None:
        _verify_matrix(f"{where}.matrix", step.matrix, before)
    _verify_values(where, step)
    _verify_refs(where, pipeline, step)


def _must_need_all(where: str, step: Step) -> None:
    """`needs` holds every direct need, by data, order or `when`."""
    for item in step.inputs:
        if isinstance(item, StepInput):
            _must(item.step in step.needs, where, f"input step `{item.step}` is among the needs")
    for condition in step.when:
        if isinstance(condition, MetricCondition):
            known = condition.step in step.needs
            _must(known, where, f"condition step `{condition.step}` is among the needs")
    if step.matrix is not None and step.matrix.dynamic is not None:
        source = step.matrix.dynamic.step
        _must(source in step.needs, where, f"matrix step `{source}` is among the needs")


def _verify_step_input(where: str, step: Step, item: StepInput, before: dict[str, Step]) -> None:
    producer = before.get(item.step)
    _must(producer is not None, where, f"input step `{item.step}` is a step that stands before")
    if producer is None:
        return
    known = producer.output(item.output) is not None
    _must(known, where, f"output `{item.step}.{item.output}` resolves")
    match item.pairing:
        case Pairing.PLAIN:
            holds = producer.matrix is None
        case Pairing.PARTNER:
            holds = _keys(producer.matrix) == _keys(step.matrix) != frozenset()
        case Pairing.FOLDER:
            holds = producer.matrix is not None and step.matrix is None
    _must(holds, where, f"input `{item.name}` has the pairing that the two matrices allow")


def _keys(matrix: Matrix | None) -> frozenset[str]:
    return frozenset(matrix.keys) if matrix is not None else frozenset()


def _verify_path(where: str, path: str) -> None:
    inside = not isabs(path) and not normpath(path).startswith("..")
    _must(bool(path) and inside, where, f"path {path!r} stays below the spec's folder")


def _verify_conditions(where: str, pipeline: Pipeline, step: Step, before: dict[str, Step]) -> None:
    params = {param.name for param in pipeline.params}
    for condition in step.when:
        match condition:
            case MetricCondition():
                source = before.get(condition.step)
                _must(
                    source is not None and source.metrics is not None and source.matrix is None,
                    where,
                    f"condition step `{condition.step}` writes metrics and has no matrix",
                )
            case ParamCondition():
                known = condition.param in params
                _must(known, where, f"condition param `{condition.param}` resolves")


def _verify_matrix(where: str, matrix: Matrix, before: dict[str, Step]) -> None:
    _distinct(where, matrix.keys)
    _must(bool(matrix.keys) and bool(matrix.rows), where, "there are keys and rows")
    dynamic = matrix.dynamic
    static = tuple(key for key in matrix.keys if dynamic is None or key != dynamic.key)
    for row in matrix.rows:
        holds = tuple(key for key, _ in row.values) == static
        _must(holds, where, "every row has the static keys, in order")
    _distinct(where, (row.name for row in matrix.rows))
    if dynamic is not None:
        source = before.get(dynamic.step)
        _must(dynamic.key in matrix.keys, where, f"run-time key `{dynamic.key}` is a key")
        _must(
            source is not None
            and source.matrix is None
            and source.output(dynamic.output) is not None,
            where,
            f"run-time values `{dynamic.step}.{dynamic.output}` resolve",
        )
        _must(dynamic.max > 0, where, "`max` is positive")
    _must(matrix.parallel is None or matrix.parallel > 0, where, "`parallel` is positive")


def _verify_values(where: str, step: Step) -> None:
    if step.timeout is not None:
        _must(step.timeout.milliseconds > 0, where, "`timeout` is positive")
    if step.retry is not None:
        _must(step.retry.max >= 0, where, "`retry.max` is not negative")
        _must(step.retry.delay.milliseconds >= 0, where, "`retry.delay` is not negative")
    if step.retry_exit is not None:
        _must(0 < step.retry_exit < 256, where, "`retry_exit` is the exit code of a failure")
    for approval in step.approvals:
        _must(approval.count > 0, where, "`approve.count` is positive")
    texts: list[Text] = [text for _, text in step.env]
    match step.action:
        case Argv():
            _must(bool(step.action.words), where, "`run` has a first word")
            texts.extend(step.action.words)
            _sorted_once(where, step.action.reads)
        case Script():
            _sorted_once(where, step.action.refs)
    for text in texts:
        parsed = all(isinstance(part, Literal | Ref) for part in text)
        _must(parsed, where, "texts are literals and references")


def _sorted_once(where: str, refs: tuple[Ref, ...]) -> None:
    names = [ref.variable for ref in refs]
    _must(names == sorted(set(names)), where, "an action's references are sorted, once each")


def _verify_refs(where: str, pipeline: Pipeline, step: Step) -> None:
    is_final = pipeline.final is not None and step.id == pipeline.final.id
    known: dict[Namespace, Collection[str]] = {
        Namespace.PARAMS: {param.name for param in pipeline.params},
        Namespace.INPUTS: {item.name for item in step.inputs},
        Namespace.OUTPUTS: {output.name for output in step.outputs},
        Namespace.MATRIX: step.matrix.keys if step.matrix is not None else (),
        Namespace.RUN: _run_names(step, is_final=is_final),
    }
    for ref in step.refs:
        _must(ref.name in known[ref.namespace], where, f"reference `{ref.spelled}` resolves")
    variables = {ref.variable for ref in step.refs}
    for name, _ in step.env:
        rule = f"`{name}` is no `env`, but a reference in `Argv.reads` or `Script.refs`"
        _must(name not in variables, where, rule)


def _run_names(step: Step, *, is_final: bool) -> frozenset[str]:
    derived = frozenset(DERIVED_RUN_NAMES if step.kind.is_derived else ())
    return derived | frozenset(RUN_NAMES) - (frozenset() if is_final else _ONLY_FINALLY)
