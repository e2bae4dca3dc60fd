"""What is known of a metric, as data: unit, direction, family, producers, argument.

Duty: the types of the registry (`mlspec.expr.metrics`) and the statistical methods of each family.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which values are better."""

    HIGHER = "higher"
    LOWER = "lower"
    NONE = "none"


class Unit(Enum):
    """What a value is measured in; checks are written in it."""

    SHARE = "a share of a whole"
    NUMBER = "a number without unit"
    LABEL = "the unit of the label"
    COLUMN = "the unit of the column"
    COUNT = "a count"
    SECONDS = "a duration"
    PER_SECOND = "events per second"
    MONEY = "money"


class Family(Enum):
    """Metrics that are estimated and tested in the same way."""

    AUC = "area under the ROC curve"
    PROPORTION = "share of rows"
    MEAN = "mean over rows"
    RESAMPLED = "function of all rows"
    GROUPS = "ratio or difference between groups"
    REQUESTS = "share of live requests"
    QUANTILE = "quantile"
    PSI = "population stability"
    DISTANCE = "distance of two distributions"
    EXACT = "exact number"


class Producer(Enum):
    """Where the rows or numbers come from that a metric is computed on."""

    DATA = "rows of a data noun or of features"
    SCORES = "scored rows with labels"
    LOG = "the prediction log"
    TELEMETRY = "measurements of the service"
    JUDGE = "answers read by a judge or compared with references"


class ArgumentKind(Enum):
    """What stands in the brackets of a metric."""

    COLUMN = "column"
    SETTING = "setting"
    VARIANT = "variant"
    METRIC = "metric"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentSpec:
    """The argument a metric takes.

    Attributes:
        kind: what it is.
        required: whether the metric has a meaning without it.
        settings: names of settings with what their values are.
        words: fixed words that are allowed besides columns.
    """

    kind: ArgumentKind
    required: bool = False
    settings: tuple[tuple[str, Unit], ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """Names of the statistical methods of a family.

    Attributes:
        threshold: for a comparison with a number.
        reference: for a comparison on the same rows; empty when there is none.
        alternatives: further names that `test:` may choose.
        min_samples: fewer rows (of each class for classification) are inconclusive; 0 for exact.
    """

    threshold: str
    reference: str
    alternatives: tuple[str, ...] = ()
    min_samples: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A built-in metric.

    Attributes:
        name: as written in checks.
        about: one line, what it says.
        unit: what its values are measured in.
        better: direction.
        family: how it is estimated and tested.
        tasks: values of `task` it fits; empty for metrics that are not about a model's answers.
        needs_labels: whether the truth must be known.
        producers: where it can be computed.
        argument: what may stand in brackets; None for nothing.
        per_group: whether it compares the groups that `by` names, instead of being cut by them.
    """

    name: str
    about: str
    unit: Unit
    better: Better
    family: Family
    tasks: frozenset[str] = frozenset()
    needs_labels: bool = False
    producers: frozenset[Producer]
    argument: ArgumentSpec | None = None
    per_group: bool = False

    @property
    def tests(self) -> Methods:
        """How the metric is tested unless a check says otherwise."""
        return FAMILY_TESTS[self.family]

    @property
    def pairable(self) -> bool:
        """Whether two models can be compared row by row."""
        return Producer.SCORES in self.producers


FAMILY_TESTS = {
    Family.AUC: Methods(threshold="delong", reference="delong", alternatives=("bootstrap",)),
    Family.PROPORTION: Methods(
        threshold="wilson", reference="newcombe", alternatives=("bootstrap",)
    ),
    Family.MEAN: Methods(
        threshold="t", reference="paired-t", alternatives=("bootstrap", "wilcoxon")
    ),
    Family.RESAMPLED: Methods(threshold="bootstrap", reference="bootstrap"),
    Family.GROUPS: Methods(
        threshold="relative-risk", reference="bootstrap", alternatives=("bootstrap",)
    ),
    Family.REQUESTS: Methods(threshold="wilson", reference="relative-risk"),
    Family.QUANTILE: Methods(threshold="order-statistic", reference="bootstrap"),
    Family.PSI: Methods(threshold="noncentral-chi2", reference="", min_samples=100),
    Family.DISTANCE: Methods(threshold="bootstrap", reference="", min_samples=100),
    Family.EXACT: Methods(threshold="exact", reference="exact", min_samples=0),
}
