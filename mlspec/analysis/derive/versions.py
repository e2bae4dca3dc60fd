"""Which models have versions of their own, and which are only made as a part of others."""

from __future__ import annotations

from mlspec.analysis.catalogue import Catalogue
from mlspec.spec.nouns import ModelSpec


def has_pipeline(model: ModelSpec, catalogue: Catalogue) -> bool:
    """Whether a model has versions of its own: gated, retrained, served, or used by no other."""
    if model.train is not None and model.train.pipeline is not None:
        return False  # its steps stand behind those of the pipeline that trains it
    if model.promote is not None or model.retrain is not None:
        return True
    return model.id in _served(catalogue) or model.id not in _used(catalogue)


def _served(catalogue: Catalogue) -> set[str]:
    found: set[str] = set()
    for service in catalogue.nouns.services:
        found.add(service.model.text)
        found.update(variant.model.text for variant in service.variants)
        if service.fallback is not None:
            found.add(service.fallback.text)
    return found


def _used(catalogue: Catalogue) -> set[str]:
    found: set[str] = set()
    for model in catalogue.nouns.models:
        if model.ensemble is not None:
            found.update(member.text for member in model.ensemble.members)
        if model.train is not None and model.train.base is not None:
            found.add(model.train.base.text)
        if model.baseline is not None:
            found.add(model.baseline.text)
    return found
