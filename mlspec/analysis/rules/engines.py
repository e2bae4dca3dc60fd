"""ML701 to ML703: engines are asked for what they can do."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes import resources as codes
from mlspec.diagnostics.model import Diagnostic, Label, Severity
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.model import Resources
from mlspec.spec.model import Located, SettingsSpec

_NO_GPU = frozenset({"scikit-learn", "statsmodels", "prophet", "pandas", "flink"})
_ONE_PROCESS = frozenset({"scikit-learn", "statsmodels", "prophet", "pandas"})
_FRAMES = frozenset({"pandas", "polars", "duckdb"})
_CANNOT = {
    "training": _FRAMES | {"flink"},
    "stream": _FRAMES | {"dask"},
    "online": _FRAMES | {"spark", "dask"},
}
"""What is certain: a processor of tables trains nothing, one of batches answers no requests."""

_TRAINERS = (
    "scikit-learn",
    "xgboost",
    "lightgbm",
    "catboost",
    "pytorch",
    "tensorflow",
    "keras",
    "jax",
    "statsmodels",
    "prophet",
)
_PROCESSORS = ("spark", "flink", "ray", "dask", "pandas", "polars", "duckdb")
KNOWN = (*_TRAINERS, *_PROCESSORS)
"""Engines that mlspec knows."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield engines that cannot use what they get, or cannot do what they are asked for."""
    for role, holder, engine, settings in _uses(catalogue):
        resources = settings.resources
        yield from _able(role, engine, settings)
        if resources is not None:
            yield from _resources(holder, engine, resources)


def _uses(catalogue: Catalogue) -> Iterator[tuple[str, str, Located, SettingsSpec]]:
    nouns = catalogue.nouns
    for model in nouns.models:
        train = model.train
        if train is not None and train.engine is not None:
            yield "training", model.id, train.engine, train.block.settings
    for feature in nouns.features:
        if feature.engine is not None:
            yield "features", feature.id, feature.engine, feature.settings
    for service in nouns.services:
        if service.engine is not None:
            yield service.mode, service.id, service.engine, service.settings


def _resources(holder: str, engine: Located, resources: Resources) -> Iterator[Diagnostic]:
    if resources.gpu and engine.text in _NO_GPU:
        yield Diagnostic(
            code=codes.GPU_UNUSED,
            message=f"`{engine.text}` cannot use accelerators",
            at=resources.at / "gpu",
            label=f"asked for by `{holder}`",
            labels=(Label(engine.at, "the engine"),),
            help=("remove `gpu`, or train with an engine that has a use for it",),
        )
    workers = resources.workers or 1
    if workers > 1 and engine.text in _ONE_PROCESS:
        yield Diagnostic(
            code=codes.WORKERS_UNUSED,
            message=f"`{engine.text}` works in one process: {workers - 1} of {workers} workers"
            " would have nothing to do",
            at=resources.at / "workers",
            label=f"asked for by `{holder}`",
            labels=(Label(engine.at, "the engine"),),
            help=("write `cpu` instead of `workers`",),
        )


def _able(role: str, engine: Located, settings: SettingsSpec) -> Iterator[Diagnostic]:
    unable = _CANNOT.get(role, frozenset())
    if engine.text in unable:
        doing = "train a model" if role == "training" else f"serve in mode `{role}`"
        fitting = _TRAINERS if role == "training" else _PROCESSORS
        listed = ", ".join(f"`{name}`" for name in fitting if name not in unable)
        yield Diagnostic(
            code=codes.ENGINE_UNFIT,
            message=f"`{engine.text}` cannot {doing}",
            at=engine.at,
            help=(f"there are {listed}",),
        )
        return
    if engine.text in KNOWN or settings.image is not None or settings.build is not None:
        return
    guess = nearest(engine.text, KNOWN)
    yield Diagnostic(
        code=codes.ENGINE_UNFIT,
        message=f"the engine `{engine.text}` is not known",
        at=engine.at,
        label=f"did you mean `{guess}`?" if guess else "",
        help=() if guess else ("bring it in an `image` of your own",),
        severity_override=Severity.WARNING,
    )
