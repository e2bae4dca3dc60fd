"""Base and overlays: what several environments share, and what each one changes.

The base is the first environment's manifests without namespace. An overlay holds, for each object
that differs, a JSON merge patch (RFC 7386) from the base's object to the environment's, so that
building it yields exactly that environment's manifests. kustomize applies merge patches to custom
resources as they are, and to core kinds as strategic merge patches, which differ from them only in
lists with merge keys; ours have none that differ (checked with kustomize in the tests).
"""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.backends.kubernetes.model import Manifest, Overlay
from mlspec.ir.model import Json


def merge_diff(base: Json, wanted: Json) -> Json:
    """Return the JSON merge patch that turns `base` into `wanted`; `{}` when they are equal.

    Both are mappings at the top. A merge patch cannot set a value to null; manifests have none.
    """
    if not isinstance(base, Mapping) or not isinstance(wanted, Mapping):
        return wanted
    patch: dict[str, Json] = {}
    for key, value in wanted.items():
        if key not in base:
            patch[key] = value
        elif base[key] != value:
            patch[key] = merge_diff(base[key], value)
    for key in base:
        if key not in wanted:
            patch[key] = None
    return patch


def merge_apply(base: Json, patch: Json) -> Json:
    """Return `base` with a JSON merge patch applied (RFC 7386, section 2)."""
    if not isinstance(patch, Mapping):
        return patch
    made: dict[str, Json] = dict(base) if isinstance(base, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merge_apply(made.get(key), value)
    return made


def overlay_of(
    environment: str, namespace: str, base: tuple[Manifest, ...], wanted: tuple[Manifest, ...]
) -> Overlay:
    """Return what an environment changes."""
    known = {manifest.identity: manifest for manifest in base}
    mine = {manifest.identity: manifest for manifest in wanted}
    patches = []
    for identity, manifest in mine.items():
        if identity not in known:
            continue
        patch = merge_diff(dict(known[identity].data), dict(manifest.data))
        if patch and isinstance(patch, dict):
            patches.append(
                Manifest(data=patch, file=manifest.file, pipeline=manifest.pipeline)
                if "kind" in patch
                else _addressed(patch, manifest)
            )
    return Overlay(
        environment=environment,
        namespace=namespace,
        patches=tuple(patches),
        added=tuple(m for identity, m in mine.items() if identity not in known),
        removed=tuple(m for identity, m in known.items() if identity not in mine),
    )


def _addressed(patch: Mapping[str, Json], manifest: Manifest) -> Manifest:
    """Return a patch that says which object it changes."""
    metadata = patch.get("metadata")
    rest = {key: value for key, value in patch.items() if key != "metadata"}
    data: dict[str, Json] = {
        "apiVersion": manifest.data["apiVersion"],
        "kind": manifest.kind,
        "metadata": {"name": manifest.name, **(metadata if isinstance(metadata, dict) else {})},
        **rest,
    }
    return Manifest(data=data, file=manifest.file, pipeline=manifest.pipeline)
