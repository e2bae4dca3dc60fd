"""Judges of emitted Kubernetes manifests: schemas, Argo's validator, kustomize, references.

Each function returns a list of problems in words; empty: none. Those that start another program
need an engine of tests/engines/install.sh (`argo`, `kustomize`, `lint`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

ENGINES = Path(
    os.environ.get("MLSPEC_ENGINES")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec-engines"
)
ARGO_VALIDATE = ENGINES / "argo" / "argo-validate"
KUSTOMIZE = ENGINES / "kustomize" / "kustomize"
LINT = ENGINES / "lint" / "bin"

_CRDS = Path(__file__).parent / "crds"
_CORE = frozenset({"rbac.authorization.k8s.io"})
"""Groups of Kubernetes itself."""

Object = dict[str, Any]


def write(artifacts: Iterable[Any], folder: Path) -> list[Path]:
    """Write artifacts below a folder; returns the files."""
    files = []
    for artifact in artifacts:
        file = folder / artifact.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(artifact.text, encoding="utf-8")
        files.append(file)
    return files


def objects(artifacts: Iterable[Any], below: str = "k8s/base/") -> list[Object]:
    """Return the objects in artifacts, as a YAML 1.1 reader sees them, without kustomizations."""
    return [
        document
        for artifact in artifacts
        if artifact.path.startswith(below)
        for document in yaml.safe_load_all(artifact.text)
        if document["kind"] != "Kustomization"
    ]


# ------------------------------------------------------------------ custom resource schemas


def _strict(schema: Any) -> Any:
    """Return a schema that refuses unknown fields, as Kubernetes would drop them."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items() if not key.startswith("x-")}
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    closed = "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields")
    if closed and isinstance(schema["properties"], dict) and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


@cache
def _validator(kind: str, version: str) -> Draft7Validator:
    text = (_CRDS / f"{kind.lower()}_{version}.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    return Draft7Validator({"type": "object", **_strict(schema)})


def created(template: Object) -> Object | None:
    """Return the object that a `resource` template creates; patches are none."""
    asked = template.get("resource", {})
    return json.loads(asked["manifest"]) if asked.get("action") == "create" else None


def _with_created(found: Iterable[Object]) -> Iterator[Object]:
    for one in found:
        yield one
        templates = one["spec"]["templates"] if one["kind"] == "WorkflowTemplate" else ()
        for template in templates:
            made = created(template)
            if made is not None:
                yield {**made, "metadata": {"name": template["name"], **made["metadata"]}}


def schema_problems(found: Iterable[Object]) -> list[str]:
    """Check custom resources against their schemas, unknown fields being errors."""
    problems = []
    for one in _with_created(found):
        group, slash, version = one["apiVersion"].partition("/")
        if not slash or group in _CORE:
            continue
        for error in _validator(one["kind"], version).iter_errors(one):
            place = "/".join(str(step) for step in error.absolute_path)
            problems.append(f"{one['kind']} {one['metadata']['name']}: {place}: {error.message}")
    return problems


# ------------------------------------------------------------------ other programs


def argo_problems(files: Iterable[Path]) -> list[str]:
    """Ask Argo's own validator."""
    run = subprocess.run(
        [str(ARGO_VALIDATE), *(str(file) for file in files)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = [json.loads(line) for line in run.stdout.splitlines()]
    problems = [f"{t['kind']} {t['name']}: {t['error']}" for t in told if t["status"] == "error"]
    return problems or ([run.stderr] if run.returncode else [])


def core_problems(files: Iterable[Path]) -> list[str]:
    """Check core kinds against the schemas of Kubernetes, strictly."""
    run = subprocess.run(
        [str(LINT / "kubernetes-validate"), "--strict", "--no-warn", "--quiet"]
        + [str(file) for file in files],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return [] if run.returncode == 0 else [run.stdout + run.stderr]


def checkov_problems(folder: Path, skip: Mapping[str, str]) -> list[str]:
    """Ask checkov about the security of manifests.

    Args:
        folder: what to read.
        skip: rules that do not apply, each with the reason.
    """
    run = subprocess.run(
        [
            str(LINT / "checkov"),
            "--skip-download",
            "--quiet",
            "--compact",
            "--framework",
            "kubernetes",
            "-o",
            "json",
            "-d",
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = json.loads(run.stdout)
    if "results" not in told:
        assert told.get("parsing_errors", 0) == 0, told
        return []
    return sorted(
        {
            f"{check['check_id']} {check['check_name']}: {check['resource']}"
            for check in told["results"]["failed_checks"]
            if check["check_id"] not in skip
        }
    )


def kustomize_build(folder: Path) -> list[Object]:
    """Build an overlay with the real kustomize."""
    run = subprocess.run(
        [str(KUSTOMIZE), "build", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [document for document in yaml.safe_load_all(run.stdout) if document is not None]


# ------------------------------------------------------------------ references

_PARAMETER = re.compile(r"\{\{inputs\.parameters\.([-\w]+)\}\}")
_LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def reference_problems(found: Iterable[Object]) -> list[str]:
    """Check what no schema sees: that names are valid and that what is named exists."""
    everything = list(found)
    named = {(one["kind"], one["metadata"]["name"]) for one in everything}
    keys = {
        one["metadata"]["name"]: set(one.get("data", {}))
        for one in everything
        if one["kind"] == "ConfigMap"
    }
    problems = []
    if len(named) != len(everything):
        problems.append("two objects have the same kind and name")
    for one in everything:
        problems += list(_names(one))
        if one["kind"] == "WorkflowTemplate":
            problems += list(_template_references(one["spec"], named, keys))
        if one["kind"] == "CronWorkflow":
            target = one["spec"]["workflowSpec"]["workflowTemplateRef"]["name"]
            if ("WorkflowTemplate", target) not in named:
                problems.append(f"CronWorkflow names {target}")
        if one["kind"] == "RoleBinding":
            wanted = [("Role", one["roleRef"]["name"])]
            wanted += [(s["kind"], s["name"]) for s in one["subjects"]]
            problems += [f"RoleBinding names {w}" for w in wanted if w not in named]
    return problems


def _names(one: Object) -> Iterator[str]:
    metadata = one["metadata"]
    if len(metadata["name"]) > 253 or not _NAME.fullmatch(metadata["name"]):
        yield f"bad name {metadata['name']}"
    for key, value in metadata.get("labels", {}).items():
        if not isinstance(value, str) or len(value) > 63 or not _LABEL.fullmatch(value):
            yield f"bad label {key}={value}"


def _template_references(
    spec: Object, named: set[tuple[str, str]], keys: Mapping[str, set[str]]
) -> Iterator[str]:
    for account in (spec["serviceAccountName"], spec["executor"]["serviceAccountName"]):
        if ("ServiceAccount", account) not in named:
            yield f"service account {account} does not exist"
    token = f"{spec['executor']['serviceAccountName']}.service-account-token"
    if ("Secret", token) not in named:
        yield f"the executor's token {token} does not exist"
    repository = spec.get("artifactRepositoryRef")
    if repository and repository["key"] not in keys.get(repository["configMap"], ()):
        yield f"artifact repository {repository} does not exist"
    names = [template["name"] for template in spec["templates"]]
    yield from (f"template {name} is there twice" for name in set(names) if names.count(name) > 1)
    used = {spec["entrypoint"], spec.get("onExit")}
    for template in spec["templates"]:
        for task in template.get("dag", {}).get("tasks", []):
            used.add(task["template"])
            yield from _argument_problems(task, spec)
        yield from _container_problems(template, keys)
        yield from _limit_problems(template, keys)
    # Gates are always there; a pipeline may need none.
    unused = {t["name"] for t in spec["templates"] if "suspend" not in t} - used
    yield from (f"template {name} is not used" for name in sorted(unused))


def _argument_problems(task: Object, spec: Object) -> Iterator[str]:
    template = next((t for t in spec["templates"] if t["name"] == task["template"]), None)
    if template is None:
        yield f"task {task['name']} names template {task['template']}"
        return
    given = {p["name"] for p in task.get("arguments", {}).get("parameters", [])}
    declared = template.get("inputs", {}).get("parameters", [])
    required = {p["name"] for p in declared if "default" not in p and "valueFrom" not in p}
    if given != required:
        yield f"task {task['name']} gives {sorted(given)}, its template takes {sorted(required)}"


def _container_problems(template: Object, keys: Mapping[str, set[str]]) -> Iterator[str]:
    container = template.get("container")
    if container is None:
        return
    name = template["name"]
    volumes = {volume["name"]: volume for volume in template.get("volumes", [])}
    mounts = container.get("volumeMounts", [])
    paths = [mount["mountPath"] for mount in mounts]
    if len(set(paths)) != len(paths):
        yield f"{name}: a path is mounted twice"
    yield from (f"{name}: no volume {m['name']}" for m in mounts if m["name"] not in volumes)
    for volume in volumes.values():
        wanted = volume.get("configMap")
        for item in wanted["items"] if wanted else ():
            if item["key"] not in keys.get(wanted["name"], ()):
                yield f"{name}: ConfigMap {wanted['name']} has no {item['key']}"
    variables = [variable["name"] for variable in container.get("env", [])]
    if len(set(variables)) != len(variables):
        yield f"{name}: a variable is set twice"
    for variable in container.get("env", []):
        wanted = variable.get("valueFrom", {}).get("configMapKeyRef")
        if wanted and wanted["key"] not in keys.get(wanted["name"], ()):
            yield f"{name}: ConfigMap {wanted['name']} has no {wanted['key']}"
    declared = {p["name"] for p in template.get("inputs", {}).get("parameters", [])}
    used = set(_PARAMETER.findall(json.dumps(template)))
    yield from (f"{name}: parameter {one} is not declared" for one in sorted(used - declared))
    yield from _artifact_problems(template, paths)


def _artifact_problems(template: Object, mounted: list[str]) -> Iterator[str]:
    for side in ("inputs", "outputs"):
        found = template.get(side, {}).get("artifacts", [])
        names = [one["name"] for one in found]
        if len(set(names)) != len(names):
            yield f"{template['name']}: two {side} have one name"
        for one in found:
            absolute = one["path"].startswith("/")
            inside = any(one["path"].startswith(f"{path}/") for path in mounted)
            if absolute and not inside:
                yield f"{template['name']}: {one['path']} lies in no volume"


def _limit_problems(template: Object, keys: Mapping[str, set[str]]) -> Iterator[str]:
    for semaphore in template.get("synchronization", {}).get("semaphores", []):
        wanted = semaphore["configMapKeyRef"]
        if wanted["key"] not in keys.get(wanted["name"], ()):
            yield f"{template['name']}: no limit {wanted}"
