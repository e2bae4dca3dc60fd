"""The metric registry: what each built-in metric is, as data.

Duty: answer questions about names (unit, direction, tasks, labels, argument, statistical family)
without importing anything heavy, for the compiler and for the run-time half alike. How a metric
is computed stands in `mlspec.runtime.metrics`, how it is tested in `mlspec.runtime.statistics`.
Invariants: names are unique; a registry name can never be redefined by a spec.
"""

from __future__ import annotations

from mlspec.expr.metric import ArgumentKind, ArgumentSpec, Better, Family, Metric, Producer, Unit

_CLASSES = frozenset({"binary", "multiclass"})
_LABELLED = frozenset({"binary", "multiclass", "multilabel"})
_NUMBERS = frozenset({"regression", "forecast"})
_ANSWERS = frozenset({"generation"})
_DATA = frozenset({Producer.DATA})
_SCORES = frozenset({Producer.SCORES})
_LOG = frozenset({Producer.LOG})
_TELEMETRY = frozenset({Producer.TELEMETRY})
_JUDGE = frozenset({Producer.JUDGE})


def _setting(name: str, unit: Unit, *, required: bool = False) -> ArgumentSpec:
    return ArgumentSpec(kind=ArgumentKind.SETTING, required=required, settings=((name, unit),))


def _column(*words: str, required: bool = False) -> ArgumentSpec:
    return ArgumentSpec(kind=ArgumentKind.COLUMN, required=required, words=words)


def _judged(
    name: str,
    about: str,
    family: Family,
    *,
    tasks: frozenset[str] = frozenset({"binary"}),
    better: Better = Better.HIGHER,
    unit: Unit = Unit.SHARE,
    argument: ArgumentSpec | None = None,
    per_group: bool = False,
) -> Metric:
    """Describe a metric of scored rows with labels."""
    return Metric(
        name=name,
        about=about,
        unit=unit,
        better=better,
        family=family,
        tasks=tasks,
        needs_labels=True,
        producers=_SCORES,
        argument=argument,
        per_group=per_group,
    )


def _plain(
    name: str,
    about: str,
    producers: frozenset[Producer],
    family: Family,
    better: Better,
    unit: Unit,
    *,
    argument: ArgumentSpec | None = None,
    tasks: frozenset[str] = frozenset(),
) -> Metric:
    """Describe a metric that needs no labels."""
    return Metric(
        name=name,
        about=about,
        unit=unit,
        better=better,
        family=family,
        tasks=tasks,
        producers=producers,
        argument=argument,
    )


_H, _L, _N = Better.HIGHER, Better.LOWER, Better.NONE
_K = _setting("k", Unit.COUNT, required=True)
_BINARY = frozenset({"binary"})

_CLASSIFICATION = (
    _judged("roc_auc", "chance that a positive row scores above a negative one", Family.AUC),
    _judged("average_precision", "area under the precision-recall steps", Family.RESAMPLED),
    _judged("accuracy", "share of right decisions", Family.PROPORTION, tasks=_CLASSES),
    _judged("balanced_accuracy", "mean recall of the classes", Family.RESAMPLED, tasks=_CLASSES),
    _judged(
        "precision",
        "share of positives among those called positive",
        Family.RESAMPLED,
        argument=_setting("recall", Unit.SHARE),
    ),
    _judged(
        "recall",
        "share of the positives that are found",
        Family.PROPORTION,
        argument=_setting("fpr", Unit.SHARE),
    ),
    _judged("f1", "harmonic mean of precision and recall", Family.RESAMPLED),
    _judged("mcc", "correlation of decisions and labels", Family.RESAMPLED, unit=Unit.NUMBER),
    _judged("kappa", "agreement beyond chance", Family.RESAMPLED, unit=Unit.NUMBER, tasks=_CLASSES),
    _judged(
        "log_loss",
        "mean negative log-likelihood of the labels",
        Family.MEAN,
        better=_L,
        unit=Unit.NUMBER,
        tasks=_CLASSES,
    ),
    _judged(
        "brier",
        "mean squared error of the probability",
        Family.MEAN,
        better=_L,
        unit=Unit.NUMBER,
    ),
    _judged(
        "calibration_error",
        "mean distance of the probability from the observed share",
        Family.RESAMPLED,
        better=_L,
    ),
    _judged(
        "top_k_accuracy",
        "share of rows whose class is among the k most probable",
        Family.PROPORTION,
        tasks=frozenset({"multiclass"}),
        argument=_K,
    ),
)
_REGRESSION = (
    _judged(
        "rmse",
        "root of the mean squared error",
        Family.RESAMPLED,
        better=_L,
        unit=Unit.LABEL,
        tasks=_NUMBERS,
    ),
    _judged("mae", "mean absolute error", Family.MEAN, better=_L, unit=Unit.LABEL, tasks=_NUMBERS),
    _judged(
        "mape", "mean absolute error in parts of the label", Family.MEAN, better=_L, tasks=_NUMBERS
    ),
    _judged(
        "r2", "share of the variance explained", Family.RESAMPLED, unit=Unit.NUMBER, tasks=_NUMBERS
    ),
    _judged("bias", "mean error", Family.MEAN, better=_N, unit=Unit.LABEL, tasks=_NUMBERS),
    _judged(
        "coverage",
        "share of labels inside the predicted interval",
        Family.PROPORTION,
        tasks=_NUMBERS,
        argument=_setting("level", Unit.SHARE, required=True),
    ),
)
_RANKING = (
    _judged(
        "ndcg",
        "discounted gain of the first k in parts of the best possible",
        Family.MEAN,
        tasks=frozenset({"ranking"}),
        argument=_K,
    ),
    _judged(
        "map",
        "mean over queries of the average precision of the first k",
        Family.MEAN,
        tasks=frozenset({"ranking"}),
        argument=_K,
    ),
)
_FAIRNESS = (
    Metric(
        name="demographic_parity_ratio",
        about="smallest share of positive decisions of a group in parts of the largest",
        unit=Unit.SHARE,
        better=_H,
        family=Family.GROUPS,
        tasks=_BINARY,
        producers=_SCORES | _LOG,
        per_group=True,
    ),
    Metric(
        name="demographic_parity_difference",
        about="largest share of positive decisions of a group minus the smallest",
        unit=Unit.SHARE,
        better=_L,
        family=Family.GROUPS,
        tasks=_BINARY,
        producers=_SCORES | _LOG,
        per_group=True,
    ),
    _judged(
        "equalized_odds_difference",
        "largest difference between groups in recall or in false alarms",
        Family.GROUPS,
        better=_L,
        per_group=True,
    ),
    _judged(
        "equal_opportunity_difference",
        "largest difference between groups in recall",
        Family.GROUPS,
        better=_L,
        per_group=True,
    ),
)
_GENERATION = tuple(
    _plain(name, about, _JUDGE, family, better, unit, tasks=_ANSWERS)
    for name, about, family, better, unit in (
        (
            "exact_match",
            "share of answers equal to the reference",
            Family.PROPORTION,
            _H,
            Unit.SHARE,
        ),
        ("faithfulness", "share of claims the sources support", Family.MEAN, _H, Unit.SHARE),
        (
            "answer_relevance",
            "how much the answer is about the question",
            Family.MEAN,
            _H,
            Unit.SHARE,
        ),
        ("toxicity_rate", "share of toxic answers", Family.PROPORTION, _L, Unit.SHARE),
        ("refusal_rate", "share of questions not answered", Family.PROPORTION, _N, Unit.SHARE),
        ("cost_per_1k", "cost of a thousand requests", Family.MEAN, _L, Unit.MONEY),
    )
)
_PREDICTION = (
    _plain(
        "positive_rate",
        "share of positive decisions",
        _LOG | _SCORES,
        Family.REQUESTS,
        _N,
        Unit.SHARE,
        tasks=_BINARY,
    ),
    _plain(
        "agreement",
        "share of requests that a variant decides alike",
        _LOG,
        Family.REQUESTS,
        _H,
        Unit.SHARE,
        argument=ArgumentSpec(kind=ArgumentKind.VARIANT, required=True),
    ),
    _plain(
        "estimated",
        "a metric estimated from calibrated probabilities, without labels",
        _LOG,
        Family.RESAMPLED,
        _N,
        Unit.NUMBER,
        argument=ArgumentSpec(kind=ArgumentKind.METRIC, required=True),
        tasks=_LABELLED,
    ),
    _plain("mean_score", "mean of the prediction", _LOG, Family.MEAN, _N, Unit.LABEL),
)
_ROWS = (
    _plain("rows", "number of rows", _DATA, Family.EXACT, _H, Unit.COUNT),
    _plain("freshness", "age of the newest row", _DATA, Family.EXACT, _L, Unit.SECONDS),
    _plain("staleness", "age of the oldest served value", _DATA, Family.EXACT, _L, Unit.SECONDS),
    _plain(
        "null_rate",
        "share of missing values",
        _DATA | _LOG,
        Family.EXACT,
        _L,
        Unit.SHARE,
        argument=_column(),
    ),
    _plain(
        "duplicates",
        "rows whose value occurred before",
        _DATA,
        Family.EXACT,
        _L,
        Unit.COUNT,
        argument=_column(required=True),
    ),
    _plain(
        "unseen",
        "share of values that the reference does not have",
        _DATA | _LOG,
        Family.PROPORTION,
        _L,
        Unit.SHARE,
        argument=_column(required=True),
    ),
    _plain(
        "psi",
        "population stability index",
        _DATA | _LOG,
        Family.PSI,
        _L,
        Unit.NUMBER,
        argument=_column("prediction"),
    ),
    _plain(
        "js",
        "Jensen-Shannon distance, base 2",
        _DATA | _LOG,
        Family.DISTANCE,
        _L,
        Unit.NUMBER,
        argument=_column("prediction"),
    ),
    _plain(
        "ks",
        "largest difference of the distribution functions",
        _DATA | _LOG,
        Family.DISTANCE,
        _L,
        Unit.NUMBER,
        argument=_column("prediction"),
    ),
    _plain(
        "wasserstein",
        "mean way that values moved",
        _DATA | _LOG,
        Family.DISTANCE,
        _L,
        Unit.COLUMN,
        argument=_column("prediction"),
    ),
    _plain(
        "mean",
        "mean of a column",
        _DATA | _LOG,
        Family.MEAN,
        _N,
        Unit.COLUMN,
        argument=_column(required=True),
    ),
)
_SERVICE = tuple(
    _plain(name, about, _TELEMETRY, family, better, unit)
    for name, about, family, better, unit in (
        ("error_rate", "share of failed requests", Family.REQUESTS, _L, Unit.SHARE),
        ("availability", "share of answered requests", Family.REQUESTS, _H, Unit.SHARE),
        ("p50_latency", "median time to the answer", Family.QUANTILE, _L, Unit.SECONDS),
        (
            "p95_latency",
            "95 % quantile of the time to the answer",
            Family.QUANTILE,
            _L,
            Unit.SECONDS,
        ),
        (
            "p99_latency",
            "99 % quantile of the time to the answer",
            Family.QUANTILE,
            _L,
            Unit.SECONDS,
        ),
        (
            "p95_first_token",
            "95 % quantile of the time to the first token",
            Family.QUANTILE,
            _L,
            Unit.SECONDS,
        ),
        ("throughput", "answered requests per second", Family.EXACT, _H, Unit.PER_SECOND),
        ("consumer_lag", "age of the oldest unread message", Family.EXACT, _L, Unit.SECONDS),
        ("cpu", "used part of the processor limit", Family.EXACT, _N, Unit.SHARE),
        ("memory", "used part of the memory limit", Family.EXACT, _N, Unit.SHARE),
        ("gpu_utilisation", "used part of the accelerators", Family.EXACT, _N, Unit.SHARE),
    )
)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *_CLASSIFICATION,
        *_REGRESSION,
        *_RANKING,
        *_FAIRNESS,
        *_GENERATION,
        *_PREDICTION,
        *_ROWS,
        *_SERVICE,
    )
}
"""All built-in metrics by name, in the order of the documentation."""
