"""Every manifest that is emitted passes programs and schemas that we did not write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes import BACKEND
from mlspec.backends.kubernetes.model import KubernetesModel
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Application, DataSet, Environment, Image, Step
from tests.support.everything import everything
from tests.support.graphs import TRAPS, random_application
from tests.support.kubernetes_checks import (
    argo_problems,
    checkov_problems,
    core_problems,
    kustomize_build,
    objects,
    reference_problems,
    schema_problems,
    write,
)

IMAGE = Image(reference="example.org/stub@sha256:" + "0" * 64)
OPTIONS = LowerOptions(
    settings={"repository": "https://example.org/a.git", "uri": "https://argo.example.org"}
)

UNCHECKED = {
    "CKV2_K8S_6": "network policies are the cluster's",
    "CKV_K8S_8": "a step has no liveness: it ends",
    "CKV_K8S_9": "nor readiness",
    "CKV_K8S_10": "requests are the spec's to make",
    "CKV_K8S_11": "limits likewise",
    "CKV_K8S_12": "likewise",
    "CKV_K8S_13": "likewise",
    "CKV_K8S_14": "tags are judged by mlspec itself (ML604)",
    "CKV_K8S_43": "likewise",
    "CKV_K8S_15": "the pull policy follows from the tag; a digest needs no second look",
    "CKV_K8S_22": "an image may write to its own folder",
    "CKV_K8S_35": "the language says environment variables",
}


def in_images(app: Application) -> Application:
    def put(step: Step) -> Step:
        return step if step.image is not None else replace(step, image=IMAGE)

    pipelines = tuple(
        replace(
            pipeline,
            steps=tuple(put(step) for step in pipeline.steps),
            final=put(pipeline.final) if pipeline.final is not None else None,
        )
        for pipeline in app.pipelines
    )
    return replace(app, pipelines=pipelines)


def model_of(*apps: Application) -> KubernetesModel:
    result = BACKEND.lower(tuple(in_images(app) for app in apps), OPTIONS)
    assert result.value is not None, [d.message for d in result.diagnostics]
    return result.value


def emitted(*apps: Application) -> tuple[Artifact, ...]:
    return BACKEND.emit(model_of(*apps))


def _written(app: Application) -> Application:
    """The same without derived steps, which need a store."""
    pipelines = tuple(
        replace(p, steps=tuple(s for s in p.steps if not s.kind.is_derived)) for p in app.pipelines
    )
    return replace(app, pipelines=pipelines)


def variants() -> dict[str, Application]:
    """Applications that together use everything."""
    whole = everything()
    sourced = replace(
        whole,
        data=tuple(replace(d, source=d.source or f"s3://lake/{d.id}/") for d in whole.data),
    )
    managed = replace(whole, data=tuple(DataSet(id=d.id) for d in whole.data))
    bare = replace(_written(whole), environment=Environment(), data=sourced.data)
    gated = replace(
        whole,
        environment=replace(
            whole.environment,
            approvals=next(s.approvals for p in whole.pipelines for s in p.steps if s.approvals),
        ),
    )
    made = {"whole": whole, "sourced": sourced, "managed": managed, "bare": bare, "gated": gated}
    made |= {f"trap {name}": replace(app) for name, app in TRAPS.items()}
    made |= {f"seed {seed}": random_application(seed) for seed in range(12)}
    return made


VARIANTS = variants()


@pytest.mark.parametrize("name", VARIANTS)
def test_manifests__pass_schemas_and_our_own_reading(name: str) -> None:
    found = objects(emitted(VARIANTS[name]))
    assert schema_problems(found) == []
    assert reference_problems(found) == []


@pytest.mark.engine("argo")
def test_manifests__pass_argos_own_validator(tmp_path: Path) -> None:
    for index, app in enumerate(VARIANTS.values()):
        files = write(emitted(app), tmp_path / str(index))
        assert argo_problems(files) == []


@pytest.mark.engine("lint")
def test_core_kinds__pass_the_schemas_of_kubernetes(tmp_path: Path) -> None:
    found = [one for app in VARIANTS.values() for one in objects(emitted(app))]
    core = [one for one in found if not one["apiVersion"].startswith("argoproj.io")]
    distinct = {yaml.safe_dump(one) for one in core}
    files = []
    for index, text in enumerate(sorted(distinct)):
        file = tmp_path / f"{index}.yaml"
        file.write_text(text)
        files.append(file)
    assert core_problems(files) == []


def pods(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods that Argo would make of the container templates, as far as we decide."""
    made = []
    for one in found:
        if one["kind"] != "WorkflowTemplate":
            continue
        spec = one["spec"]
        for template in spec["templates"]:
            if "container" not in template:
                continue
            container = {"name": "main", **template["container"]}
            pod: dict[str, Any] = {
                "serviceAccountName": spec["serviceAccountName"],
                "automountServiceAccountToken": spec["automountServiceAccountToken"],
                "securityContext": spec["securityContext"],
                "restartPolicy": "Never",
                "containers": [container],
                "volumes": template.get("volumes", []),
            }
            for key in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
                if key in template:
                    pod[key] = template[key]
            metadata = {"name": template["name"], "namespace": "somewhere"}
            made.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
    return made


@pytest.mark.engine("lint")
def test_pods__are_valid_and_restricted(tmp_path: Path) -> None:
    found = [pod for app in list(VARIANTS.values())[:5] for pod in pods(objects(emitted(app)))]
    files = []
    for index, pod in enumerate(found):
        file = tmp_path / f"{index}.yaml"
        file.write_text(yaml.safe_dump(pod))
        files.append(file)
        # The `restricted` Pod Security Standard, field by field.
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert all({"emptyDir", "configMap"} & set(v) for v in pod["spec"]["volumes"])
    assert core_problems(files) == []
    assert checkov_problems(tmp_path, UNCHECKED) == []


@pytest.mark.engine("kustomize")
@pytest.mark.engine("lint")
def test_overlays__pass_checkov(tmp_path: Path) -> None:
    write(emitted(everything()), tmp_path)
    built = kustomize_build(tmp_path / "k8s/overlays/prod")
    file = tmp_path / "built" / "all.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump_all(built))
    assert checkov_problems(file.parent, {}) == []


# ------------------------------------------------------------------ overlays


def environments() -> tuple[Application, ...]:
    """Three environments that differ in all that an overlay can say."""
    whole = in_images(everything())
    (pipeline, *rest) = whole.pipelines
    first = replace(
        whole, environment=Environment(name="dev", namespace="churn-dev", store="s3://dev/x")
    )
    script = next(s for s in pipeline.steps if s.id == "prepare")
    bigger = replace(script, timeout=None, env=(), image=replace(IMAGE, reference="b@sha256:1"))
    fewer = replace(
        pipeline, steps=tuple(bigger if s.id == "prepare" else s for s in pipeline.steps)
    )
    second = replace(
        _written(whole),
        environment=replace(
            whole.environment,
            name="staging",
            after="dev",
            namespace=None,
            store=None,
            identity=(("aws_role", "arn:aws:iam::1:role/x"),),
        ),
        data=tuple(replace(d, source=d.source or f"s3://lake/{d.id}/") for d in whole.data),
        pipelines=_written(replace(whole, pipelines=(fewer,))).pipelines,
    )
    third = replace(
        whole,
        environment=replace(whole.environment, name="prod", after="staging", namespace="churn"),
        pipelines=(pipeline, replace(pipeline, id="other"), *rest),
    )
    return first, second, third


def settled(found: list[dict[str, Any]], namespace: str, instance: str) -> dict[Any, Any]:
    """Return objects by kind and name, as an overlay should give them."""
    made = {}
    for one in found:
        metadata = {
            **one["metadata"],
            "namespace": namespace,
            "labels": {**one["metadata"]["labels"], "app.kubernetes.io/instance": instance},
        }
        settled_one = {**one, "metadata": metadata}
        if "subjects" in one:
            settled_one["subjects"] = [{**s, "namespace": namespace} for s in one["subjects"]]
        made[one["kind"], one["metadata"]["name"]] = settled_one
    return made


@pytest.mark.engine("kustomize")
def test_overlays__build_to_exactly_what_each_environment_alone_gives(tmp_path: Path) -> None:
    apps = environments()
    write(emitted(*apps), tmp_path)
    for app in apps:
        alone = objects(emitted(app))
        (overlay,) = model_of(app).overlays
        name = app.environment.name
        built = kustomize_build(tmp_path / "k8s" / "overlays" / name)
        found = {(one["kind"], one["metadata"]["name"]): one for one in built}
        assert found == settled(alone, overlay.namespace, name)


@pytest.mark.engine("kustomize")
def test_overlays__one_environment_has_a_base_and_an_overlay(tmp_path: Path) -> None:
    artifacts = emitted(everything())
    write(artifacts, tmp_path)
    assert [a.path for a in artifacts if "overlays" in a.path] == [
        "k8s/overlays/prod/kustomization.yaml"
    ]
    built = kustomize_build(tmp_path / "k8s/overlays/prod")
    assert len(built) == len(objects(artifacts))
