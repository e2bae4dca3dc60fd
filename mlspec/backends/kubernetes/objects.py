"""The objects around the workflows: identities, rights, ConfigMaps; and the labels of all.

Two service accounts: the steps run under one without any right and without a token; only Argo's
own container in each pod gets the token of the other, which may report results and nothing else.
Argo mounts it from a Secret named `<account>.service-account-token` (docs/service-accounts.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.backends.kubernetes.model import Manifest
from mlspec.backends.kubernetes.operators import (
    SPARK_APPLICATION,
    executor_rules,
    operators_in,
)
from mlspec.ir.model import Application, Json, StageMode

ARGO = "argoproj.io/v1alpha1"

_IDENTITY_ANNOTATIONS = {
    "aws_role": "eks.amazonaws.com/role-arn",
    "gcp_service_account": "iam.gke.io/gcp-service-account",
    "azure_client_id": "azure.workload.identity/client-id",
}
"""How each cloud binds a Kubernetes service account to one of its own identities."""

_PARAMETER_MAP = {"workflows.argoproj.io/configmap-type": "Parameter"}
"""Argo reads parameters only from ConfigMaps with this label (docs/workflow-inputs.md)."""

_REPOSITORY_KEY = "store"


def labels(app: Application, component: str | None = None) -> dict[str, Json]:
    """Return the recommended labels (kubernetes.io, "Recommended Labels")."""
    made: dict[str, Json] = {
        "app.kubernetes.io/name": app.name,
        "app.kubernetes.io/part-of": app.name,
        "app.kubernetes.io/managed-by": "mlspec",
    }
    if component is not None:
        made["app.kubernetes.io/component"] = component
    return made


def step_account(app: Application) -> str:
    """Return the name of the service account that steps run under."""
    return dict(app.environment.identity).get("service_account", app.name)


def executor_account(app: Application) -> str:
    """Return the name of the service account of Argo's own containers."""
    return f"{app.name}-executor"


def driver_account(app: Application) -> str:
    """Return the name of the service account of Spark's drivers, which start their executors."""
    return f"{app.name}-driver"


_DRIVER_RULES: list[Json] = [
    {
        "apiGroups": [""],
        "resources": ["pods", "services", "configmaps", "persistentvolumeclaims"],
        "verbs": ["create", "get", "list", "watch", "patch", "delete", "deletecollection"],
    }
]
"""What Spark on Kubernetes does itself (spark.apache.org, "Running Spark on Kubernetes", RBAC)."""


def shared_objects(app: Application, starts: bool) -> tuple[Manifest, ...]:  # noqa: FBT001  one fact
    """Return the objects that all pipelines of an application share.

    Args:
        app: the application.
        starts: whether a pipeline starts another one.
    """
    executor = executor_account(app)
    operators = operators_in(app)
    identity = dict(app.environment.identity)
    annotations: dict[str, Json] = {
        key: identity[name] for name, key in _IDENTITY_ANNOTATIONS.items() if name in identity
    }
    made = [
        _object("v1", "ServiceAccount", step_account(app), app, annotations, token=False),
        _object("v1", "ServiceAccount", executor, app, {}, token=False),
        _token(app, executor),
        _role(app, executor, [*_executor_rules(app, starts), *executor_rules(operators)]),
        _binding(app, executor),
    ]
    if SPARK_APPLICATION in operators:
        driver = driver_account(app)
        made += [
            _object("v1", "ServiceAccount", driver, app, annotations),
            _role(app, driver, _DRIVER_RULES),
            _binding(app, driver),
        ]
    rbac = len(made)
    if _publishes(app):
        made.append(_config(app, f"{app.name}-data", None, _PARAMETER_MAP))
    return tuple(
        Manifest(data=data, file="rbac" if index < rbac else "config")
        for index, data in enumerate(made)
    )


def _object(
    version: str,
    kind: str,
    name: str,
    app: Application,
    annotations: dict[str, Json],
    *,
    token: bool | None = None,
) -> dict[str, Json]:
    metadata: dict[str, Json] = {"name": name, "labels": labels(app)}
    if annotations:
        metadata["annotations"] = annotations
    made: dict[str, Json] = {"apiVersion": version, "kind": kind, "metadata": metadata}
    if token is not None:
        made["automountServiceAccountToken"] = token
    return made


def _token(app: Application, account: str) -> dict[str, Json]:
    named: dict[str, Json] = {"kubernetes.io/service-account.name": account}
    made = _object("v1", "Secret", f"{account}.service-account-token", app, named)
    return {**made, "type": "kubernetes.io/service-account-token"}


def _executor_rules(app: Application, starts: bool) -> list[Json]:  # noqa: FBT001  one fact
    rules: list[Json] = [
        {
            "apiGroups": ["argoproj.io"],
            "resources": ["workflowtaskresults"],
            "verbs": ["create", "patch"],
        }
    ]
    if _publishes(app):
        rules.append(
            {
                "apiGroups": [""],
                "resources": ["configmaps"],
                "resourceNames": [f"{app.name}-data"],
                "verbs": ["get", "patch"],
            }
        )
    if starts:
        rules.append(
            {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get"]}
        )
    return rules


def _role(app: Application, name: str, rules: list[Json]) -> dict[str, Json]:
    return {**_object("rbac.authorization.k8s.io/v1", "Role", name, app, {}), "rules": rules}


def _binding(app: Application, name: str) -> dict[str, Json]:
    role: dict[str, Json] = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": name,
    }
    return {
        **_object("rbac.authorization.k8s.io/v1", "RoleBinding", name, app, {}),
        "roleRef": role,
        "subjects": [{"kind": "ServiceAccount", "name": name}],
    }


def _publishes(app: Application) -> bool:
    """Whether a managed data noun is written, whose newest version a ConfigMap names."""
    managed = {dataset.id for dataset in app.data if dataset.source is None}
    return any(
        output.data in managed and output.mode is StageMode.PATH
        for pipeline in app.pipelines
        for step in pipeline.all_steps
        for output in step.outputs
    )


def _config(
    app: Application, name: str, data: Mapping[str, str] | None, extra: Mapping[str, str]
) -> dict[str, Json]:
    metadata: dict[str, Json] = {"name": name, "labels": {**labels(app), **extra}}
    made: dict[str, Json] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    if data is not None:
        made["data"] = dict(data)
    return made


def files_object(app: Application, name: str, files: Mapping[str, str], pipeline: str) -> Manifest:
    """Return the ConfigMap with a pipeline's scripts; its name contains a digest of them."""
    data = {**_config(app, name, files, {}), "immutable": True}
    return Manifest(data=data, file=pipeline, pipeline=pipeline)


def limits_object(app: Application, limits: Mapping[str, str]) -> Manifest:
    """Return the ConfigMap that Argo's semaphores read."""
    return Manifest(data=_config(app, f"{app.name}-limits", limits, {}), file="config")


def repository_name(app: Application) -> str:
    """Return the name of the ConfigMap with the artifact repository."""
    return f"{app.name}-artifacts"


def repository_object(app: Application, text: str) -> Manifest:
    """Return the ConfigMap with the artifact repository (docs/artifact-repository-ref.md)."""
    return Manifest(
        data=_config(app, repository_name(app), {_REPOSITORY_KEY: text}, {}), file="config"
    )


def repository_reference(app: Application) -> dict[str, Json]:
    """Return the reference to it for `spec.artifactRepositoryRef`."""
    return {"configMap": repository_name(app), "key": _REPOSITORY_KEY}
