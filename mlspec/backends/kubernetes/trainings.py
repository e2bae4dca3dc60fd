"""Templates of trainings that an operator spreads over pods: an Argo `resource` for each.

A resource template has no artifacts. The pods are given addresses below the run's folder of the
store instead, the same keys that Argo uses for every other step; `mlspec step` brings and takes
them. Nothing of a resource's end but success and failure reaches Argo, so that exit codes are not
told apart and nothing is tried again; a timeout stands in the resource itself.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import cast

from mlspec.backends.kubernetes.containers import (
    CONFIG_NAME,
    SAFE_CONTAINER,
    own_variables,
    requests_and_limits,
    run_value,
    surroundings,
    template_name,
)
from mlspec.backends.kubernetes.context import SCRIPT, PipelineContext
from mlspec.backends.kubernetes.model import Manifest
from mlspec.backends.kubernetes.objects import driver_account, labels, step_account
from mlspec.backends.kubernetes.operators import (
    RAY_JOB,
    SPARK_APPLICATION,
    TRAIN_JOB,
    Operator,
    operator_of,
)
from mlspec.backends.kubernetes.presence import is_sure
from mlspec.backends.kubernetes.quoting import kubernetes_text
from mlspec.backends.kubernetes.staging import kept_key
from mlspec.diagnostics.codes.targets import BAD_NATIVE, NO_STORE
from mlspec.errors import MlspecBug
from mlspec.ir.model import Argv, Json, Output, Pairing, StageMode, Step, StepInput
from mlspec.ir.values import Literal, Namespace, Ref, Text

Data = dict[str, Json]

_POD_KEYS = ("affinity", "nodeSelector", "priorityClassName", "tolerations")
"""Keys of `native.kubernetes.pod` that pods of an operator can have."""

_NODE = "node"
"""The job of a TrainJob's runtime, and the container in it (Kubeflow Trainer, torch plugin)."""

SPARK_VERSION = "spark_version"
"""Setting of the target: a SparkApplication must say which Spark its image holds."""

DRIVER = """\
import runpy
import sys

sys.argv[0] = "mlspec"
runpy.run_module("mlspec", run_name="__main__", alter_sys=True)
"""
"""The file that a SparkApplication starts: `mlspec` in the process of the driver."""


def training_template(step: Step, ctx: PipelineContext) -> Data:
    """Return the template that creates a step's resource and waits for its end."""
    operator = operator_of(step)
    if operator is None or step.image is None:
        raise MlspecBug(f"{step.id} is no training of an operator")
    words = _words(step, ctx)
    env = [*_references(step, ctx), *surroundings(step), *own_variables(step, ctx)]
    image = ctx.plain(step.image.reference, "an image", step.image.at)
    makers = {
        TRAIN_JOB.kind: _train_job,
        RAY_JOB.kind: _ray_job,
        SPARK_APPLICATION.kind: _spark_application,
    }
    spec = makers[operator.kind](step, ctx, image, words, env)
    manifest: Data = {
        "apiVersion": operator.version,
        "kind": operator.kind,
        "metadata": {"generateName": f"{step.id}-", "labels": labels(ctx.app, ctx.pipeline.id)},
        "spec": spec,
    }
    return {
        "name": template_name(step, ctx),
        **_lock(step, ctx),
        "resource": _ask(operator, manifest),
    }


def _ask(operator: Operator, manifest: Data) -> Data:
    return {
        "action": "create",
        "setOwnerReference": True,
        "successCondition": operator.succeeded,
        "failureCondition": operator.failed,
        "manifest": json.dumps(manifest, indent=2),
    }


def _lock(step: Step, ctx: PipelineContext) -> Data:
    if step.lock is None:
        return {}
    return {"synchronization": {"mutexes": [{"name": f"{ctx.app.name}-lock-{step.lock}"}]}}


# ------------------------------------------------------------------ files and words


def _references(step: Step, ctx: PipelineContext) -> list[Data]:
    """Return the variables of what the training asks of the run; it asks for no parameter."""
    made: list[Data] = []
    for ref in step.refs:
        if ref.namespace is Namespace.RUN:
            made.append({"name": ref.variable, "value": run_value(ref.name, step, ctx)})
        elif ref.namespace not in (Namespace.INPUTS, Namespace.OUTPUTS):
            raise MlspecBug(f"{step.id}: a derived training reads {ref.spelled}")
    return made


def _words(step: Step, ctx: PipelineContext) -> list[str]:
    """Return the command with addresses for inputs and outputs; nothing in it is left to expand."""
    if not isinstance(step.action, Argv) or step.matrix is not None:
        raise MlspecBug(f"{step.id} is no derived training")
    return [_word(word, step, ctx) for word in step.action.words]


def _word(text: Text, step: Step, ctx: PipelineContext) -> str:
    parts = []
    for part in text:
        match part:
            case Literal(literal):
                parts.append(ctx.plain(literal, "a word of a command", step.action.at))
            case Ref(namespace=Namespace.INPUTS, name=name):
                parts.append(_input(name, step, ctx))
            case Ref(namespace=Namespace.OUTPUTS, name=name):
                output = step.output(name)
                parts.append(_output(output, step, ctx) if output is not None else "")
            case _:
                raise MlspecBug(f"{step.id}: only files stand in words of a derived training")
    return "".join(parts)


def _input(name: str, step: Step, ctx: PipelineContext) -> str:
    item = step.input(name)
    if not isinstance(item, StepInput) or item.pairing is not Pairing.PLAIN:
        ctx.limit(
            f"`{step.id}` is trained by several workers, which read outputs of steps without a"
            f" matrix: `{name}` is none",
            item.at if item is not None else step.at,
        )
        return ""
    if not is_sure(item, step):
        ctx.limit(
            f"`{step.id}` is trained by several workers, which cannot do without `{name}`",
            item.at,
            "leave the join as it is: all that it needs must have succeeded",
        )
    output = ctx.step(item.step).output(item.output)
    if output is None:
        raise MlspecBug(f"{step.id} reads {item.step}.{item.output}, which does not exist")
    return _address(kept_key(item.step, output, ctx), step, ctx)


def _output(output: Output, step: Step, ctx: PipelineContext) -> str:
    if output.data is not None or output.mode is not StageMode.PATH:
        raise MlspecBug(f"{step.id}: a training makes a model")
    return _address(kept_key(step.id, output, ctx), step, ctx)


def _address(key: str, step: Step, ctx: PipelineContext) -> str:
    found = ctx.store.address(key)
    if found is None:
        ctx.limit(
            f"the workers of `{step.id}` hand files on through a store, and only the cluster knows"
            " which",
            step.at,
            "set `environments.<name>.store`, such as `s3://bucket/path/`",
            code=NO_STORE,
        )
    return found or ""


# ------------------------------------------------------------------ pods


def _pod(step: Step, ctx: PipelineContext, container: Data) -> Data:
    """Return a pod as the steps have it: no rights, no root, a folder for scratch files."""
    mounts: list[Json] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108  the container's
    return {
        "metadata": {"labels": labels(ctx.app, ctx.pipeline.id)},
        "spec": {
            **native_pod(step, ctx),
            "serviceAccountName": step_account(ctx.app),
            "automountServiceAccountToken": False,
            "securityContext": pod_security(),
            "containers": [
                {**container, "volumeMounts": mounts, "securityContext": dict(SAFE_CONTAINER)}
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


def pod_security() -> Data:
    """Return the `restricted` Pod Security Standard for a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def native_pod(step: Step, ctx: PipelineContext) -> Data:
    """Return what `native.kubernetes.pod` says about where the pods run."""
    native = step.native.get("kubernetes")
    pod = native.get("pod") if isinstance(native, dict) else None
    if not isinstance(pod, dict):
        return {}
    for key in sorted(set(pod) - set(_POD_KEYS)):
        ctx.limit(
            f"`{step.id}` is trained by several workers, whose pods cannot have `pod.{key}`",
            step.at / "native" / "kubernetes" / "pod" / key,
            f"allowed for them: {', '.join(_POD_KEYS)}",
            code=BAD_NATIVE,
        )
    return {key: pod[key] for key in _POD_KEYS if key in pod}


def _deadline(step: Step) -> Data:
    if step.timeout is None:
        return {}
    return {"activeDeadlineSeconds": max(1, step.timeout.whole_seconds)}


def _workers(step: Step) -> int:
    return step.resources.workers or 1


# ------------------------------------------------------------------ the three kinds


def _train_job(
    step: Step, ctx: PipelineContext, image: str, words: list[str], env: list[Data]
) -> Data:
    trainer: Data = {
        "image": image,
        "command": [kubernetes_text(word) for word in words],
        "env": cast("list[Json]", env),
        "numNodes": _workers(step),
        "numProcPerNode": 1,
    }
    resources = requests_and_limits(step)
    if resources:
        trainer["resourcesPerNode"] = resources
    group = TRAIN_JOB.version.partition("/")[0]
    return {
        "runtimeRef": {
            "apiGroup": group,
            "kind": "TrainingRuntime",
            "name": runtime_name(step, ctx),
        },
        **_deadline(step),
        "trainer": trainer,
    }


def runtime_name(step: Step, ctx: PipelineContext) -> str:
    """Return the name of the runtime of a step's TrainJob."""
    return f"{ctx.full_name}-{step.id}"


def runtimes(ctx: PipelineContext) -> Iterable[Manifest]:
    """Yield the runtimes that TrainJobs of the pipeline name: one job of equal pods each."""
    for step in ctx.pipeline.steps:
        if operator_of(step) is TRAIN_JOB and step.image is not None:
            image = ctx.plain(step.image.reference, "an image", step.image.at)
            yield Manifest(
                data=_runtime(step, ctx, image), file=ctx.pipeline.id, pipeline=ctx.pipeline.id
            )


def _runtime(step: Step, ctx: PipelineContext, image: str) -> Data:
    pod = _pod(step, ctx, {"name": _NODE, "image": image})
    spec = cast("Data", pod["spec"])
    job: Data = {
        "name": _NODE,
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            # A node that is started again alone would wait for the others in vain.
            "spec": {
                "backoffLimit": 0,
                "template": {**pod, "spec": {**spec, "restartPolicy": "Never"}},
            },
        },
    }
    return {
        "apiVersion": TRAIN_JOB.version,
        "kind": "TrainingRuntime",
        "metadata": {
            "name": runtime_name(step, ctx),
            "labels": {
                **labels(ctx.app, ctx.pipeline.id),
                "trainer.kubeflow.org/framework": "torch",
            },
        },
        "spec": {
            "mlPolicy": {"numNodes": _workers(step), "torch": {}},
            "template": {
                "spec": {"failurePolicy": {"maxRestarts": 0}, "replicatedJobs": [job]},
            },
        },
    }


def _ray_job(
    step: Step, ctx: PipelineContext, image: str, words: list[str], env: list[Data]
) -> Data:
    container: Data = {"image": image, "env": cast("list[Json]", env)}
    resources = requests_and_limits(step)
    if resources:
        container["resources"] = resources
    count = _workers(step)
    workers: Data = {
        "groupName": "workers",
        "replicas": count,
        "minReplicas": count,
        "maxReplicas": count,
        "rayStartParams": {},
        "template": _pod(step, ctx, {"name": "ray-worker", **container}),
    }
    head: Data = {
        "rayStartParams": {},
        "template": _pod(step, ctx, {"name": "ray-head", **container}),
    }
    return {
        # A shell of the head reads it.
        "entrypoint": shlex.join(words),
        # The operator hands it to the head; no further pod, whose rights would be others.
        "submissionMode": "HTTPMode",
        "backoffLimit": 0,
        "shutdownAfterJobFinishes": True,
        **_deadline(step),
        "rayClusterSpec": {"headGroupSpec": head, "workerGroupSpecs": [workers]},
    }


def _spark_application(
    step: Step, ctx: PipelineContext, image: str, words: list[str], env: list[Data]
) -> Data:
    version = ctx.options.settings.get(SPARK_VERSION)
    if not isinstance(version, str):
        ctx.limit(
            f"`{step.id}` is trained on Spark by several workers, and a SparkApplication must say"
            " which Spark its image holds",
            step.at,
            f"name it: `targets: {{pipelines: {{kind: kubernetes, {SPARK_VERSION}: 4.0.1}}}}`",
        )
    if step.timeout is not None:
        ctx.warn(
            f"the timeout of `{step.id}` is not kept: a SparkApplication has none",
            step.at / "timeout",
        )
    script = ctx.put_file(f"{step.id}.py", DRIVER)
    executor = _spark_pod(step, ctx, env)
    driver: Data = {
        **executor,
        "serviceAccount": driver_account(ctx.app),
        "configMaps": [{"name": CONFIG_NAME, "path": SCRIPT}],
    }
    return {
        "type": "Python",
        "pythonVersion": "3",
        "mode": "cluster",
        "sparkVersion": version if isinstance(version, str) else "",
        "image": image,
        "mainApplicationFile": f"local://{SCRIPT}/{script}",
        "arguments": cast("list[Json]", words[1:]),
        "restartPolicy": {"type": "Never"},
        "driver": driver,
        "executor": {**executor, "instances": _workers(step), "deleteOnTermination": True},
    }


def _spark_pod(step: Step, ctx: PipelineContext, env: list[Data]) -> Data:
    made: Data = {
        "labels": labels(ctx.app, ctx.pipeline.id),
        "env": cast("list[Json]", env),
        "podSecurityContext": pod_security(),
        "securityContext": dict(SAFE_CONTAINER),
        **native_pod(step, ctx),
    }
    asked = step.resources
    if asked.cpu is not None:
        made |= {"cores": max(1, asked.cpu.milli // 1000), "coreRequest": str(asked.cpu)}
    if asked.memory is not None:
        # Spark reads sizes as the JVM does.
        made["memory"] = f"{max(1, asked.memory.bytes >> 20)}m"
    if asked.gpu:
        made["gpu"] = {"name": "nvidia.com/gpu", "quantity": asked.gpu}
    return made
