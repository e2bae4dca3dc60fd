"""Run settings: the nearest level wins key by key; `env` and `secrets` merge by name (C2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from mlspec.ir.model import Build, Compute, Image, Json
from mlspec.source import Origin
from mlspec.spec.model import SettingsSpec


def merge_settings(*levels: SettingsSpec) -> SettingsSpec:
    """Return one level from several, farthest first."""
    merged = levels[0]
    for level in levels[1:]:
        # Both are variables of one process: the nearer level wins whichever it uses.
        near = {name for name, _ in (*level.env, *level.secrets)}
        env = {name: value for name, value in merged.env if name not in near}
        secrets = {name: value for name, value in merged.secrets if name not in near}
        env.update(level.env)
        secrets.update(level.secrets)
        has_image = level.image is not None or level.build is not None
        merged = replace(
            merged,
            image=level.image if has_image else merged.image,
            build=level.build if has_image else merged.build,
            env=tuple(sorted(env.items())),
            secrets=tuple(sorted(secrets.items())),
            resources=level.resources or merged.resources,
            timeout=level.timeout if level.timeout is not None else merged.timeout,
            retry=level.retry or merged.retry,
            native=_merge_native(merged.native, level.native),
        )
    return merged


def _merge_native(far: Mapping[str, Json], near: Mapping[str, Json]) -> Mapping[str, Json]:
    """Merge `native` per target and key; the nearer one wins."""
    if not far or not near:
        return near or far
    merged: dict[str, Json] = dict(far)
    for target, keys in near.items():
        old = merged.get(target)
        both = isinstance(old, dict) and isinstance(keys, dict)
        merged[target] = {**old, **keys} if both else keys  # type: ignore[dict-item]
    return MappingProxyType(merged)


def image_of(settings: SettingsSpec, app: str, compute: Compute | None, at: Origin) -> Image | None:
    """Return the image of a step, or None when it runs in a process.

    A build's image is named by what it is made from, until `mlspec.lock` knows its digest. Where
    steps run in containers, a step without an image gets the project's own: the checkout on a
    plain base (docs/adr/0004).
    """
    if settings.image is not None:
        return Image(reference=settings.image.text, at=settings.image.at)
    if settings.build is not None:
        build, place = settings.build
    elif compute in (Compute.DOCKER, Compute.KUBERNETES):
        build, place = Build(), at
    else:
        return None
    return Image(reference=f"{app}:build-{build_digest(build)}", build=build, at=place)


def build_digest(build: Build) -> str:
    """Return twelve hexadecimal digits that name a build block."""
    data = [build.dockerfile, build.python, build.requirements, build.conda, list(build.system)]
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:12]
