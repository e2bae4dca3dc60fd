"""What is declared can hold: limits of columns, columns of time, shares of a split, people to ask.

The schema knows the shape of one value; these rules read two values together. Each would else end
a run, some of them only after training.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes import shape as codes
from mlspec.diagnostics.codes import targets as target_codes
from mlspec.diagnostics.model import Diagnostic, Severity
from mlspec.diagnostics.suggest import did_you_mean
from mlspec.spec.nouns import ColumnSpec, DataNoun, FeatureSpec, ModelSpec

_NUMBERS = frozenset({"int", "float", "probability", "score"})
_TIMES = frozenset({"timestamp", "string"})  # texts of RFC 3339 are read as times
_NAMED = ("group", "column")
_REGISTRIES = ("file", "mlflow")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_SCHEMES = (
    "abfs", "abfss", "adl", "az", "bigquery", "delta", "dvc", "file", "gcs", "gs", "hdfs", "hf",
    "http", "https", "iceberg", "kafka", "kinesis", "memory", "mqtt", "postgres", "postgresql",
    "pubsub", "pulsar", "s3", "s3a", "sample", "snowflake", "sqlite",
)  # fmt: skip
"""Of addresses of data that somebody reads; another one may be read by a step of the user's."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield what cannot hold, whatever the data are."""
    yield from _registry(catalogue)
    yield from _sources(catalogue)
    for data in catalogue.nouns.data:
        for column in data.columns:
            yield from _limits(column)
        yield from _time(catalogue, data.id, data)
    for feature in catalogue.nouns.features:
        for column in feature.outputs:
            yield from _limits(column)
        for read in feature.reads:
            yield from _time(catalogue, read.data.text, feature)
    for model in catalogue.nouns.models:
        yield from _split(model)
        yield from _training(model)
        yield from _people(catalogue, model)


def _registry(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield registries that nothing opens: the run would end after its training."""
    own = [one for one in catalogue.spec.environments if one.name == catalogue.environment]
    for target in (*catalogue.spec.targets, *(one for each in own for one in each.targets)):
        if target.part == "registry" and target.kind not in _REGISTRIES:
            yield Diagnostic(
                code=target_codes.UNKNOWN_TARGET,
                message=f"there is no registry `{target.kind}`",
                at=target.at,
                help=did_you_mean(target.kind, _REGISTRIES) or ("use `file` or `mlflow`",),
            )


def _sources(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield addresses whose scheme is nearly one that is read."""
    for data in catalogue.spec.data:
        found = _SCHEME.match(data.source.text) if data.source is not None else None
        if data.source is None or found is None or found[1].lower() in _SCHEMES:
            continue
        near = did_you_mean(found[1].lower(), _SCHEMES)
        if near:
            yield Diagnostic(
                code=codes.UNKNOWN_VALUE,
                message=f"`source` of data noun `{data.id}`: nothing reads `{found[1]}:` here",
                at=data.source.at,
                help=near,
                severity_override=Severity.WARNING,
            )


def _limits(column: ColumnSpec) -> Iterator[Diagnostic]:
    """Yield limits that are no numbers, or leave nothing between them."""
    low, high = column.facts.min, column.facts.max
    for name, limit in (("min", low), ("max", high)):
        if column.facts.type in _NUMBERS and isinstance(limit, str):
            yield Diagnostic(
                code=codes.WRONG_TYPE,
                message=f"`{name}` of column `{column.name}` must be a number, found `{limit}`",
                at=column.at / name,
            )
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield Diagnostic(
            code=codes.OUT_OF_RANGE,
            message=f"`max` of column `{column.name}` is less than its `min`: nothing is allowed",
            at=column.at / "max",
        )


def _time(catalogue: Catalogue, data_id: str, noun: DataNoun | FeatureSpec) -> Iterator[Diagnostic]:
    """Yield a column of time that holds none."""
    column = catalogue.column(data_id, noun.time.text) if noun.time is not None else None
    if noun.time is None or column is None or column.facts.type in _TIMES:
        return
    yield Diagnostic(
        code=codes.WRONG_TYPE,
        message=f"`time` of `{noun.id}` must be a timestamp, and `{column.name}` is of type"
        f" `{column.facts.type}`",
        at=noun.time.at,
        help=("name the column that says when it happened, of type `timestamp`",),
    )


def _split(model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield splits that leave nothing to train on, or do not say by what they divide."""
    split = model.split
    if split is None:
        return
    if split.by in _NAMED and getattr(split, split.by) is None:
        yield Diagnostic(
            code=codes.MISSING_KEY,
            message=f"key `{split.by}` is missing in `split` of model `{model.id}`",
            at=split.at / "by",
            help=(f"write `{split.by}: <column>`, or divide `by: time`",),
        )
    shares = [
        one.share
        for one in (split.test, split.validation)
        if one is not None and one.share is not None
    ]
    if sum(shares) >= 1:
        yield Diagnostic(
            code=codes.OUT_OF_RANGE,
            message=f"`split` of model `{model.id}` leaves no rows to train on:"
            f" test and validation take {sum(shares):.0%}",
            at=split.at,
        )


def _training(model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield a training that says how, and not what is called."""
    train = model.train
    if train is None or train.entrypoint is not None or train.pipeline is not None:
        return
    if not train.block.is_own:
        yield Diagnostic(
            code=codes.MISSING_KEY,
            message=f"key `entrypoint` is missing in `train` of model `{model.id}`",
            at=train.at,
            help=("write `entrypoint: module:function`, or `run`, `uses` or `pipeline` instead",),
        )


def _people(catalogue: Catalogue, model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield approvals that want more people than a role has."""
    roles = {role.id: role for role in catalogue.spec.roles}
    for one in model.promote.approvals if model.promote is not None else ():
        role = roles.get(one.by.text)
        if role is None or not role.members or any(m.startswith("@") for m in role.members):
            continue
        people = len({member.casefold() for member in role.members})
        if one.count > people:
            yield Diagnostic(
                code=codes.OUT_OF_RANGE,
                message=f"{one.count} of `{role.id}` must agree, and it has {people}:"
                f" `{model.id}` can never be approved",
                at=one.at / "count",
            )
