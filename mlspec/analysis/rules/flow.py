"""ML602 and ML603: information goes no further, and stays no longer, than its source allows.

Classes form a line: public < internal < confidential < pii < special. What is computed has the
highest class of what it is computed from (Denning, Communications of the ACM 19, 1976);
`declassify` with a reason and a role is the only way down. A column without a class is public.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.skew import served_models
from mlspec.diagnostics.codes import security as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.source import Origin
from mlspec.spec.nouns import ColumnSpec, FeatureSpec, ModelSpec, ServiceSpec

CLASSES = ("public", "internal", "confidential", "pii", "special")
"""Classes of information, least sensitive first."""

_CLEARANCE = {"public": "public", "internal": "confidential", "private": "special"}
"""The highest class that callers of an endpoint may see."""

Level = tuple[int, Origin | None]
"""A class by rank, and the column that has it."""

_PUBLIC: Level = (0, None)


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield information that goes too far, and copies that are kept too long."""
    for feature in catalogue.nouns.features:
        source = _read(catalogue, feature)  # once: there may be hundreds of columns
        for output in feature.outputs:
            yield from _lowered(output, source, f"`{feature.id}`")
    for model in catalogue.nouns.models:
        source = _inputs(catalogue, model)
        for field in model.output:
            yield from _lowered(field, source, f"`{model.id}`")
    for service in catalogue.nouns.services:
        yield from _exposed(catalogue, service)
        yield from _log(catalogue, service)
    yield from _copies(catalogue)


def _own(column: ColumnSpec) -> Level:
    """Return the class that a column is written with, after `declassify`."""
    written = column.declassify[0] if column.declassify is not None else column.facts.sensitivity
    return (CLASSES.index(written), column.at.key()) if written in CLASSES else _PUBLIC


def _highest(levels: Iterator[Level]) -> Level:
    return max(levels, key=lambda level: level[0], default=_PUBLIC)


def _read(catalogue: Catalogue, feature: FeatureSpec) -> Level:
    """Return the class of what a feature is computed from."""
    columns = (
        catalogue.column(read.data.text, name.text)
        for read in catalogue.reads(feature)
        for name in read.columns or ()
    )
    return _highest(_own(column) for column in columns if column is not None)


def _computed(column: ColumnSpec, source: Level) -> Level:
    """Return the class of something computed: what is written, or that of its source."""
    if column.facts.sensitivity or column.declassify is not None:
        return _own(column)
    return source


def _inputs(catalogue: Catalogue, model: ModelSpec) -> Level:
    """Return the class of what a model reads."""
    outputs = (
        _computed(output, source)
        for feature in catalogue.model_features(model)
        for source in (_read(catalogue, feature),)
        for output in feature.outputs
    )
    fields = (_own(field) for one in catalogue.lineage(model) for field in one.fields)
    return _highest(iter((*outputs, *fields)))


def _answers(catalogue: Catalogue, model: ModelSpec) -> Level:
    """Return the class of what a model answers."""
    source = _inputs(catalogue, model)
    return _highest(_computed(field, source) for field in catalogue.output(model))


def _lowered(column: ColumnSpec, source: Level, holder: str) -> Iterator[Diagnostic]:
    """Yield a class that is written lower than what the value is computed from."""
    written = column.facts.sensitivity
    if not written or column.declassify is not None or CLASSES.index(written) >= source[0]:
        return
    higher = CLASSES[source[0]]
    yield Diagnostic(
        code=codes.INFORMATION_FLOW,
        message=f"`{column.name}` of {holder} is called `{written}` and computed from `{higher}`",
        at=column.at,
        labels=(Label(source[1], f"`{higher}` here"),) if source[1] is not None else (),
        help=(f"write `declassify: {{to: {written}, why: …, by: role}}`, or `{higher}`",),
    )


def _exposed(catalogue: Catalogue, service: ServiceSpec) -> Iterator[Diagnostic]:
    """Yield what callers of a service see and may not."""
    clearance = _CLEARANCE.get(service.expose or "")
    if clearance is None or service.model.text not in catalogue.models:
        return
    models = _answering(catalogue, service)
    seen = [("answers", [(one, _answers(catalogue, one)) for one in models], service.at / "expose")]
    if service.explain is not None:
        told = [(one, _inputs(catalogue, one)) for one in models]
        seen.append(("explanations", told, service.explain.at))
    for what, levels, at in seen:
        model, level = max(levels, key=lambda pair: pair[1][0])
        if level[0] <= CLASSES.index(clearance):
            continue
        yield Diagnostic(
            code=codes.INFORMATION_FLOW,
            message=f"{what} of `{model.id}` show `{CLASSES[level[0]]}` to callers of"
            f" `{service.id}`, which is {service.expose}",
            at=at,
            labels=(Label(level[1], "comes from here"),) if level[1] is not None else (),
            notes=(f"callers of {service.expose} services may see `{clearance}` at most",),
            help=("expose it less, or say on the output why it may be seen: `declassify`",),
        )


def _answering(catalogue: Catalogue, service: ServiceSpec) -> tuple[ModelSpec, ...]:
    """Return the models whose answers callers get: mirrors see requests and answer nobody."""
    mirrors = {one.model.text for one in service.variants if one.share is None}
    return tuple(
        one
        for one in served_models(catalogue, service)
        if one.id not in mirrors or one.id == service.model.text
    )


# ------------------------------------------------------------------ ML603


def _log(catalogue: Catalogue, service: ServiceSpec) -> Iterator[Diagnostic]:
    """Yield a prediction log that outlives the data that the predictions were made from."""
    model = catalogue.models.get(service.model.text)
    if model is None or service.log_retain is None:
        return
    for name in catalogue.event_data(model):
        noun = catalogue.data.get(name)
        if noun is not None and noun.retain is not None and noun.retain < service.log_retain:
            yield Diagnostic(
                code=codes.RETENTION,
                message=f"the prediction log of `{service.id}` is kept {service.log_retain}, and"
                f" `{name}` only {noun.retain}",
                at=service.at / "log" / "retain",
                labels=(Label(noun.at / "retain", "the source"),),
                help=(f"write `retain: {noun.retain}`",),
            )


def _copies(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield data made by a step that outlives the data that the step read."""
    for pipeline in catalogue.spec.pipelines:
        for step in pipeline.steps:
            read = [catalogue.data.get(item.text) for item in step.inputs]
            made = [catalogue.data.get(item.text) for item in step.outputs]
            for source in read:
                for copy in made:
                    if source is None or copy is None or source.id == copy.id:
                        continue
                    if source.retain is None or copy.retain is None:
                        continue
                    if copy.retain > source.retain:
                        yield Diagnostic(
                            code=codes.RETENTION,
                            message=f"`{copy.id}` is kept {copy.retain}, and `{source.id}`, which"
                            f" it is made from, only {source.retain}",
                            at=copy.at / "retain",
                            labels=(Label(source.at / "retain", "the source"),),
                            help=(f"write `retain: {source.retain}`",),
                        )
