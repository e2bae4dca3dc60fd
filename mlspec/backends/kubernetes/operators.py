"""Which trainings an operator of the cluster spreads over pods, and how its resource says the end.

A derived training with several workers becomes the resource of its engine's operator: PyTorch a
`TrainJob` (Kubeflow Trainer v2), Ray a `RayJob` (KubeRay), Spark a `SparkApplication` (Spark
operator). Every other step is a pod of Argo Workflows; several workers of another engine are
processes in that pod.

Argo reads conditions as selectors of labels over the resource's JSON (v3.6 to v4.1, in
workflow/executor/resource.go): a success needs all of them, one failure is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Json, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A kind of resource that trains.

    Attributes:
        succeeded, failed: conditions on its status.
    """

    version: str
    kind: str
    plural: str
    succeeded: str
    failed: str


TRAIN_JOB = Operator(
    version="trainer.kubeflow.org/v1alpha1",
    kind="TrainJob",
    plural="trainjobs",
    # One job of as many pods as there are nodes: its runtime is ours and has no other.
    succeeded="status.jobsStatus.0.succeeded > 0",
    failed="status.jobsStatus.0.failed > 0",
)
RAY_JOB = Operator(
    version="ray.io/v1",
    kind="RayJob",
    plural="rayjobs",
    succeeded="status.jobStatus == SUCCEEDED",
    failed="status.jobStatus in (FAILED, STOPPED), status.jobDeploymentStatus == Failed",
)
SPARK_APPLICATION = Operator(
    version="sparkoperator.k8s.io/v1beta2",
    kind="SparkApplication",
    plural="sparkapplications",
    succeeded="status.applicationState.state == COMPLETED",
    failed="status.applicationState.state in (FAILED, SUBMISSION_FAILED)",
)

_BY_ENGINE = {
    "pytorch": TRAIN_JOB,
    "torch": TRAIN_JOB,
    "ray": RAY_JOB,
    "spark": SPARK_APPLICATION,
    "pyspark": SPARK_APPLICATION,
}


def operator_of(step: Step) -> Operator | None:
    """Return the operator that runs a step, None: Argo Workflows runs it in a pod."""
    workers = step.resources.workers or 1
    if step.kind is not Kind.TRAIN or workers <= 1:
        return None
    return _BY_ENGINE.get(step.engine)


def operators_in(app: Application) -> tuple[Operator, ...]:
    """Return the operators that an application needs, by kind."""
    found = {
        operator.kind: operator
        for pipeline in app.pipelines
        for step in pipeline.all_steps
        if (operator := operator_of(step)) is not None
    }
    return tuple(found[kind] for kind in sorted(found))


def executor_rules(operators: Iterable[Operator]) -> list[Json]:
    """Return the rights that Argo's own container needs to create resources and see them end."""
    return [
        {
            "apiGroups": [operator.version.partition("/")[0]],
            "resources": [operator.plural],
            "verbs": ["create", "get"],
        }
        for operator in operators
    ]
