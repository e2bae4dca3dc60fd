"""`native.kubernetes.pod`: a closed list of pod settings, merged into a step's template.

Argo makes the pod, so the merge is into the fields of the template that become the pod's. What a
proof or the identity of a pod rests on is not in the list: image, command, service account,
security, our labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from mlspec.backends.kubernetes.context import PipelineContext
from mlspec.backends.kubernetes.quoting import reads_as_argo
from mlspec.diagnostics.codes.targets import BAD_NATIVE
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Json, Step

_SAME_NAME = ("nodeSelector", "tolerations", "affinity", "priorityClassName")
_MAPS = ("nodeSelector", "affinity", "labels", "annotations")
_LISTS = ("tolerations", "volumes", "initContainers", "containers")
_TEXTS = ("priorityClassName", "runtimeClassName")

POD_KEYS = (*_MAPS, *_LISTS, *_TEXTS)
"""Keys that `native.kubernetes.pod` may have."""

_OUR_VOLUMES = (
    "mlspec",
    "script",
    "mlspec-store",
    "tmp",
    "var-run-argo",
    "input-artifacts",
    "argo-staging",
)
_OUR_CONTAINERS = ("main", "wait", "init", "supervisor")
_OUR_PREFIXES = ("app.kubernetes.io/", "workflows.argoproj.io/", "mlspec/")


def merge_pod(template: dict[str, Json], step: Step, ctx: PipelineContext) -> dict[str, Json]:
    """Return a template with a step's `native.kubernetes.pod` merged in."""
    native = step.native.get("kubernetes")
    pod = native.get("pod") if isinstance(native, Mapping) else None
    if not isinstance(pod, Mapping) or not pod:
        return template
    if not _is_allowed(pod, step, ctx):
        return template
    made = dict(template)
    for key in _SAME_NAME:
        if key in pod:
            made[key] = pod[key]
    metadata: dict[str, Json] = {k: pod[k] for k in ("labels", "annotations") if k in pod}
    if metadata:
        made["metadata"] = metadata
    if "volumes" in pod:
        made["volumes"] = [*_list(template.get("volumes")), *_list(pod["volumes"])]
    if "initContainers" in pod:
        made["initContainers"] = pod["initContainers"]
    if "containers" in pod:
        made["sidecars"] = pod["containers"]
    if "runtimeClassName" in pod:
        # The template has no field for it; the patch is JSON, which Argo reads as a template text.
        made["podSpecPatch"] = json.dumps({"runtimeClassName": pod["runtimeClassName"]})
    container = made.pop("container")
    return {**made, "container": container}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _is_allowed(pod: Mapping[str, Json], step: Step, ctx: PipelineContext) -> bool:
    problems = [
        *(
            f"`pod.{key}` is not among the keys that may be set"
            for key in pod
            if key not in POD_KEYS
        ),
        *(f"`pod.{key}` must be a mapping" for key in _MAPS if not _has(pod, key, dict)),
        *(f"`pod.{key}` must be a list" for key in _LISTS if not _has(pod, key, list)),
        *(f"`pod.{key}` must be a string" for key in _TEXTS if not _has(pod, key, str)),
    ]
    if not problems:
        problems = [*_taken(pod)]
    if reads_as_argo(json.dumps(cast("Json", dict(pod)))):
        problems.append("`pod` contains `{{`, which Argo Workflows takes for a variable of its own")
    for problem in problems:
        ctx.found.append(
            Diagnostic(
                code=BAD_NATIVE,
                message=f"native settings of `{step.id}`: {problem}",
                at=step.at / "native" / "kubernetes" / "pod",
                help=(f"allowed: {', '.join(sorted(POD_KEYS))}",),
            )
        )
    return not problems


def _has(pod: Mapping[str, Json], key: str, kind: type) -> bool:
    return key not in pod or isinstance(pod[key], kind)


def _taken(pod: Mapping[str, Json]) -> list[str]:
    found = []
    for key in ("labels", "annotations"):
        names = pod.get(key, {})
        keys = names if isinstance(names, Mapping) else ()
        found += [f"`{name}` is ours to set" for name in keys if name.startswith(_OUR_PREFIXES)]
    for key, ours in (
        ("volumes", _OUR_VOLUMES),
        ("initContainers", _OUR_CONTAINERS),
        ("containers", _OUR_CONTAINERS),
    ):
        for item in _list(pod.get(key)):
            called = item.get("name") if isinstance(item, Mapping) else None
            if not isinstance(called, str) or not called:
                found.append(f"an item of `pod.{key}` has no name")
            elif called in ours:
                found.append(f"`{called}` in `pod.{key}` is a name that Argo or mlspec uses")
    return found
