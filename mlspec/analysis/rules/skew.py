"""ML211: what training computes, serving can compute from what it has."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes import models as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.spec.nouns import FeatureSpec, ModelSpec, ServiceSpec

_LIVE = frozenset({"online", "stream"})
_STREAMS = ("kafka:", "kinesis:", "pubsub:", "pulsar:", "nats:", "eventhubs:", "mqtt:", "amqp:")


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield features that a service cannot compute as training did, each once."""
    seen: set[tuple[str, str]] = set()
    for service in catalogue.nouns.services:
        for feature in _features(catalogue, service):
            for finding in _of_service(catalogue, service, feature):
                key = (finding.message, feature.id)
                if key not in seen:
                    seen.add(key)
                    yield finding
    for feature in catalogue.nouns.features:
        yield from _stream(catalogue, feature)


def served_models(catalogue: Catalogue, service: ServiceSpec) -> tuple[ModelSpec, ...]:
    """Return the models that answer, or see, requests of a service, each once."""
    names = [service.model.text, *(variant.model.text for variant in service.variants)]
    if service.fallback is not None:
        names.append(service.fallback.text)
    found = (catalogue.models.get(name) for name in dict.fromkeys(names))
    return tuple(one for one in found if one is not None)


def _features(catalogue: Catalogue, service: ServiceSpec) -> tuple[FeatureSpec, ...]:
    found = {
        feature.id: feature
        for model in served_models(catalogue, service)
        for feature in catalogue.model_features(model)
    }
    return tuple(found.values())


def _of_service(
    catalogue: Catalogue, service: ServiceSpec, feature: FeatureSpec
) -> Iterator[Diagnostic]:
    if feature.key and service.mode in _LIVE and feature.online is None:
        yield Diagnostic(
            code=codes.SKEW,
            message=f"`{service.id}` answers at once, and `{feature.id}` is an aggregate that it"
            " cannot look up",
            at=feature.at.key(),
            labels=(Label(service.model.at, f"served by `{service.id}`"),),
            help=("write `online: {refresh: batch, ttl: 7d}` in the feature",),
        )
    sent = {name.text for name in service.input}
    if sent and not feature.key and service.mode == "online" and feature.id not in sent:
        yield Diagnostic(
            code=codes.SKEW,
            message=f"`{service.id}` gets no `{feature.id}`: the caller does not send it, and it"
            " is not looked up",
            at=service.input[0].at,
            labels=(Label(feature.at.key(), "the feature"),),
            help=(f"add `{feature.id}` to `input`",),
        )
    if service.data is not None and not feature.key:
        yield from _rows(catalogue, service, feature)


def _rows(catalogue: Catalogue, service: ServiceSpec, feature: FeatureSpec) -> Iterator[Diagnostic]:
    """Yield columns that a feature reads and that the scored rows lack, or have otherwise."""
    assert service.data is not None  # noqa: S101  asked by the caller; for the type checker
    rows = {column.name: column for column in catalogue.columns(service.data.text)}
    if not rows:
        return
    models = served_models(catalogue, service)
    of_rows = {catalogue.rows_from(model) for model in models}
    for read in catalogue.reads(feature):
        if read.data.text == service.data.text or read.data.text not in of_rows:
            continue  # scored as they are, or joined from elsewhere
        for name in read.columns or ():
            mine, its = catalogue.column(read.data.text, name.text), rows.get(name.text)
            if mine is None:
                continue
            if its is None:
                reason = "do not have"
            elif its.facts.type != mine.facts.type:
                reason = f"have as `{its.facts.type}` and not as `{mine.facts.type}`"
            else:
                continue
            yield Diagnostic(
                code=codes.SKEW,
                message=f"`{feature.id}` reads `{name.text}`, which the rows of"
                f" `{service.data.text}` {reason}",
                at=service.data.at,
                labels=(Label(mine.at.key(), f"declared in `{read.data.text}`"),),
                help=(f"write `like: {read.data.text}` in `{service.data.text}`",),
            )


def _stream(catalogue: Catalogue, feature: FeatureSpec) -> Iterator[Diagnostic]:
    """Yield a feature kept fresh by a stream that does not exist."""
    online = feature.online
    if online is None or online.refresh != "stream":
        return
    sources = {data.id: data.source for data in catalogue.spec.data}
    for read in feature.reads:
        alike = [
            other.id
            for other in catalogue.nouns.data
            if other.id == read.data.text
            or [one.facts for one in catalogue.columns(other.id)]
            == [one.facts for one in catalogue.columns(read.data.text)]
        ]
        texts = [source.text for name in alike if (source := sources.get(name)) is not None]
        if read.data.text in sources and not any(text.startswith(_STREAMS) for text in texts):
            yield Diagnostic(
                code=codes.SKEW,
                message=f"`{feature.id}` is refreshed by a stream, and `{read.data.text}` comes in"
                " batches",
                at=online.at / "refresh",
                labels=(Label(read.data.at, "read from here"),),
                help=(
                    f"declare the stream as data `like: {read.data.text}`, or write"
                    " `refresh: batch`",
                ),
            )
