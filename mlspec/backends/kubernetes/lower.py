"""Applications, one for each environment, to manifests: a base and one overlay for each.

Input: IR that passed the capability check. Output: `KubernetesModel`, and what only the limits of
Argo show (`ML09x`). The base is what the first environment emits; see `overlays`.
"""

from __future__ import annotations

import json

from mlspec.backends.base import LowerOptions
from mlspec.backends.kubernetes.model import KubernetesModel, Manifest
from mlspec.backends.kubernetes.objects import limits_object, repository_object, shared_objects
from mlspec.backends.kubernetes.overlays import overlay_of
from mlspec.backends.kubernetes.store import Store, store_of
from mlspec.backends.kubernetes.triggers import started_by_data
from mlspec.backends.kubernetes.workflows import lower_pipeline
from mlspec.diagnostics.codes.targets import NO_STORE, TARGET_LIMIT
from mlspec.diagnostics.model import Diagnostic, Result, has_errors
from mlspec.ir.model import Application, Pipeline


def lower(applications: tuple[Application, ...], options: LowerOptions) -> Result[KubernetesModel]:
    """Lower applications (one for each environment, the first gives the base)."""
    found: list[Diagnostic] = []
    environments = []
    for app in applications:
        store = store_of(app)
        if store is None:
            found.append(_bad_store(app))
            continue
        manifests, diagnostics = _manifests(app, options, store)
        found.extend(diagnostics)
        environments.append((app, manifests))
    if has_errors(found) or not environments:
        return Result(None, tuple(dict.fromkeys(found)))
    base = environments[0][1]
    overlays = tuple(
        overlay_of(app.environment.name, namespace_of(app), base, manifests)
        for app, manifests in environments
    )
    model = KubernetesModel(spec_path=options.spec_path, base=base, overlays=overlays)
    return Result(model, tuple(dict.fromkeys(found)))


def namespace_of(app: Application) -> str:
    """Return an environment's namespace: its own, or one that no other environment gets."""
    environment = app.environment
    if environment.namespace is not None:
        return environment.namespace
    return app.name if environment.name == "default" else f"{app.name}-{environment.name}"


def _bad_store(app: Application) -> Diagnostic:
    return Diagnostic(
        code=NO_STORE,
        message=f"pods cannot share the store `{app.environment.store}` of"
        f" `{app.environment.name}`",
        at=app.environment.at / "store",
        help=(
            "use `s3://bucket/prefix` or `gs://bucket/prefix`",
            "or no `store`, for the artifact repository of the cluster",
        ),
    )


def _manifests(
    app: Application, options: LowerOptions, store: Store
) -> tuple[tuple[Manifest, ...], list[Diagnostic]]:
    found: list[Diagnostic] = []
    made: list[Manifest] = []
    limits: dict[str, str] = {}
    for pipeline in app.pipelines:
        found.extend(_check_data_triggers(pipeline, app))
        manifests, more, diagnostics = lower_pipeline(app, pipeline, options, store)
        made.extend(manifests)
        limits |= more
        found.extend(diagnostics)
    starts = any(started_by_data(pipeline, app) for pipeline in app.pipelines)
    shared = list(shared_objects(app, starts))
    repository = store.repository()
    if repository is not None:
        shared.append(repository_object(app, json.dumps(repository, indent=2) + "\n"))
    if limits:
        shared.append(limits_object(app, limits))
    return (*shared, *made), found


def _check_data_triggers(pipeline: Pipeline, app: Application) -> list[Diagnostic]:
    wanted = pipeline.triggers
    if len(wanted.data) > 1:
        message = (
            f"`{pipeline.id}` waits for new versions of several data nouns, and Argo Workflows has"
            " no memory of which ones came"
        )
        advice = "trigger it by one of them, or use another target"
    elif wanted.data and wanted.every is None and not started_by_data(pipeline, app):
        message = f"no pipeline here writes `{wanted.data[0]}`, so nothing starts `{pipeline.id}`"
        advice = "give it a `schedule`"
    else:
        return []
    return [Diagnostic(code=TARGET_LIMIT, message=message, at=wanted.at, help=(advice,))]
