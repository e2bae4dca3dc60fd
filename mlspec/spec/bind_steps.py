"""Binding of steps, run settings and approvals (see `mlspec.spec.bind`)."""

from __future__ import annotations

from types import MappingProxyType

from mlspec.errors import MlspecBug
from mlspec.expr.quantity import parse_cpu, parse_duration, parse_memory
from mlspec.ir.model import Build, Join, Json, Resources, Retry, StageMode
from mlspec.ir.values import Duration
from mlspec.source import Origin
from mlspec.spec.cursor import Cursor
from mlspec.spec.model import (
    ApprovalSpec,
    DynamicAxisSpec,
    InputSpec,
    Located,
    MatrixSpec,
    OutputSpec,
    SettingsSpec,
    StepSpec,
    UsesSpec,
)
from mlspec.spec.places import file_of

APPROVAL_WITHIN = Duration(72 * 3_600_000)
"""Default of `within` (C11)."""


def located(holder: Cursor, key: str) -> Located | None:
    """Return the text under a key with its origin, or None."""
    found = holder.get(key)
    return None if found is None else Located(found.text, found.at)


def all_located(holder: Cursor, key: str) -> tuple[Located, ...]:
    """Return the texts under a key (a list, or one) with their origins."""
    return tuple(Located(item.text, item.at) for item in holder.items(key))


def duration(holder: Cursor, key: str) -> Duration | None:
    """Return the duration under a key, or None."""
    found = holder.get(key)
    if found is None:
        return None
    parsed = parse_duration(found.text)
    if parsed is None:
        raise MlspecBug(f"the schema let the duration {found.text!r} through")
    return parsed


def bind_settings(holder: Cursor | None) -> SettingsSpec:
    """Bind the run settings (C2) of a level; None: the level has none."""
    if holder is None:
        return SettingsSpec()
    native = holder.get("native")
    return SettingsSpec(
        image=located(holder, "image"),
        build=_build(holder),
        env=tuple((name, Located(item.written, item.at)) for name, item in holder.entries("env")),
        secrets=tuple(
            (name, Located(item.text, item.at)) for name, item in holder.entries("secrets")
        ),
        resources=_resources(holder),
        timeout=duration(holder, "timeout"),
        retry=_retry(holder),
        native=MappingProxyType(native.mapping if native is not None else {}),
    )


def _build(holder: Cursor) -> tuple[Build, Origin] | None:
    found = holder.get("build")
    if found is None:
        return None
    build = Build(
        dockerfile=found.optional_text("dockerfile"),
        python=found.optional_text("python"),
        requirements=found.optional_text("requirements"),
        conda=found.optional_text("conda"),
        system=found.texts_of("system"),
    )
    return build, found.at


def bind_step(step_id: str, step: Cursor) -> StepSpec:
    """Bind a step, or a `finally` block."""
    join = step.optional_text("join")
    metrics = step.get("metrics")
    return StepSpec(
        id=step_id,
        run=bind_run(step),
        uses=bind_uses(step),
        description=step.text_of("description"),
        inputs=tuple(_input(name, item) for name, item in step.entries("inputs")),
        outputs=tuple(_output(name, item) for name, item in step.entries("outputs")),
        metrics=Located(metrics.text, metrics.at) if metrics is not None else None,
        report=all_located(step, "report"),
        needs=all_located(step, "needs"),
        join=Join(join) if join is not None else None,
        when=tuple(Located(item.written, item.at) for item in step.items("when")),
        approvals=bind_approvals(step),
        matrix=_matrix(step),
        parallel=step.optional_int("parallel"),
        lock=step.optional_text("lock"),
        allow_failure=step.flag("allow_failure"),
        cache=step.flag("cache"),
        settings=bind_settings(step),
        source=step.source,
        at=step.at,
    )


def bind_approvals(holder: Cursor) -> tuple[ApprovalSpec, ...]:
    """Bind `approve`: one form or a list."""
    found = []
    for item in holder.items("approve"):
        by = located(item, "by")
        if by is None:
            raise MlspecBug("the schema let an approval without `by` through")
        count = item.optional_int("count")
        found.append(
            ApprovalSpec(
                by=by,
                count=1 if count is None else count,
                within=duration(item, "within") or APPROVAL_WITHIN,
                at=item.at,
            )
        )
    return tuple(found)


def bind_run(step: Cursor) -> str | tuple[str, ...] | None:
    """Return the script or the words of a step, a block or a component."""
    run = step.get("run")
    if run is None:
        return None
    if isinstance(run.value, list):
        return tuple(item.written for item in run.items())
    return run.text


def bind_uses(step: Cursor) -> UsesSpec | None:
    """Bind `uses` and `with`."""
    uses = step.get("uses")
    if uses is None:
        return None
    return UsesSpec(
        component=file_of(uses.text, uses.source),
        text=uses.text,
        given=tuple((name, Located(item.written, item.at)) for name, item in step.entries("with")),
        at=uses.at,
    )


def _staged(item: Cursor) -> tuple[str, StageMode]:
    """Return the short or the long form `{from, as}` of an input or output."""
    if isinstance(item.value, str):
        return item.value, StageMode.PATH
    return item.text_of("from"), StageMode(item.text_of("as", "path"))


def _input(name: str, item: Cursor) -> InputSpec:
    text, mode = _staged(item)
    return InputSpec(name=name, text=text, mode=mode, at=item.at)


def _output(name: str, item: Cursor) -> OutputSpec:
    text, mode = _staged(item)
    return OutputSpec(name=name, text=text, mode=mode, at=item.at)


def _matrix(step: Cursor) -> MatrixSpec | None:
    matrix = step.get("matrix")
    if matrix is None:
        return None
    if isinstance(matrix.value, list):
        rows = tuple(
            tuple((key, value.written) for key, value in row.entries()) for row in matrix.items()
        )
        return MatrixSpec(rows=rows, at=matrix.at)
    axes: list[tuple[str, tuple[str, ...] | DynamicAxisSpec]] = []
    for key, axis in matrix.entries():
        if isinstance(axis.value, dict):
            limit = axis.optional_int("max")
            axes.append(
                (key, DynamicAxisSpec(text=axis.text_of("from"), max=limit or 0, at=axis.at))
            )
        else:
            axes.append((key, tuple(value.written for value in axis.items())))
    return MatrixSpec(axes=tuple(axes), at=matrix.at)


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise MlspecBug(f"the schema let {value!r} through as a number")
    return float(value)


def _resources(holder: Cursor) -> Resources | None:
    found = holder.get("resources")
    if found is None:
        return None
    cpu, memory = found.get("cpu"), found.get("memory")
    return Resources(
        cpu=parse_cpu(cpu.written) if cpu is not None else None,
        memory=parse_memory(memory.written) if memory is not None else None,
        gpu=found.optional_int("gpu"),
        accelerator=found.optional_text("accelerator"),
        workers=found.optional_int("workers"),
        at=found.at,
    )


def _retry(holder: Cursor) -> Retry | None:
    found = holder.get("retry")
    if found is None:
        return None
    factor = found.get("factor")
    return Retry(
        max=found.optional_int("max") or 0,
        delay=duration(found, "delay") or Duration(0),
        factor=_number(factor.value) if factor is not None else 1.0,
        max_delay=duration(found, "max_delay"),
        at=found.at,
    )
