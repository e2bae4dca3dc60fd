"""ML604: models and images that run code of others, or may change, are pinned."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes import security as codes
from mlspec.diagnostics.model import Diagnostic, Severity
from mlspec.ir.model import Application
from mlspec.source import Origin
from mlspec.spec.nouns import ModelSpec

_PICKLES = frozenset({"pickle", "joblib"})
_PICKLED = re.compile(r"\.(?:pkl|pickle|joblib)(?:[@?#]|\Z)", re.IGNORECASE)
_PINNED = re.compile(r"@sha256:[0-9a-f]{64}|@[0-9a-f]{40}\b|[?#&]sha256=[0-9a-f]{64}")
_OURS = ("file:", "models:")
_MOVING = ("hf:", "oci:", "http:", "https:")


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield sources of models that may run anything, or may change."""
    for model in catalogue.nouns.models:
        yield from _source(model, is_last=is_last(catalogue))


def is_last(catalogue: Catalogue) -> bool:
    """Return whether an environment is production: it comes after another, and nothing after it."""
    environments = catalogue.spec.environments
    mine = next((one for one in environments if one.name == catalogue.environment), None)
    followed = {one.after.text for one in environments if one.after is not None}
    return mine is not None and mine.after is not None and mine.name not in followed


def _source(model: ModelSpec, *, is_last: bool) -> Iterator[Diagnostic]:
    source = model.source
    if source is None or source.text.startswith(_OURS):
        return
    pinned = _PINNED.search(source.text) is not None
    named = model.format.text if model.format is not None else ""
    if named in _PICKLES or _PICKLED.search(source.text):
        how = "comes from elsewhere" if pinned else "comes from elsewhere and may change"
        yield Diagnostic(
            code=codes.UNSAFE_ARTEFACT,
            message=f"`{model.id}` is a pickle, which runs code when it is loaded, and {how}",
            at=source.at,
            help=("convert it to ONNX, safetensors or skops",)
            if pinned
            else ("pin it with `@sha256:…`, and better convert it to ONNX, safetensors or skops",),
            severity_override=None if pinned else Severity.ERROR,
        )
    elif not pinned and is_last and source.text.startswith(_MOVING):
        yield _unpinned(f"the model `{model.id}`", source.at)


def check_images(catalogue: Catalogue, application: Application) -> Iterator[Diagnostic]:
    """Yield images of production steps that may change, each once."""
    if not is_last(catalogue):
        return
    seen: set[str] = set()
    for pipeline in application.pipelines:
        for step in pipeline.all_steps:
            image = step.image
            if image is None or image.build is not None or image.reference in seen:
                continue
            seen.add(image.reference)
            if "@sha256:" not in image.reference:
                yield _unpinned(f"the image `{image.reference}`", image.at)


def _unpinned(what: str, at: Origin) -> Diagnostic:
    return Diagnostic(
        code=codes.UNSAFE_ARTEFACT,
        message=f"{what} goes to production and may change: it has no digest",
        at=at,
        help=("write it with `@sha256:…`",),
    )
