"""Arguments of `KubernetesPodOperator` for a step with an image.

The operator describes the step's own container; the hook of the support module adds the volume
and the containers that bring and take files when the task runs. Kubernetes expands `$(NAME)` in
commands and variables: that is how references get into an argument vector, and why literals that
look like it are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlspec.backends.airflow.model import Pod, StepTask
from mlspec.backends.airflow.quoting import (
    jinja_text,
    literal_env,
    pod_literal,
    pod_text,
    template_changes,
)
from mlspec.diagnostics.codes.targets import BAD_NATIVE, PARTIAL, TARGET_LIMIT
from mlspec.diagnostics.model import Diagnostic, Severity
from mlspec.emit.python import Block, Call, Expression, Name
from mlspec.ir.model import Json, Script, Step
from mlspec.ir.values import Namespace, literal

Arguments = list[tuple[str, Expression]]

METADATA = ("annotations", "labels")
SPEC = (
    "affinity",
    "hostAliases",
    "imagePullSecrets",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
)
"""Keys of `native.airflow.pod`: what `pod_template_dict` can add without a proof being void."""

RESTRICTED: Mapping[str, Expression] = {
    "security_context": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "container_security_context": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    },
}
"""The `restricted` level of the Pod Security Standards (kubernetes.io, v1.31)."""


def pod_arguments(task: StepTask, pod: Pod, app: str) -> Arguments:
    """Return the operator's arguments up to `env_vars`, in reading order."""
    own = {name for name, _ in (*task.env, *task.secrets)}
    keywords: Arguments = [
        ("name", f"{app}-{task.id.rstrip('_').replace('_', '-')}"),
        ("image", jinja_text(pod.image)),
    ]
    if pod.namespace is not None:
        keywords.append(("namespace", pod.namespace))
    keywords += _command(task, frozenset(own))
    return keywords


def _command(task: StepTask, own: frozenset[str]) -> Arguments:
    if isinstance(task.action, Script):
        text = task.action.text.rstrip("\n")
        block: Expression = Block(pod_literal(f"set -euo pipefail\n{text}\n", own))
        if template_changes(text):
            block = Call(function=Name("literal"), args=(block,))
        return [("cmds", ["bash", "-c"]), ("arguments", [block])]
    words: list[Expression] = []
    for word in task.action.words:
        text = pod_text(word, own)
        words.append(jinja_text(text))
    return [("cmds", words), ("arguments", [])]


def pod_env(task: StepTask) -> dict[str, str]:
    """Return the literal variables, as Kubernetes expands to them."""
    own = frozenset(name for name, _ in (*task.env, *task.secrets))
    return {name: pod_text(literal(text), own) for name, text in literal_env(task.env).items()}


def pod_settings(task: StepTask, pod: Pod) -> Arguments:
    """Return secrets, resources, service account and what `native.airflow.pod` says."""
    keywords: Arguments = []
    if task.secrets:
        keywords.append(
            (
                "secrets",
                [
                    Call(function=Name("Secret"), args=("env", variable, name, "value"))
                    for variable, name in task.secrets
                ],
            )
        )
    if pod.requests or pod.limits:
        asked: Arguments = []
        if pod.requests:
            asked.append(("requests", dict(pod.requests)))
        if pod.limits:
            asked.append(("limits", dict(pod.limits)))
        resources = Call(function=Name("k8s.V1ResourceRequirements"), keywords=tuple(asked))
        keywords.append(("container_resources", resources))
    if pod.service_account is not None:
        keywords.append(("service_account_name", pod.service_account))
    else:
        keywords.append(("automount_service_account_token", False))
    if pod.patch:
        keywords.append(("pod_template_dict", _template(pod.patch)))
    return keywords


def _template(patch: Mapping[str, Json]) -> Expression:
    metadata = {key: _quoted(value) for key, value in patch.items() if key in METADATA}
    spec = {key: _quoted(value) for key, value in patch.items() if key in SPEC}
    base: Expression = {"name": "base"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        **({"metadata": metadata} if metadata else {}),
        "spec": {"containers": [base], **spec},
    }


def _quoted(value: Json) -> Expression:
    match value:
        case str():
            return jinja_text(value)
        case Mapping():
            return {key: _quoted(item) for key, item in value.items()}
        case list() | tuple():
            return [_quoted(item) for item in value]
    return value


# ------------------------------------------------------------------ what no pod can do


def brings(step: Step) -> bool:
    """Return whether files must be brought to a step's pod or taken from it."""
    used = {ref.name for ref in step.refs if ref.namespace is Namespace.INPUTS}
    return bool(step.outputs) or any(item.name in used for item in step.inputs)


def check_pod(step: Step) -> Iterator[Diagnostic]:
    """Report what a step with an image asks for and a pod on Airflow cannot have."""
    written = {output.path for output in step.outputs}
    if step.metrics is not None and step.metrics not in written:
        yield Diagnostic(
            code=TARGET_LIMIT,
            message=f"the metrics of `{step.id}` stand in the image's own folder, where a pod "
            "leaves them behind",
            at=step.at / "metrics",
            help=(f"declare an output with the path `{step.metrics}`, and write to it",),
        )
    for path in step.report:
        if path not in written:
            yield Diagnostic(
                code=PARTIAL,
                message=f"the report `{path}` of `{step.id}` stays in its pod",
                at=step.at / "report",
                help=("declare an output with this path, and write to it",),
                severity_override=Severity.WARNING,
            )
    yield from _check_patch(step)


def _check_patch(step: Step) -> Iterator[Diagnostic]:
    native = step.native.get("airflow")
    patch = native.get("pod") if isinstance(native, Mapping) else None
    if not isinstance(patch, Mapping):
        return
    for key in patch:
        if key not in (*METADATA, *SPEC):
            yield Diagnostic(
                code=BAD_NATIVE,
                message=f"`{key}` cannot stand in `native.airflow.pod`",
                at=step.at / "native",
                help=("allowed are " + ", ".join(sorted((*METADATA, *SPEC))),),
            )
