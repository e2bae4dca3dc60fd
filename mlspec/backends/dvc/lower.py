"""Lowers applications to `dvc.yaml` and `params.yaml`.

Input: one application; output: a `DvcProject`. Called when the capability table allowed
everything, so the joins are all `all_success`, there is no condition and no `finally`. What only
DVC's own limits show is found here: two environments in one `dvc.yaml`, stages or files that get
one name, repository inputs that hold outputs, commands that are too long for one argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlspec.backends.base import LowerOptions
from mlspec.backends.dvc.command import (
    Surroundings,
    command_of,
    input_place,
    partner,
    reads_params,
)
from mlspec.backends.dvc.model import DvcProject, Stage
from mlspec.backends.dvc.naming import Instance, instances
from mlspec.diagnostics.codes.targets import NAME_CLASH, TARGET_LIMIT
from mlspec.diagnostics.model import Diagnostic, Label, Result
from mlspec.ir.model import (
    Application,
    Json,
    Pairing,
    Param,
    ParamType,
    Pipeline,
    RepoInput,
    StepInput,
)
from mlspec.ir.values import Namespace

_MOST_BYTES = 120_000
"""A single argument of a program may have 131,072 bytes on Linux."""

PARAMS = "params"
"""Key of the parameters of the only pipeline in `params.yaml`."""


def lower(applications: Sequence[Application], options: LowerOptions) -> Result[DvcProject]:
    """Lower applications, of which DVC can hold one.

    Args:
        applications: one for each environment; more than one is an error.
        options: where the spec and its folder are.
    """
    if len(applications) != 1:
        return Result(None, (_several(applications),))
    application = applications[0]
    several = len(application.pipelines) > 1
    found: list[Diagnostic] = []
    stages: list[Stage] = []
    made: list[Instance] = []
    params: dict[str, dict[str, Json]] = {}
    for pipeline in application.pipelines:
        prefix = f"{pipeline.id}_" if several else ""
        key = pipeline.id.replace("-", "_") if several else PARAMS
        mine = tuple(instances(pipeline, prefix))
        made += mine
        if pipeline.params:
            params[key] = _values(pipeline.params, found)
        stages += _stages(pipeline, mine, key)
    found += _clashes(made)
    found += _measured_inside(made)
    found += _overlaps(made)
    found += _too_long(stages, made)
    project = DvcProject(
        spec_path=options.spec_path,
        folder=options.project_path,
        stages=tuple(stages),
        params=params,
        pipeline=None if several else next((p.id for p in application.pipelines), None),
        environment=application.environment.name,
    )
    return Result(project, tuple(found))


def _several(applications: Sequence[Application]) -> Diagnostic:
    names = ", ".join(f"`{one.environment.name}`" for one in applications)
    return Diagnostic(
        code=TARGET_LIMIT,
        message=f"`dvc.yaml` holds one environment, not {len(applications)} ({names})",
        at=applications[0].environment.at if applications else None,
        help=("choose one with `--env`",),
    )


def _stages(pipeline: Pipeline, mine: tuple[Instance, ...], key: str) -> Iterator[Stage]:
    producers: dict[str, tuple[Instance, ...]] = {}
    for instance in mine:
        producers[instance.step.id] = (*producers.get(instance.step.id, ()), instance)
    waited_for = {need for step in pipeline.steps for need in step.needs}
    for instance in mine:
        step = instance.step
        is_ordered_after = step.id in waited_for
        around = Surroundings(
            params=pipeline.params, producers=producers, is_ordered_after=is_ordered_after
        )
        yield Stage(
            name=instance.stage,
            command=command_of(instance, around),
            description=step.description,
            params=key if reads_params(step) else None,
            read=tuple(r.name for r in step.refs if r.namespace is Namespace.PARAMS),
            deps=_deps(instance, around),
            # A metrics file that is an output too is one output for DVC.
            outs=tuple(path for path in instance.outs if path != instance.metrics),
            marks=(instance.mark,) if instance.needs_mark and is_ordered_after else (),
            metrics=instance.metrics,
            always_changed=not step.cache,
        )


def _deps(instance: Instance, around: Surroundings) -> tuple[str, ...]:
    """Paths that an instance reads, and one of each instance that it only waits for."""
    paths: dict[str, None] = {}
    read_from: set[str] = set()
    for item in instance.step.inputs:
        match item:
            case RepoInput(path=path):
                paths.setdefault(path)
            case StepInput(pairing=Pairing.FOLDER, step=step, output=output):
                for producer in around.producers[step]:
                    paths.setdefault(_place_of(producer, output))
                    read_from.add(producer.stage)
            case StepInput():
                paths.setdefault(input_place(instance, item.name, around))
                read_from.add(partner(instance, item, around).stage)
    for need in instance.step.needs:
        for producer in around.producers[need]:
            if producer.stage not in read_from:
                paths.setdefault(producer.order)
    return tuple(paths)


def _place_of(producer: Instance, output: str) -> str:
    return next(producer.place(item.path) for item in producer.step.outputs if item.name == output)


def _values(params: Iterable[Param], found: list[Diagnostic]) -> dict[str, Json]:
    """Return what `params.yaml` holds: the defaults, in their own types."""
    values: dict[str, Json] = {}
    for param in params:
        if param.default is None:
            continue  # the command says that it is missing
        if "\\${" in param.default:
            found.append(
                Diagnostic(
                    code=TARGET_LIMIT,
                    message=f"DVC changes `\\${{` in the value of param `{param.name}`",
                    at=param.at / "default",
                )
            )
        values[param.name] = _typed(param, param.default)
    return values


def _typed(param: Param, text: str) -> Json:
    """Return the value that DVC prints as exactly this text."""
    match param.type:
        case ParamType.BOOL:
            return text == "true"
        case ParamType.INT if text.lstrip("-").isdecimal() and str(int(text)) == text:
            return int(text)
        case ParamType.FLOAT if _prints_as(text):
            return float(text)
    return text


def _prints_as(text: str) -> bool:
    try:
        return repr(float(text)) == text and text not in ("inf", "-inf", "nan")
    except ValueError:
        return False


# ------------------------------------------------------------------ what only DVC refuses


def _clashes(made: Sequence[Instance]) -> Iterator[Diagnostic]:
    """Two stages of one name, and files of two stages in one place or inside each other."""
    stages: dict[str, Instance] = {}
    places: dict[str, Instance] = {}
    for instance in made:
        other = stages.setdefault(instance.stage, instance)
        if other is not instance:
            yield _clash(f"two stages get the name `{instance.stage}`", instance, other)
        for path in _files(instance):
            taken = places.setdefault(path, instance)
            if taken is not instance:
                yield _clash(f"two stages write `{path}` in one working copy", instance, taken)
    for path, instance in places.items():
        parts = path.split("/")
        for end in range(1, len(parts)):
            outer = places.get("/".join(parts[:end]))
            if outer is not None and outer is not instance:
                message = f"one stage writes `{path}` inside of what another writes"
                yield _clash(message, instance, outer)


def _files(instance: Instance) -> tuple[str, ...]:
    return (*instance.outs, *((instance.metrics,) if instance.metrics is not None else ()))


def _clash(message: str, instance: Instance, other: Instance) -> Diagnostic:
    return Diagnostic(
        code=NAME_CLASH,
        message=f"{message} (target `dvc`)",
        at=instance.step.at,
        labels=(Label(other.step.at, "the other one"),),
    )


def _measured_inside(made: Sequence[Instance]) -> Iterator[Diagnostic]:
    """Metrics files that lie in an output: DVC keeps a path in one place only."""
    for instance in made:
        outer = next(
            (p for p in instance.outs if (instance.metrics or "").startswith(f"{p}/")), None
        )
        if outer is not None:
            yield Diagnostic(
                code=TARGET_LIMIT,
                message=f"the metrics file `{instance.metrics}` lies in the output `{outer}`;"
                " target `dvc` keeps a path in one place only",
                at=instance.step.at / "metrics",
                help=("write the metrics beside the output",),
            )


def _overlaps(made: Sequence[Instance]) -> Iterator[Diagnostic]:
    """Repository inputs that hold a stage's output: DVC would see an edge where there is none."""
    outs = {path: path for instance in made for path in _files(instance)}
    inside: dict[str, str] = {}
    for path in outs:
        for folder in _above(path):
            inside.setdefault(folder, path)
    seen = set()
    for instance in made:
        for item in instance.step.inputs:
            if not isinstance(item, RepoInput) or (instance.step.id, item.name) in seen:
                continue
            outer = next((outs[folder] for folder in _above(item.path) if folder in outs), None)
            other = outs.get(item.path) or inside.get(item.path) or outer
            if other is not None:
                seen.add((instance.step.id, item.name))
                yield Diagnostic(
                    code=TARGET_LIMIT,
                    message=(
                        f"input `{item.path}` of the repository and output `{other}` overlap;"
                        " target `dvc` keeps both in one working copy"
                    ),
                    at=item.at,
                )


def _above(path: str) -> list[str]:
    """Return the folders that hold a path, the whole project (`.`) included."""
    parts = path.split("/")
    return [".", *("/".join(parts[:end]) for end in range(1, len(parts)))]


def _too_long(stages: Sequence[Stage], made: Sequence[Instance]) -> Iterator[Diagnostic]:
    for stage, instance in zip(stages, made, strict=True):
        size = len(stage.command.encode("utf-8"))
        if size > _MOST_BYTES:
            yield Diagnostic(
                code=TARGET_LIMIT,
                message=(
                    f"the command of stage `{stage.name}` has {size} bytes;"
                    f" one argument of a program has at most {_MOST_BYTES} on target `dvc`"
                ),
                at=instance.step.action.at,
                help=("put the script into a file of the repository",),
            )
