"""How a step's inputs and outputs become artifacts, mounts and environment variables.

Every output has a key that is known at compile time, so a consumer names the key, not the task:
groups of a matrix have no artifacts that Argo could hand on. Presence is decided by the status of
the producing task, in a `{{=…}}` expression: an artifact may exist although its step failed, since
Argo uploads the outputs of failed containers as well (workflow/executor/postmain.go, v4.1.2).

Inputs and outputs lie on one volume, mounted piecewise with `subPath`: the kubelet makes those
folders, so parents exist before the step starts, and an artifact whose path lies in a volume is
not mounted itself, so that an absent one leaves no empty folder (loadArtifact in executor.go).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from posixpath import dirname

from mlspec.backends.kubernetes.context import (
    OUT,
    PipelineContext,
    base,
    input_folder,
    output_path,
)
from mlspec.backends.kubernetes.presence import is_sure
from mlspec.backends.kubernetes.quoting import kubernetes_text
from mlspec.backends.kubernetes.store import source_artifact
from mlspec.diagnostics.codes.targets import NO_STORE
from mlspec.errors import MlspecBug
from mlspec.ir.model import (
    DataInput,
    Json,
    Output,
    Pairing,
    RepoInput,
    StageMode,
    Step,
    StepInput,
)
from mlspec.ir.values import Namespace, Ref


@dataclass(slots=True, kw_only=True)
class Staging:
    """What staging adds to a template.

    Attributes:
        variables: value of each `MLSPEC_INPUTS_…` and `MLSPEC_OUTPUTS_…`, as env values.
        parameters: input parameters of the template; a value when it is not the task's to give.
        mounts: folders of the volume, below `/mlspec`.
    """

    variables: dict[str, str] = field(default_factory=dict)
    parameters: list[dict[str, Json]] = field(default_factory=list)
    artifacts: list[dict[str, Json]] = field(default_factory=list)
    made: list[dict[str, Json]] = field(default_factory=list)
    measured: list[dict[str, Json]] = field(default_factory=list)
    mounts: dict[str, None] = field(default_factory=dict)


def entry_of(producer: Step, entry: str) -> str:
    """Return what follows an output's key for one instance of a matrix step."""
    return f"/{entry}" if is_dynamic(producer) else f"/{entry}.tgz"


def is_dynamic(step: Step) -> bool:
    """Whether a step's instances are known only at run time."""
    return step.matrix is not None and step.matrix.dynamic is not None


def stage(step: Step, ctx: PipelineContext) -> Staging:
    """Return the staging of a step; the order of inputs and outputs is the spec's."""
    staging = Staging()
    for item in step.inputs:
        match item:
            case StepInput():
                _stage_step_input(item, step, staging, ctx)
            case RepoInput():
                _stage_repo_input(item, step, staging, ctx)
            case DataInput():
                _stage_data_input(item, step, staging, ctx)
    for output in step.outputs:
        _stage_output(output, step, staging, ctx)
    _stage_files(step, staging, ctx)
    return staging


# ------------------------------------------------------------------ inputs


def _stage_step_input(item: StepInput, step: Step, staging: Staging, ctx: PipelineContext) -> None:
    producer = ctx.step(item.step)
    output = producer.output(item.output)
    if output is None:
        raise MlspecBug(f"{step.id} reads {item.step}.{item.output}, which does not exist")
    if output.mode is StageMode.URI:
        ctx.limit(
            f"`{item.step}.{item.output}` is an address, not a file that could be staged",
            item.at,
            "read the data noun itself: `inputs: {x: {from: <data>, as: uri}}`",
        )
        return
    name = ctx.plain(base(output.path), "an output's path", output.at)
    folder = input_folder(item.name)
    key = ctx.run_key(item.step, item.output)
    path = f"{folder}/{name}"
    match item.pairing:
        case Pairing.PLAIN:
            staging.mounts[folder] = None
            made = artifact(f"in-{item.name}", path, kept_key(item.step, output, ctx))
            if output.data is not None:
                made["archive"] = {"none": {}}
            staging.artifacts.append(made)
        case Pairing.PARTNER:
            staging.mounts[folder] = None
            key += entry_of(producer, "{{inputs.parameters.entry}}")
            made = artifact(f"in-{item.name}", path, key)
            if is_dynamic(producer):
                made["archive"] = {"none": {}}
            staging.artifacts.append(made)
        case Pairing.FOLDER:
            _stage_folder(item, path, key, producer, staging, sure=is_sure(item, step))
    if is_sure(item, step):
        staging.variables[f"inputs.{item.name}"] = kubernetes_text(path)
    else:
        staging.parameters.append({"name": f"in-{item.name}"})
        staging.variables[f"inputs.{item.name}"] = f"{{{{inputs.parameters.in-{item.name}}}}}"


def _stage_folder(
    item: StepInput, path: str, key: str, producer: Step, staging: Staging, *, sure: bool
) -> None:
    matrix = producer.matrix
    if matrix is None:
        raise MlspecBug(f"a folder of {producer.id}, which has no matrix")
    index = {"name": f"index-{item.name}", "path": f"{path}/index.json"}
    data = f"{{{{inputs.parameters.index-{item.name}}}}}"
    staging.parameters.append({"name": f"index-{item.name}"})
    if matrix.dynamic is None:
        staging.mounts[path] = None
        for number, row in enumerate(matrix.rows, start=1):
            entry = row.name
            if not sure:
                # A failed instance may have left an artifact; its key is then one of nothing.
                staging.parameters.append({"name": f"has-{item.name}-{number}"})
                entry = f"{{{{inputs.parameters.has-{item.name}-{number}}}}}"
            made = artifact(
                f"in-{item.name}-{number}", f"{path}/{row.name}", key + entry_of(producer, entry)
            )
            staging.artifacts.append(made)
    else:
        # One download of everything below the key; the folder itself must not be a mount.
        staging.mounts[input_folder(item.name)] = None
        whole = artifact(f"in-{item.name}", path, key)
        whole["archive"] = {"none": {}}
        staging.artifacts.append(whole)
    staging.artifacts.append({**index, "raw": {"data": data}})


def _has_checkout(step: Step) -> bool:
    """Whether the step's image is built from the project, so that its files are in it."""
    return step.image is not None and step.image.build is not None


def _in_checkout(source: str) -> bool:
    """Whether an address is a path of the project."""
    return source.startswith("file:") and not source.startswith("file:/")


def _stage_repo_input(item: RepoInput, step: Step, staging: Staging, ctx: PipelineContext) -> None:
    """Bring a path of the repository, if the step asks where it is.

    An image that is built from the project has the checkout as its working directory.
    """
    if not any(ref == Ref(Namespace.INPUTS, item.name) for ref in step.refs):
        return
    repository = ctx.options.settings.get("repository")
    if not isinstance(repository, str) and _has_checkout(step):
        path = ctx.plain(item.path, "an input's path", item.at)
        staging.variables[f"inputs.{item.name}"] = kubernetes_text(path)
        return
    if not isinstance(repository, str):
        ctx.limit(
            f"the input `{item.name}` is a path of the repository, which a pod does not have",
            item.at,
            "name it: `targets: {pipelines: {kind: kubernetes, repository: <git URL>}}`",
            "or put the file into the image",
        )
        return
    folder = input_folder(item.name)
    revision = ctx.options.settings.get("revision")
    git: dict[str, Json] = {"repo": ctx.plain(repository, "`repository`", item.at)}
    if isinstance(revision, str):
        git["revision"] = ctx.plain(revision, "`revision`", item.at)
    staging.mounts[folder] = None
    staging.artifacts.append({"name": f"in-{item.name}", "path": f"{folder}/checkout", "git": git})
    path = ctx.plain(item.path, "an input's path", item.at)
    staging.variables[f"inputs.{item.name}"] = kubernetes_text(f"{folder}/checkout/{path}")


def _stage_data_input(item: DataInput, step: Step, staging: Staging, ctx: PipelineContext) -> None:
    dataset = ctx.app.dataset(item.data)
    variable = f"inputs.{item.name}"
    if dataset.source is None:
        _stage_managed(item, staging, ctx)
        return
    source = ctx.plain(dataset.source, "a source", dataset.at)
    if item.mode is StageMode.URI:
        staging.variables[variable] = kubernetes_text(source)
        return
    location = source_artifact(source)
    if location is None and _in_checkout(source) and _has_checkout(step):
        staging.variables[variable] = kubernetes_text(source.removeprefix("file:"))
        return
    if location is None:
        ctx.limit(
            f"Argo Workflows cannot stage `{item.data}` from where it is",
            item.at,
            f"take its address: `{{from: {item.data}, as: uri}}`",
        )
        return
    path = f"{input_folder(item.name)}/{base(source) or item.data}"
    _stage_version(item, path, location, staging)


def _stage_managed(item: DataInput, staging: Staging, ctx: PipelineContext) -> None:
    """Stage a noun without a source: its newest version's key stands in a ConfigMap."""
    pointer = f"{{{{inputs.parameters.data-{item.name}}}}}"
    reference: Json = {"name": f"{ctx.app.name}-data", "key": item.data}
    staging.parameters.append(
        {"name": f"data-{item.name}", "valueFrom": {"configMapKeyRef": reference}}
    )
    if item.mode is StageMode.PATH:
        path = f"{input_folder(item.name)}/{_written_name(item.data, ctx)}"
        _stage_version(item, path, {"s3": {"key": pointer}}, staging)
        return
    address = ctx.store.address(pointer)
    if address is None:
        ctx.limit(
            f"the address of `{item.data}` is unknown without a store",
            item.at,
            "set `environments.<name>.store: s3://…`",
            code=NO_STORE,
        )
    staging.variables[f"inputs.{item.name}"] = address or ""


def _stage_version(item: DataInput, path: str, location: dict[str, Json], staging: Staging) -> None:
    staging.mounts[input_folder(item.name)] = None
    staging.artifacts.append(
        {
            "name": f"in-{item.name}",
            "path": path,
            "archive": {"none": {}},
            **location,
        }
    )
    staging.variables[f"inputs.{item.name}"] = kubernetes_text(path)


def _written_name(data: str, ctx: PipelineContext) -> str:
    for pipeline in ctx.app.pipelines:
        for step in pipeline.all_steps:
            for output in step.outputs:
                if output.data == data:
                    return base(output.path)
    return data


def artifact(name: str, path: str, key: str) -> dict[str, Json]:
    """Return an input artifact by key that may be absent."""
    return {"name": name, "path": path, "optional": True, "s3": {"key": key}}


# ------------------------------------------------------------------ outputs


def kept_key(step: str, output: Output, ctx: PipelineContext) -> str:
    """Return the key of an output of a step without a matrix.

    A version of data is kept as it is, because others read it from there; the rest is packed.
    """
    key = ctx.run_key(step, output.name)
    return f"{key}/{base(output.path)}" if output.data is not None else f"{key}.tgz"


def _stage_output(output: Output, step: Step, staging: Staging, ctx: PipelineContext) -> None:
    if output.mode is StageMode.URI:
        source = ctx.app.dataset(output.data).source if output.data is not None else None
        if source is None:
            key = ctx.run_key(step.id, output.name)
            source = ctx.store.address(key)
        if source is None:
            ctx.limit(
                f"the output `{output.name}` is written to an address, and there is no store",
                output.at,
                "set `environments.<name>.store: s3://…`",
                code=NO_STORE,
            )
        staging.variables[f"outputs.{output.name}"] = kubernetes_text(source or "")
        return
    path = output_path(ctx.plain(output.path, "an output's path", output.at))
    staging.mounts[OUT] = None
    staging.mounts[dirname(path)] = None
    staging.variables[f"outputs.{output.name}"] = kubernetes_text(path)
    key = ctx.run_key(step.id, output.name)
    made: dict[str, Json] = {"name": f"out-{output.name}", "path": path}
    if output.data is not None:
        made |= {"archive": {"none": {}}, "s3": {"key": kept_key(step.id, output, ctx)}}
        if step.matrix is not None:
            ctx.limit(
                f"`{output.data}` would get one version from each instance of `{step.id}`",
                output.at,
                "write the data noun in a step without a matrix",
            )
    elif step.matrix is not None:
        raw: dict[str, Json] = {"archive": {"none": {}}} if is_dynamic(step) else {}
        key += entry_of(step, "{{inputs.parameters.entry}}")
        made |= {**raw, "s3": {"key": key}}
    else:
        made["s3"] = {"key": kept_key(step.id, output, ctx)}
    staging.made.append(made)
    if _lists_values(step, output, ctx):
        staging.measured.append({"name": list_parameter(output.name), "valueFrom": {"path": path}})


def _lists_values(step: Step, output: Output, ctx: PipelineContext) -> bool:
    return any(
        other.matrix is not None
        and other.matrix.dynamic is not None
        and (other.matrix.dynamic.step, other.matrix.dynamic.output) == (step.id, output.name)
        for other in ctx.pipeline.steps
    )


def list_parameter(output: str) -> str:
    """Return the output parameter that carries the values of a run-time matrix."""
    return f"list-{output}"


def own_files(step: Step) -> tuple[str, ...]:
    """Return metrics and reports that are no outputs: paths in the image's working directory."""
    outputs = {output.path for output in step.outputs if output.mode is StageMode.PATH}
    metrics = (step.metrics,) if step.metrics is not None else ()
    return tuple(path for path in (*metrics, *step.report) if path not in outputs)


def _stage_files(step: Step, staging: Staging, ctx: PipelineContext) -> None:
    relative = set(own_files(step))

    def place(path: str) -> str:
        # A relative path is read by the emissary inside the main container, whose working
        # directory is the image's own (cmd/argoexec/commands/emissary.go, v3.6 to v4.1).
        return path if path in relative else output_path(path)

    if step.metrics is not None and step.matrix is None:
        path = place(ctx.plain(step.metrics, "the metrics path", step.at))
        staging.measured.append({"name": "metrics", "valueFrom": {"path": path}})
    if step.metrics is not None and step.matrix is not None:
        # Nothing reads the metrics of a group; they are kept, and their absence is a failure.
        staging.made.append(_kept("metrics", place(step.metrics), step, ctx))
    for number, report in enumerate(step.report, start=1):
        path = place(ctx.plain(report, "a report's path", step.at))
        staging.made.append({**_kept(f"report-{number}", path, step, ctx), "optional": True})


def _kept(name: str, path: str, step: Step, ctx: PipelineContext) -> dict[str, Json]:
    entry = "/{{inputs.parameters.entry}}" if step.matrix is not None else ""
    key = f"{ctx.run_key(step.id, name)}{entry}/{base(path)}"
    return {"name": name, "path": path, "archive": {"none": {}}, "s3": {"key": key}}
