"""What must be known before anything starts: params, secrets, data, and whether we can run it.

Input: an application, a pipeline, options. Output: `Prepared`, or diagnostics (ML073, ML920, ML921,
ML923, ML924). Everything wrong is reported at once, and nothing has been started or written.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mlspec.diagnostics.codes import graph, running
from mlspec.diagnostics.model import Diagnostic, Result
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.model import (
    Application,
    DataInput,
    DataSet,
    Param,
    ParamType,
    Pipeline,
    Script,
    StageMode,
    Step,
)
from mlspec.ir.params import canonical_value
from mlspec.ir.values import Namespace, Ref
from mlspec.runtime.containers import docker
from mlspec.runtime.layout import Layout, local_path
from mlspec.runtime.model import RunOptions
from mlspec.runtime.origin import actor_of, commit_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a run works with.

    Attributes:
        params: values of all params.
        secrets: values by logical name.
        pinned: addresses of the versions of data that this run reads, by noun.
        actor: who started the run. commit: of the project; both "" where no step asks.
    """

    params: Mapping[str, str]
    secrets: Mapping[str, str]
    pinned: Mapping[str, str]
    actor: str = ""
    commit: str = ""


def prepare(
    application: Application, pipeline: Pipeline, layout: Layout, options: RunOptions
) -> Result[Prepared]:
    """Check that a pipeline can run here, and look up what it needs."""
    found: list[Diagnostic] = []
    params = _params(pipeline, options.params, found)
    secrets = _secrets(pipeline, options.environ, found)
    pinned = _pinned(application, pipeline, layout, found)
    found.extend(_cannot(application, pipeline, layout))
    if options.date is not None and read_date(options.date) is None:
        message = f"`{options.date}` is not a date or a time in RFC 3339"
        help_ = ("write 2026-01-31 or 2026-01-31T04:00:00Z",)
        found.append(Diagnostic(code=running.RUN_DATE, message=message, help=help_))
    if found:
        return Result(None, tuple(found))
    asked = {ref for step in pipeline.all_steps for ref in step.refs}
    ready = Prepared(
        params=params,
        secrets=secrets,
        pinned=pinned,
        actor=actor_of(options.environ) if Ref(Namespace.RUN, "actor") in asked else "",
        commit=commit_of(layout.project, options.environ)
        if Ref(Namespace.RUN, "commit") in asked
        else "",
    )
    return Result(ready)


def read_date(text: str) -> datetime | None:
    """Read a date or a time in RFC 3339; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# ------------------------------------------------------------------ params


def _params(
    pipeline: Pipeline, given: Mapping[str, str], found: list[Diagnostic]
) -> dict[str, str]:
    known = {param.name: param for param in pipeline.params}
    for name in given:
        if name not in known:
            has = ", ".join(f"`{one}`" for one in known) or "none"
            message = f"pipeline `{pipeline.id}` has no param `{name}`"
            guess = nearest(name, known)
            found.append(
                Diagnostic(
                    code=running.RUN_PARAM_UNKNOWN,
                    message=message,
                    notes=(f"its params: {has}",),
                    help=(f"did you mean `{guess}`?",) if guess else (),
                )
            )
    values = {}
    for param in pipeline.params:
        value = given.get(param.name, param.default)
        if value is None:
            message = f"param `{param.name}` of `{pipeline.id}` has no default and was not given"
            help_ = (f"give it: --param {param.name}=…",)
            found.append(
                Diagnostic(code=running.RUN_PARAM_MISSING, message=message, at=param.at, help=help_)
            )
            continue
        problem = param_problem(param, value)
        if problem:
            message = f"param `{param.name}` cannot be {value!r}: {problem}"
            found.append(Diagnostic(code=graph.PARAM_VALUE, message=message, at=param.at))
        values[param.name] = canonical_value(value, param.type) or value
    return values


def param_problem(param: Param, value: str) -> str:
    """Return why a text is not a value of a param; empty: it is one."""
    problem = _type_problem(param.type, value)
    if not problem and param.enum and canonical_value(value, param.type) not in param.enum:
        return "it must be one of " + ", ".join(f"`{one}`" for one in param.enum)
    return problem


def _type_problem(kind: ParamType, value: str) -> str:
    match kind:
        case ParamType.STRING:
            return ""
        case ParamType.BOOL:
            return "" if value in ("true", "false") else "it must be `true` or `false`"
        case ParamType.INT:
            return "" if re.fullmatch(r"[-+]?[0-9]+", value) else "it must be a whole number"
        case ParamType.FLOAT:
            return "" if _is_float(value) else "it must be a number"


def _is_float(text: str) -> bool:
    try:
        return re.fullmatch(r"[-+0-9.eE]+", text) is not None and math.isfinite(float(text))
    except ValueError:
        return False


# ------------------------------------------------------------------ secrets


def secret_variables(name: str) -> tuple[str, str]:
    """Return the variables in which a secret's value is looked for, best first."""
    upper = name.upper().replace("-", "_")
    return f"MLSPEC_SECRET_{upper}", upper


def _secrets(
    pipeline: Pipeline, environ: Mapping[str, str], found: list[Diagnostic]
) -> dict[str, str]:
    values: dict[str, str] = {}
    reported = set()
    for step in pipeline.all_steps:
        for secret in step.secrets:
            variables = secret_variables(secret.name)
            value = next((environ[name] for name in variables if name in environ), None)
            if value is not None:
                values[secret.name] = value
            elif secret.name not in reported:
                reported.add(secret.name)
                found.append(
                    Diagnostic(
                        code=running.RUN_SECRET_MISSING,
                        message=f"secret `{secret.name}` of step `{step.id}` has no value here",
                        at=step.at / "secrets",
                        help=(f"set the environment variable {variables[1]} or {variables[0]}",),
                    )
                )
    return values


# ------------------------------------------------------------------ data


def _pinned(
    application: Application, pipeline: Pipeline, layout: Layout, found: list[Diagnostic]
) -> dict[str, str]:
    pinned: dict[str, str] = {}
    for step in pipeline.all_steps:
        for item in step.inputs:
            if not isinstance(item, DataInput):
                continue
            dataset = application.dataset(item.data)
            address, problem, help_ = _address(dataset, item, layout)
            if not problem:
                pinned[item.data] = address
                continue
            message = f"input `{item.name}` of step `{step.id}`: {problem}"
            found.append(
                Diagnostic(code=running.RUN_NOT_LOCAL, message=message, at=item.at, help=(help_,))
            )
    return pinned


def _address(dataset: DataSet, item: DataInput, layout: Layout) -> tuple[str, str, str]:
    """Return the address of the current version, or what is missing and what to do."""
    if dataset.query is not None:
        problem = f"nothing runs the query of data `{dataset.id}` for a step"
        return "", problem, "leave `query` out, and run it in the step"
    if dataset.source is None:
        newest = layout.newest(dataset.id)
        if newest is None:
            problem = f"data `{dataset.id}` has no version yet in {layout.data(dataset.id)}"
            return "", problem, f"run the pipeline that makes `{dataset.id}` first"
        return newest.absolute().as_uri(), "", ""
    path = local_path(dataset.source, layout.project)
    if path is None:
        if item.mode is StageMode.URI:
            return dataset.source, "", ""
        scheme = dataset.source.partition(":")[0]
        problem = f"a local run cannot fetch data `{dataset.id}` by `{scheme}:`"
        return "", problem, "use `as: uri`, or override `source` in an environment for local runs"
    if not path.exists():
        problem = f"data `{dataset.id}`: there is nothing at {path}"
        return "", problem, "put the data there, or correct `source`"
    return path.absolute().as_uri(), "", ""


# ------------------------------------------------------------------ can we run it


def _cannot(application: Application, pipeline: Pipeline, layout: Layout) -> Iterator[Diagnostic]:
    has_docker = docker() is not None
    has_bash = shutil.which("bash") is not None
    for step in pipeline.all_steps:
        for problem, help_ in _obstacles(application, step, layout, has_docker, has_bash):
            yield Diagnostic(
                code=running.RUN_NOT_LOCAL,
                message=f"step `{step.id}`: {problem}",
                at=step.at,
                help=(help_,),
            )


def _obstacles(
    application: Application,
    step: Step,
    layout: Layout,
    has_docker: bool,  # noqa: FBT001  private, called once
    has_bash: bool,  # noqa: FBT001  likewise
) -> Iterator[tuple[str, str]]:
    if step.image is not None and not has_docker:
        yield (
            f"its image `{step.image.reference}` needs docker, which is not on the PATH",
            "install docker, or leave `image` out in an environment for local runs",
        )
    if step.image is None and isinstance(step.action, Script) and not has_bash:
        yield "a script needs bash, which is not on the PATH", "install bash"
    for output in step.outputs:
        if output.data is None or output.mode is StageMode.URI:
            continue
        source = application.dataset(output.data).source
        if source is not None and local_path(source, layout.project) is None:
            scheme = source.partition(":")[0]
            yield (
                f"a local run cannot write data `{output.data}` by `{scheme}:`",
                "leave `source` out (the store keeps it then), or override it in an environment",
            )
