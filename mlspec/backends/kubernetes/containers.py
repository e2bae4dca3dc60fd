"""One container template for each step: command, environment, volumes, limits."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from math import pow as power
from posixpath import dirname
from typing import cast

from mlspec.backends.kubernetes.context import SCRIPT, PipelineContext
from mlspec.backends.kubernetes.native import merge_pod
from mlspec.backends.kubernetes.quoting import kubernetes_text, reads_as_argo, text_for_kubernetes
from mlspec.backends.kubernetes.staging import Staging, own_files, stage
from mlspec.backends.records import STORE, issuer, keeps_records
from mlspec.diagnostics.codes.targets import NO_STORE, UNSUPPORTED
from mlspec.errors import MlspecBug
from mlspec.ir.model import Argv, Json, Retry, Script, Step
from mlspec.ir.values import Duration, Namespace, Ref

SAFE_CONTAINER: dict[str, Json] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
"""With the pod's settings: the `restricted` Pod Security Standard. The root file system stays
writable, because steps run in the image's own folder, and an image may let them write there."""

GPU = "nvidia.com/gpu"

CLAIM = "store_claim"
"""Setting of the target: the PersistentVolumeClaim that holds versions and records."""

STORE_FOLDER = "/mlspec/store"
"""Where steps that ask for the store see its volume."""


def step_template(step: Step, ctx: PipelineContext) -> dict[str, Json]:
    """Return the template of a step; its name is that of the step's main task, or near it."""
    if step.image is None:
        ctx.limit(
            f"`{step.id}` has no image, and on Kubernetes every step runs in one",
            step.at,
            "set `image` for the step, or `defaults.image` or `defaults.build` for all",
            code=UNSUPPORTED,
        )
        return {}
    staging = stage(step, ctx)
    aside: list[dict[str, Json]] = []
    container: dict[str, Json] = {
        "image": ctx.plain(step.image.reference, "an image", step.image.at),
        "command": cast("list[Json]", _command(step, ctx, aside)),
    }
    env = [
        *aside,
        *_references(step, staging, ctx),
        *surroundings(step),
        *own_variables(step, ctx),
    ]
    if env:
        container["env"] = cast("list[Json]", env)
    resources = requests_and_limits(step)
    if resources:
        container["resources"] = resources
    mounts: list[Json] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108  the container's
    volumes: list[Json] = [{"name": "tmp", "emptyDir": {}}]
    mounts += [
        {"name": "mlspec", "mountPath": path, "subPath": path.removeprefix("/mlspec/")}
        for path in sorted(staging.mounts)
    ]
    if staging.mounts:
        volumes.append({"name": "mlspec", "emptyDir": {}})
    if isinstance(step.action, Script):
        mounts.append({"name": "script", "mountPath": SCRIPT, "readOnly": True})
        volumes.append({"name": "script", "configMap": _script_volume(step, ctx)})
    claim = claim_of(step, ctx)
    if claim is not None:
        mounts.append({"name": "mlspec-store", "mountPath": STORE_FOLDER})
        volumes.append({"name": "mlspec-store", "persistentVolumeClaim": {"claimName": claim}})
    container["volumeMounts"] = mounts
    container["securityContext"] = dict(SAFE_CONTAINER)
    template: dict[str, Json] = {"name": template_name(step, ctx)}
    template |= _interface(step, staging)
    template |= _policies(step, ctx)
    template["volumes"] = volumes
    template["container"] = container
    return merge_pod(template, step, ctx)


def template_name(step: Step, ctx: PipelineContext) -> str:
    """Return the name of a step's template."""
    return ctx.names.step(step.id)


# ------------------------------------------------------------------ what runs


def _script_text(step: Step, script: Script) -> str:
    folders = dict.fromkeys(dirname(path) for path in own_files(step) if dirname(path))
    made = [f"mkdir -p -- {' '.join(shlex.quote(f) for f in folders)}"] if folders else []
    return "\n".join(("set -euo pipefail", *made, script.text.rstrip("\n"))) + "\n"


def _script_volume(step: Step, ctx: PipelineContext) -> dict[str, Json]:
    if not isinstance(step.action, Script):
        raise MlspecBug("only scripts have a script volume")
    key = ctx.put_file(f"{step.id}.sh", _script_text(step, step.action))
    # The name follows from all files of the pipeline; `finish_config` fills it in.
    return {"name": CONFIG_NAME, "items": [{"key": key, "path": key}]}


CONFIG_NAME = "\0config"
"""Stands for the ConfigMap's name until its content is complete."""

_ESCAPED_NAME = json.dumps(CONFIG_NAME)[1:-1]


def _command(step: Step, ctx: PipelineContext, aside: list[dict[str, Json]]) -> list[str]:
    match step.action:
        case Script():
            return ["bash", f"{SCRIPT}/{step.id}.sh"]
        case Argv(words=words):

            def put_aside(text: str) -> str:
                variable = f"MLSPEC_TEXT_{len(aside) + 1}"
                aside.append(_text_variable(variable, text, step, ctx))
                return variable

            return [text_for_kubernetes(word, put_aside) for word in words]


def _text_variable(variable: str, text: str, step: Step, ctx: PipelineContext) -> dict[str, Json]:
    key = ctx.put_file(f"{step.id}.{variable.lower()}", text)
    return {
        "name": variable,
        "valueFrom": {"configMapKeyRef": {"name": CONFIG_NAME, "key": key}},
    }


# ------------------------------------------------------------------ environment


def _references(step: Step, staging: Staging, ctx: PipelineContext) -> list[dict[str, Json]]:
    return [{"name": ref.variable, "value": _value(ref, step, staging, ctx)} for ref in step.refs]


def surroundings(step: Step) -> list[dict[str, Json]]:
    """Return what programs look for in the environment, unless the step sets it."""
    made: list[dict[str, Json]] = []
    if "HOME" not in dict(step.env):
        # The user has no home in the image; libraries look for a folder that they may write to.
        made.append({"name": "HOME", "value": "/tmp"})  # noqa: S108  the container's
    cpu = step.resources.cpu
    if cpu is not None and "OMP_NUM_THREADS" not in dict(step.env):
        made.append({"name": "OMP_NUM_THREADS", "value": str(max(1, cpu.milli // 1000))})
    made += [{"name": name, "value": value} for name, value in issuer(step, "argo")]
    return made


def own_variables(step: Step, ctx: PipelineContext) -> list[dict[str, Json]]:
    """Return the step's own variables and secrets; values may name references before them."""
    made: list[dict[str, Json]] = []
    for name, text in step.env:
        aside: list[dict[str, Json]] = []

        def put_aside(part: str, owner: str = name, parts: list[dict[str, Json]] = aside) -> str:
            variable = f"MLSPEC_TEXT_{owner}_{len(parts) + 1}"
            parts.append(_text_variable(variable, part, step, ctx))
            return variable

        value = text_for_kubernetes(text, put_aside)
        made += [*aside, {"name": name, "value": value}]
    for secret in step.secrets:
        source: dict[str, Json] = {"secretKeyRef": {"name": secret.name, "key": "value"}}
        made.append({"name": secret.variable, "valueFrom": source})
    return made


def _value(ref: Ref, step: Step, staging: Staging, ctx: PipelineContext) -> str:
    match ref.namespace:
        case Namespace.INPUTS | Namespace.OUTPUTS:
            return staging.variables.get(_slot(ref), "")
        case Namespace.PARAMS:
            # Doubled, because Kubernetes reads `$(…)` in the value; it undoubles them.
            return f"{{{{=replace(workflow.parameters['{ref.name}'], '$', '$$')}}}}"
        case Namespace.MATRIX:
            return f"{{{{inputs.parameters.matrix-{ref.name}}}}}"
        case Namespace.RUN:
            return run_value(ref.name, step, ctx)


def _slot(ref: Ref) -> str:
    return f"{ref.namespace.value}.{ref.name}"


RUN_DATE = "run-date"
"""Workflow parameter with the scheduled time; user parameters have no hyphen."""


_LABELS = "(fromJSON(workflow.labels.json) ?? {})"
_WHO = ("workflows.argoproj.io/creator-preferred-username", "workflows.argoproj.io/creator")
CREATOR = "{{=" + " ?? ".join(f"{_LABELS}['{label}']" for label in _WHO) + " ?? ''}}"
"""Who created the workflow, by labels that the Argo server sets for people it has signed in
(workflow/creator/creator.go, v3.6 to v4.1). Whoever uses kubectl may set them too, or leave them
out; what is written there has no `$`, which Kubernetes would read."""


def run_value(name: str, step: Step, ctx: PipelineContext) -> str:
    """Return the value of a name of the `run` namespace, as Argo and Kubernetes read it."""
    match name:
        case "id":
            return "{{workflow.name}}"
        case "date":
            given = f"workflow.parameters['{RUN_DATE}']"
            return f"{{{{={given} != '' ? {given} : workflow.creationTimestamp.RFC3339}}}}"
        case "attempt":
            retried = step.retry is not None and step.retry.max > 0
            return "{{=asInt(retries) + 1}}" if retried else "1"
        case "status":
            return "{{inputs.parameters.status}}"
        case "url":
            server = ctx.options.settings.get("uri")
            if not isinstance(server, str) or reads_as_argo(server):
                return ""
            root = kubernetes_text(server.rstrip("/"))
            return f"{root}/workflows/{{{{workflow.namespace}}}}/{{{{workflow.name}}}}"
        case "store":
            return store_address(step, ctx)
        case "actor":
            return CREATOR
        case "approvals" | "commit":
            return ""
    raise MlspecBug(f"unknown reference run.{name}")


def store_address(step: Step, ctx: PipelineContext) -> str:
    """Return where a derived step finds versions and records: a claim's volume, or the store."""
    if claim_of(step, ctx) is not None:
        return f"file://{STORE_FOLDER}"
    environment = ctx.app.environment
    if environment.store is None and keeps_records(step):
        ctx.limit(
            f"steps of `{ctx.pipeline.id}` keep versions and records in a store, and only the"
            " cluster knows which",
            step.at,
            "set `environments.<name>.store`, such as `s3://bucket/path/`, or name a"
            f" PersistentVolumeClaim that all pods can mount: `{CLAIM}` of the target",
            code=NO_STORE,
        )
        return ""
    return kubernetes_text(ctx.plain(environment.store or "", "a store", environment.at / "store"))


def claim_of(step: Step, ctx: PipelineContext) -> str | None:
    """Return the claim whose volume a step sees at `STORE_FOLDER`."""
    claim = ctx.options.settings.get(CLAIM)
    return claim if STORE in step.refs and isinstance(claim, str) else None


# ------------------------------------------------------------------ the rest of a template


def _interface(step: Step, staging: Staging) -> dict[str, Json]:
    parameters: list[Json] = []
    if step.matrix is not None:
        parameters += [{"name": f"matrix-{key}"} for key in step.matrix.keys]
        parameters.append({"name": "entry"})
    if any(ref == Ref(Namespace.RUN, "status") for ref in step.refs):
        parameters.append({"name": "status"})
    parameters += staging.parameters
    inputs: dict[str, Json] = {}
    if parameters:
        inputs["parameters"] = parameters
    if staging.artifacts:
        inputs["artifacts"] = cast("list[Json]", staging.artifacts)
    outputs: dict[str, Json] = {}
    if staging.measured:
        outputs["parameters"] = cast("list[Json]", staging.measured)
    if staging.made:
        outputs["artifacts"] = cast("list[Json]", staging.made)
    made: dict[str, Json] = {}
    if inputs:
        made["inputs"] = inputs
    if outputs:
        made["outputs"] = outputs
    return made


def _policies(step: Step, ctx: PipelineContext) -> dict[str, Json]:
    made: dict[str, Json] = {}
    if step.timeout is not None:
        made["activeDeadlineSeconds"] = max(1, step.timeout.whole_seconds)
    if step.retry is not None and step.retry.max > 0:
        made["retryStrategy"] = _retry(step, step.retry, ctx)
    locks: dict[str, Json] = {}
    if step.lock is not None:
        locks["mutexes"] = [{"name": f"{ctx.app.name}-lock-{step.lock}"}]
    if step.matrix is not None and step.matrix.parallel is not None:
        reference: Json = {"name": f"{ctx.app.name}-limits", "key": limit_key(step, ctx)}
        locks["semaphores"] = [{"configMapKeyRef": reference}]
    if locks:
        made["synchronization"] = locks
    return made


def limit_key(step: Step, ctx: PipelineContext) -> str:
    """Return the key of a step's `parallel` in the ConfigMap of limits."""
    return f"{ctx.pipeline.id}.{step.id}"


def _retry(step: Step, retry: Retry, ctx: PipelineContext) -> dict[str, Json]:
    made: dict[str, Json] = {"limit": retry.max, "retryPolicy": "Always"}
    if step.retry_exit is not None:
        # A pod that did not run to its end has the exit code -1.
        made["expression"] = f"asInt(lastRetry.exitCode) == {step.retry_exit}"
    if not retry.delay.milliseconds:
        return made
    backoff: dict[str, Json] = {"duration": go_duration(retry.delay)}
    if retry.factor != 1:
        if retry.factor != int(retry.factor):
            ctx.limit(
                f"Argo Workflows cannot multiply a delay by {retry.factor}",
                retry.at,
                "use a whole `factor`",
            )
        backoff["factor"] = int(retry.factor)
    longest = retry.delay.milliseconds * power(retry.factor, min(retry.max - 1, 64))
    ceiling = retry.max_delay or Duration(86_400_000)
    if longest > ceiling.milliseconds:
        backoff["cap"] = go_duration(ceiling)
        ctx.warn(
            f"the longest delay before a retry of `{step.id}` is kept only from Argo Workflows 3.7",
            retry.at,
            "3.6 does not know `backoff.cap`",
        )
    made["backoff"] = backoff
    return made


def go_duration(duration: Duration) -> str:
    """Return a duration as Go reads it (`time.ParseDuration` has no days)."""
    if duration.milliseconds % 1000:
        return f"{duration.milliseconds}ms"
    return f"{duration.milliseconds // 1000}s"


def requests_and_limits(step: Step) -> dict[str, Json]:
    """Return what a container asks for, empty when that is nothing."""
    asked: dict[str, Json] = {}
    if step.resources.cpu is not None:
        asked["cpu"] = str(step.resources.cpu)
    if step.resources.memory is not None:
        asked["memory"] = str(step.resources.memory)
    if step.resources.gpu:
        asked[GPU] = str(step.resources.gpu)
    return {"requests": asked, "limits": dict(asked)} if asked else {}


def gate_template(name: str) -> dict[str, Json]:
    """Return the template of gates: a suspension of no length, which needs no pod."""
    return {"name": name, "suspend": {"duration": "0"}}


def approval_template(name: str, question: str, within: Duration) -> dict[str, Json]:
    """Return the template of an approval: it waits, and after `within` the answer is no."""
    return {
        "name": name,
        "inputs": {
            "parameters": [
                {
                    "name": "approve",
                    "description": question,
                    "default": "no",
                    "enum": ["no", "yes"],
                }
            ]
        },
        "outputs": {
            "parameters": [{"name": "approve", "valueFrom": {"supplied": {}, "default": "no"}}]
        },
        "suspend": {"duration": go_duration(within)},
    }


def replace_config_name(data: Json, name: str) -> Json:
    """Return data in which the ConfigMap's name stands for its placeholder."""
    match data:
        case str():
            # A resource's manifest is JSON inside of a text.
            return data.replace(CONFIG_NAME, name).replace(_ESCAPED_NAME, name)
        case list():
            return [replace_config_name(item, name) for item in data]
        case dict() | Mapping():
            return {key: replace_config_name(value, name) for key, value in data.items()}
    return data
