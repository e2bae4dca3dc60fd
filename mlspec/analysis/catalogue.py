"""The nouns with everything filled in that they take from each other.

Duty: answer what a noun effectively is: the columns of a data noun (`like`), the task, input,
label and output of a model (an ensemble takes them from its members), the columns that a feature
reads (decision B14). Input: the nouns as written. Names that do not exist are None here; rules
report them. Circles among `ensemble` members, `like` and `base` end the walk instead of looping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from mlspec.expr.metric import Metric
from mlspec.expr.metrics import METRICS
from mlspec.spec.model import Located, Spec
from mlspec.spec.nouns import (
    CheckSpec,
    ColumnSpec,
    DataNoun,
    FeatureSpec,
    MetricSpec,
    ModelSpec,
    Nouns,
    ReadSpec,
    ServiceSpec,
    SplitSpec,
)

BUILT_IN_BASELINES = ("prior", "majority", "mean", "last")
"""Baselines that need no noun (decision B9)."""

RESERVED_REFERENCES = ("champion", "challenger", "baseline", "previous", "uncompressed")
"""Words that a check may compare with, besides models and variants."""


@dataclass(frozen=True)
class Catalogue:
    """The nouns of one environment, looked up by name.

    Attributes:
        spec: the whole document. environment: its name, None without overlays.
    """

    spec: Spec
    environment: str | None = None

    @property
    def nouns(self) -> Nouns:
        """The nouns as written."""
        return self.spec.nouns

    @property
    def profile(self) -> str:
        """`open`, `standard` or `regulated`."""
        return self.nouns.profile

    @cached_property
    def data(self) -> Mapping[str, DataNoun]:
        """Data nouns by id."""
        return MappingProxyType({item.id: item for item in self.nouns.data})

    @cached_property
    def features(self) -> Mapping[str, FeatureSpec]:
        """Features by id."""
        return MappingProxyType({item.id: item for item in self.nouns.features})

    @cached_property
    def models(self) -> Mapping[str, ModelSpec]:
        """Models by id."""
        return MappingProxyType({item.id: item for item in self.nouns.models})

    @cached_property
    def services(self) -> Mapping[str, ServiceSpec]:
        """Services by id."""
        return MappingProxyType({item.id: item for item in self.nouns.services})

    @cached_property
    def own_metrics(self) -> Mapping[str, MetricSpec]:
        """Metrics of the user's own by name."""
        return MappingProxyType({item.name: item for item in self.nouns.metrics})

    def metric(self, name: str) -> Metric | MetricSpec | None:
        """Return a metric of the registry, or one of the user's own."""
        return METRICS.get(name) or self.own_metrics.get(name)

    # -------------------------------------------------------------- data

    def columns(self, data_id: str) -> tuple[ColumnSpec, ...]:
        """Return the columns of a data noun, through `like`; empty when there are none."""
        return next((one.columns for one in self._like(data_id) if one.columns), ())

    def has_contract(self, noun: DataNoun) -> bool:
        """Return whether something must hold for the versions of a data noun."""
        own = noun.validate is not None and noun.validate.is_own
        return bool(noun.checks or own or self.columns(noun.id))

    def column(self, data_id: str, name: str) -> ColumnSpec | None:
        """Return a column of a data noun."""
        return next((one for one in self.columns(data_id) if one.name == name), None)

    def key(self, data_id: str) -> tuple[str, ...]:
        """Return the key columns of a data noun, through `like`."""
        for noun in self._like(data_id):
            if noun.key:
                return tuple(one.text for one in noun.key)
        return ()

    def time(self, data_id: str) -> str | None:
        """Return the time column of a data noun, through `like`."""
        return next((one.time.text for one in self._like(data_id) if one.time is not None), None)

    def _like(self, data_id: str) -> Iterator[DataNoun]:
        """Yield a data noun and those that it is `like`, each once."""
        seen: set[str] = set()
        noun = self.data.get(data_id)
        while noun is not None and noun.id not in seen:
            yield noun
            seen.add(noun.id)
            noun = self.data.get(noun.like.text) if noun.like is not None else None

    # -------------------------------------------------------------- features

    def reads(self, feature: FeatureSpec, label: str | None = None) -> tuple[ReadSpec, ...]:
        """Return what a feature reads with its columns spelled out.

        `from` without columns means all columns except the label, those with `available_after`
        and protected ones (decision B14); without a transform, only those that it puts out.

        Args:
            feature: the feature. label: label column of the data noun, if the model has one there.
        """
        made = []
        for one in feature.reads:
            columns = one.columns
            if columns is None:
                wanted = {output.name for output in feature.outputs}
                columns = tuple(
                    Located(column.name, column.at)
                    for column in self.columns(one.data.text)
                    if column.name != label
                    and not column.facts.protected
                    and column.facts.available_after is None
                    and (feature.transform is not None or column.name in wanted)
                )
            made.append(ReadSpec(data=one.data, columns=columns))
        return tuple(made)

    # -------------------------------------------------------------- models

    def members(self, model: ModelSpec) -> tuple[ModelSpec, ...]:
        """Return the direct members of an ensemble that exist."""
        if model.ensemble is None:
            return ()
        found = (self.models.get(one.text) for one in model.ensemble.members)
        return tuple(one for one in found if one is not None)

    def lineage(self, model: ModelSpec) -> Iterator[ModelSpec]:
        """Yield a model and, for an ensemble, its members all the way down, each once."""
        seen: set[str] = set()
        todo = [model]
        while todo:
            one = todo.pop(0)
            if one.id not in seen:
                seen.add(one.id)
                yield one
                todo += self.members(one)

    def _inherit(self, model: ModelSpec, *names: str) -> object:
        """Return the first of a model's values that is written, on it or on a member."""
        for one in self.lineage(model):
            for name in names:
                found = getattr(one, name)
                if found:
                    return found
        return None

    def task(self, model: ModelSpec) -> str | None:
        """Return the task of a model."""
        found = self._inherit(model, "task")
        return found.text if isinstance(found, Located) else None

    def output(self, model: ModelSpec) -> tuple[ColumnSpec, ...]:
        """Return the output fields of a model."""
        found = self._inherit(model, "output")
        return found if isinstance(found, tuple) else ()

    def model_features(self, model: ModelSpec) -> tuple[FeatureSpec, ...]:
        """Return the features of a model and its members that exist, each once, in order."""
        names: dict[str, None] = {}
        for one in self.lineage(model):
            names.update({name.text: None for name in one.features})
        return tuple(self.features[name] for name in names if name in self.features)

    def input(self, model: ModelSpec) -> tuple[ColumnSpec, ...]:
        """Return the input columns of a model: outputs of its features, or its own fields."""
        fields = tuple(column for one in self.lineage(model) for column in one.fields)
        outputs = tuple(
            column for feature in self.model_features(model) for column in feature.outputs
        )
        found = {column.name: column for column in (*outputs, *fields)}
        return tuple(found.values())

    def label(self, model: ModelSpec) -> tuple[str, str] | None:
        """Return the data noun and the column that a model learns."""
        for one in self.lineage(model):
            if one.label_data is not None and one.label_column is not None:
                return one.label_data.text, one.label_column.text
        return None

    def split(self, model: ModelSpec) -> SplitSpec | None:
        """Return how the rows of a model are divided."""
        found = self._inherit(model, "split")
        return found if isinstance(found, SplitSpec) else None

    def event_data(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the data nouns that a model's features and label come from, each once."""
        names: dict[str, None] = {}
        for feature in self.model_features(model):
            names.update({read.data.text: None for read in feature.reads})
        label = self.label(model)
        if label is not None:
            names[label[0]] = None
        return tuple(names)

    def rows_from(self, model: ModelSpec) -> str | None:
        """Return the data noun whose rows are the model's rows: that of its first row feature."""
        features = self.model_features(model)
        for feature in (*(one for one in features if not one.key), *features):
            if feature.reads:
                return feature.reads[0].data.text
        label = self.label(model)
        return label[0] if label is not None else None

    def slice_columns(self, model: ModelSpec) -> Mapping[str, ColumnSpec]:
        """Return what may follow `by`: columns of the model's data and of its features."""
        found = {column.name: column for column in self.input(model)}
        for data in self.event_data(model):
            found.update({column.name: column for column in self.columns(data)})
        return found

    # -------------------------------------------------------------- places of checks

    def promote_checks(self, model: ModelSpec) -> tuple[CheckSpec, ...]:
        """Return the checks of a model's gate, those of its compression included."""
        found = model.promote.checks if model.promote is not None else ()
        return (*found, *(model.compress.checks if model.compress is not None else ()))
